"""Compiled loops that are kept on disk from run to run, where there is a place for them.

Numba's own cache ends a run where it finds no folder, a full disk or a damaged file; it looks at the
file of a function alone, not at those of the functions that it calls; and of two processes that keep
code for other processors or types at once, one may later run the other's. Here none of that happens.
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache

from .progress import say

_PROCESS = uuid.uuid4().hex[:8]


def kept(**options: Any) -> Callable[[Any], Any]:
    """njit with these options, whose code is kept."""

    def decorate(function: Any) -> Any:
        compiled: Any = njit(**options)(function)
        with suppress(RuntimeError, OSError):  # no folder can be written: it is compiled in every run
            compiled._cache = _Cache(function)
        return compiled

    return decorate


class _Cache(FunctionCache):
    """Numba's cache of a function; whatever is wrong with it costs time, not the run."""

    _found = False

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            self._look()
            found = super().load_overload(sig, target_context)
        except Exception:  # noqa: BLE001 - what a damaged file raises depends on its bytes
            found = None
        if found is None:
            say("compiling kernels, once a machine")
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            self._look()
            super().save_overload(sig, data)
        except Exception:  # noqa: BLE001 - a full disk, or an index that is damaged: begun anew next time
            with suppress(OSError):
                Path(self._cache_file._index_path).unlink()

    def _look(self) -> None:
        """At the sources, once all functions that are called have been defined."""
        if self._found:
            return
        files = self._cache_file
        digest = sha256()
        for path in sorted(_sources(self._py_func, set())):
            digest.update(Path(path).read_bytes())
        files._source_stamp = digest.hexdigest()
        # numbers alone would be the same in two processes that begin at once
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
