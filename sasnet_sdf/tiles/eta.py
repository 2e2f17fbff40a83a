"""The time left of a run of tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .cluster import Task


class Eta:
    """The time left, learned from the cost of finished tasks and the seconds that they took."""

    def __init__(self, tasks: Sequence[Task], clock: Callable[[], float] = time.monotonic):
        """clock: the time in seconds."""
        self._left: dict[str, float] = {task.key: task.cost for task in tasks}
        self._cost = self._seconds = 0.0
        self._clock = clock
        self._last = clock()

    def finished(self, task: Task, seconds: float) -> None:
        """A task took so many seconds. One whose result was there already tells nothing about the others."""
        self._left.pop(task.key, None)
        self._last = self._clock()
        if seconds >= 0.1:
            self._cost += task.cost
            self._seconds += seconds

    def seconds(self, workers: int) -> float | None:
        """The seconds left with so many workers, at least the longest task's; None if not yet known."""
        if self._cost <= 0:
            return None
        left = max(sum(self._left.values()) / max(workers, 1), *self._left.values(), 0.0)
        return max(left * self._seconds / self._cost - (self._clock() - self._last), 0.0)

    def message(self, text: str, workers: int) -> str:
        """The text, such as "tile 3 of 12", with the time left if it is known: "..., about 4 min left"."""
        left = self.seconds(workers)
        return text if left is None or not self._left else f"{text}, about {_spoken(left)} left"


def _spoken(seconds: float) -> str:
    """A length of time to the nearest 10 seconds, minute or 10 minutes, at least 10 seconds."""
    if seconds < 55:
        return f"{max(round(seconds / 10), 1) * 10} s"
    minutes = max(round(seconds / 60), 1)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(round(minutes / 10) * 10, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
