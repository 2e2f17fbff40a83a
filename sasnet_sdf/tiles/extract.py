"""The surface of a tiled model, extracted again."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import PRESETS, Config, ExtractionConfig
from ..errors import NoSurface, UsageError
from ..problems.extract import FEWEST, Extraction
from ..runtime.progress import each, steps
from .coarse import asks_for_shape, shape
from .decimation import decimate_tile, decimated
from .field import TiledField
from .join import Joined
from .plan import Plan
from .report import lengths, trimmed
from .scratch import Scratch
from .seams import check_lattice
from .settings import wanted_cell
from .surface import mesh


def surface_of_model(field: TiledField, config: Config) -> Extraction:
    """The surface of a tiled model, in world units, and facts about its extraction, tile after tile.

    It is the surface of the networks: a model lacks the normals that refinement needs. Raises NoSurface and
    UsageError.
    """
    config = replace(config, device=field.device.type, engine=field.engine)
    extraction, tiling = config.extraction, field.tiling
    usual = PRESETS[config.preset].extraction.resolution
    if extraction.edge_length is not None or extraction.resolution != usual:
        size = float(tiling.side * (tiling.high - tiling.low - 2).max())
        wanted = wanted_cell(config, tiling.cell, size)
        if wanted > 1.5 * tiling.side:
            raise UsageError(
                f"the lattice cells of this model are at most {tiling.side:.4g} long, and {wanted:.4g} is "
                "wanted: give a shorter edge length, and --faces for fewer triangles"
            )
        tiling = replace(tiling, cells=max(round(tiling.side / wanted), 1))
    check_lattice(tiling)
    with tempfile.TemporaryDirectory(prefix="sasnet-sdf-") as folder:
        scratch, numbers = Scratch(Path(folder)), [tile.number for tile in tiling.tiles]
        plan = Plan(scratch, config, tiling, model=field.folder, **_known(field, extraction))
        order = sorted(numbers, key=lambda n: (tiling.colors[n], n))
        step = steps()
        step(0.9, "extracting tiles")
        facts = {number: mesh(plan, number) for number in each(order)}
        step(1.0, "joining tiles")
        joined = Joined.of(scratch, numbers, (), FEWEST, extraction.keep_components)
        if extraction.faces is not None:
            joined = decimated(
                joined, plan, extraction.faces, lambda calls: [decimate_tile(plan, *call) for call in calls]
            )
        if not joined.facts["faces"]:
            raise NoSurface("the model has no surface with these settings")
        surface = joined.mesh()
    length, reach = lengths(extraction, plan.solid, float(field.metadata["spacing"]))
    closed = not joined.facts["boundary_edges"]
    return Extraction(
        surface,
        {
            "edge_length": tiling.cell,
            "lattice": [int(n) for n in tiling.shape],
            **joined.facts,
            "trim": trimmed({"mesh": facts}, plan, closed, length, reach),
        },
    )


def _known(field: TiledField, extraction: ExtractionConfig) -> dict[str, Any]:
    """The spacing of the scan, and its shape where that decides what is trimmed."""
    found: dict[str, Any] = {"spacing": float(field.metadata["spacing"])}
    if asks_for_shape(extraction):
        there = {name: field.metadata.get(name) for name in ("solid", "unclosed")}
        found |= shape(field.coarse, extraction) if None in there.values() else there
    return found
