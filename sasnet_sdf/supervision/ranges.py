"""Compiled loops over ranges, shared out to threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from numba import get_num_threads


def in_ranges(kernel: Callable[..., None], count: int, *args: Any, size: int = 8192) -> None:
    """Call `kernel(start, stop, *args)` for ranges of `size` that cover `count`, on numba's number of threads.

    The kernels release the interpreter's lock. numba's own parallel loops take many times longer
    to compile. Ranges do not depend on the number of threads, so neither do results.
    """
    with ThreadPoolExecutor(get_num_threads()) as pool:
        starts = range(0, count, size)
        for done in [pool.submit(kernel, start, min(start + size, count), *args) for start in starts]:
            done.result()
