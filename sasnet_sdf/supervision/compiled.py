"""How loops are compiled."""

from __future__ import annotations

from typing import Any

from numba import njit

from ..kernels import kept

_NO_WRAPPERS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

kernel = kept(nogil=True, error_model="numpy")
"""A loop `(start, stop, ...)` for over_ranges."""

part = njit(error_model="numpy", **_NO_WRAPPERS)
"""A function that only kernels call. Pass it the same types everywhere, or it is compiled for each set of
them; a literal has a type of its own, np.int64(0) has not."""
