"""How a run goes, ends and reports, on losses whose course is known."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from sasnet_sdf.config import TrainingConfig
from sasnet_sdf.errors import SasnetError
from sasnet_sdf.training import loop, train
from sasnet_sdf.training.optimizers import LARGE


class Slope:
    """The loss `number`, whose gradient is 1: Adam then moves it by the step's rate. It notes every step."""

    def __init__(self, values=None):
        self.number = nn.Parameter(torch.zeros(()))
        self.table = nn.Parameter(torch.zeros(LARGE // 2, 2))
        self.groups = [{"params": [self.number, self.table], "lr": 1.0}]
        self.values, self.seen = values, []

    recordable = False

    def draw(self, step):
        return (step,)

    def loss(self, step):
        self.seen.append(self.number.item())
        value = 0.0 if self.values is None else self.values(step)
        return self.number - self.number.detach() + value

    @property
    def moves(self):
        places = [*self.seen, self.number.item()]
        return [before - after for before, after in pairwise(places)]


def settings(**changes):
    return TrainingConfig(**{"warmup": 0, "final_rate": 0.01, **changes})


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for what a test adds to `clock.now`."""
    fake = SimpleNamespace(now=100.0)
    fake.perf_counter = lambda: fake.now
    monkeypatch.setattr(loop, "time", fake)
    return fake


@pytest.mark.parametrize("steps", [1, 19, 20, 45])
def test_steps(steps):
    task = Slope(values=float)
    history = train(task, task.groups, settings(steps=steps))
    assert len(task.seen) == steps
    assert history.ended_by == "steps" and history.steps_done == steps


def test_history_holds_the_mean_of_every_stretch(clock):
    task = Slope(values=lambda step: tick(clock, 0.5) or step)
    history = train(task, task.groups, settings(steps=45))
    assert history.steps == [20, 40, 45]
    assert history.losses == [9.5, 29.5, 42.0] and history.loss == 42.0
    assert history.seconds == 22.5 and history.ms_per_step == 500


def tick(clock, seconds):
    clock.now += seconds


def test_an_empty_history():
    history = loop.History()
    assert history.loss is None and history.steps_done == 0 and history.ms_per_step == 0


def test_rates_follow_the_schedule():
    task = Slope()
    train(task, task.groups, settings(steps=100, warmup=10))
    moves = task.moves
    expected = [loop.schedule(step / 100, 0.1, 0.01) for step in range(100)]
    assert moves == pytest.approx(expected, abs=2e-5)
    assert max(moves) == pytest.approx(1, abs=2e-5) and moves.index(max(moves)) == 10
    assert moves[0] < 0.02 and moves[-1] < 0.012


def test_warm_up_never_takes_more_than_a_quarter():
    task = Slope()
    train(task, task.groups, settings(steps=8, warmup=50))
    assert task.moves[2] == pytest.approx(1)
    assert task.moves[0] < task.moves[1] < 1


@pytest.mark.parametrize("limit, steps", [(10, 10), (20, 20), (20.5, 21), (59, 59)])
def test_time_limit(clock, limit, steps):
    task = Slope(values=lambda step: tick(clock, 1.0) or 0.0)
    history = train(task, task.groups, settings(steps=1000, time_limit=limit))
    assert history.ended_by == "time"
    assert history.steps_done == steps and history.seconds == steps


def test_rates_follow_the_clock_where_it_is_ahead(clock):
    task = Slope(values=lambda step: tick(clock, 1.0) or 0.0)
    train(task, task.groups, settings(steps=10_000, time_limit=200))
    expected = [loop.schedule(step / 200, 0, 0.01) for step in range(200)]
    assert task.moves == pytest.approx(expected, abs=2e-5)


def test_the_clock_does_not_cut_the_warm_up(clock):
    task = Slope(values=lambda step: tick(clock, 1.0) or 0.0)
    train(task, task.groups, settings(steps=10_000_000, warmup=4, time_limit=200))
    assert task.moves[:3] == pytest.approx([0.25, 0.5, 0.75])
    assert task.moves[3] == pytest.approx(loop.schedule(3 / 200, 0, 0.01), abs=1e-4)


def test_a_limit_that_is_not_reached_changes_nothing(clock):
    task, free = (Slope(values=lambda step: tick(clock, 1.0) or 0.0) for _ in range(2))
    history = train(task, task.groups, settings(steps=30, time_limit=1e6))
    train(free, free.groups, settings(steps=30))
    assert history.ended_by == "steps" and task.moves == free.moves


@pytest.mark.parametrize("answer", [False, True, None])
def test_the_callback_ends_the_run_with_false_only(answer):
    task, reports = Slope(), []

    def on_progress(report):
        reports.append(report)
        return answer if len(reports) == 2 else None

    history = train(task, task.groups, settings(steps=100), on_progress)
    assert history.ended_by == ("cancel" if answer is False else "steps")
    assert history.steps_done == len(task.seen) == (40 if answer is False else 100)
    assert task.number.item() < -30


def test_canceling_at_the_last_step_is_a_normal_end():
    task = Slope()
    assert train(task, task.groups, settings(steps=20), lambda _: False).ended_by == "steps"


def test_reports():
    task, reports = Slope(values=float), []
    train(task, task.groups, settings(steps=50), reports.append)
    assert [(r.stage, r.step, r.steps, r.loss) for r in reports] == [
        ("training", 20, 50, 9.5),
        ("training", 40, 50, 29.5),
        ("training", 50, 50, 44.5),
    ]
    assert [r.fraction for r in reports] == [0.4, 0.8, 1.0]


def test_slow_steps_are_reported_by_the_clock(clock):
    task, reports = Slope(values=lambda step: tick(clock, 0.2) or float(step)), []
    history = train(task, task.groups, settings(steps=40), reports.append)
    assert [r.step for r in reports] == [3, 6, 9, 12, 15, 18, 20, 23, 26, 29, 32, 35, 38, 40]
    assert [r.loss for r in reports[5:8]] == [None, 9.5, 9.5]  # the mean of the last whole stretch
    assert history.steps == [20, 40]


def test_slow_steps_are_ended_by_the_clock(clock):
    task = Slope(values=lambda step: tick(clock, 0.2) or float(step))
    history = train(task, task.groups, settings(steps=40), lambda r: r.step < 24)
    assert history.ended_by == "cancel" and history.steps_done == len(task.seen) == 26
    assert history.steps == [20, 26] and history.losses == [9.5, 22.5]


def test_the_reported_fraction_is_at_most_one(clock):
    task, reports = Slope(values=lambda step: tick(clock, 1.0) or 0.0), []
    train(task, task.groups, settings(steps=1000, time_limit=5), reports.append)
    assert all(0 <= report.fraction <= 1 for report in reports)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_stays_nan_is_an_error(bad):
    task = Slope(values=lambda step: bad if step == 25 else 1.0)
    with pytest.raises(SasnetError, match=r"not a number after 26 steps, nor was it 3 times before .* lower"):
        train(task, task.groups, settings(steps=100))
    assert len(task.seen) == 4 * 26
    assert not hasattr(task.table, "gradient_sums")


def test_a_run_goes_back_and_continues_at_half_the_rates():
    bad = iter([260, 255])
    at = next(bad)

    def values(step):
        nonlocal at
        if step == at:
            at = next(bad, None)
            return float("nan")
        return float(step)

    task = Slope(values)
    history = train(task, task.groups, settings(steps=300, final_rate=1.0))
    assert history.retries == 2 and history.ended_by == "steps"
    assert history.steps == list(range(20, 301, 20))
    assert history.losses == [step - 10.5 for step in history.steps]
    # to the copy of step 200, twice, and on from there with a quarter
    assert len(task.seen) == 300 + 61 + 56
    first, second = 261, 261 + 56
    assert task.seen[first] == task.seen[second] == task.seen[200] == pytest.approx(-200, abs=1e-3)
    assert task.seen[first] - task.seen[first + 1] == pytest.approx(0.5, abs=1e-4)
    assert task.seen[second] - task.seen[second + 1] == pytest.approx(0.25, abs=1e-4)
    assert task.number.item() == pytest.approx(-225, abs=1e-2)


def test_what_a_bad_gradient_leaves_is_not_kept():
    """The loss of the last step before a copy is a number, its gradient is not."""
    task = Slope()
    plain, spoilt = task.loss, [99]

    def loss(step):
        value = plain(step)
        if spoilt == [step]:
            spoilt.clear()
            value = value + torch.sqrt(task.number - task.number.detach())  # its slope is infinite
        return value

    task.loss = loss
    history = train(task, task.groups, settings(steps=200))
    assert history.retries == 1 and len(task.seen) == 300
    assert np.isfinite(task.number.item())


def test_a_canceled_run_ends_in_a_finite_state():
    task = Slope()
    plain = task.loss
    task.loss = lambda step: (
        plain(step) + (torch.sqrt(task.number - task.number.detach()) if step == 139 else 0.0)
    )
    history = train(task, task.groups, settings(steps=300), lambda report: report.step < 140)
    assert history.ended_by == "cancel" and history.steps_done == 100
    assert task.number.item() == pytest.approx(task.seen[100])


class Kept:
    def __init__(self, every, start=None):
        self.every, self.start, self.states = every, start, []

    def keep(self, state):
        self.states.append(state)


def test_checkpoints_are_kept_by_the_clock_and_at_the_end(clock):
    task = Slope(values=lambda step: tick(clock, 1.0) or 0.0)
    kept = Kept(every=50)
    train(task, task.groups, settings(steps=190), checkpoints=kept)
    assert [state.history.steps_done for state in kept.states] == [60, 120, 180, 190]
    assert kept.states[-1].updates == 190
    canceled = Kept(every=1e9)
    train(task, task.groups, settings(steps=190), lambda _: False, canceled)
    assert [state.history.steps_done for state in canceled.states] == [1]  # steps take a second here


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.complex64])
def test_a_resumed_run_gives_the_same_bits(clock, kind):
    def fit(start=None):
        count = LARGE if kind == torch.float32 else 500  # with and without sums of gradients
        table = nn.Parameter((torch.arange(count) % 7 - 3).to(kind) / 10)

        class Task:
            recordable = False

            def draw(self, step):
                return (torch.from_numpy(np.random.default_rng(step).integers(0, len(table), 50)),)

            def loss(self, places):
                tick(clock, 1.0)
                return (table[places] - 1).abs().square().mean()

        kept = Kept(every=40, start=start)
        history = train(Task(), [{"params": [table], "lr": 0.01}], settings(steps=170), checkpoints=kept)
        return table.detach(), history, kept.states

    table, history, states = fit()
    for state in states:
        again, later, _ = fit(state)
        assert torch.equal(again, table)
        assert (later.steps, later.losses, later.times) == (history.steps, history.losses, history.times)
    assert [state.history.steps_done for state in states] == [40, 80, 120, 160, 170]


def test_nothing_stays_attached_to_the_table():
    task = Slope()
    train(task, task.groups, settings(steps=3))
    assert not hasattr(task.table, "gradient_sums") and task.table.grad is None

    def fails(step):
        assert task.table.gradient_sums.shape == task.table.shape
        raise KeyError("from the loss")

    task.values = fails
    with pytest.raises(KeyError, match="from the loss"):
        train(task, task.groups, settings(steps=3))
    assert not hasattr(task.table, "gradient_sums")


def test_an_interrupt_passes_through_and_leaves_nothing():
    task = Slope()

    def interrupted(report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(task, task.groups, settings(steps=100), interrupted)
    assert len(task.seen) == 20 and not hasattr(task.table, "gradient_sums")
