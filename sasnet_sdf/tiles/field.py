"""The field of a large scan: a coarse field of the whole, and a field for each tile near its box.

f = g + sum of w_i (f_i - g), where g is the coarse field, f_i that of tile i, and w_i its weight (Tiling),
divided by the sum of all weights. The weights have two continuous derivatives, so the sum has no seams, and
where a tile has no field, and outside the unit cube of its field, g takes its place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import UnreadableInput, UsageError
from ..field import Field
from ..geometry import Array, Frame, as_places, at_finite
from ..networks.network import Network
from ..tiles_config import INDEX
from .tiling import Tile, Tiling, smooth

RIM = 0.03
"""Width, in its unit cube, over which a field's weight falls to 0 at the cube's border; its data are within
0.95."""

LOADED = 16
"""Number of tiles' fields that are kept in memory."""

FORMAT = 1
"""The version of the folder of a tiled model."""

COARSE = "coarse.sasnet"

Values = Callable[[Field, Array], "tuple[Array, ...]"]
"""(field, world points (N, 3)) -> arrays (N, ...), such as distances and gradients."""


def blended(
    tiling: Tiling,
    tiles: Sequence[Tile],
    field_of: Callable[[int], Field | None],
    coarse: Callable[[], Field],
    values: Values,
    points: Array,
) -> tuple[Array, ...]:
    """The blend of the fields' values at world points (N, 3).

    tiles: all those that have a weight at the points. field_of: the field of a tile's number, or None. The
    weights are taken as constant.
    """
    weights = np.stack([tiling.weight(tile, points) for tile in tiles])
    weights /= np.maximum(weights.sum(0), 1e-300)
    left, result = np.ones(len(points)), None
    for tile, weight in zip(tiles, weights, strict=True):
        if not weight.any() or (field := field_of(tile.number)) is None:
            continue
        weight = weight * _trained(field, points)
        rows = np.flatnonzero(weight > 0)
        if not len(rows):
            continue
        left[rows] -= weight[rows]
        result = _added(result, values(field, points[rows]), weight[rows], rows, len(points))
    rows = np.flatnonzero(left > 1e-12) if result is not None else np.arange(len(points))
    if len(rows) or result is None:
        result = _added(result, values(coarse(), points[rows]), left[rows], rows, len(points))
    return result


def _trained(field: Field, points: Array) -> Array:
    """The weight (N,) of a field at world points (N, 3): 1 where it was trained, 0 outside its cube."""
    inside = 1 - np.abs(field.frame.to_unit(points)).max(axis=1)
    return smooth(2 * inside / RIM - 1)


def _added(
    total: tuple[Array, ...] | None,
    values: tuple[Array, ...],
    weight: Array,
    rows: NDArray[np.int64],
    count: int,
) -> tuple[Array, ...]:
    """The totals (N, ...) with weighted values (R, ...) added at rows (R,)."""
    if total is None:
        total = tuple(np.zeros((count, *part.shape[1:])) for part in values)
    for whole, part in zip(total, values, strict=True):
        whole[rows] += weight.reshape(-1, *[1] * (part.ndim - 1)) * part
    return total


