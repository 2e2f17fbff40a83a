"""The training loop. It is independent of the network: it minimizes a task and returns a history.

A step is run directly by PyTorch or, on a GPU, recorded once and replayed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..config import Config, TrainingConfig
from ..errors import SasnetError
from ..runtime.progress import OnProgress, Progress, silent
from ..signal_config import SignalConfig
from .checkpoints import CheckpointFolder, History, run_name
from .optimizers import Optimizer, schedule, state_shapes

REPORT_EVERY = 20
"""Number of steps over which the loss that is reported is averaged."""

_PATIENCE = 0.5  # seconds between calls of the callback within a stretch, so that slow runs can be canceled
_COPY_EVERY = 100  # largest number of steps lost when the loss becomes NaN or infinite
_RETRIES = 3  # times that a run goes back, each time halving its rates, before it gives up
_WARM_UP = 3  # steps before the recording, in which the optimizer and the libraries allocate their memory


class Task(Protocol):
    """A loss to minimize, on batches that have the same shapes at every step.

    recordable: whether the control flow of the loss is the same at every step.
    """

    recordable: bool

    def draw(self, step: int) -> tuple[Tensor, ...]:
        """The batch of a step, on the parameters' device."""
        ...

    @property
    def loss(self) -> Callable[..., Tensor]:
        """A function of what `draw` returns, whose result is the scalar loss."""
        ...


def train(
    task: Task,
    groups: list[dict[str, Any]],
    config: TrainingConfig,
    on_progress: OnProgress = silent,
    checkpoints: CheckpointFolder | None = None,
) -> History:
    """Minimize the task's loss for config.steps steps, or until config.time_limit.

    groups: dicts of parameters `params` and their rate `lr`, as PyTorch's optimizers take them. on_progress
    ends the run early by returning False (`ended_by` is then "cancel"; "time" where the limit was reached).
    With checkpoints, the run continues from their state, if any, and saves its states to them.

    If the loss is NaN or infinite, the run goes back by at most 100 steps and halves its rates. Raises
    SasnetError if that happens a fourth time.
    """
    optimizer = Optimizer(groups)
    try:
        return _Run(task, optimizer, config, on_progress, checkpoints).minimize()
    finally:
        optimizer.close()


def train_and_keep(
    task: Task,
    groups: list[dict[str, Any]],
    config: Config | SignalConfig,
    data: Iterable[np.ndarray],
    on_progress: OnProgress,
) -> History:
    """Train, with checkpoints according to the settings.

    groups: see train. data: all arrays that the task is made from, which identify the run.
    """
    if config.checkpoint.folder is None:
        return train(task, groups, config.training, on_progress)
    folder = CheckpointFolder(config.checkpoint, run_name(config, data), state_shapes(groups))
    on_progress(Progress("training", 0.0, "; ".join(folder.notes)))
    history = train(task, groups, config.training, on_progress, folder)
    history.notes += folder.notes
    return history


