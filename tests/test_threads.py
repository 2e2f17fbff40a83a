"""Ranges over threads: everything once, whatever the count, and no error lost."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

import sasnet_sdf.threads
from sasnet_sdf.threads import over_ranges, thread_count


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

    monkeypatch.setattr(sasnet_sdf.threads, "_pool", lambda threads: SimpleNamespace(submit=submit))
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
