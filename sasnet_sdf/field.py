"""The trained signed distance field, in world units.

The network gives the value near the surface. Farther away, the sign of the network's value is still correct,
but its magnitude grows too fast or too slowly. There the distance to the nearest data point is more accurate:
for data of spacing s, its error at distance d is at most about s^2 / 2d. Where the surface covers a hole in
the data, vertices of the surface replace the missing data points.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .errors import UnreadableInput, UsageError
from .extraction import REACH, Support
from .geometry import Array, Frame, TriangleMesh, as_places, at_finite
from .networks import registry as networks
from .networks.network import Network
from .networks.registry import by_chunks
from .spatial import Tree, morton_order

NEAR, FAR = 1.0, 3.0
"""The range of distances to the nearest point, in spacings, over which the result changes from the network's
value to the measured distance."""

OWN, SHARED = 0.02, 0.1
"""Ratios of the network's value to the distance to the nearest point. Below OWN the network's value is used,
since the place is close to a part of the network's surface that has no points, such as its continuation
beyond the rim of an open scan. Above SHARED the measured distance is used; in between, a blend."""

BRIDGES = 1 << 17
"""Largest number of points that represent the surface in holes of the data."""


def bridges_of(places: Array, support: Support) -> Array:
    """Those of places (N, 3) on a surface that lie in holes of the data, thinned to the data's spacing.

    Returns (B, 3) float32.
    """
    distance, spacing = support.distance(places)
    places = places[distance > REACH * spacing]
    side = support.usual_spacing
    while True:
        _, first = np.unique(np.floor(places / side), axis=0, return_index=True)
        if len(first) <= BRIDGES:
            return places[np.sort(first)].astype(np.float32)
        side *= 2


def joined(support: Support, bridges: Array) -> Support:
    """The data points together with those that bridge their holes."""
    if not len(bridges):
        return support
    points = np.concatenate([support.tree.points, bridges])
    spacing = np.concatenate([support.spacing, np.full(len(bridges), support.usual_spacing)])
    order = morton_order(points)
    return replace(support, tree=Tree.of(points[order]), spacing=spacing[order])


class Blend:
    """A network's values (N,) at places (N, 3) of the unit cube, blended with distances to points.

    surface: the points of the data and the bridges. distance: (N,) the result, signed.
    """

    def __init__(self, values: Array, surface: Support, places: Array):
        nearest = surface.tree.nearest(np.ascontiguousarray(places, np.float64))
        off, spacing = places - surface.tree.points[nearest], surface.spacing[nearest]
        apart = np.maximum(np.linalg.norm(off, axis=1), 1e-300)
        sign, share = np.where(values < 0, -1.0, 1.0), np.abs(values) / apart
        far, far_slope = _ramp(apart / spacing, NEAR, FAR)
        same, same_slope = _ramp(share, OWN, SHARED)
        weight, gap = far * same, sign * apart - values
        self.distance: Array = values + weight * gap
        # derivatives of `distance` by the network's value and by `apart`; spacings are treated as constant
        self._by_value = 1 - weight + gap * far * same_slope * sign / apart
        self._by_apart = weight * sign + gap * (far_slope * same / spacing - far * same_slope * share / apart)
        self._away = off / apart[:, None]

    def gradient(self, gradients: Array) -> Array:
        """The gradients (N, 3) of `distance`, from the network's (N, 3)."""
        return self._by_value[:, None] * gradients + self._by_apart[:, None] * self._away


def _ramp(x: Array, low: float, high: float) -> tuple[Array, Array]:
    """A smooth step (N,) from 0 at `low` to 1 at `high`, and its derivative."""
    t = ((x - low) / (high - low)).clip(0, 1)
    return t * t * (3 - 2 * t), 6 * t * (1 - t) / (high - low)


FARTHEST = 4.0
"""The largest allowed coordinate of data in the unit cube: denoising may move points beyond 1."""

SUPPORT_POINTS = 1 << 18
"""Largest number of data points that a model file holds: 4 MB."""