class _Run:
    """One run: its position, and the last state that is known to be finite."""

    def __init__(
        self,
        task: Task,
        optimizer: Optimizer,
        config: TrainingConfig,
        on_progress: OnProgress,
        checkpoints: CheckpointFolder | None,
    ):
        self.optimizer, self.config, self.checkpoints = optimizer, config, checkpoints
        self.on_progress, self.take = on_progress, step_of(task, optimizer)
        self.history = History()
        if checkpoints is not None and checkpoints.start is not None:
            self.history = checkpoints.start.history.until(config.steps)
            optimizer.restore(checkpoints.start)
        self.good = optimizer.state(self.history)
        self.step = self.history.steps_done
        self.started = self.kept = self.told = time.perf_counter()
        self.started -= self.history.seconds

    def minimize(self) -> History:
        config, history = self.config, self.history
        total, since, ended = 0.0, 0, self.step >= config.steps
        mean = None
        while not ended:
            loss = self.take(self.step, self._share())
            # reading a number from a GPU would wait for it
            total = total + (loss if self.optimizer.on_cuda else float(loss))
            self.step, since = self.step + 1, since + 1
            late = config.time_limit is not None and self._elapsed() >= config.time_limit
            last = late or self.step == config.steps
            whole = since == REPORT_EVERY or last
            waited = not whole and time.perf_counter() - self.told >= _PATIENCE
            canceled = waited and not self._goes_on(mean)
            whole = whole or canceled
            if (whole or not self.optimizer.on_cuda) and not math.isfinite(float(total)):
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
            if self.step - self.good.history.steps_done >= _COPY_EVERY or last:
                state = self.optimizer.state(history)
                if not state.finite:  # the step's loss was finite, but the updated parameters are not
                    self._go_back()
                    continue
                self.good = state
            canceled = canceled or not self._goes_on(mean)
            if late or (canceled and not last):
                history.ended_by = "time" if late else "cancel"
            ended = last or canceled
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
        """The fraction of the run that is done, by its steps or by the clock."""
        done, limit = self.step / self.config.steps, self.config.time_limit
        return done if limit is None else max(done, self._elapsed() / limit)

    def _share(self) -> float:
        """The factor of the learning rates for the next step."""
        config = self.config
        warmup = min(config.warmup, config.steps // 4) / config.steps
        share = schedule(self._fraction(), warmup, config.final_rate)
        if config.time_limit is not None:
            # in a run limited by time, the first step may take up the whole warm-up
            share = min(share, (self.step + 1) / max(config.warmup, 1))
        return share / 2**self.history.retries

    def _go_back(self) -> None:
        history = self.history
        if history.retries == _RETRIES:
            raise SasnetError(
                f"the loss is not a number after {self.step} steps, nor was it {_RETRIES} times before at "
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
        self.optimizer.restore(self.good)

    def _keep(self, ended: bool) -> None:
        """Keep the state when that is due, if it is finite; at the end, return to the last finite state."""
        checkpoints = self.checkpoints
        due = checkpoints is not None and time.perf_counter() - self.kept >= checkpoints.every
        if not (ended or due):
            return
        if self.good.history.steps_done != self.step:
            state = self.optimizer.state(self.history)
            if state.finite:
                self.good = state
            elif ended:
                self._return_to_good()
            else:
                return
        if checkpoints is not None:
            checkpoints.keep(self.good)
            self.kept = time.perf_counter()


def step_of(task: Task, optimizer: Optimizer) -> Callable[[int, float], Tensor]:
    """A function (number, share of the rates) that performs a step and returns the loss before it."""
    if optimizer.on_cuda and task.recordable:
        return _RecordedStep(task, optimizer)

    def step(number: int, share: float) -> Tensor:
        batch = task.draw(number)
        optimizer.set_share(share)
        return _update(task, optimizer, batch)

    return step


def _update(task: Task, optimizer: Optimizer, batch: tuple[Tensor, ...]) -> Tensor:
    value = task.loss(*batch)
    value.backward()
    optimizer.step()
    return value.detach()


class _RecordedStep:
    """A CUDA graph of the loss, its gradient and the update, launched as a unit.

    For a small network, the kernels take less time than hundreds of separate launches.
    """

    def __init__(self, task: Task, optimizer: Optimizer):
        self._task, self._optimizer, self._taken = task, optimizer, 0
        self._batch: tuple[Tensor, ...] = ()
        self._graph, self._loss = torch.cuda.CUDAGraph(), torch.zeros(())

    def __call__(self, number: int, share: float) -> Tensor:
        drawn = self._task.draw(number)
        self._optimizer.set_share(share)
        self._taken += 1
        if self._taken <= _WARM_UP:
            return self._aside(drawn)
        if self._taken == _WARM_UP + 1:
            self._batch = tuple(part.clone() for part in drawn)
            with torch.cuda.graph(self._graph):
                self._loss = _update(self._task, self._optimizer, self._batch)
        for place, part in zip(self._batch, drawn, strict=True):
            place.copy_(part)
        self._graph.replay()
        return self._loss

    def _aside(self, batch: tuple[Tensor, ...]) -> Tensor:
        """A step on another stream, which PyTorch's notes on CUDA graphs require before a recording."""
        here, aside = torch.cuda.current_stream(), torch.cuda.Stream()
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            loss = _update(self._task, self._optimizer, batch)
        here.wait_stream(aside)
        return loss
