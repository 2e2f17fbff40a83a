"""Whether a scan is reconstructed with one field or in tiles."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from ..config import Config
from ..errors import Finding, UsageError
from ..geometry import PointCloud, TriangleMesh
from ..problems.loading import name_of
from ..problems.reconstruct import Reconstruction, surface_of_source
from ..runtime.progress import OnProgress, silent
from ..runtime.system import require
from .reconstruct import surface_of_tiles
from .result import TiledReconstruction
from .settings import can_tile, check_settings, most_in_tile, needs_tiles
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
        raise UsageError("a function that returns pieces needs tiles: omit tiles='off'")
    if side == "off" or (side == "auto" and not streamed):
        if side == "off":
            config.checkpoint.check_resume()  # before the input is read
        reasons: list[str] = []

        def check(geometry: PointCloud | TriangleMesh) -> list[Finding]:
            reason = "" if side == "off" else _reason(geometry, config)
            if reason and can_tile():
                reasons.append(reason)
                raise _TooLarge
            config.checkpoint.check_resume()
            found = [Finding("--split has no effect on a scan with one field")] if config.tiles.split else []
            told = f"one field cannot hold all detail of the scan, since {reason}; to use tiles: {INSTALL}"
            return [*found, Finding(told)] if reason else found

        with suppress(_TooLarge):
            return surface_of_source(source, config, on_progress, check)
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
        most_in_tile(config)
    except UsageError:
        return ""
    return needs_tiles(geometry, config)
