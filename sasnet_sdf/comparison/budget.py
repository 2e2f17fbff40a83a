"""The budget of every network in a comparison."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ..config import TrainingConfig
from ..errors import UsageError
from ..model_config import PUBLISHED, GridConfig, ModelConfig
from ..networks.registry import with_parameters
from ..problems.model_choice import model_of

_DECIDED = {
    *("steps", "batch", "time_limit"),
    *(f"training.{name}" for name in ("steps", "batch", "time_limit")),
    *(field.name for config in PUBLISHED.own.values() for field in fields(config)),
    *(field.name for field in fields(GridConfig)),
}
"""Settings that the models and the budget decide."""


@dataclass(frozen=True)
class Budget:
    """Parameters (None: as many as published), and steps of `batch` targets or seconds of training."""

    parameters: int | None = 150_000
    steps: int | None = 1500
    seconds: float | None = None
    batch: int = 8192

    @classmethod
    def of(cls, words: str) -> Budget:
        """From `parameters=150000,steps=1500` and the like; parameters=own leaves the published sizes.

        Raises UsageError.
        """
        found: dict[str, Any] = {}
        for word in filter(None, words.split(",")):
            key, _, text = word.partition("=")
            try:
                if key == "parameters" and text == "own":
                    found[key] = None
                elif key in ("parameters", "steps", "batch"):
                    found[key] = int(text)
                elif key == "seconds":
                    found[key] = float(text)
                else:
                    raise UsageError(
                        f"budget: unknown word {word!r}; known: parameters, steps, seconds, batch"
                    )
            except ValueError:
                raise UsageError(f"budget: {key} must be a number, found {text!r}") from None
            if found[key] is not None and not 0 < found[key] < math.inf:
                raise UsageError(f"budget: {key} must be positive, found {text}")
        if "seconds" in found and "steps" not in found:
            found["steps"] = None
        return cls(**found)


def sized(words: str, budget: Budget) -> ModelConfig:
    """The settings of a model at the budget's size. Raises UsageError."""
    config = model_of(words)
    if budget.parameters is None:
        return config
    try:
        return with_parameters(config, budget.parameters)
    except ValueError as error:
        raise UsageError(f"model {words}: {error}") from error


def training_of(training: TrainingConfig, budget: Budget) -> TrainingConfig:
    """The training that the budget allows, otherwise as it is."""
    # a run that the clock ends follows its schedule by the clock
    steps = budget.steps if budget.steps is not None else 10_000_000
    return replace(training, steps=steps, batch=budget.batch, time_limit=budget.seconds)


def refuse_decided(settings: Iterable[str]) -> None:
    """Refuse settings that the models and the budget decide. Raises UsageError."""
    for setting in settings:
        key = setting.partition("=")[0]
        if key.startswith("model.") or key in _DECIDED:
            raise UsageError(f"compare takes its models and its budget, not --set {key}")


def refuse_of_surfaces(changes: Mapping[str, Any]) -> None:
    """Refuse what only surfaces have, for an image or a volume. Raises UsageError."""
    for name, value in changes.items():
        if name not in ("seed", "device", "engine") and value not in (None, (), []):
            raise UsageError(f"a comparison on an image or a volume has no {name.replace('_', '-')}")
