"""Progress reports, and how a run is stopped.

Every stage except training is a `with stage(...)` block. Code inside it reports its progress: with `steps` if
the work has several parts, with `tick` from within a loop. Both find the current stage through a context
variable, so no argument has to be passed down; without a stage they do nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from ..errors import Interrupted

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

Evaluation is not one of these stages: it has a name, and the share 0.
"""

ALONE = "render"
"""The name of the stage in a run with only one stage."""

TILES = "tiles"
"""The name of the stage in which all tiles of a large scan are worked on."""

NOTE, WARNING = "note: ", "warning: "
"""The beginning of a message that the user should not miss."""

EVERY = 0.1
"""Least number of seconds between two reports with the same message."""


@dataclass(frozen=True)
class Progress:
    """One report: `fraction` (0 to 1) of `stage` is done; `message` names the current step.

    During training `step`, `steps` and `loss` (running mean) are set. If a run consists of several parts,
    this is `part` (from 0) of `parts`, and `label` names it.
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
        if self.stage == TILES:
            return (self.part + 0.1 + 0.75 * self.fraction) / self.parts
        names = list(STAGES)
        before = sum(STAGES[name] for name in names[: names.index(self.stage)])
        return (self.part + min(1.0, before + STAGES[self.stage] * self.fraction)) / self.parts


OnProgress = Callable[[Progress], "bool | None"]
"""A progress callback, called several times a second.

If it returns False during training, training ends and the run continues with the result so far. If it returns
False in any other stage, the run stops and raises Interrupted. So a callback that keeps returning False
always stops the run. To keep the result so far, return False only during training. An exception raised by the
callback ends the run and reaches the caller."""


def silent(progress: Progress) -> None:
    """The default callback: does nothing."""


class _Stage:
    """State of a stage: its fraction, which never decreases, and the bounds of the current step."""

    def __init__(self, name: str, on_progress: OnProgress):
        self.name, self.on_progress = name, on_progress
        self.fraction, self.message = 0.0, ""
        self.low, self.high = 0.0, 1.0
        self._told = -EVERY

    def reach(self, fraction: float, message: str | None = None) -> None:
        """Report at once if the message is new, else at most once every EVERY seconds."""
        self.fraction = max(self.fraction, min(fraction, 1.0))
        news = message is not None and message != self.message
        self.message = self.message if message is None else message
        if news or time.perf_counter() - self._told >= EVERY:
            self.tell()

    def tell(self, message: str | None = None) -> None:
        """Call the callback now. Raises Interrupted if it returns False."""
        self._told = time.perf_counter()
        report = Progress(self.name, self.fraction, self.message if message is None else message)
        token = _NOW.set(None)  # work done by the callback is not part of the stage
        try:
            answer = self.on_progress(report)
        finally:
            _NOW.reset(token)
        if answer is False:
            raise Interrupted("interrupted: the progress callback returned False")


_NOW: ContextVar[_Stage | None] = ContextVar("stage", default=None)


@contextmanager
def stage(name: str, on_progress: OnProgress, message: str = "") -> Iterator[None]:
    """Report the progress of the block to the callback, as stage `name`, from 0 to 1.

    If the callback returns False, `steps` and `tick` raise Interrupted inside the block.
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
    """Divide the current step into parts: `step(until, message)` begins the part that ends at `until`.

    `until` is a fraction, from 0 to 1, of the step in which `steps` was called (of the stage, if there is
    none). So a function counts from 0 to 1, whatever its part in the whole run. Without a message, the last
    one is kept.
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
    """Report that `done` (0 to 1) of the current step is done; 0 if unknown. May raise Interrupted."""
    now = _NOW.get()
    if now is not None:
        now.reach(now.low + done * (now.high - now.low))


def each(items: Sequence[T], every: int = 1) -> Iterator[T]:
    """Iterate over items, reporting the share done of the current step before every `every`-th item."""
    for number, item in enumerate(items):
        if number % every == 0:
            tick(number / len(items))
        yield item


def pieces(count: int, size: int) -> Iterator[slice]:
    """Iterate over slices of `size` rows of `count`; the work on each slice is a step of its own."""
    step = steps()
    for start in range(0, count, size):
        end = min(start + size, count)
        step(end / count)
        yield slice(start, end)


def tell(message: str) -> None:
    """Set the message of the current step, and report it at once if it is new."""
    now = _NOW.get()
    if now is not None:
        now.reach(now.fraction, message)


def say(message: str) -> None:
    """Report at once, with this message, without changing the message of the step."""
    now = _NOW.get()
    if now is not None:
        now.tell(message)


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the seconds that the block takes to seconds[name]."""
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start


def _nothing(until: float, message: str | None = None) -> None:
    """The step function if there is no stage."""
