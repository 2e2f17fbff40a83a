"""The report of a tiled run: facts about all tiles together, and a row for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..config import ExtractionConfig
from ..extraction.trim import EDGE, LENGTH
from ..problems.extract import mode_of
from .plan import Plan
from .tiling import Tiling

Results = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""The facts of each task (noise, clean, field, mesh), by tile."""


def tile_rows(tiling: Tiling, results: Results, seconds: Mapping[str, float]) -> list[dict[str, Any]]:
    """A row for each tile. seconds: of each task, by its key."""
    rows = []
    for tile in tiling.tiles:
        low, high = tiling.box(tile)
        clean, field, mesh = (results[kind][tile.number] for kind in ("clean", "field", "mesh"))
        rows.append(
            {
                "number": tile.number,
                "low": [float(x) for x in low],
                "high": [float(x) for x in high],
                "overlap": tile.overlap,
                "points": tile.points,
                "used_points": clean["points"],
                "spacing": clean.get("spacing"),
                "noise": clean.get("noise"),
                "trained": field["trained"],
                "loss": field.get("loss"),
                "vertices": mesh["vertices"],
                "faces": mesh["faces"],
                "seconds": {kind: seconds.get(f"{kind}-{tile.number}", 0.0) for kind in KINDS},
                "peak_memory_bytes": max(part["peak_memory_bytes"] for part in (clean, field, mesh)),
            }
        )
    return rows


KINDS = ("clean", "field", "mesh")
"""The tasks of a tile, in order."""


def covered_share(results: Results, covered: int) -> float:
    """The share of the sampled points of all tiles that the surface covers."""
    sampled = _sum(results["mesh"].values(), "sampled")
    return covered / sampled if sampled else 1.0


def lengths(config: ExtractionConfig, solid: bool, spacing: float) -> tuple[float | None, float | None]:
    """The largest distance of a trimmed surface from the data, and that at which it usually ends.

    None where nothing is trimmed. spacing: between the points.
    """
    if not isinstance(config.trim, str):
        return config.trim, config.trim
    if mode_of(config) == "auto" and not solid:
        return LENGTH * spacing, EDGE * spacing
    return None, None


def trimmed(
    results: Results, plan: Plan, closed: bool, length: float | None, reach: float | None
) -> dict[str, Any]:
    """What was trimmed, as for one field.

    length: the largest distance of the surface from the data; reach: that at which it usually ends.
    """
    before, after = (_sum(results["mesh"].values(), name) for name in ("area_before", "area"))
    return {
        "mode": mode_of(plan.config.extraction),
        "closed": closed,
        "solid": plan.solid,
        "capped": plan.capped,
        "length": length,
        "reach": reach,
        "removed": max(1 - after / before, 0.0) if before else 0.0,
        "holes_filled": int(_sum(results["mesh"].values(), "filled")),
        "widest_gap": None,
    }


def median(values: Iterable[Any]) -> float | None:
    """The median of those values that are not None."""
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _sum(parts: Iterable[Mapping[str, Any]], name: str) -> float:
    return sum(part.get(name, 0) for part in parts)
