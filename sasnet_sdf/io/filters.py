"""Which points of a cloud are wanted: inside a box, of some classifications, not withheld, not noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..config import InputConfig
from ..errors import UnusableGeometry, UsageError
from ..geometry import PointCloud
from .columns import Columns, finite, positions
from .scan import rows_in, taken

_NOISE = (7, 18)
"""Low and high noise, as the ASPRS numbers classifications."""


class Filter:
    """Keeps the wanted points of one or several clouds, piece by piece, and counts the others.

    Points that are marked as withheld are never wanted. Noise is not, unless it is among the classes that
    are asked for: what LAS numbers as noise, in clouds that have LAS's columns.
    """

    def __init__(self, wanted: InputConfig):
        self._classes = wanted.classes
        self._box = None if wanted.crop is None else np.sort(np.reshape(wanted.crop, (2, 3)), axis=0)
        self._low, self._high = np.full(3, np.inf), np.full(3, -np.inf)
        self._there: set[int] = set()
        self._seen = self._inside = self._valid = self._kept = 0

    def pieces(self, pieces: Iterable[Columns], path: Path) -> Iterator[Columns]:
        """The wanted rows of pieces; pieces of which none is wanted are left out."""
        for piece in pieces:
            keep = self._mask(piece, path)
            if keep.all():
                yield piece
            elif keep.any():
                yield taken(piece, keep)

    def cloud(self, cloud: PointCloud, path: Path) -> PointCloud:
        """The wanted points of a cloud; the cloud itself where that is all of them."""
        keep = self._mask({**cloud.scalars, **dict(zip("xyz", cloud.points.T, strict=True))}, path)
        return cloud if keep.all() else cloud.select(keep)

    def notes(self) -> list[str]:
        """A sentence about each thing that was asked for or left out."""
        found = []
        if self._box is not None:
            found.append(f"{self._inside} of {self._seen} points are inside the crop and were kept")
        if self._valid < self._inside:
            found.append(f"{self._inside - self._valid} points are marked as withheld and were left out")
        if self._classes is not None:
            found.append(f"{self._kept} of {self._valid} points have the {self._named()} and were kept")
        elif self._kept < self._valid:
            found.append(
                f"{self._valid - self._kept} points are noise (class 7 or 18) and were left out;"
                " choose classes to keep them"
            )
        return found

    def check(self, name: str) -> None:
        """Raise UnusableGeometry where there were points and none was kept; name: of the input."""
        if self._kept or not self._seen:
            return
        if self._box is not None and not self._inside:
            lie = f"they lie from {_shown(self._low)} to {_shown(self._high)}"
            raise UnusableGeometry(f"{name}: none of its {self._seen} points is inside the crop; {lie}")
        where = "" if self._box is None else " inside the crop"
        if self._classes is not None and self._there:
            there = ", ".join(map(str, sorted(self._there)))
            raise UnusableGeometry(f"{name}: no point{where} has the {self._named()}; there are: {there}")
        raise UnusableGeometry(f"{name}: all its {self._inside} points{where} are withheld or noise")

    def _mask(self, piece: Columns, path: Path) -> NDArray[np.bool_]:
        keep = np.ones(rows_in(piece), np.bool_)
        self._seen += len(keep)
        if self._box is not None:
            points = positions(piece, path)
            keep = np.asarray(((points >= self._box[0]) & (points <= self._box[1])).all(axis=1))
            there = points[finite(points)]
            self._low = np.minimum(self._low, there.min(axis=0, initial=np.inf))
            self._high = np.maximum(self._high, there.max(axis=0, initial=-np.inf))
        self._inside += int(keep.sum())
        classes, withheld = _column(piece, "classification"), _column(piece, "withheld")
        if withheld is not None:
            keep &= withheld == 0
        self._valid += int(keep.sum())
        if self._classes is not None:
            if classes is None:
                found = ", ".join(piece)
                raise UsageError(f"{path}: has no column classification to choose by (found: {found})")
            self._there.update(int(code) for code in np.unique(classes[keep]) if np.isfinite(code))
            keep &= np.isin(classes, self._classes)
        elif classes is not None and withheld is not None:
            keep &= ~np.isin(classes, _NOISE)
        self._kept += int(keep.sum())
        return keep

    def _named(self) -> str:
        classes = self._classes or ()
        return f"class{'es'[: 2 * (len(classes) > 1)]} {', '.join(map(str, classes))}"


def _column(piece: Columns, name: str) -> NDArray | None:
    """The column of that name, whatever its case; CloudCompare puts `scalar_` before it."""
    own = next((n for n in piece if n.lower().removeprefix("scalar_") == name), None)
    return None if own is None else piece[own]


def _shown(corner: NDArray) -> str:
    return ",".join(f"{value:.10g}" for value in corner)
