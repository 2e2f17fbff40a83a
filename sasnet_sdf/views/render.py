"""Pictures of clouds and meshes, rendered without a display or a graphics library.

It uses a z-buffer in compiled loops, a key and a fill light, and ambient occlusion from the depth buffer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

from ..geometry import Array, PointCloud, TriangleMesh
from ..mesh import cross_products
from ..runtime.compiled import kernel, over_ranges
from .gallery import ERROR_COLORS, error_colors, scale_bar, side_by_side, stacked

CLAY = np.array([186.0, 178.0, 168.0])

MARGIN = 0.92
"""Share of a picture's width or height that a framed shape fills."""

NARROWEST = 0.5
"""Least ratio of the shorter to the longer side of a fitted picture."""


@dataclass(frozen=True)
class Camera:
    """An orthographic view: the rows of `rotation` (3, 3) point right, up and toward the viewer.

    center: (3,) world point in the middle of the picture. scale: pixels per world unit.
    """

    rotation: Array
    center: Array
    scale: float
    width: int
    height: int

    @classmethod
    def framing(
        cls, points: Array, azimuth: float, elevation: float, width: int, height: int, up: int = 2
    ) -> Camera:
        """The view from the given angles (degrees) that shows all `points` (N, 3) with a margin.

        `up` is the axis that points up: 0, 1, 2 for x, y, z. Azimuth is measured about it from the next axis.
        """
        a, e = np.radians([azimuth, elevation])
        right = np.array([-np.sin(a), np.cos(a), 0.0])
        towards = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
        rotation = np.roll(np.stack([right, np.cross(towards, right), towards]), up - 2, axis=1)
        seen = points @ rotation.T
        low, high = seen.min(0), seen.max(0)
        extent = np.maximum(high - low, 1e-300)  # a flat shape may be seen edge-on
        scale = MARGIN * min(width / extent[0], height / extent[1])
        return cls(rotation, rotation.T @ ((low + high) / 2), scale, width, height)

    @classmethod
    def fitted(cls, points: Array, azimuth: float, elevation: float, size: int, up: int = 2) -> Camera:
        """The view of `framing` with a longer side of `size` pixels and the other as needed; both even."""
        square = cls.framing(points, azimuth, elevation, size, size, up)
        needed = np.ptp(square.project(points)[:, :2], axis=0) / MARGIN
        width, height = (2 * math.ceil(side / 2) for side in needed.clip(NARROWEST * size, size))
        return replace(square, width=width, height=height)

    def project(self, points: Array) -> Array:
        """Pixel column, pixel row, and depth in pixels toward the viewer, of world points: (N, 3)."""
        seen = (points - self.center) @ self.rotation.T * self.scale
        return seen * [1, -1, 1] + [self.width / 2, self.height / 2, 0]


@kernel
def _draw_triangles(top, bottom, corners, faces, normals, colors, depth, normal_out, color_out):
    """Draw all triangles in the pixel rows [top, bottom)."""
    width = depth.shape[1]
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = corners[i, 0], corners[i, 1], corners[i, 2]
        bx, by, bz = corners[j, 0], corners[j, 1], corners[j, 2]
        cx, cy, cz = corners[k, 0], corners[k, 1], corners[k, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0:
            continue
        for y in range(max(top, int(min(ay, by, cy))), min(bottom, int(max(ay, by, cy)) + 2)):
            for x in range(max(0, int(min(ax, bx, cx))), min(width, int(max(ax, bx, cx)) + 2)):
                v = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                w = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                u = 1 - v - w
                z = u * az + v * bz + w * cz
                if u >= 0 and v >= 0 and w >= 0 and z > depth[y, x]:
                    depth[y, x] = z
                    for n in range(3):
                        normal_out[y, x, n] = u * normals[i, n] + v * normals[j, n] + w * normals[k, n]
                        color_out[y, x, n] = u * colors[i, n] + v * colors[j, n] + w * colors[k, n]


@kernel
def _draw_discs(top, bottom, centers, radius, colors, depth, normal_out, color_out):
    """Draw all discs in the pixel rows [top, bottom)."""
    width = depth.shape[1]
    for i in range(len(centers)):
        x0, y0, z0 = centers[i, 0], centers[i, 1], centers[i, 2]
        for y in range(max(top, int(y0 - radius)), min(bottom, int(y0 + radius) + 2)):
            for x in range(max(0, int(x0 - radius)), min(width, int(x0 + radius) + 2)):
                square = radius * radius - (x - x0) ** 2 - (y - y0) ** 2
                if square >= 0 and z0 > depth[y, x]:
                    depth[y, x] = z0
                    for n in range(3):
                        color_out[y, x, n] = colors[i, n]
                    normal_out[y, x, 2] = 1.0


def vertex_normals(vertices: Array, faces: NDArray[Any]) -> Array:
    """Area-weighted unit normals (V, 3) of a triangle mesh."""
    across = cross_products(vertices, faces)
    total = np.stack(
        [np.bincount(faces.ravel(), np.repeat(across[:, k], 3), len(vertices)) for k in range(3)], 1
    )
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-300)


