"""Compiled loops on several cores: kernels that release the interpreter's lock, on one pool of threads.

They compile much faster than loops that the compiler itself makes parallel, and may be called from
any thread. Numbers below the smallest of full precision are zero in them: they change no result that
is worth having, and processors take many times as long for them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch

from .progress import tick

PIECES = 4
"""Ranges for each thread, at least: a thread that the system holds up keeps the others waiting less."""

LONGEST = 512
"""Numbers of a range, at most: the slowest kernels take a fifth of a second for so many, and between two
ranges the run may be stopped."""

_DENORMAL = 5e-324

_lock = threading.Lock()
_pools: dict[int, ThreadPoolExecutor] = {}


def thread_count() -> int:
    """PyTorch's number of threads, which OMP_NUM_THREADS and torch.set_num_threads set."""
    return torch.get_num_threads()


def over_ranges(kernel: Callable[..., Any], count: int, *arguments: Any) -> None:
    """kernel(lo, hi, *arguments) over [0, count), cut into ranges that the threads take in turn.

    The kernel's result must not depend on how the range is cut, and it must not call this function. The
    calling thread works as well, and reports progress after each of its ranges, which may stop the run
    (progress.tick). If that or a kernel raises, this raises as well, after all threads have stopped.
    """
    if not getattr(kernel, "signatures", True):  # compile in this thread, which can report it
        kernel(0, 0, *arguments)
    threads = max(1, min(thread_count(), count))
    pieces = max(min(count, PIECES * threads) if threads > 1 else 1, -(-count // LONGEST))
    ranges = pairwise(count * n // pieces for n in range(pieces + 1))
    lock = threading.Lock()

    def work(after: Callable[[float], None] = _nothing) -> None:
        try:
            while True:
                with lock:
                    piece = next(ranges, None)
                if piece is None:
                    return
                kernel(*piece, *arguments)
                after(piece[1] / max(count, 1))
        finally:
            with lock:
                for _ in ranges:  # what ends one thread ends them all
                    pass

    others = [_pool(threads - 1).submit(work) for _ in range(threads - 1)]
    try:
        with denormals_are_zero():
            work(tick)
    finally:
        wait(others)
    for other in others:
        other.result()


def _nothing(done: float) -> None:
    """Only the calling thread reports."""


@contextmanager
def denormals_are_zero() -> Iterator[None]:
    """In this thread, as it is in those of the pool, where the processor can do that."""
    before = _DENORMAL * 1.0 == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _pool(threads: int) -> ThreadPoolExecutor:
    with _lock:
        if threads not in _pools:
            _pools[threads] = ThreadPoolExecutor(
                threads, "sasnet-sdf", initializer=torch.set_flush_denormal, initargs=(True,)
            )
        return _pools[threads]
