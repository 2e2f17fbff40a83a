"""Whether a scan is reconstructed with one field or in tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..config import Config
from ..errors import Finding, UsageError
from ..geometry import PointCloud, TriangleMesh
from ..problems.loading import name_of
from ..problems.reconstruct import Reconstruction, surface_of_source
from ..runtime.progress import OnProgress, silent
from ..runtime.system import require
from .occupied import Occupied
from .reconstruct import surface_of_tiles
from .result import TiledReconstruction
from .settings import can_tile, check_settings, needs_tiles
from .workers import PURPOSE

INSTALL = 'pip install "sasnet-sdf[tiles]"'


class _TooLarge(Exception):
    """Raised inside a reconstruction with one field that cannot hold the scan."""


def surface_of_any(
    source: Any,
    config: Config,
    on_progress: OnProgress = silent,
    output: Path | None = None,
    model: Path | None = None,
    threads: int | None = None,
) -> Reconstruction | TiledReconstruction:
    """Reconstruct a scan with one field, or in tiles where the settings say so or it needs them.

    source: what `reconstruct` takes. output, model, threads: as in surface_of_tiles; with one field, nothing
    is written. Raises a SasnetError: MissingBackend for tiles without Dask.
    """
    side, streamed = config.tiles.side, callable(source) and not hasattr(source, "points")
    if side == "off" and streamed:
        raise UsageError("a function of pieces is for tiles: omit --tiles off")
    if side == "off" or (side == "auto" and not streamed):
        _check_resume(config, possible=side == "auto")
        reasons: list[str] = []

        def check(geometry: PointCloud | TriangleMesh) -> list[Finding]:
            if side == "off" or not (reason := _reason(geometry, config)):
                _check_resume(config, possible=False)
                return []
            if not can_tile():
                return [Finding(f"one field holds less detail than the scan has, since {reason}; {INSTALL}")]
            reasons.append(reason)
            raise _TooLarge

        try:
            return surface_of_source(source, config, on_progress, check)
        except _TooLarge:
            why = f"{name_of(source)} was cut into tiles, since {reasons[0]}; --tiles off uses one field"
            return surface_of_tiles(source, config, on_progress, output, model, [Finding(why)], threads)
    require("distributed", "tiles", PURPOSE)  # before hours of reading
    return surface_of_tiles(source, config, on_progress, output, model, threads=threads)


def _reason(geometry: PointCloud | TriangleMesh, config: Config) -> str:
    """Why a scan needs tiles, if the settings allow them; else empty."""
    if not isinstance(geometry, PointCloud):
        return ""
    try:
        check_settings(config)
    except UsageError:
        return ""
    occupied = Occupied()
    occupied.add(geometry.points)
    return needs_tiles(geometry, occupied.voxels(), config)


def _check_resume(config: Config, *, possible: bool) -> None:
    """Refuse to resume one training without its folder; possible: whether there may be tiles instead."""
    if config.checkpoint.resume and config.checkpoint.folder is None and not possible:
        raise UsageError("resume goes on from a folder of checkpoints: name it with checkpoint")
