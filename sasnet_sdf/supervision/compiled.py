"""How loops are compiled, and shared out to threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from numba import get_num_threads, njit

_NO_WRAPPERS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

kernel = njit(cache=True, nogil=True, error_model="numpy")
"""A loop `(start, stop, ...)` for in_ranges."""

part = njit(error_model="numpy", **_NO_WRAPPERS)
"""A function that only kernels call. Pass it the same types everywhere, or it is compiled for each set of
them; a literal has a type of its own, np.int64(0) has not."""


def in_ranges(loop: Callable[..., None], count: int, *args: Any, size: int = 8192) -> None:
    """Call `loop(start, stop, *args)` for ranges that cover `count`, on as many threads as numba.

    numba's own parallel loops take many times longer to compile. Ranges of `size` do not depend on
    the number of threads, so neither do results.
    """
    with ThreadPoolExecutor(get_num_threads()) as pool:
        starts = range(0, count, size)
        for done in [pool.submit(loop, start, min(start + size, count), *args) for start in starts]:
            done.result()
