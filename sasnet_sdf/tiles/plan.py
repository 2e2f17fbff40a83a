"""What all tasks of a tiled run know: the tiles, the settings, and what was decided about the whole scan."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import Config
from ..extraction.trim import LENGTH
from ..field import Field
from ..geometry import Array, PointCloud
from .field import COARSE as COARSE_FILE
from .scratch import Scratch
from .tiling import Tiling

HALO = 3
"""Least number of lattice cells around a tile's box in which its surface is extracted as well."""

COARSE = 0
"""The number under which results for the whole scan are kept."""


@dataclass(frozen=True)
class Outside:
    """How the outside of the scan is found: by the points' normals, their sensors, or a direction or place.

    kind: "normals", "sensors", "place" (all points were seen from there), "away" (from that direction) or
    "estimate". vector: (3,) the place or the direction, in world units.
    """

    kind: str
    vector: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def of(cls, cloud: PointCloud, outside_from: str | None) -> Outside:
        """What the examination of the whole scan decided; cloud: with the normals and sensors to use."""
        if cloud.normals is not None:
            return cls("normals")
        if cloud.sensors is None:
            return cls("estimate")
        if outside_from is None:
            return cls("sensors")
        place = cloud.sensors[0] - (cloud.points[0] if outside_from == "up" else 0.0)
        x, y, z = (float(v) for v in place)
        return cls("place" if outside_from == "viewpoint" else "away", (x, y, z))

    def applied(self, cloud: PointCloud) -> PointCloud:
        """A cloud with only those normals or sensors that tell its outside."""
        sensors = cloud.sensors if self.kind == "sensors" else None
        if self.kind == "place":
            sensors = np.broadcast_to(np.array(self.vector), cloud.points.shape)
        elif self.kind == "away":
            sensors = cloud.points + np.array(self.vector)
        return replace(cloud, normals=cloud.normals if self.kind == "normals" else None, sensors=sensors)


@dataclass(frozen=True)
class Plan:
    """The tiles of a run, and all that their tasks depend on besides files in the scratch folder.

    outside: how the outside is found. noise, spacing: of the whole scan, the noise in spacings, the spacing
    in world units. noisy: whether the points are denoised. solid: whether the scan surrounds a solid, so that
    nothing is trimmed; unclosed: whether the solid's surface is closed only by the border of the whole
    lattice. labels: the carried scalars that are labels, not numbers. colored: whether the points have
    colors. model: the folder of a finished model, whose surface is extracted again; None while a scan is
    reconstructed.
    """

    scratch: Scratch
    config: Config
    tiling: Tiling
    outside: Outside = Outside("estimate")
    noise: float = 0.0
    spacing: float = 0.0
    noisy: bool = False
    solid: bool = False
    unclosed: bool = False
    labels: tuple[str, ...] = ()
    colored: bool = False
    model: Path | None = None

    @property
    def capped(self) -> bool:
        """Whether the surface is closed at the border of the whole lattice."""
        return self.config.extraction.watertight or (self.solid and self.unclosed)

    @property
    def trimmed(self) -> bool:
        """Whether the surface ends where the data end."""
        extraction = self.config.extraction
        return not (self.solid or extraction.watertight) and extraction.trim != "off"

    @property
    def halo(self) -> int:
        """Lattice cells around a tile's box in which its surface is extracted as well.

        What depends on neighboring triangles is then the same for both tiles at a border. Where surfaces are
        trimmed by spacing, both see the whole of a hole that stays covered.
        """
        if not self.trimmed or self.config.extraction.trim != "auto":
            return HALO
        return HALO + int(np.ceil(2 * LENGTH * self.spacing / self.tiling.cell))

    def coarse_field(self) -> Field:
        """The field of the whole scan."""
        own = self.scratch.path("coarse", COARSE, "sasnet")
        place = own if self.model is None else self.model / COARSE_FILE
        return Field.load(place, self.config.device, self.config.engine)

    def field_of(self, number: int) -> Field | None:
        """The field of a tile; None where it has none, because it has hardly any points."""
        own = self.scratch.path("field", number, "sasnet")
        place = own if self.model is None else self.model / own.name
        return Field.load(place, self.config.device, self.config.engine) if place.is_file() else None

    def coarse_points(self) -> dict[str, Any]:
        """The thinned cloud, in world units: points, normals, spacing."""
        return self.scratch.load("coarse", COARSE)

    def written(self) -> Path:
        """Write the plan into the scratch folder, and return the file, from which `on_plan` reads it.

        Tasks get the file's name: with thousands of tiles, there are thousands of tasks.
        """
        content = pickle.dumps(self)
        place = self.scratch.folder / f"plan-{hashlib.sha256(content).hexdigest()[:16]}.pickle"
        self.scratch.write(place, lambda partial: partial.write_bytes(content))
        return place


def on_plan(place: Path, call: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a call with the plan in a file, which is read once, and other arguments."""
    return call(_read(place), *arguments)


@lru_cache(2)
def _read(place: Path) -> Plan:
    plan = pickle.loads(place.read_bytes())
    assert isinstance(plan, Plan)
    return plan


def in_box(points: Array, low: Array, high: Array) -> NDArray[np.int64]:
    """The rows of the points (N, 3) in a half-open box."""
    return np.flatnonzero(((points >= low) & (points < high)).all(1))
