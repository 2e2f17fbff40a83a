"""The pictures of a comparison: renders, errors, masks, convergence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import MissingBackend
from ..field import Field
from ..geometry import Array, PointCloud, TriangleMesh
from ..io import read_geometry
from ..metrics import UNIT, Points, Triangles, frame_around
from ..views import curves, gallery
from ..views.masks import mask_slices

PANEL = 300
"""Pixels of a picture of a mesh."""

WORST = 10.0
"""Times the smallest mean error that is the end of the error pictures' scale."""


def draw_all(folder: Path, rows: list[dict[str, Any]], truth: PointCloud | TriangleMesh) -> list[str]:
    """Draw what there is in the folder of a comparison, and say what could not be drawn."""
    drawn = [row for row in rows if row["mesh"]]
    if drawn:
        _draw_meshes(folder, drawn, truth)
    gated = [row for row in rows if row["field"] and row["settings"].get("masks")]
    if gated:
        draw_masks(Field.load(folder / gated[0]["field"], device="cpu"), folder / "masks.png")
    histories = []
    for row in rows:
        if "history" in row:
            steps, times, losses = (np.array(row["history"][key]) for key in ("steps", "times", "losses"))
            histories.append((row["model"], steps, times, losses))
    try:
        curves.convergence(histories, folder / "convergence.png")
    except MissingBackend as error:
        return [f"there is no convergence.png: {error}"]
    return []


def draw_masks(field: Field, path: Path) -> None:
    """Every mask of a SASNet on a slice through the middle, across the field's shortest side."""
    config = field.model.config
    captions = [f"band {n + 1}" for n in range(config.bands)]
    for layer in range(config.hidden_layers):
        captions += [f"layer {layer + 1} group {n + 1}" for n in range(config.groups)]

    def masks(points: Array) -> Array:
        with torch.no_grad():
            return field.model.with_masks(torch.from_numpy(points.astype(np.float32)))[1].numpy()

    axis = int((field.high - field.low).argmin())
    at = float(field.high[axis] + field.low[axis]) / 2
    mask_slices(masks, field.unit_distance, captions, path, axis=axis, at=at)


def _draw_meshes(folder: Path, rows: list[dict[str, Any]], truth: PointCloud | TriangleMesh) -> None:
    """All surfaces from one camera, and coloured by their distance from the reference."""
    meshes = []
    for row in rows:
        mesh = read_geometry(folder / row["mesh"])
        assert isinstance(mesh, TriangleMesh)
        meshes.append((row["model"], mesh))
    places = truth.vertices if isinstance(truth, TriangleMesh) else truth.points
    view = {"size": PANEL, "azimuth": -70, "elevation": 15, "up": _up_axis(places)}
    picture = gallery.render_picture([("reference", truth), *meshes], places, **view)
    gallery.save(picture, folder / "renders.png")
    frame = frame_around(places)
    shape = Triangles.of(truth, frame) if isinstance(truth, TriangleMesh) else Points.of(truth, frame)
    errors = [(label, mesh, UNIT * shape.nearest(frame.to_unit(mesh.vertices))[0]) for label, mesh in meshes]
    limit = WORST * min(row["error"] for row in rows)
    picture = gallery.error_picture(errors, places, limit, "x 1e-4 of the diagonal", **view)
    gallery.save(picture, folder / "errors.png")


def _up_axis(places: Array) -> int:
    """The axis along which an object is highest: y or z, since x is hardly ever up."""
    extent = np.ptp(places, axis=0)
    return 1 if extent[1] >= extent[2] else 2
