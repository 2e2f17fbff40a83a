"""One step of training: as PyTorch runs it or, on a GPU, recorded once and replayed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from .optimizers import Optimiser

WARM_UP = 3
"""Steps before the recording, in which the optimiser and the libraries lay out what they keep."""


class Task(Protocol):
    """What is minimised, on batches that have the same shapes at every step.

    `recordable`: whether the loss does nothing that must be decided anew at each step.
    """

    recordable: bool

    def draw(self, step: int) -> tuple[Tensor, ...]:
        """The batch of a step, on the parameters' device."""
        ...

    @property
    def loss(self) -> Callable[..., Tensor]:
        """Takes what `draw` gives; the scalar loss."""
        ...


Step = Callable[[int, float], Tensor]
"""(step, share of the rates) -> the loss before the update."""


def step_of(task: Task, optimiser: Optimiser) -> Step:
    """The way to take a step of the task on its device."""
    if optimiser.on_cuda and task.recordable:
        return _RecordedStep(task, optimiser)

    def step(number: int, share: float) -> Tensor:
        batch = task.draw(number)
        optimiser.set_share(share)
        return _update(task, optimiser, batch)

    return step


def _update(task: Task, optimiser: Optimiser, batch: tuple[Tensor, ...]) -> Tensor:
    value = task.loss(*batch)
    value.backward()
    optimiser.step()
    return value.detach()


class _RecordedStep:
    """A CUDA graph of the loss, its gradient and the update: one launch in place of hundreds.

    A small network's kernels take less time than their launches do.
    """

    def __init__(self, task: Task, optimiser: Optimiser):
        self._task, self._optimiser, self._taken = task, optimiser, 0
        self._batch: tuple[Tensor, ...] = ()
        self._graph, self._loss = torch.cuda.CUDAGraph(), torch.zeros(())

    def __call__(self, number: int, share: float) -> Tensor:
        drawn = self._task.draw(number)
        self._optimiser.set_share(share)
        self._taken += 1
        if self._taken <= WARM_UP:
            return self._aside(drawn)
        if self._taken == WARM_UP + 1:
            self._batch = tuple(part.clone() for part in drawn)
            with torch.cuda.graph(self._graph):
                self._loss = _update(self._task, self._optimiser, self._batch)
        for place, part in zip(self._batch, drawn, strict=True):
            place.copy_(part)
        self._graph.replay()
        return self._loss

    def _aside(self, batch: tuple[Tensor, ...]) -> Tensor:
        """A step on another stream, as PyTorch's notes on CUDA graphs ask for before a recording."""
        here, aside = torch.cuda.current_stream(), torch.cuda.Stream()
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            loss = _update(self._task, self._optimiser, batch)
        here.wait_stream(aside)
        return loss
