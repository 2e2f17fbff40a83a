"""What a file has that its mesh or cloud has not, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence


def not_carried(things: Sequence[str]) -> list[str]:
    """The note that names these things; none where there are none."""
    return [f"not carried over: {', '.join(things)}"] if things else []


def division(parts: int) -> list[str]:
    """What is lost of that many parts that become one mesh."""
    return [f"the division into {parts} parts"] if parts > 1 else []
