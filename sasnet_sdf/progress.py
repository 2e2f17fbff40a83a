"""What a long run tells whoever watches it, and how it is asked to stop.

Each stage but training is a `with stage(...)`, and what is inside says how far it is: `steps` where
the work has parts, `tick` from within a loop. Both go to the stage that is being done in this
context, so that nothing has to be handed down, and cost next to nothing where there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from .errors import Interrupted

T = TypeVar("T")

STAGES = {
    "read": 0.02,
    "supervision": 0.08,
    "training": 0.75,
    "extraction": 0.13,
    "evaluation": 0.0,
    "write": 0.02,
}
"""The stages of a reconstruction and the share of the whole that each usually takes.

An evaluation is none of them: it has the share 0 and a name that may be told.
"""

ALONE = "render"
"""A stage that is all of its run."""

EVERY = 0.1
"""Seconds, at least, between two reports of the same step."""


@dataclass(frozen=True)
class Progress:
    """One report: `fraction` of the named `stage` is done, from 0 to 1; `message` says what of it is.

    During training `step`, `steps` and `loss` (running mean) are set. Where a run is several, one
    after another, this is `part` (from 0) of `parts`, and `label` names it.
    """

    stage: str
    fraction: float
    message: str = ""
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    part: int = 0
    parts: int = 1
    label: str = ""

    @property
    def total(self) -> float:
        """The share of the whole run that is done, from 0 to 1."""
        if self.stage == ALONE:
            return self.fraction
        names = list(STAGES)
        before = sum(STAGES[name] for name in names[: names.index(self.stage)])
        return (self.part + min(1.0, before + STAGES[self.stage] * self.fraction)) / self.parts


OnProgress = Callable[[Progress], "bool | None"]
"""Called several times a second. False as its answer during training ends the training, and the
run goes on with what there is; in any other stage it stops the run, which raises Interrupted. So a
callback that goes on saying False stops the run in any case, and one that wants the surface so far
says it during training alone. What it raises passes through, and ends the run as well."""


def silent(progress: Progress) -> None:
    """The callback of a run that nobody watches."""


class _Stage:
    """How far a stage is: the fraction, which never falls, and the stretch that is being done."""

    def __init__(self, name: str, on_progress: OnProgress):
        self.name, self.on_progress = name, on_progress
        self.fraction, self.message = 0.0, ""
        self.low, self.high = 0.0, 1.0
        self._told = -EVERY

    def reach(self, fraction: float, message: str | None = None) -> None:
        """Tell it at once where there is a new message, else as often as EVERY allows."""
        self.fraction = max(self.fraction, min(fraction, 1.0))
        news = message is not None and message != self.message
        self.message = self.message if message is None else message
        if news or time.perf_counter() - self._told >= EVERY:
            self.tell()

    def tell(self, message: str | None = None) -> None:
        """Call the callback now; Interrupted where it answers False."""
        self._told = time.perf_counter()
        report = Progress(self.name, self.fraction, self.message if message is None else message)
        token = _NOW.set(None)  # what the callback computes is no part of the stage
        try:
            answer = self.on_progress(report)
        finally:
            _NOW.reset(token)
        if answer is False:
            raise Interrupted("interrupted: the progress callback returned False")


_NOW: ContextVar[_Stage | None] = ContextVar("stage", default=None)


@contextmanager
def stage(name: str, on_progress: OnProgress, message: str = "") -> Iterator[None]:
    """What is done inside is this stage, told to the callback from 0 to 1.

    Where the callback returns False, `steps` and `tick` raise Interrupted inside.
    """
    now = _Stage(name, on_progress)
    token = _NOW.set(now)
    try:
        now.message = message
        now.tell()
        yield
        now.fraction = 1.0
        now.tell()
    finally:
        _NOW.reset(token)


def steps() -> Callable[..., None]:
    """`step(until, message)`: what follows takes what is being done now from here to `until`, of 1.

    "What is being done now" is the caller's own step, or the whole stage: each function counts from
    0 to 1, whatever share of the whole it is. Without a message the last one stays.
    """
    now = _NOW.get()
    if now is None:
        return _nothing
    low, high = now.low, now.high
    here = low

    def step(until: float, message: str | None = None) -> None:
        nonlocal here
        now.low, here = here, low + min(until, 1.0) * (high - low)
        now.high = here
        now.reach(now.low, message)

    return step


def tick(done: float = 0.0) -> None:
    """So much of the step that is being done now is done, from 0 to 1; 0 where nobody knows."""
    now = _NOW.get()
    if now is not None:
        now.reach(now.low + done * (now.high - now.low))


def each(items: Sequence[T], every: int = 1) -> Iterator[T]:
    """The items one after the other, and so much of the step is done; told before every so many of them."""
    for number, item in enumerate(items):
        if number % every == 0:
            tick(number / len(items))
        yield item


def pieces(count: int, size: int) -> Iterator[slice]:
    """Slices of so many rows of `count`, one after the other; what is done in each is a step of its own."""
    step = steps()
    for start in range(0, count, size):
        end = min(start + size, count)
        step(end / count)
        yield slice(start, end)


def say(message: str) -> None:
    """Tell what holds up the step that is being done, at once."""
    now = _NOW.get()
    if now is not None:
        now.tell(message)


def _nothing(until: float, message: str | None = None) -> None:
    """The step of what nobody watches."""
