"""The training loop. It knows no network: a task comes in, a history goes out."""

from __future__ import annotations

import math
import time
from typing import Any

from ..config import TrainingConfig
from ..errors import SasnetError
from ..runtime.progress import OnProgress, Progress, silent
from .optimizers import Optimiser, schedule
from .state import Checkpoints, History
from .step import Task, step_of

REPORT_EVERY = 20
"""Steps of a stretch, of which the mean loss is reported."""

PATIENCE = 0.5
"""Seconds after which the callback is called in between, so that slow steps can be canceled."""

COPY_EVERY = 100
"""Steps, at most, that are lost where the loss turns into no number."""

RETRIES = 3
"""How often a run goes back, at half the rates each time, before it gives up."""


def train(
    task: Task,
    groups: list[dict[str, Any]],
    config: TrainingConfig,
    on_progress: OnProgress = silent,
    checkpoints: Checkpoints | None = None,
) -> History:
    """Minimise the task's loss over `groups` for config.steps or config.time_limit.

    groups: dicts of `params` and their rate `lr`, as PyTorch's optimisers take them. The callback
    ends the run early by returning False (`ended_by` is then "cancel"; "time" where the limit was
    reached). Where the loss is no number the run goes back by COPY_EVERY steps at most and halves its
    rates; where that happens more often than RETRIES times, SasnetError is raised. With checkpoints
    the run goes on from where they start, and is kept in them.
    """
    optimiser = Optimiser(groups)
    try:
        return _Run(task, optimiser, config, on_progress, checkpoints).minimise()
    finally:
        optimiser.close()


class _Run:
    """One run: where it is, and the last state that is known to be good."""

    def __init__(
        self,
        task: Task,
        optimiser: Optimiser,
        config: TrainingConfig,
        on_progress: OnProgress,
        checkpoints: Checkpoints | None,
    ):
        self.optimiser, self.config, self.checkpoints = optimiser, config, checkpoints
        self.on_progress, self.take = on_progress, step_of(task, optimiser)
        self.history = History()
        if checkpoints is not None and checkpoints.start is not None:
            self.history = checkpoints.start.history.until(config.steps)
            optimiser.restore(checkpoints.start)
        self.good = optimiser.state(self.history)
        self.step = self.history.steps_done
        self.started = self.kept = self.told = time.perf_counter()
        self.started -= self.history.seconds

    def minimise(self) -> History:
        config, history = self.config, self.history
        total, since, ended = 0.0, 0, self.step >= config.steps
        mean = None
        while not ended:
            loss = self.take(self.step, self._share())
            # on a GPU a number that is asked for is waited for
            total = total + (loss if self.optimiser.on_cuda else float(loss))
            self.step, since = self.step + 1, since + 1
            late = config.time_limit is not None and self._elapsed() >= config.time_limit
            last = late or self.step == config.steps
            whole = since == REPORT_EVERY or last
            waited = not whole and time.perf_counter() - self.told >= PATIENCE
            cancelled = waited and not self._goes_on(mean)
            whole = whole or cancelled
            if (whole or not self.optimiser.on_cuda) and not math.isfinite(float(total)):
                self._go_back()
                total, since = 0.0, 0
                continue
            if not whole:
                continue
            mean = float(total) / since
            total, since = 0.0, 0
            history.steps.append(self.step)
            history.losses.append(mean)
            history.times.append(self._elapsed())
            if self.step - self.good.history.steps_done >= COPY_EVERY or last:
                state = self.optimiser.state(history)
                if not state.finite:  # the step's loss was a number, what it led to is not
                    self._go_back()
                    continue
                self.good = state
            cancelled = cancelled or not self._goes_on(mean)
            if late or (cancelled and not last):
                history.ended_by = "time" if late else "cancel"
            ended = last or cancelled
            self._keep(ended)
        return history

    def _goes_on(self, loss: float | None) -> bool:
        """Report progress; False if the callback asks to end training."""
        self.told = time.perf_counter()
        fraction, steps = min(1.0, self._fraction()), self.config.steps
        return self.on_progress(Progress("training", fraction, "", self.step, steps, loss)) is not False

    def _elapsed(self) -> float:
        return time.perf_counter() - self.started

    def _fraction(self) -> float:
        """How much of the run is done, by its steps or by the clock."""
        done, limit = self.step / self.config.steps, self.config.time_limit
        return done if limit is None else max(done, self._elapsed() / limit)

    def _share(self) -> float:
        """The share of the rates at which the next step is taken."""
        config = self.config
        warmup = min(config.warmup, config.steps // 4) / config.steps
        share = schedule(self._fraction(), warmup, config.final_rate)
        if config.time_limit is not None:
            # by the clock the first step may be all of the warm-up
            share = min(share, (self.step + 1) / max(config.warmup, 1))
        return share / 2**self.history.retries

    def _go_back(self) -> None:
        history = self.history
        if history.retries == RETRIES:
            raise SasnetError(
                f"the loss is not a number after {self.step} steps, nor was it {RETRIES} times before at "
                "higher rates: lower the rate or the band, and look for extreme values in the input"
            )
        history.retries += 1
        back = self.good.history.steps_done
        note = f"the loss was not a number after step {self.step}: back to step {back}, at half the rates"
        history.notes.append(note)
        self.on_progress(Progress("training", back / self.config.steps, note, back, self.config.steps))
        self._return_to_good()

    def _return_to_good(self) -> None:
        history = self.history
        self.step = self.good.history.steps_done
        for part in (history.steps, history.losses, history.times):
            del part[len(self.good.history.steps) :]
        self.optimiser.restore(self.good)

    def _keep(self, ended: bool) -> None:
        """End in a state that is good; into the checkpoints, if it is time, goes one that is."""
        checkpoints = self.checkpoints
        due = checkpoints is not None and time.perf_counter() - self.kept >= checkpoints.every
        if not (ended or due):
            return
        if self.good.history.steps_done != self.step:
            state = self.optimiser.state(self.history)
            if state.finite:
                self.good = state
            elif ended:
                self._return_to_good()
            else:
                return
        if checkpoints is not None:
            checkpoints.keep(self.good)
            self.kept = time.perf_counter()
