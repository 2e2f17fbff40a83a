"""One model of a comparison: trained, at one rate or the best of three, and what that took."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from ..config import Config, to_dict
from ..errors import SasnetError, UsageError
from ..field import Field
from ..losses import distance_error
from ..model_config import ModelConfig
from ..progress import OnProgress, silent
from ..samplers import Pool, draw_pool
from .fitting import Problem, fit

RATES = (1e-3, 3e-3)
"""Of a sweep, beside the published one; what learns at another rate keeps the ratio."""

HELD_OUT = 50_000
"""Targets that no model is trained on, by which the best rate is chosen."""

WARM_UP = 3
"""Steps before those that are timed."""


def trained(
    problem: Problem,
    model: ModelConfig,
    config: Config,
    sweep_rates: bool,
    engines: tuple[str, str],
    on_progress: OnProgress,
) -> tuple[dict[str, Any], Field | None]:
    """A row of what was chosen and what it took, and the field; none where the loss was no number."""
    held_out = draw_pool(problem.target, HELD_OUT, config.seed + 1)
    best: tuple[float, dict[str, Any], Field] | None = None
    tried: dict[str, float | None] = {}
    for rate in sorted({model.rate, *RATES}) if sweep_rates else [model.rate]:
        at_rate = replace(config, model=_learning_at(model, rate))
        try:
            # what is compiled or laid out once is no part of what a step takes
            fit(problem, _of_steps(at_rate, WARM_UP), *engines, silent)
            field, history = fit(problem, at_rate, *engines, on_progress)
        except UsageError:
            raise
        except SasnetError as error:
            tried[f"{rate:g}"] = None
            failure = str(error)
            continue
        if history.ended_by == "cancel":
            return {"ended_by": "cancel"}, None
        error = _error_of(field, held_out)
        if not math.isfinite(error):
            tried[f"{rate:g}"], failure = None, "the field is not a number"
            continue
        tried[f"{rate:g}"] = error
        if best is None or error < best[0]:
            row = {
                **{name: value for name, value in field.metadata.items() if name != "seed"},
                "seconds": history.seconds,
                "rate": rate,
                "width": model.width,
                "held_out_error": error,
                "engine": _engine(field),
                "settings": to_dict(at_rate.model),
                "history": {"steps": history.steps, "losses": history.losses, "times": history.times},
            }
            best = error, row, field
    sweep = {"rates": tried} if sweep_rates else {}
    if best is None:
        return {"settings": to_dict(model), "failure": failure, **sweep}, None
    return best[1] | sweep, best[2]


def _learning_at(model: ModelConfig, rate: float) -> ModelConfig:
    """The settings with that rate, and that of the masks' network in the same ratio."""
    other = getattr(model, "grid_rate", None)
    return replace(model, rate=rate, **({"grid_rate": other * rate / model.rate} if other else {}))


def _of_steps(config: Config, steps: int) -> Config:
    return replace(config, training=replace(config.training, steps=steps, time_limit=None))


def _engine(field: Field) -> str:
    """What computed a network: compiled passes, or PyTorch with one of the hash grid's engines."""
    engine = field.model.engine
    if getattr(field.model, "compiled", False):
        return "compiled"
    return "torch" if engine == "torch" else f"torch, {engine}"


def _error_of(field: Field, pool: Pool) -> float:
    """The mean error of a field on targets, as the loss weighs it."""
    values = torch.from_numpy(field.unit_distance(pool.points.numpy()))
    return float(distance_error(values, pool.distances).mean())
