"""Compiled loops: compilation, a cache on disk, and execution on several cores.

Numba's own cache ends a run if there is no folder for it, the disk is full or a file is damaged. It checks
the source file of a function, but not those of the functions that it calls. If two processes store code for
different processors or types at the same time, one may later run the other's code. `kept` avoids all three.

`over_ranges` runs kernels, which release the interpreter's lock, on one pool of threads. They compile much
faster than loops that the compiler itself parallelizes, and may be called from any thread. Kernels treat
denormal numbers as zero: these do not change results, and processors take many times as long for them.
"""

from __future__ import annotations

import inspect
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from numba import njit
from numba.core.caching import FunctionCache

from .progress import say, tick

_PROCESS = uuid.uuid4().hex[:8]


def kept(**options: Any) -> Callable[[Any], Any]:
    """njit with these options, and with a cache on disk (above)."""

    def decorate(function: Any) -> Any:
        compiled: Any = njit(**options)(function)
        with suppress(RuntimeError, OSError):  # no writable folder: it is compiled in every run
            compiled._cache = _Cache(function)
        return compiled

    return decorate


class _Cache(FunctionCache):
    """Numba's cache of a function; a failure of the cache costs time but does not end the run."""

    _found = False

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            self._look()
            found = super().load_overload(sig, target_context)
        except Exception:  # noqa: BLE001 - the exception from a damaged file depends on its bytes
            found = None
        if found is None:
            say("compiling kernels, once a machine")
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            self._look()
            super().save_overload(sig, data)
        except Exception:  # noqa: BLE001 - a full disk, or a damaged index, which is replaced next time
            with suppress(OSError):
                Path(self._cache_file._index_path).unlink()

    def _look(self) -> None:
        """Find the sources when all called functions have been defined."""
        if self._found:
            return
        files = self._cache_file
        digest = sha256()
        for path in sorted(_sources(self._py_func, set())):
            digest.update(Path(path).read_bytes())
        files._source_stamp = digest.hexdigest()
        # numbers alone would coincide in two processes that begin at the same time
        files._data_name_pattern = files._data_name_pattern.replace("{number", f"{_PROCESS}.{{number")
        self._found = True


def _sources(function: Any, seen: set[Any]) -> set[str]:
    """The files of a function and of all compiled functions that it calls."""
    seen.add(function)
    files = {inspect.getfile(function)}
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        called = getattr(value, "py_func", getattr(value, "_defn", None))
        if called is not None and called not in seen:
            files |= _sources(called, seen)
    return files


PIECES = 4
"""Least number of ranges per thread: with several, the others wait less for a thread that is delayed."""

LONGEST = 512
"""Largest number of items in a range. The slowest kernels take a fifth of a second for this number, and a run
can be stopped between two ranges."""

_DENORMAL = 5e-324

_lock = threading.Lock()
_pools: dict[int, ThreadPoolExecutor] = {}


def thread_count() -> int:
    """PyTorch's number of threads, which OMP_NUM_THREADS and torch.set_num_threads set."""
    return torch.get_num_threads()


def over_ranges(kernel: Callable[..., Any], count: int, *arguments: Any) -> None:
    """kernel(lo, hi, *arguments) over [0, count), split into ranges that the threads process in turn.

    The kernel's result must not depend on how the range is split, and it must not call this function. The
    calling thread takes part and reports progress after each of its ranges, which may stop the run
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
                for _ in ranges:  # an exception in one thread ends them all
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
    """Does nothing: only the calling thread reports progress."""


@contextmanager
def denormals_are_zero() -> Iterator[None]:
    """Treat denormals as zero in this thread, as in those of the pool, if the processor supports that."""
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


_NO_WRAPPERS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

kernel: Callable[[Any], Any] = kept(nogil=True, error_model="numpy")
"""A loop `(start, stop, ...)` for over_ranges."""

part: Any = njit(error_model="numpy", **_NO_WRAPPERS)
"""A function that only kernels call. Pass it the same types everywhere, otherwise it is compiled for each set
of types. A literal has a type of its own; np.int64(0) does not."""
