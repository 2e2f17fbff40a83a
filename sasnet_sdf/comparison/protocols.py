"""The protocols of a comparison: which optimizer trains the networks, and at which learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import UsageError, unknown
from ..model_config import ModelConfig

RATES: dict[str, tuple[float, ...]] = {
    "published": (),
    "adam": (3e-4, 1e-3, 3e-3, 1e-2),
    "muon": (0.01, 0.03, 0.1, 0.3),
}
"""The learning rates that each protocol tries, half a decade apart; published uses the network's own."""

BESIDE_MUON = {"surface": 1e-3, "signal": 3e-3}
"""The learning rates of Adam in the protocol muon, for the parameters that Muon does not train.

Chosen on tuning data: at 3e-3 rather than 1e-3 most networks gain 0.1 to 0.4 dB on images, and SIREN's signed
distances become noise.
"""


def check_protocol(protocol: str) -> None:
    """Raises UsageError for an unknown protocol."""
    if protocol not in RATES:
        raise UsageError(unknown("protocol", protocol, RATES))


def with_optimizer(model: ModelConfig, protocol: str) -> ModelConfig:
    """The settings with the optimizer of a protocol; under published, the network's own."""
    return model if protocol == "published" else replace(model, optimizer=protocol)


def candidates(
    model: ModelConfig, protocol: str, beside_muon: float = BESIDE_MUON["surface"]
) -> dict[str, ModelConfig]:
    """The settings that a protocol tries for a network, by the rate as text.

    published: the network's own optimizer and rates. adam: everything is trained by Adam, at each of its
    rates; the other rates of the network, such as that of SASNet's masks, keep their ratio to `rate`. muon:
    the matrices of hidden layers are trained by Muon, at each of its rates, and the rest by Adam at the rate
    `beside_muon`.
    """
    if protocol == "published":
        own = model.muon_rate if model.optimizer == "muon" else model.rate
        return {f"{own:g}": model}
    model = with_optimizer(model, protocol)
    if protocol == "adam":
        return {f"{rate:g}": model.at_rate(rate) for rate in RATES["adam"]}
    model = model.at_rate(beside_muon)
    return {f"{rate:g}": replace(model, muon_rate=rate) for rate in RATES["muon"]}


def best_rate(errors: Sequence[dict[str, float | None]]) -> str | None:
    """The rate with the least product of the errors on several inputs; None if each failed on one of them.

    errors: for each input the error by rate; None where the training failed. The product, so that an input
    with large errors does not decide alone.
    """
    products: dict[str, float] = {}
    for rate in errors[0]:
        product = 1.0
        for of_input in errors:
            error = of_input.get(rate)
            if error is None:
                break
            product *= error
        else:
            products[rate] = product
    return min(products, key=lambda rate: products[rate], default=None)
