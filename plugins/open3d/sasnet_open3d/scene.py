"""A trained field with the methods of open3d.t.geometry.RaycastingScene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sasnet_sdf

from .conversion import open3d


class FieldScene:
    """Distances and occupancy from a signed distance field, without a mesh.

    field: of a reconstruction, or the path of a .sasnet file or of the folder of a tiled model. Raises
    UnreadableInput for one that is not a model of a surface.

    Query points are an open3d.core.Tensor or an array of shape {..., 3}, with at least two dimensions,
    in the cloud's coordinates: Float32 as for a RaycastingScene, or Float64, which keeps its precision
    far from the origin. Results are Float32 tensors of shape {...} on the points' device, NaN where a point
    is not finite. Another shape raises UsageError. nthreads and nsamples are accepted and ignored:
    PyTorch chooses the number of threads, and the sign requires no rays.
    """

    def __init__(self, field: sasnet_sdf.Field | sasnet_sdf.TiledField | str | Path) -> None:
        if isinstance(field, (str, Path)):
            kind = sasnet_sdf.TiledField if Path(field).is_dir() else sasnet_sdf.Field
            field = kind.load(field)
        self.field: sasnet_sdf.Field | sasnet_sdf.TiledField = field

    def compute_signed_distance(self, query_points: Any, nthreads: int = 0, nsamples: int = 1) -> Any:
        """Signed distances, negative inside."""
        return self._computed(query_points, lambda distance: distance)

    def compute_distance(self, query_points: Any, nthreads: int = 0) -> Any:
        """Unsigned distances from the field's surface, which has no holes where the mesh was trimmed."""
        return self._computed(query_points, np.abs)

    def compute_occupancy(self, query_points: Any, nthreads: int = 0, nsamples: int = 1) -> Any:
        """1 inside, 0 outside."""
        return self._computed(query_points, lambda distance: np.where(distance < 0, 1, 0 * distance))

    def _computed(self, query_points: Any, answer: Callable[[NDArray[Any]], NDArray[Any]]) -> Any:
        """The result of `answer` for the signed distances at the query points."""
        core = open3d().core
        tensor = query_points if isinstance(query_points, core.Tensor) else core.Tensor(query_points)
        if len(tensor.shape) < 2 or tensor.shape[-1] != 3:
            raise sasnet_sdf.UsageError(
                f"query points must have the shape {{..., 3}}, found {tuple(tensor.shape)}"
            )
        points = tensor.cpu().numpy()
        distance = self.field.distance(points.reshape(-1, 3)).reshape(points.shape[:-1])
        with np.errstate(over="ignore"):
            return core.Tensor(answer(distance).astype(np.float32), device=tensor.device)
