"""The training loop. It knows no network: a task comes in, a history goes out."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
import torch

from ..config import TrainingConfig
from ..errors import SasnetError
from ..progress import OnProgress, Progress, silent
from .optimiser import Optimiser, schedule
from .step import Task, step_of

REPORT_EVERY = 20


@dataclass
class History:
    """What happened: each stretch's last step, its mean loss, its end in seconds; and how the run ended."""

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
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
            "ended_by": self.ended_by,
        }


def train(
    task: Task,
    groups: list[dict[str, Any]],
    config: TrainingConfig,
    on_progress: OnProgress = silent,
) -> History:
    """Minimise the task's loss over `groups` for config.steps or config.time_limit.

    groups: dicts of `params` and their rate `lr`, as PyTorch's optimisers take them.
    The callback ends the run early by returning False (`ended_by` is then "cancel"; "time" where
    the limit was reached). Raises SasnetError where the loss is no longer a number.
    """
    optimiser = Optimiser(groups)
    try:
        return _minimise(task, optimiser, config, on_progress)
    finally:
        optimiser.close()


def _minimise(task: Task, optimiser: Optimiser, config: TrainingConfig, on_progress: OnProgress) -> History:
    history, take = History(), step_of(task, optimiser)
    started, total, since = time.perf_counter(), torch.zeros(()), 0
    warmup = min(config.warmup, config.steps // 4) / config.steps
    for step in range(config.steps):
        elapsed = time.perf_counter() - started
        fraction = step / config.steps
        if config.time_limit is not None:
            fraction = max(fraction, elapsed / config.time_limit)
        share = schedule(fraction, warmup, config.final_rate)
        if config.time_limit is not None:
            # by the clock the first step may be all of the warm-up
            share = min(share, (step + 1) / max(config.warmup, 1))
        total, since = total + take(step, share), since + 1
        late = config.time_limit is not None and time.perf_counter() - started >= config.time_limit
        last = late or step + 1 == config.steps
        if since < REPORT_EVERY and not last:
            continue
        mean = float(total) / since
        if not math.isfinite(mean):
            raise SasnetError(f"the loss is not a number after {step + 1} steps: lower the rate or the band")
        history.steps.append(step + 1)
        history.losses.append(mean)
        history.times.append(time.perf_counter() - started)
        total, since = torch.zeros(()), 0
        report = Progress(
            "training", min(1.0, max(fraction, (step + 1) / config.steps)), "", step + 1, config.steps, mean
        )
        if on_progress(report) is False:
            history.ended_by = "steps" if last else "cancel"
        if late:
            history.ended_by = "time"
        if history.ended_by != "steps":
            break
    return history