class Field:
    """A compact, differentiable signed distance field in world units; negative inside.

        field = sasnet_sdf.Field.load("scan.sasnet")
        inside = field.distance(points) < 0
        outward = field.gradient(points)

    `low` and `high` (3,) bound the data that it was trained on, in the unit cube. `metadata` describes how it
    was trained. `support`: where the data are, in the unit cube; surfaces are trimmed by it. `bridges`
    (B, 3): points of the unit cube on the surface where it covers holes in the data.
    """

    def __init__(
        self,
        model: Network[Any],
        frame: Frame,
        low: Array,
        high: Array,
        metadata: dict[str, Any],
        support: Support | None = None,
        bridges: Array | None = None,
    ):
        self.model: Network[Any] = model.eval().requires_grad_(False)
        self.frame: Frame = frame
        self.support: Support | None = support
        self.bridges: Array = np.empty((0, 3), np.float32) if bridges is None else bridges
        self.low: Array = np.asarray(low, np.float64)
        self.high: Array = np.asarray(high, np.float64)
        self.metadata: dict[str, Any] = metadata

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def distance(self, points: Array) -> Array:
        """Signed distances (N,) float64, world units, at world points (N, 3); negative inside.

        Near the surface this is the network's value. Farther away it is the distance to the nearest data
        point, or to the surface where that covers a hole in the data, with the network's sign. If the model
        file does not contain the data's points, it is the network's value everywhere; outside the training
        cube, this is the value at the cube's border plus the distance to the cube. It is NaN where a point is
        not finite.

        points: any array or list of real numbers. Raises ValueError for another shape.
        """
        return at_finite(self._distance, self._unit(points))[0]

    def _distance(self, unit: Array) -> tuple[Array]:
        values = self._extended(unit)
        if self.support is not None:
            values = Blend(values, self._surface, unit).distance
        return (values * self.frame.scale,)

    def gradient(self, points: Array) -> Array:
        """Gradients (N, 3) float64 of the distance at world points (N, 3); they point outward.

        They are NaN where a point is not finite. Raises ValueError like `distance`.
        """
        return at_finite(self._gradient, self._unit(points))[0]

    def _gradient(self, unit: Array) -> tuple[Array]:
        values, gradients = self._extended_gradient(unit)
        if self.support is None:
            return (gradients,)
        return (Blend(values, self._surface, unit).gradient(gradients),)

    def network_distance(self, points: Array) -> Array:
        """The network's own values (N,) float64, in world units, at world points (N, 3), which are finite."""
        return self._extended(self.frame.to_unit(points)) * self.frame.scale

    def network_gradient(self, points: Array) -> tuple[Array, Array]:
        """The network's own values (N,), in world units, and gradients (N, 3) at world points (N, 3)."""
        values, gradients = self._extended_gradient(self.frame.to_unit(points))
        return values * self.frame.scale, gradients

    def _extended(self, unit: Array) -> Array:
        """The network's values (N,); outside the cube, at its border plus the distance to the cube."""
        clamped = unit.clip(-1, 1)
        return self.unit_distance(clamped) + np.linalg.norm(unit - clamped, axis=1)

    def _extended_gradient(self, unit: Array) -> tuple[Array, Array]:
        clamped = unit.clip(-1, 1)
        values, gradients = self.unit_gradient(clamped)
        beyond = unit - clamped
        length = np.linalg.norm(beyond, axis=1, keepdims=True)
        gradients = np.where(beyond == 0, gradients, 0) + beyond / np.where(length > 0, length, 1)
        return values + length[:, 0], gradients

    def _unit(self, points: Array) -> Array:
        """World points in the unit cube."""
        with np.errstate(over="ignore"):
            return self.frame.to_unit(as_places(points, 3))

    def bridged_by(self, mesh: TriangleMesh) -> Field:
        """This field with bridges: vertices of its mesh, in world units, that cover holes in the data."""
        if self.support is None:
            return self
        bridges = bridges_of(self.frame.to_unit(mesh.vertices), self.support)
        return Field(self.model, self.frame, self.low, self.high, self.metadata, self.support, bridges)

    @cached_property
    def _surface(self) -> Support:
        """Data points and bridges, rounded and thinned as in a model file, for identical distances."""
        assert self.support is not None
        return joined(self.support.thinned(SUPPORT_POINTS), self.bridges)

    def distance_to_data(self, points: Array) -> Array:
        """Distances (N,) float64, world units, of world points (N, 3) from the nearest point of the data.

        The data are the points that the field was trained on. The result is NaN where a point is not finite.
        Raises UsageError if the model file does not contain the data, and ValueError like `distance`.
        """
        if self.support is None:
            raise UsageError("this model file does not hold the points of its data; train it again")
        return at_finite(self.support.distance, self._unit(points))[0] * self.frame.scale

    def unit_distance(self, points: Array) -> Array:
        """Values (N,) float32 at points (N, 3) of the unit cube; NaN where one is not finite."""
        return by_chunks(lambda x: (self.model(x).reshape(-1),), points, self.device)[0]

    def unit_gradient(self, points: Array) -> tuple[Array, Array]:
        """Values (N,) and gradients (N, 3) float32 at points (N, 3) of the unit cube; NaN as above."""
        values, gradients = by_chunks(lambda x: self.model.value_and_gradient(x), points, self.device)
        return values, gradients

    def save(self, path: str | Path) -> None:
        """Write a model file (.sasnet): safetensors with JSON metadata (docs/model-format.md)."""
        from .io.models import write_model

        arrays, architecture = networks.written(self.model)
        metadata = {
            "architecture": architecture,
            "frame": {"centre": self.frame.center.tolist(), "scale": self.frame.scale},  # as in format 1
            "bounds": {"low": self.low.tolist(), "high": self.high.tolist()},
            "training": networks.lasting(self.metadata),
        }
        if self.support is not None:
            support = self.support.thinned(SUPPORT_POINTS)
            arrays["support.points"] = support.tree.points.astype(np.float32)
            arrays["support.spacing"] = support.spacing.astype(np.float32)
            metadata["support"] = {"gap": support.gap if np.isfinite(support.gap) else None}
            if len(self.bridges):
                arrays["bridges"] = self.bridges
        write_model(Path(path), arrays, metadata)

    @classmethod
    def load(cls, path: str | Path, device: str = "auto", engine: str = "auto") -> Field:
        """Read a model file. Raises UnreadableInput if it is damaged, newer or not of a field."""
        from .io.models import read_model

        arrays, metadata = read_model(Path(path))
        try:
            if "signal" in metadata:
                raise UnreadableInput(f"{path}: the model of an image or a volume: use sasnet-sdf render")
            support, bridges = _support(arrays, metadata), _bridges(arrays)
            model = networks.read(arrays, metadata["architecture"], device, engine)
            if metadata["architecture"]["dim"] != 3 or metadata["architecture"]["outputs"] != 1:
                raise ValueError("its network does not map points in space to one distance")
            frame = Frame.from_dict({**metadata["frame"], "center": metadata["frame"]["centre"]})
            low, high = (np.array(metadata["bounds"][name], np.float64) for name in ("low", "high"))
            ordered = low.shape == high.shape == (3,) and (low <= high).all()
            if not ordered or np.abs([low, high]).max() > FARTHEST:
                raise ValueError("its bounds are not a box near the unit cube")
            return cls(model, frame, low, high, dict(metadata["training"]), support, bridges)
        except networks.UNREADABLE as error:
            reason = " ".join(str(error).split())
            raise UnreadableInput(f"{path}: not a model that this version can read ({reason})") from error


