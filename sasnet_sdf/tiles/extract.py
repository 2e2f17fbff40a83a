"""The surface of a tiled model, extracted again."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from ..config import PRESETS, Config
from ..problems.extract import FEWEST, Extraction
from ..runtime.progress import each, steps
from .decimation import thin, thinned
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

    It is that of the networks, which hold no points to refine it with. Raises NoSurface and UsageError.
    """
    extraction, tiling = config.extraction, field.tiling
    usual = PRESETS[config.preset].extraction.resolution
    if extraction.edge_length is not None or extraction.resolution != usual:
        size = float(tiling.side * (tiling.high - tiling.low - 2).max())
        tiling = replace(tiling, cells=max(round(tiling.side / wanted_cell(config, tiling.cell, size)), 1))
    check_lattice(tiling)
    with tempfile.TemporaryDirectory(prefix="sasnet-sdf-") as folder:
        scratch, numbers = Scratch(Path(folder)), [tile.number for tile in tiling.tiles]
        known = {name: field.metadata[name] for name in ("solid", "unclosed", "spacing")}
        plan = Plan(scratch, config, tiling, model=field.folder, **known)
        order = sorted(numbers, key=lambda n: (tiling.colors[n], n))
        step = steps()
        step(0.9, "extracting tiles")
        facts = {number: mesh(plan, number) for number in each(order)}
        step(1.0, "joining tiles")
        joined = Joined.of(scratch, numbers, (), FEWEST, extraction.keep_components)
        if extraction.faces is not None:
            joined = thinned(joined, plan, extraction.faces, lambda calls: [thin(*call) for call in calls])
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
