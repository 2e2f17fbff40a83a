"""The state of a run, to go back to or to resume from, and the history of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

import numpy as np
from torch import Tensor


@dataclass
class History:
    """What happened in a run.

    steps, losses, times: for each stretch its last step, its mean loss, and the seconds at its end. retries:
    how often the loss was NaN or infinite, so that the run went back and its rates were halved. notes: what
    the user should know. ended_by: "steps", "time" or "cancel".
    """

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    retries: int = 0
    notes: list[str] = field(default_factory=list)
    ended_by: str = "steps"

    @property
    def steps_done(self) -> int:
        """The number of steps so far."""
        return self.steps[-1] if self.steps else 0

    @property
    def seconds(self) -> float:
        """The duration so far."""
        return self.times[-1] if self.times else 0.0

    @property
    def ms_per_step(self) -> float:
        """The median duration of a step over the stretches, which short disturbances do not change."""
        if not self.steps:
            return 0.0
        return 1e3 * float(median(np.diff(self.times, prepend=0) / np.diff(self.steps, prepend=0)))

    @property
    def loss(self) -> float | None:
        """The mean loss of the last stretch, if any."""
        return self.losses[-1] if self.losses else None

    def facts(self) -> dict[str, Any]:
        """What a report and a model file say about the run."""
        return {
            "steps": self.steps_done,
            "ms_per_step": self.ms_per_step,
            "loss": self.loss,
            "retries": self.retries,
            "ended_by": self.ended_by,
        }

    def until(self, step: int) -> History:
        """A copy of what happened up to a step, with all retries."""
        count = sum(number <= step for number in self.steps)
        return History(
            self.steps[:count], self.losses[:count], self.times[:count], self.retries, list(self.notes)
        )


@dataclass(frozen=True)
class State:
    """The state of a run after history.steps_done steps.

    updates: number of updates by Adam. tensors: of each parameter its value and its moments.
    """

    history: History
    updates: int
    tensors: list[Tensor]

    @property
    def finite(self) -> bool:
        """Whether all numbers are finite."""
        return all(bool(tensor.isfinite().all()) for tensor in self.tensors)


class Checkpoints(Protocol):
    """Where the states of a run are kept: it resumes from `start`, and is kept `every` so many seconds."""

    start: State | None
    every: float

    @property
    def keep(self) -> Callable[[State], None]:
        """A function that keeps a state."""
        ...
