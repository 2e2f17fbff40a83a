"""What a tiled run makes of the settings: what it refuses, its workers, its lattice, when it is needed."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np

from ..config import PRESETS, Config
from ..errors import UsageError
from ..geometry import Frame, PointCloud
from ..io.thinning import was_thinned
from ..runtime.system import format_memory, memory_limit_bytes, usable_cores
from ..tiles_config import TilesConfig
from .occupied import Occupied
from .seams import check_lattice
from .tiling import Tiling

MOST = 750_000
"""Most points in the box of a tile."""

FIT = 2
"""Number of workers that must fit into memory; it bounds the points of a tile."""

DRIVER, WORKER, POINT = 700 << 20, 500 << 20, 2000
"""Memory in bytes, measured: of the process that joins the tiles; of a worker, and per point in a tile's box
and overlap."""

LONGEST = 2048
"""Most lattice cells along a side of a tile; twice as many where the length of tiles is given."""

SHARE = 0.8
"""Share of the machine's memory that a run takes where no limit is given."""

WIDER = 1.4
"""Points of a tile with its overlap, over those in its box."""

DETAIL = 2000
"""The longest side of a scan over its spacing, above which one field cannot hold its detail."""

FEWEST = 50_000
"""Least number of points of a scan that is cut into tiles without being asked."""


def check_settings(config: Config) -> None:
    """Refuse settings that tiles cannot honor. Raises UsageError."""
    refused = {
        "--checkpoint": (
            config.checkpoint.folder,
            "tiles keep their state in the scratch folder (--scratch)",
        ),
        "--time-limit": (config.training.time_limit, "it cannot be divided among tiles; give --steps"),
        "--max-points": (config.max_points, "tiles use all points; give --tiles off"),
    }
    for option, (value, reason) in refused.items():
        if value is not None:
            raise UsageError(f"{option} cannot be used with tiles: {reason}")


def memory_of(config: Config) -> int:
    """The memory, in bytes, that all processes of a run on this machine may take together."""
    return config.max_memory or int(SHARE * memory_limit_bytes())


def most_in_tile(config: Config) -> int:
    """The most points in a tile's box that the memory allows. Raises UsageError where it allows no tiles.

    It does not depend on the number of workers, so that the surface does not either.
    """
    if config.tiles.scheduler is not None and config.max_memory is None:
        return MOST
    most = int(((memory_of(config) - DRIVER) / FIT - WORKER) / POINT / WIDER)
    if most < MOST // 20:
        least = DRIVER + FIT * worker_memory(MOST // 20)
        raise UsageError(f"tiles need at least {format_memory(least)} of memory: give a larger --max-memory")
    return min(most, MOST)


def worker_memory(points: int) -> int:
    """The memory of a worker, in bytes, for tiles with so many points in their boxes."""
    return WORKER + int(POINT * WIDER * points)


def workers_of(config: Config, threads: int = 1) -> TilesConfig:
    """The settings with the number of workers on this machine: one per core, as far as memory allows.

    threads: of each worker.
    """
    tiles = config.tiles
    if tiles.scheduler is not None or tiles.workers is not None:
        return tiles
    fit = (memory_of(config) - DRIVER) // worker_memory(most_in_tile(config))
    return replace(tiles, workers=int(np.clip(fit, 1, max(usable_cores() // threads, 1))))


def check_tiles(config: Config, tiling: Tiling) -> None:
    """Raise UsageError where the lattice is too fine, or tiles do not fit into the memory of this machine."""
    check_lattice(tiling)
    longest = max(int(np.ptp([tile.low, tile.high], axis=0).max()) for tile in tiling.tiles) * tiling.cells
    if longest > 2 * LONGEST:
        raise UsageError(
            f"tiles are {longest:,} lattice cells long, more than {2 * LONGEST:,}: give --tiles a shorter "
            "length, or a longer --edge-length"
        )
    workers, points = config.tiles.workers, max(tile.points for tile in tiling.tiles)
    if workers is None:
        return
    needed = DRIVER + workers * worker_memory(points)
    if needed > memory_of(config):
        who = "1 worker" if workers == 1 else f"{workers} workers"
        raise UsageError(
            f"{who} on tiles of {points:,} points need{'s'[: workers == 1]} {format_memory(needed)} of "
            "memory: give --tiles a shorter length, fewer --workers or a larger --max-memory"
        )


def wanted_cell(config: Config, spacing: float, size: float) -> float:
    """The side of a lattice cell in world units: as given, else by the preset from the points' spacing.

    It is no larger than with one field. spacing: between the points; size: the longest side of the scan; both
    in world units.
    """
    extraction, preset = config.extraction, PRESETS.get(config.preset, Config()).extraction
    if extraction.edge_length is not None:
        return extraction.edge_length
    of_one_field = Frame.around(np.array([[0.0] * 3, [size] * 3])).scale * 2 / extraction.resolution
    if extraction.resolution != preset.resolution:
        return of_one_field
    return min(spacing * Config().extraction.resolution / preset.resolution, of_one_field)


def needs_tiles(cloud: PointCloud, config: Config) -> str:
    """Why one field cannot hold a cloud, which may be thinned; empty if it can."""
    if config.max_points is not None or len(cloud) < FEWEST:
        return ""
    size = float(np.ptp(cloud.points, axis=0).max())
    edge = config.extraction.edge_length
    if edge is not None and edge > size / DETAIL * 2:
        return ""
    if was_thinned(cloud.notes):
        return "it has more points than one field uses"
    occupied = Occupied()
    occupied.add(cloud.points)
    typical = occupied.voxels().typical_spacing()
    if size > DETAIL * typical:
        return f"its longest side is {size / typical:,.0f} times the spacing of its points"
    return ""


def can_tile() -> bool:
    """Whether the library that tiles need is installed."""
    return find_spec("distributed") is not None