def _support(arrays: dict[str, Array], metadata: dict[str, Any]) -> Support | None:
    """Take the data's points out of a model's arrays; None where there are none."""
    if "support" not in metadata:
        return None
    points, spacing = arrays.pop("support.points"), arrays.pop("support.spacing")
    gap = np.inf if (gap := metadata["support"]["gap"]) is None else float(gap)
    if (
        not all(np.isfinite(part).all() for part in (points, spacing))  # casting some NaNs raises a warning
        or spacing.shape != (len(points),)
        or not 1 <= len(points) <= SUPPORT_POINTS
        or points.shape != (len(points), 3)
        or not ((np.abs(points) <= FARTHEST).all() and ((spacing > 0) & (spacing <= 4)).all() and gap >= 0)
    ):
        raise ValueError("its support does not consist of points and their spacing")
    return Support(Tree.of(points.astype(np.float64)), spacing.astype(np.float64), gap)


def _bridges(arrays: dict[str, Array]) -> Array | None:
    """Take the bridges out of a model's arrays; None where there are none."""
    bridges = arrays.pop("bridges", None)
    if bridges is not None and (
        bridges.dtype != np.float32
        or bridges.shape != (len(bridges), 3)
        or len(bridges) > BRIDGES
        or not (np.abs(bridges) <= FARTHEST).all()
    ):
        raise ValueError("its bridges are not points near the unit cube")
    return bridges
