"""Draws the pictures of a comparison: renderings, errors, masks, convergence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import MissingBackend
from ..field import Field
from ..fitted import FittedSignal
from ..geometry import Array, PointCloud, TriangleMesh
from ..io import read_geometry
from ..metrics import UNIT, Points, Triangles, frame_around
from ..problems.signal_figures import both
from ..problems.signal_figures import draw_masks as draw_masks_of_signal
from ..signals import Signal
from ..views import curves, gallery, render
from ..views.gallery import mask_slices

PANEL = 300
"""Width and height, in pixels, of a picture of a mesh."""

SHOWN = 384
"""Side length, in pixels, of the part of a large image that is shown."""

WIDE = 1600
"""Width, in pixels, of a row of such parts side by side."""

WORST = 10.0
"""The upper end of the color scale of the error pictures, as a multiple of the smallest mean error."""


def draw_all(folder: Path, rows: list[dict[str, Any]], truth: PointCloud | TriangleMesh) -> list[str]:
    """Draw the pictures of a comparison of surfaces into its folder; returns notes on missing pictures."""
    drawn = [row for row in rows if row["mesh"]]
    if drawn:
        _draw_meshes(folder, drawn, truth)
    gated = [row for row in rows if row["field"] and row["settings"].get("masks")]
    if gated:
        draw_masks(Field.load(folder / gated[0]["field"], device="cpu"), folder / "masks.png")
    return _draw_convergence(folder, rows)


def draw_signals(folder: Path, rows: list[dict[str, Any]], signal: Signal) -> list[str]:
    """Draw the pictures of a comparison on an image, or on the middle slice of a volume."""
    drawn = [row for row in rows if row["field"]]
    if drawn:
        _draw_fits(folder, drawn, signal)
    gated = [row for row in drawn if row["settings"].get("masks")]
    if gated:
        draw_masks_of_signal(FittedSignal.load(folder / gated[0]["field"], "cpu"), folder / "masks.png")
    return _draw_convergence(folder, rows)


def _draw_convergence(folder: Path, rows: list[dict[str, Any]]) -> list[str]:
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


def _draw_fits(folder: Path, rows: list[dict[str, Any]], signal: Signal) -> None:
    """Draw all fits side by side, and their errors on a common scale."""
    shape = np.array(signal.grid.shape)
    size = np.minimum(shape, SHOWN)
    if len(shape) == 3:
        size[0] = 1
    first = (shape - size) // 2
    panels, errors = [], []
    for row in rows:
        fitted = FittedSignal.load(folder / row["field"], "cpu")
        original, fit = (
            values.reshape(*size[-2:], -1) for values in both(fitted, signal, first, first + size)
        )
        if not panels:
            panels.append(("original", _as_picture(original, fitted)))
        panels.append((row["model"], _as_picture(fit, fitted)))
        errors.append((row["model"], 255 / fitted.peak * np.abs(fit - original).mean(-1)))
    limit = max(WORST * min(float(error.mean()) for _, error in errors), 1e-9)
    colored = [
        (label, gallery.error_colors(error.ravel(), limit).reshape(*error.shape, 3))
        for label, error in errors
    ]
    columns = min(len(panels), max(1, WIDE // int(size[-1])))
    gallery.save(gallery.side_by_side(panels, columns), folder / "renders.png")
    scale = gallery.scale_bar(gallery.ERROR_COLORS, "0", f"{limit:.3g} of 255 or more")
    picture = gallery.stacked([gallery.side_by_side(colored, columns), scale])
    gallery.save(picture, folder / "errors.png")


def _as_picture(values: Array, fitted: FittedSignal) -> Array:
    """Values (H, W, C) as a picture (H, W, 3) in 0..255, without alpha."""
    low, high = float(fitted.low.min()), float(fitted.high.max())
    if fitted.kind == "image" and fitted.dtype.kind in "iu":
        low, high = 0.0, fitted.peak
    shown = 255 * (values - low) / max(high - low, 1e-30)
    return shown[..., :3] if shown.shape[-1] >= 3 else np.repeat(shown[..., :1], 3, -1)


def draw_masks(field: Field, path: Path) -> None:
    """Draw every mask of a SASNet on the slice through the middle that is normal to the shortest side."""

    def masks(points: Array) -> Array:
        with torch.no_grad():
            return field.model.with_masks(torch.from_numpy(points.astype(np.float32)))[1].numpy()

    axis = int((field.high - field.low).argmin())
    at = float(field.high[axis] + field.low[axis]) / 2
    mask_slices(masks, field.unit_distance, field.model.mask_names, path, axis=axis, at=at)


def _draw_meshes(folder: Path, rows: list[dict[str, Any]], truth: PointCloud | TriangleMesh) -> None:
    """Draw all surfaces from the same camera, plain and colored by their distance from the reference."""
    meshes = []
    for row in rows:
        mesh = read_geometry(folder / row["mesh"])
        assert isinstance(mesh, TriangleMesh)
        meshes.append((row["model"], mesh))
    places = truth.vertices if isinstance(truth, TriangleMesh) else truth.points
    view = {"size": PANEL, "azimuth": -70, "elevation": 15, "up": _up_axis(places)}
    picture = render.render_picture([("reference", truth), *meshes], places, **view)
    gallery.save(picture, folder / "renders.png")
    frame = frame_around(places)
    shape = Triangles.of(truth, frame) if isinstance(truth, TriangleMesh) else Points.of(truth, frame)
    errors = [(label, mesh, UNIT * shape.nearest(frame.to_unit(mesh.vertices))[0]) for label, mesh in meshes]
    limit = WORST * min(row["error"] for row in rows)
    picture = render.error_picture(errors, places, limit, "x 1e-4 of the diagonal", **view)
    gallery.save(picture, folder / "errors.png")


def _up_axis(places: Array) -> int:
    """The likely up axis of an object: the longer of y and z, since x hardly ever points up."""
    extent = np.ptp(places, axis=0)
    return 1 if extent[1] >= extent[2] else 2
