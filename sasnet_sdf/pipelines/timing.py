"""Seconds of the stages of a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Adds what the block takes to `seconds`, by the name of its stage."""
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
