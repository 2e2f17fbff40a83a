"""Signals: numbers on a regular grid, such as an image or a volume, and the positions of the samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import printable

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the samples of a signal lie; d is 2 for an image and 3 for a volume.

    shape: (d,) samples along each axis of the array. affine: (d + 1, d + 1), maps an index (in the order of
    the array's axes, with 1 appended) to world coordinates. For an image these are (x, y) in pixels, x to the
    right and y down, and the center of the first pixel is (0.5, 0.5). A sample represents the cell around it;
    all cells together form the domain. The unit cube spans the domain's longest side; its axes are in the
    order of the array's axes.
    """

    shape: tuple[int, ...]
    affine: Array

    @classmethod
    def of_image(cls, height: int, width: int) -> Grid:
        return cls((height, width), np.array([[0, 1, 0.5], [1, 0, 0.5], [0, 0, 1.0]]))

    @classmethod
    def of_volume(cls, shape: tuple[int, ...], spacing: Any = (1.0, 1.0, 1.0)) -> Grid:
        """The grid with its first sample at 0 and axes along the world's axes; spacing: (3,)."""
        return cls(tuple(int(n) for n in shape), np.diag([*np.asarray(spacing, np.float64), 1.0]))

    @property
    def dim(self) -> int:
        return len(self.shape)

    @property
    def spacing(self) -> Array:
        """(d,) world units between samples along each axis of the array."""
        return np.linalg.norm(self.affine[:-1, :-1], axis=0)

    @property
    def half(self) -> float:
        """Half the domain's longest side, in world units."""
        return float((np.array(self.shape) * self.spacing).max()) / 2

    def to_world(self, index: NDArray[Any]) -> Array:
        """World coordinates (N, d) of indices (N, d), which need not be whole."""
        return np.asarray(index, np.float64) @ self.affine[:-1, :-1].T + self.affine[:-1, -1]

    def to_index(self, points: Array) -> Array:
        """Indices (N, d) of world coordinates (N, d)."""
        return (np.asarray(points, np.float64) - self.affine[:-1, -1]) @ np.linalg.inv(
            self.affine[:-1, :-1]
        ).T

    def to_unit(self, index: NDArray[Any]) -> Array:
        """Unit coordinates (N, d) of indices (N, d)."""
        return (np.asarray(index, np.float64) - self.middle) * (self.spacing / self.half)

    def from_unit(self, unit: Array) -> Array:
        """Indices (N, d) of unit coordinates (N, d)."""
        return np.asarray(unit, np.float64) * (self.half / self.spacing) + self.middle

    def covers(self, index: Array) -> NDArray[np.bool_]:
        """Which indices (N, d) lie in the domain, with a small tolerance for rounding."""
        index = np.asarray(index, np.float64)
        inside = (index >= -0.5 - 1e-9) & (index <= np.array(self.shape) - 0.5 + 1e-9)
        return np.all(inside, axis=1)

    def to_dict(self) -> dict[str, Any]:
        return {"shape": list(self.shape), "affine": self.affine.tolist()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Grid:
        shape, affine = tuple(int(n) for n in values["shape"]), np.array(values["affine"], np.float64)
        if (
            len(shape) not in (2, 3)
            or not 1 <= min(shape) <= max(shape) < 2**31
            or affine.shape != (len(shape) + 1,) * 2
        ):
            raise ValueError("its grid is none of an image or a volume")
        with np.errstate(all="ignore"):
            size = abs(float(np.linalg.det(affine[:-1, :-1])))
        if not (np.isfinite(affine).all() and 0 < size < np.inf):
            raise ValueError("its grid does not span a space")
        return cls(shape, affine)

    @property
    def middle(self) -> Array:
        """(d,) the index of the domain's center, which is 0 in the unit cube."""
        return (np.array(self.shape) - 1) / 2


_HEADER = {
    **dict.fromkeys(("space", "content", "sample units", "description"), str),
    **dict.fromkeys(("space units", "units", "codes"), list),
    "nifti": int,
}
"""The entries that the header of a signal may have (io/volumes.py and io/nrrd.py write them to files)."""


def checked_header(values: dict[str, Any]) -> dict[str, Any]:
    """The header of a model file, with texts cut to one short line. Raises ValueError."""
    found = {}
    for name, value in values.items():
        if type(value) is not _HEADER.get(name):
            raise ValueError(f"its header holds {name!r:.40}: {value!r:.40}")
        parts = [_plain(part) for part in (value if isinstance(value, list) else [value])[:4]]
        found[name] = parts if isinstance(value, list) else parts[0]
    return found


def _plain(value: Any) -> str | int:
    if isinstance(value, str):
        return printable(value[:200])
    if type(value) is not int or not 0 <= value < 2**15:
        raise ValueError(f"its header holds {value!r:.40}")
    return value


@dataclass(frozen=True, eq=False)
class Signal:
    """An image or a volume.

        grid = sasnet_sdf.Grid.of_volume((40, 40, 40), spacing=(1.0, 0.5, 0.5))
        signal = sasnet_sdf.Signal(values, grid)

    values: (*grid.shape, C) of C channels, of any real type, perhaps memory-mapped; for an image C is 1
    (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGB, alpha), with rows from the top. header: other metadata of the
    file that a writer of the same format needs; may be empty. notes: what the user should know about how the
    file was read, one sentence each.
    """

    values: NDArray[Any]
    grid: Grid
    header: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> Literal["image", "volume"]:
        return "image" if self.grid.dim == 2 else "volume"

    @property
    def channels(self) -> int:
        return self.values.shape[-1]

    @property
    def order(self) -> Literal["C", "F"]:
        """The order of the array in memory or in its file: by its last axis (C) or its first (F)."""
        return "F" if self.values.strides[0] < self.values.strides[self.grid.dim - 1] else "C"

    def slabs(self) -> Iterator[NDArray[Any]]:
        """The values (*, C) in contiguous pieces, for arrays larger than the memory."""
        axis = 0 if self.order == "C" else self.grid.dim - 1
        yield from np.moveaxis(self.values, axis, 0)