class TiledField:
    """The signed distance field of a scan that was cut into tiles, in world units; negative inside.

        field = sasnet_sdf.TiledField.load("quarry")
        inside = field.distance(points) < 0

    folder: holds `tiles.json`, the coarse field `coarse.sasnet`, and a model file for each tile, such as
    `000012.sasnet`, which is read when it is needed. metadata: how the fields were trained.
    """

    def __init__(
        self,
        folder: str | Path,
        tiling: Tiling,
        metadata: dict[str, Any],
        device: str = "auto",
        engine: str = "auto",
    ):
        self.folder: Path = Path(folder)
        self.tiling: Tiling = tiling
        self.metadata: dict[str, Any] = metadata
        self.engine: str = engine
        self.coarse: Field = Field.load(self.folder / COARSE, device, engine)
        self._device = device
        self._field_of = lru_cache(maxsize=LOADED)(self._loaded)

    @property
    def frame(self) -> Frame:
        """The frame of the whole scan, that of the coarse field."""
        return self.coarse.frame

    @property
    def model(self) -> Network[Any]:
        """The network of the coarse field; those of the tiles have the same settings."""
        return self.coarse.model

    @property
    def device(self) -> torch.device:
        return self.coarse.device

    def field_of(self, number: int) -> Field | None:
        """The field of a tile; None where it has none."""
        return self._field_of(number)

    def distance(self, points: Array) -> Array:
        """Signed distances (N,) float64, world units, at world points (N, 3); negative inside.

        Closer to the surface than a tile's overlap, it is the blend of the tiles' distances; farther away,
        the distance from the thinned points of the whole scan. It is NaN where a point is not finite. Raises
        ValueError for another shape.
        """
        return at_finite(lambda p: (self._evaluated(p)[0],), as_places(points, 3))[0]

    def gradient(self, points: Array) -> Array:
        """Gradients (N, 3) float64 of the distance at world points (N, 3); they point outward.

        They are NaN where a point is not finite. Raises ValueError like `distance`.
        """
        return at_finite(lambda p: (self._evaluated(p)[1],), as_places(points, 3))[0]

    def _evaluated(self, points: Array) -> tuple[Array, Array]:
        distance, gradient = self.coarse.distance(points), self.coarse.gradient(points)
        tile_of = self.tiling.at(points)
        for number in np.unique(tile_of[tile_of >= 0]):
            tile = self.tiling.tiles[number]
            rows = np.flatnonzero((tile_of == number) & (np.abs(distance) < tile.overlap))
            if not len(rows):
                continue
            near = [tile, *self.tiling.overlapping(tile)]
            found = blended(self.tiling, near, self.field_of, lambda: self.coarse, _distances, points[rows])
            # the tiles know the distance up to their overlap
            t = (2 - 2 * np.abs(distance[rows]) / tile.overlap).clip(0, 1)
            share = t * t * (3 - 2 * t)
            distance[rows] += share * (found[0] - distance[rows])
            gradient[rows] += share[:, None] * (found[1] - gradient[rows])
        return distance, gradient

    def save(self, folder: str | Path) -> None:
        """Copy the model to another folder, which must not exist. Raises UsageError."""
        import shutil

        try:
            shutil.copytree(self.folder, folder)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be written ({error})") from error

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto", engine: str = "auto") -> TiledField:
        """Open the folder of a tiled model. Raises UnreadableInput if it is damaged or newer."""
        place = Path(folder) / INDEX
        try:
            index = json.loads(place.read_text("utf-8"))
            if index["format"] != FORMAT:
                raise ValueError(f"it has format {index['format']}, this version reads {FORMAT}")
            tiling = Tiling.from_dict(index["tiling"])
            return cls(folder, tiling, dict(index["training"]), device, engine)
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise UnreadableInput(f"{place}: not the index of a tiled model ({reason})") from error

    def _loaded(self, number: int) -> Field | None:
        place = self.folder / f"{number:06d}.sasnet"
        return Field.load(place, self._device, self.engine) if place.is_file() else None


def load_field(path: str | Path, device: str = "auto", engine: str = "auto") -> Field | TiledField:
    """The field of a model file, or of the folder of a tiled model. Raises UnreadableInput."""
    return TiledField.load(path, device, engine) if Path(path).is_dir() else Field.load(path, device, engine)


def write_index(folder: Path, tiling: Tiling, metadata: dict[str, Any]) -> None:
    """Write the index of a tiled model, whose model files are there, atomically."""
    from ..io.access import write

    write(folder / INDEX, "report", {"format": FORMAT, "tiling": tiling.to_dict(), "training": metadata})


def _distances(field: Field, points: Array) -> tuple[Array, Array]:
    return field.distance(points), field.gradient(points)
