"""The time left, and how it is told."""

from __future__ import annotations

import pytest

from sasnet_sdf.tiles.cluster import Task
from sasnet_sdf.tiles.eta import Eta, _spoken


def test_time_left_is_learned_from_finished_jobs():
    now = [0.0]
    tasks = [Task(f"{n}", print, (), (), cost) for n, cost in enumerate([10, 20, 30, 60])]
    eta = Eta(tasks, lambda: now[0])
    assert eta.message("tile 1 of 4", 2) == "tile 1 of 4"
    eta.finished(tasks[0], 0.001)  # its result was there
    assert eta.seconds(2) is None
    now[0] = 40.0
    eta.finished(tasks[1], 40.0)
    assert eta.seconds(1) == 180.0
    assert eta.seconds(2) == 120.0  # the longest task alone takes that long
    assert eta.message("tile 3 of 4", 2) == "tile 3 of 4, about 2 min left"
    now[0] = 85.0
    assert eta.seconds(1) == 135.0
    for task in tasks[2:]:
        eta.finished(task, task.cost)
    assert eta.seconds(2) == 0.0 and eta.message("4 of 4 tiles", 2) == "4 of 4 tiles"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "10 s"), (34, "30 s"), (56, "1 min"), (3540, "59 min"), (3600, "1 h"), (7900, "2 h 10 min")],
)
def test_lengths_of_time_are_rounded(seconds: float, text: str):
    assert _spoken(seconds) == text
