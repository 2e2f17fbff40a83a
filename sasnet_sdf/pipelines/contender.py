"""One model of a comparison: trained, at one rate or the best of three, and what that took."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..config import TrainingConfig
from ..errors import Interrupted, SasnetError, UsageError
from ..model_config import ModelConfig
from ..networks.network import Network
from ..runtime.progress import OnProgress, Progress, silent
from ..settings import to_dict
from ..training import History

RATES = (1e-3, 3e-3)
"""The rates of a sweep, beside the published one; a network's other rates keep their ratio to it."""

WARM_UP = 3
"""Steps before those that are timed."""

FitWith = Callable[[ModelConfig, TrainingConfig, OnProgress], "tuple[Any, History]"]
"""Trains a network on what all are trained on: a result with `model` and `metadata`, and its history."""


def trained(
    fit_with: FitWith,
    error_of: Callable[[Any], float],
    model: ModelConfig,
    training: TrainingConfig,
    sweep_rates: bool,
    on_progress: OnProgress,
) -> tuple[dict[str, Any], Any]:
    """A row of what was chosen and what it took, and the result; None where the loss was no number.

    error_of: of a result, what says which rate is the best.
    """
    best: tuple[float, dict[str, Any], Any] | None = None
    tried: dict[str, float | None] = {}
    for rate in sorted({model.rate, *RATES}) if sweep_rates else [model.rate]:
        at_rate = model.at_rate(rate)
        try:
            # what is compiled or laid out once is no part of what a step takes
            fit_with(at_rate, replace(training, steps=WARM_UP, time_limit=None), silent)
            result, history = fit_with(at_rate, training, on_progress)
        except (UsageError, Interrupted):
            raise
        except SasnetError as error:
            tried[f"{rate:g}"] = None
            failure = str(error)
            continue
        if history.ended_by == "cancel":
            return {"ended_by": "cancel"}, None
        error = error_of(result)
        if not math.isfinite(error):
            tried[f"{rate:g}"], failure = None, "the field is not a number"
            continue
        tried[f"{rate:g}"] = error
        if best is None or error < best[0]:
            row = {
                **{name: value for name, value in result.metadata.items() if name != "seed"},
                "seconds": history.seconds,
                "rate": rate,
                "width": model.width,
                "held_out_error": error,
                "engine": _engine(result.model),
                "settings": to_dict(at_rate),
                "history": {"steps": history.steps, "losses": history.losses, "times": history.times},
            }
            best = error, row, result
    sweep = {"rates": tried} if sweep_rates else {}
    if best is None:
        return {"settings": to_dict(model), "failure": failure, **sweep}, None
    return best[1] | sweep, best[2]


def _engine(model: Network[Any]) -> str:
    """What computed a network: compiled passes, or PyTorch with one of the hash grid's engines."""
    if model.compiled:
        return "compiled"
    return "torch" if model.engine == "torch" else f"torch, {model.engine}"


def on_part(on_progress: OnProgress, label: str, number: int, count: int) -> OnProgress:
    """Progress of one model as that of the whole."""

    def watch(progress: Progress) -> bool | None:
        return on_progress(replace(progress, part=number, parts=count, label=label))

    return watch
