"""How far a stage is, as its callback hears it, and how the callback stops it."""

from __future__ import annotations

import pytest

from sasnet_sdf.errors import Interrupted
from sasnet_sdf.runtime import progress
from sasnet_sdf.runtime.progress import Progress, each, say, stage, steps, tick


@pytest.fixture
def clock(monkeypatch):
    """Every look at the clock is a second later than the last, so that every report is told."""
    seconds = iter(range(10**6))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(seconds))


def inner():
    step = steps()
    step(0.5, "first")
    tick(0.5)
    step(1.0, "second")


def told(work):
    """What a callback hears of some work: fractions and messages."""
    reports = []
    with stage("supervision", reports.append, "begins"):
        work()
    assert {report.stage for report in reports} == {"supervision"}
    return [(report.fraction, report.message) for report in reports]


def test_steps_of_a_step_share_it(clock):
    def work():
        step = steps()
        step(0.4)
        inner()
        step(0.8)
        inner()
        step(1.0, "last")

    expected = [0.0, 0.0, 0.0, 0.1, 0.2, 0.4, 0.4, 0.5, 0.6, 0.8, 1.0]
    names = ["begins"] * 2 + ["first"] * 2 + ["second"] * 2 + ["first"] * 2 + ["second", "last", "last"]
    found = told(work)
    assert [fraction for fraction, _ in found] == pytest.approx(expected)
    assert [name for _, name in found] == names


def test_it_never_falls_nor_leaves_its_range(clock):
    def work():
        step = steps()
        step(0.5)
        for done in (0.6, 0.2, 7.0):
            tick(done)
        step(9.0)
        tick(1.0)
        step(1.0)

    fractions = [fraction for fraction, _ in told(work)]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert fractions[2:4] == [0.3, 0.3]


def test_items_are_told_on_the_way(clock):
    seen = []
    found = told(lambda: seen.extend(each(range(10), 5)))
    assert seen == list(range(10))
    assert [fraction for fraction, _ in found] == [0, 0, 0.5, 1]


def test_news_come_at_once_and_the_rest_ten_times_a_second(monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now)
    reports = []
    with stage("read", reports.append):
        for number in range(1000):
            now = number / 1000
            tick(number / 1000)
        assert 9 <= len(reports) <= 11
        say("compiling")
        steps()(1.0, "news")
        tick(0.5)
    assert [report.message for report in reports[-3:]] == ["compiling", "news", "news"]


def test_outside_a_stage_it_does_nothing():
    steps()(0.5, "nobody hears it")
    tick(0.5)
    say("nor this")
    assert list(each([1, 2])) == [1, 2]


def test_false_stops_what_is_inside(clock):
    done = []

    def work():
        for number in each(range(10)):
            done.append(number)

    with pytest.raises(Interrupted), stage("extraction", lambda report: report.fraction < 0.5):
        work()
    assert done == [0, 1, 2, 3, 4]
    work()  # outside of it nobody asks
    assert len(done) == 15


def test_what_the_callback_raises_passes(clock):
    def fails(report: Progress):
        if report.fraction:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), stage("extraction", fails):
        tick(0.5)
    tick(0.6)


def test_what_the_callback_computes_is_not_told(clock):
    reports = []

    def computes(report: Progress):
        reports.append(report)
        tick(0.9)

    with stage("read", computes):
        tick(0.1)
    assert [report.fraction for report in reports] == [0, 0.1, 1]


@pytest.mark.parametrize("answer", [None, True, 0, ""])
def test_other_answers_than_false_go_on(answer):
    with stage("read", lambda _: answer):
        tick(0.5)
