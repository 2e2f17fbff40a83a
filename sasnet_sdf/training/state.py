"""All that the rest of a run depends on, apart from the data: to go back to, and to go on from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

import numpy as np
from torch import Tensor


@dataclass
class History:
    """What happened: each stretch's last step, its mean loss, its end in seconds; and how the run ended.

    `retries`: how often the loss was no number, so that the run went back and its rates were halved.
    `notes`: what whoever started the run should know of it.
    """

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    retries: int = 0
    notes: list[str] = field(default_factory=list)
    ended_by: str = "steps"

    @property
    def steps_done(self) -> int:
        return self.steps[-1] if self.steps else 0

    @property
    def seconds(self) -> float:
        return self.times[-1] if self.times else 0.0

    @property
    def ms_per_step(self) -> float:
        """The median over the stretches: what else the machine did for a while does not count."""
        if not self.steps:
            return 0.0
        return 1e3 * float(median(np.diff(self.times, prepend=0) / np.diff(self.steps, prepend=0)))

    @property
    def loss(self) -> float | None:
        return self.losses[-1] if self.losses else None

    def facts(self) -> dict[str, Any]:
        """What a report and a model file say of the run."""
        return {
            "steps": self.steps_done,
            "ms_per_step": self.ms_per_step,
            "loss": self.loss,
            "retries": self.retries,
            "ended_by": self.ended_by,
        }

    def until(self, step: int) -> History:
        """A copy that has what happened up to a step, and of later ones only the retries."""
        count = sum(number <= step for number in self.steps)
        return History(
            self.steps[:count], self.losses[:count], self.times[:count], self.retries, list(self.notes)
        )


@dataclass(frozen=True)
class State:
    """A run after history.steps_done steps.

    tensors: of every parameter its value and its moments, one after the other. updates: how many Adam
    has made.
    """

    history: History
    updates: int
    tensors: list[Tensor]

    @property
    def finite(self) -> bool:
        return all(bool(tensor.isfinite().all()) for tensor in self.tensors)


class Checkpoints(Protocol):
    """Where a run is kept on its way: `start` is what it goes on from, `every` how often, in seconds."""

    start: State | None
    every: float

    @property
    def keep(self) -> Callable[[State], None]: ...
