"""Progress display of a long run, as bars, lines or percentages, and the handling of Ctrl-C."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import Interrupted, printable
from ..runtime.progress import NOTE, TILES, WARNING, OnProgress, Progress, silent

if TYPE_CHECKING:
    from typing_extensions import Self

Show = Callable[[Progress], None]

# Programs send SIGTERM instead of Ctrl-C, or SIGBREAK on Windows.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


@contextmanager
def watched(
    kind: str, quiet: bool, stopping: str = "", lost: str = "nothing was written"
) -> Iterator[tuple[StopRequest, OnProgress]]:
    """The stop request of a run, and the callback that shows its progress and stops it.

    kind, quiet: as in `shown`. stopping: the message at the first Ctrl-C during training. Any other Ctrl-C
    raises Interrupted; lost: the part of its message about the results.
    """
    try:
        with StopRequest() as stop, shown(kind, quiet) as show:

            def watch(progress: Progress) -> bool:
                goes_on = stop.goes_on(progress)
                show(progress if goes_on else replace(progress, message=stopping))
                return goes_on

            yield stop, watch
    except KeyboardInterrupt as error:
        raise Interrupted(f"interrupted; {lost}") from error


class StopRequest:
    """A context that catches the stop signals and records the request.

    `requested`: training should end, and its result so far should be written. A second signal, or one
    outside training, raises KeyboardInterrupt. Only the main thread may set signal handlers; in other
    threads this does nothing.
    """

    def __init__(self) -> None:
        self.requested: bool = False
        self._at_once = False
        self._training = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self.receive) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        # A library may have caught the interrupt and raised an error of its own.
        if self._at_once and isinstance(error, Exception) and not isinstance(error, Interrupted):
            raise KeyboardInterrupt from error

    def receive(self, number: int, frame: object) -> None:
        """The signal handler."""
        if self._training and not self.requested:
            self.requested = True
        else:
            self._at_once = True
            raise KeyboardInterrupt

    def goes_on(self, progress: Progress) -> bool:
        """Whether the run should continue: the return value of a progress callback."""
        if self._at_once:
            # The interrupt was raised where Python cannot pass it on, as in a callback from C.
            raise KeyboardInterrupt
        self._training = progress.stage == "training" and progress.fraction < 1
        return not (self.requested and self._training)


@contextmanager
def shown(kind: str, quiet: bool = False) -> Iterator[Show]:
    """A callback that shows progress in the form that `--progress` specifies.

    auto: bars on stderr if it is a terminal, otherwise a line per stage and per tenth of the training;
    nothing if `quiet`. plain: see PercentLines. none: nothing.
    """
    if kind == "plain":
        yield PercentLines(sys.stdout)
    elif kind == "none" or quiet:
        yield silent
    elif sys.stderr.isatty():
        with _bars() as show:
            yield show
    else:
        yield LogLines(sys.stderr)


def describe(progress: Progress) -> str:
    """One line about a report: its stage, its step and loss, its message."""
    heading = f"{progress.part + 1}/{progress.parts} {progress.label}"
    parts = [heading, progress.stage] if progress.label else [progress.stage]
    if progress.step is not None and progress.steps:
        parts.append(f"step {progress.step}/{progress.steps}")
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.4g}")
    if progress.message:
        parts.append(progress.message)
    return " ".join(parts)


class PercentLines:
    """`PERCENT MESSAGE` lines, for a program to read.

    PERCENT is a whole number from 0 to 100 that never falls: the share of the whole run that is done.
    MESSAGE is the rest of the line. A line is written at once for every new percent and stage.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = (-1, "", "")

    def __call__(self, progress: Progress) -> None:
        percent = max(self._last[0], int(100 * progress.total + 1e-9))
        now = (percent, progress.label + progress.stage, _kind_of(progress.message))
        if now != self._last:
            self._last = now
            print(percent, describe(progress), file=self._stream, flush=True)


class LogLines:
    """A line for every stage, every tenth of the training, and every message, without repeats."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._written: set[tuple[str, int, str]] = set()

    def __call__(self, progress: Progress) -> None:
        tenth = int(10 * progress.fraction + 1e-9) if progress.stage == "training" else 0
        # how many tiles are done is news, how long the others take is not
        message = progress.message.split(",")[0] if progress.stage == TILES else _kind_of(progress.message)
        now = (progress.label + progress.stage, tenth, message)
        if now not in self._written:
            self._written.add(now)
            print(describe(progress), file=self._stream, flush=True)


def _kind_of(message: str) -> str:
    """A message without its numbers: a message that differs only in its numbers is not new."""
    return re.sub(r"[\d.,]+", "#", message)


def bar(share: float, width: int) -> str:
    """A bar for a share from 0 to 1, padded to `width`, in characters that stderr can show."""
    full, half = "━╸"
    stderr = getattr(sys.stderr, "rich_proxied_file", sys.stderr)  # rich replaces it while bars are shown
    try:
        (full + half).encode(stderr.encoding or "ascii")
    except UnicodeEncodeError:
        full = half = "#"
    halves = round(2 * width * min(1.0, share))
    return (full * (halves // 2) + half * (halves % 2)).ljust(width)


@contextmanager
def _bars() -> Iterator[Show]:
    """A bar for each stage that has begun; the bars are removed when the run ends."""
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import ProgressColumn, Task, TaskID, TextColumn
    from rich.text import Text

    class Bar(ProgressColumn):
        """The same bar as in the final summary."""

        def render(self, task: Task) -> Text:
            return Text(bar(task.percentage / 100, 16), style="green" if task.finished else "cyan")

    class Time(ProgressColumn):
        """The time that a stage has taken, or its expected remaining time."""

        def render(self, task: Task) -> Text:
            if task.finished:
                return Text(f"{_clock(task.finished_time)}     ")
            return Text(f"{_clock(task.time_remaining)} left")

    columns = (
        TextColumn("{task.description:<11}"),
        Bar(),
        TextColumn("{task.percentage:>3.0f}%"),
        Time(),
        TextColumn("{task.fields[detail]}", style="dim"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(progress: Progress) -> None:
            # in a run with several parts, a bar shows the parts, and its detail the stage
            name = "total" if progress.label else progress.stage
            done = progress.total if progress.label else progress.fraction
            if progress.message.startswith((NOTE, WARNING)):
                style = "bold yellow" if progress.message.startswith(WARNING) else "dim"
                bars.console.print(printable(progress.message), style=style, highlight=False, markup=False)
                return
            if name not in tasks:
                for task in tasks.values():
                    bars.update(task, completed=1.0, detail="")
                tasks[name] = bars.add_task(name, total=1.0, detail="")
            bars.update(tasks[name], completed=done, detail=describe(progress).removeprefix(name).strip())

        yield show


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return " -:--"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:2d}:{rest:02d}"
