"""Ranges over threads: everything once, whatever the count, and no error lost."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

import sasnet_sdf.runtime.compiled
from sasnet_sdf.errors import Interrupted
from sasnet_sdf.runtime import progress
from sasnet_sdf.runtime.compiled import LONGEST, over_ranges, thread_count


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_everything_once(threads, number):
    threads(number)
    assert thread_count() == number
    for count in (1, 2, 3, 4, 7, 16, 101):
        marks, ranges = np.zeros(count, int), []

        def mark(first, end, marks, by, ranges=ranges):
            ranges.append((first, end))
            marks[first:end] += by

        assert over_ranges(mark, count, marks, 3) is None
        assert (marks == 3).all()
        sizes = [end - first for first, end in ranges]
        assert len(sizes) >= min(number, count) and max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("number", [1, 3])
def test_nothing_to_do(threads, number):
    threads(number)
    ranges = []
    over_ranges(lambda first, end: ranges.append((first, end)), 0)
    assert ranges == [(0, 0)]


def test_the_caller_works_as_well(threads):
    threads(3)
    workers, together = set(), threading.Barrier(3, timeout=20)

    def note(first, end):
        together.wait()  # passed only if three threads are inside at once
        workers.add(threading.get_ident())

    over_ranges(note, 3)
    assert len(workers) == 3 and threading.get_ident() in workers


@pytest.mark.parametrize("number, place", [(1, 0), (2, 0), (2, 9), (3, 5)])
def test_errors_reach_the_caller(threads, number, place):
    threads(number)

    def fails(first, end):
        if first <= place < end:
            raise ZeroDivisionError(f"at {place}")

    with pytest.raises(ZeroDivisionError, match=f"at {place}"):
        over_ranges(fails, 10)
    marks = np.zeros(10)
    over_ranges(lambda first, end: marks[first:end].fill(1), 10)
    assert marks.all()


def test_nothing_is_still_running_after_an_error(threads, monkeypatch):
    """Otherwise it would write into arrays that the caller has given away."""
    threads(3)
    place, together = threading.local(), threading.Barrier(3, timeout=20)
    finished, pool = threading.Event(), ThreadPoolExecutor(2)
    numbers = itertools.count()

    def submit(work):
        def numbered(number):
            place.number = number
            work()

        return pool.submit(numbered, next(numbers))

    def kernel(first, end):
        together.wait()
        number = getattr(place, "number", None)
        if number == 0:
            raise ZeroDivisionError
        if number == 1:
            time.sleep(0.2)
            finished.set()

    monkeypatch.setattr(sasnet_sdf.runtime.compiled, "_pool", lambda threads: SimpleNamespace(submit=submit))
    with pool:
        with pytest.raises(ZeroDivisionError):
            over_ranges(kernel, 3)
        done = finished.is_set()
    assert finished.is_set() and done


def test_from_several_threads_at_once(threads):
    threads(2)
    results = np.zeros((6, 50))

    def work(row):
        for _ in range(50):
            over_ranges(lambda first, end: results[row, first:end].__iadd__(1), 50)

    callers = [threading.Thread(target=work, args=(row,)) for row in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert (results == 50).all()


@pytest.mark.parametrize("number", [1, 2])
def test_a_range_is_short(threads, number):
    threads(number)
    ranges = []
    over_ranges(lambda first, end: ranges.append((first, end)), 5 * LONGEST + 1)
    assert sorted(ranges)[0][0] == 0 and sorted(ranges)[-1][1] == 5 * LONGEST + 1
    assert max(end - first for first, end in ranges) <= LONGEST


@pytest.mark.parametrize("number", [1, 3])
def test_who_watches_hears_how_far_it_is(threads, number, monkeypatch):
    threads(number)
    monkeypatch.setattr(progress, "EVERY", 0.0)
    reports = []
    with progress.stage("supervision", reports.append):
        over_ranges(lambda first, end: None, 20 * LONGEST)
    assert [report.fraction for report in reports] == sorted(report.fraction for report in reports)
    assert number > 1 or len(reports) == 22


@pytest.mark.parametrize("number", [1, 3])
def test_who_watches_stops_it(threads, number, monkeypatch):
    """All threads, at the end of their range; and another call works."""
    threads(number)
    monkeypatch.setattr(progress, "EVERY", 0.0)
    count, asked = 1000 * LONGEST, threading.Event()
    marks = np.zeros(count, int)

    def mark(first, end):
        if threading.current_thread() is not threading.main_thread():
            asked.wait(20)
        marks[first:end] += 1

    def stop(report):
        if report.fraction > 0:
            asked.set()
            return False
        return True

    with pytest.raises(Interrupted), progress.stage("supervision", stop):
        over_ranges(mark, count)
    done = marks.sum()
    assert 0 < done <= 3 * number * LONGEST
    time.sleep(0.05)
    assert marks.sum() == done
    over_ranges(lambda first, end: marks[first:end].fill(5), count)
    assert (marks == 5).all()


def test_the_calling_thread_compiles():
    """It can tell that it does; the empty range does nothing."""
    calls = []

    def kernel(first, end):
        calls.append((first, end, threading.current_thread() is threading.main_thread()))

    kernel.signatures = []
    over_ranges(kernel, 10)
    assert calls[0] == (0, 0, True) and sum(end - first for first, end, _ in calls) == 10
