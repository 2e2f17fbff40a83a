"""Ways to show a long run: a bar on a terminal, a few lines in a log, percentages for a program."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from ..errors import printable
from ..runtime.progress import WARNING, Progress, silent

Show = Callable[[Progress], None]


@contextmanager
def shown(kind: str, quiet: bool = False) -> Iterator[Show]:
    """A callback that shows progress in the way named by `--progress`.

    auto: bars on stderr where that is a terminal, else a line a stage and a tenth of the training;
    nothing when `quiet`. plain: see PercentLines. none: nothing.
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
    """One line about a report: its stage, then the step and loss or what it has to say."""
    parts = [_heading(progress), progress.stage] if progress.label else [progress.stage]
    if progress.step is not None and progress.steps:
        parts.append(f"step {progress.step}/{progress.steps}")
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.4g}")
    if progress.message:
        parts.append(progress.message)
    return " ".join(parts)


def _heading(progress: Progress) -> str:
    """Which of several parts of a run it is."""
    return f"{progress.part + 1}/{progress.parts} {progress.label}"


class PercentLines:
    """`PERCENT MESSAGE` lines, for a program to read.

    PERCENT is a whole number from 0 to 100 that never falls and says how much of the whole run is
    done; MESSAGE is the rest of the line. A line comes with every new percent or stage, at once.
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
    """A line for every stage, every tenth of the training, and every message, each once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told: set[tuple[str, int, str]] = set()

    def __call__(self, progress: Progress) -> None:
        tenth = int(10 * progress.fraction + 1e-9) if progress.stage == "training" else 0
        now = (progress.label + progress.stage, tenth, _kind_of(progress.message))
        if now not in self._told:
            self._told.add(now)
            print(describe(progress), file=self._stream, flush=True)


def _kind_of(message: str) -> str:
    """A message without its numbers: one that only counts on is no news."""
    return re.sub(r"[\d.,]+", "#", message)


@contextmanager
def _bars() -> Iterator[Show]:
    """A bar for each stage that has begun, gone when the run ends."""
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Time(ProgressColumn):
        """The time that a stage has taken, or is expected to take yet."""

        def render(self, task: Task) -> Text:
            if task.finished:
                return Text(f"{_clock(task.finished_time)}     ")
            return Text(f"{_clock(task.time_remaining)} left")

    columns = (
        TextColumn("{task.description:<11}"),
        BarColumn(16),
        TextColumn("{task.percentage:>3.0f}%"),
        Time(),
        TextColumn("{task.fields[detail]}", style="dim"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(progress: Progress) -> None:
            # of a run in parts a bar shows the parts, and its detail the stage
            name = "models" if progress.label else progress.stage
            done = progress.total if progress.label else progress.fraction
            if progress.message.startswith(WARNING):
                bars.console.print(
                    printable(progress.message), style="bold yellow", highlight=False, markup=False
                )
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