def render(shape: PointCloud | TriangleMesh, camera: Camera, spot: float = 1.5, relief: float = 1.0) -> Array:
    """The picture (height, width, 3) of a shape in world units, 0 to 255, on white.

    spot: a point's radius in pixels. relief: how much the light changes the colors, from 0 (not at all) to 1.
    """
    depth = np.full((camera.height, camera.width), -np.inf)
    normal = np.zeros((camera.height, camera.width, 3))
    color = np.zeros_like(normal)
    positions = shape.points if isinstance(shape, PointCloud) else shape.vertices
    colors = np.broadcast_to(CLAY, positions.shape) if shape.colors is None else shape.colors
    colors = np.ascontiguousarray(colors, np.float64)
    if isinstance(shape, PointCloud):
        corners = camera.project(positions)
        over_ranges(_draw_discs, camera.height, corners, spot, colors, depth, normal, color)
    else:
        normals = vertex_normals(positions, shape.faces) @ camera.rotation.T
        corners, faces = camera.project(positions), np.ascontiguousarray(shape.faces, np.int64)
        over_ranges(_draw_triangles, camera.height, corners, faces, normals, colors, depth, normal, color)
    covered = np.isfinite(depth)
    lit = shade(normal, depth, covered) if isinstance(shape, TriangleMesh) else hollows(depth, covered)
    lit = lit if relief == 1 else 1 + relief * (lit - 1)
    return np.where(covered[..., None], np.clip(color * lit[..., None], 0, 255), 255.0)


def shade(normal: Array, depth: Array, covered: NDArray[Any]) -> Array:
    """The light at every pixel: key light from the upper left, fill light, a small highlight, occlusion."""
    normal = normal / np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-9)
    key = np.array([-0.45, 0.65, 0.62])
    fill = np.array([0.8, 0.1, 0.6])
    half = (key / np.linalg.norm(key) + [0, 0, 1]) / np.linalg.norm(key / np.linalg.norm(key) + [0, 0, 1])
    bright = 0.30 + 0.75 * np.maximum(normal @ key, 0) + 0.18 * np.maximum(normal @ fill, 0)
    return bright * hollows(depth, covered) + 0.25 * np.maximum(normal @ half, 0) ** 40


def hollows(depth: Array, covered: NDArray[Any]) -> Array:
    """The ambient occlusion: below 1 where the surroundings are closer to the viewer, at three radii."""
    factor = np.ones_like(depth)
    weight = covered.astype(float)
    filled = np.where(covered, depth, 0.0)
    for width in (4.0, 12.0, 36.0):
        around = gaussian_filter(filled, width) / np.maximum(gaussian_filter(weight, width), 1e-9)
        factor -= 0.14 * np.clip((around - filled) / (1.5 * width), -0.3, 1)
    return factor


def picture(
    shapes: list[PointCloud | TriangleMesh], azimuth: float, elevation: float, size: int
) -> Image.Image:
    """All shapes side by side, each `size` pixels high, rendered at twice that and averaged."""
    last = shapes[-1]
    points = last.points if isinstance(last, PointCloud) else last.vertices
    camera = Camera.framing(points, azimuth, elevation, int(1.72 * size), 2 * size)
    panels = [np.asarray(zoom(render(shape, camera), (0.5, 0.5, 1), order=1)) for shape in shapes]
    return Image.fromarray(np.hstack(panels).clip(0, 255).astype(np.uint8))


RELIEF = 0.6
"""The relief of error maps, low since a shadow should not look like an error."""

MOST_COLUMNS = 5


def render_picture(
    shapes: Sequence[tuple[str, PointCloud | TriangleMesh]],
    framed: Array,
    size: int,
    azimuth: float,
    elevation: float,
    up: int = 2,
) -> Image.Image:
    """Labeled clouds and meshes side by side, seen by a camera that frames the points `framed` (N, 3).

    size: pixels along a panel's longer side; the other side fits the points. azimuth, elevation: angles of
    the camera, in degrees. up: the axis that points up, 0, 1 or 2.
    """
    return _renders(shapes, Camera.fitted(framed, azimuth, elevation, 2 * size, up), 1.0)


def error_picture(
    meshes: Sequence[tuple[str, TriangleMesh, Array]],
    framed: Array,
    limit: float,
    unit: str,
    size: int,
    azimuth: float,
    elevation: float,
    up: int = 2,
) -> Image.Image:
    """The picture of `render_picture`, each mesh colored by the errors (V,) at its vertices, with a scale.

    limit: the error at which the scale ends. unit: the unit of the errors and the limit, such as "mm".
    """
    colored = [
        (label, TriangleMesh(mesh.vertices, mesh.faces, colors=error_colors(distances, limit)))
        for label, mesh, distances in meshes
    ]
    scale = scale_bar(ERROR_COLORS, "0", f"{limit:.4g} {unit}".strip() + " or more")
    camera = Camera.fitted(framed, azimuth, elevation, 2 * size, up)
    return stacked([_renders(colored, camera, RELIEF), scale])


def _renders(
    shapes: Sequence[tuple[str, PointCloud | TriangleMesh]], camera: Camera, relief: float
) -> Image.Image:
    """A panel for each shape, of half the camera's size, arranged in rows of about equal length."""
    panels = [(label, _halved(render(shape, camera, relief=relief))) for label, shape in shapes]
    rows = math.ceil(len(panels) / MOST_COLUMNS)
    return side_by_side(panels, math.ceil(len(panels) / rows))


def _halved(picture: Array) -> Array:
    """The means of two by two pixels."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    return picture.reshape(height, 2, width, 2, 3).mean((1, 3))
