"""A picture of a scan beside its surface, or of any clouds and meshes, in PyVista; no display is needed.

    sasnet-sdf reconstruct scan.ply -o surface.ply
    python samples/render_scan.py scan.ply surface.ply -o scan.png --towards 0.4 -1 0.3 --up 0 0 1

All panels share the camera, which frames the last input. Back faces of open surfaces are blue.
Needs `pip install "sasnet-sdf[viz]"`, and [lidar] for LAS, LAZ and E57.
"""

from __future__ import annotations

import argparse

import numpy as np
import pyvista  # pyright: ignore[reportMissingImports]
from numpy.typing import NDArray
from PIL import Image

from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.io import read_geometry

CLAY, DOTS, BACK = "#c9bfb2", "#4a5560", "#5b7fa6"
MARGIN = 1.04
COLORS = 255  # of the palette, which keeps the files small
LIGHT = {"ambient": 0.12, "diffuse": 0.85, "specular": 0.15, "specular_power": 20}


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("inputs", nargs="+")
    cli.add_argument("-o", "--output", required=True)
    cli.add_argument("--towards", nargs=3, type=float, default=(0.4, -1, 0.3), help="the viewer's direction")
    cli.add_argument("--up", nargs=3, type=float, default=(0, 0, 1))
    cli.add_argument("--spot", type=float, default=1.5, help="points, in pixels")
    cli.add_argument("--size", nargs=2, type=int, default=(460, 400), help="of each panel, in pixels")
    a = cli.parse_args()
    shapes = [read_geometry(path) for path in a.inputs]
    scene = picture(shapes, np.array(a.towards), np.array(a.up), a.spot, tuple(a.size))
    scene.quantize(COLORS, dither=Image.Dither.NONE).save(a.output, optimize=True)


def picture(
    shapes: list[PointCloud | TriangleMesh],
    towards: NDArray,
    up: NDArray,
    spot: float,
    size: tuple[int, int],
) -> Image.Image:
    """All shapes side by side, drawn at twice the size and averaged."""
    last = places(shapes[-1])
    right = np.cross(up, towards)
    axes = np.stack(
        [vector / np.linalg.norm(vector) for vector in (right, np.cross(towards, right), towards)]
    )
    seen = last @ axes.T
    low, high = seen.min(0), seen.max(0)
    center, away = axes.T @ ((low + high) / 2), axes[2] * 2 * np.linalg.norm(high - low)
    half = max((high - low)[1], (high - low)[0] * size[1] / size[0]) / 2
    width, height = 2 * size[0], 2 * size[1]
    panels = []
    for shape in shapes:
        plotter = pyvista.Plotter(off_screen=True, window_size=[width, height], lighting="light kit")
        plotter.set_background("white")  # type: ignore[arg-type]
        # near the origin: graphics are in single precision
        add(plotter, shape, center, 2 * spot)
        plotter.camera_position = [tuple(away), (0.0, 0.0, 0.0), tuple(up)]
        plotter.camera.parallel_projection = True
        plotter.camera.parallel_scale = MARGIN * half
        plotter.renderer.ResetCameraClippingRange()
        panels.append(np.asarray(plotter.screenshot(return_img=True)))
        plotter.close()
    return Image.fromarray(np.hstack(panels)).resize((len(shapes) * size[0], size[1]), Image.Resampling.BOX)


def add(plotter: pyvista.Plotter, shape: PointCloud | TriangleMesh, center: NDArray, spot: float) -> None:
    colors = {} if shape.colors is None else {"scalars": shape.colors, "rgb": True}
    if isinstance(shape, PointCloud):
        plain = colors or {"color": DOTS}
        plotter.add_mesh(pyvista.PolyData(shape.points - center), point_size=spot, lighting=False, **plain)
        return
    mesh = pyvista.PolyData.from_regular_faces(shape.vertices - center, shape.faces)
    plain = colors or {"color": CLAY, "backface_params": {"color": BACK}}
    plotter.add_mesh(mesh, smooth_shading=True, **LIGHT, **plain)


def places(shape: PointCloud | TriangleMesh) -> NDArray:
    return shape.points if isinstance(shape, PointCloud) else shape.vertices


if __name__ == "__main__":
    main()
