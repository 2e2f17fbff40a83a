"""Networks side by side on an image or a volume: the same samples, the same budget."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..config import SignalConfig, TrainingConfig
from ..errors import Interrupted, UsageError
from ..fitted import FittedSignal
from ..model_config import ModelConfig
from ..networks.trained import by_chunks, choose
from ..problems.model_choice import model_of
from ..problems.signal import check_size, load_signal, ranges, train_on
from ..problems.signal_figures import measured
from ..problems.signal_settings import default_count, known_models, sized_model
from ..runtime.progress import OnProgress, silent, stage
from ..runtime.system import hardware
from ..settings import to_dict
from ..signals import Signal
from ..training import History
from ..training.samplers import SignalBatches
from .budget import Budget, training_of
from .contenders import no_network, on_part, trained
from .pictures import draw_signals
from .results import Results

LOOKED_AT = 50_000
"""Samples by which the best of several rates is chosen."""


def compare_signal(
    source: str | Path | Signal,
    kind: str,
    output: str | Path,
    *,
    models: Sequence[str],
    budget: Budget,
    sweep_rates: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
    engine: str = "auto",
    on_progress: OnProgress = silent,
) -> dict[str, Any]:
    """Train each model on the same image or volume and measure how well it agrees.

    kind: image or volume. Otherwise as `compare`, which calls this. Raises a SasnetError.
    """
    with stage("read", on_part(on_progress, "", 0, len(models)), "reading"):
        signal, notes = load_signal(source, kind)
        low, high, _ = ranges(signal)
    check_size(signal, low, high)
    base = SignalConfig(seed=seed)
    training = training_of(base.training, budget)
    surfaces = [words for words in models if no_network(words)]
    wanted = {words: _sized(words, signal, budget, training) for words in models if words not in surfaces}
    if surfaces:
        notes.append(f"left out: {', '.join(surfaces)} (for surfaces only, and the input is a {kind})")
    if not wanted:
        raise UsageError(f"no model is left to compare: {', '.join(surfaces)} is for surfaces only")
    run = {
        "version": __version__,
        "kind": kind,
        "input": str(source) if isinstance(source, (str, Path)) else None,
        "reference": None,
        "content": [fingerprint(signal)],
        "budget": asdict(budget),
        "sweep_rates": sweep_rates,
        "settings": {"seed": seed, "training": to_dict(training)},
    }
    device, engine = choose(device, engine)
    results = Results.open(Path(output), run, overwrite)
    results.numbers |= {"hardware": hardware(), "device": device, "notes": notes}

    def fit_with(
        model: ModelConfig, training: TrainingConfig, watch: OnProgress
    ) -> tuple[FittedSignal, History]:
        config = replace(base, model=model, training=training)
        return train_on(signal, (low, high), config, device, engine, watch)

    some = SignalBatches(signal, low, high, LOOKED_AT, seed + 1)(0)

    def error_of(fitted: FittedSignal) -> float:
        """The mean squared error of samples that are the same for all, of each model's own rates."""
        points, values = some
        found = by_chunks(lambda x: (fitted.model(x),), points.numpy(), fitted.device)[0]
        return float(np.nanmean((found - values.numpy()) ** 2))

    missing = [words for words in wanted if results.row(words) is None]
    for number, words in enumerate(missing):
        watch = on_part(on_progress, words, number, len(missing))
        row, fitted = trained(fit_with, error_of, wanted[words], training, sweep_rates, watch)
        if row.get("ended_by") == "cancel":
            raise Interrupted(f"interrupted; {output} keeps the models that were done")
        if fitted is not None:
            row |= measured(fitted, signal)[0]
        results.add(words, row, None, fitted)
    with stage("write", on_progress, "tables and pictures"):
        results.numbers["notes"] = notes + draw_signals(results.folder, results.numbers["rows"], signal)
        results.write_tables()
    return results.numbers


def _sized(words: str, signal: Signal, budget: Budget, training: TrainingConfig) -> ModelConfig:
    count = budget.parameters or default_count(signal)
    known = known_models(signal, count, training)
    config = model_of(words, known)
    return config if budget.parameters is None else sized_model(config, signal, budget.parameters)


def fingerprint(signal: Signal) -> str:
    """What tells two inputs apart, whatever they are called; slab by slab."""
    digest = hashlib.sha256(str((signal.values.shape, signal.values.dtype.str)).encode())
    for slab in signal.slabs():
        digest.update(np.ascontiguousarray(slab).tobytes())
    return digest.hexdigest()[:16]
