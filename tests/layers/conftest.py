"""What these tests share."""

from __future__ import annotations

import pytest
from numba import njit


@pytest.fixture(scope="session")
def compiled():
    """compiled(kernel): a kernel that only kernels call, made callable from Python."""
    ways_in = {}

    def way_in(kernel):
        if kernel not in ways_in:

            @njit
            def call(*arguments):
                kernel(*arguments)

            ways_in[kernel] = call
        return ways_in[kernel]

    return way_in
