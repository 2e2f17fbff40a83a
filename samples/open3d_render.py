"""In Open3D: pictures of meshes side by side, by casting rays; neither a display nor a GPU is needed.

    python samples/open3d_render.py poisson.ply surface.ply -o docs/images/open3d.png

All panels share the camera, which frames the last mesh.
"""

from __future__ import annotations

import argparse

import numpy as np
import open3d as o3d  # pyright: ignore[reportMissingImports]
from numpy.typing import NDArray
from PIL import Image

CLAY = np.array([201.0, 191.0, 178.0])
DOWN = np.array([0.0, 0.0, -1.0])  # where an image's rows go, which create_rays_pinhole calls up
LIGHT = np.array([-0.45, -0.55, 0.7])


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("meshes", nargs="+")
    cli.add_argument("-o", "--output", required=True)
    cli.add_argument("--towards", nargs=3, type=float, default=(0.35, -1, 0.4), help="the viewer's direction")
    cli.add_argument("--size", nargs=2, type=int, default=(400, 480), help="of each panel, in pixels")
    cli.add_argument("--colors", action="store_true", help="with the colors of the vertices")
    a = cli.parse_args()
    meshes = [o3d.io.read_triangle_mesh(path) for path in a.meshes]
    box = meshes[-1].get_axis_aligned_bounding_box()
    towards = np.array(a.towards) / np.linalg.norm(a.towards)
    eye = 1.15 * np.linalg.norm(box.get_extent()) * towards
    panels = []
    for mesh in meshes:
        mesh.translate(-box.get_center())  # near the origin: rays are in single precision
        panels.append(panel(mesh, eye, a.size[0], a.size[1], a.colors))
    Image.fromarray(np.hstack(panels)).save(a.output, optimize=True)


def panel(mesh: o3d.geometry.TriangleMesh, eye: NDArray, width: int, height: int, colored: bool) -> NDArray:
    """The picture (height, width, 3) of a mesh around the origin, cast at twice the size and averaged."""
    mesh.compute_vertex_normals()
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.t.geometry.TriangleMesh.from_legacy(mesh))
    view = (np.asarray(vector, np.float32) for vector in ([0, 0, 0], eye, DOWN))
    middle, viewer, down = map(o3d.core.Tensor.from_numpy, view)
    rays = scene.create_rays_pinhole(40, middle, viewer, down, 2 * width, 2 * height)
    hits = {name: tensor.numpy() for name, tensor in scene.cast_rays(rays).items()}
    seen = np.isfinite(hits["t_hit"])
    corners = np.asarray(mesh.triangles)[hits["primitive_ids"][seen]]
    v, w = hits["primitive_uvs"][seen].T
    weights = np.stack([1 - v - w, v, w], axis=1)

    def at_hits(values: NDArray) -> NDArray:
        return np.einsum("nk,nkd->nd", weights, values[corners])

    bright = 0.3 + 0.75 * np.maximum(at_hits(np.asarray(mesh.vertex_normals)) @ LIGHT, 0)
    color = at_hits(255 * np.asarray(mesh.vertex_colors)) if colored and mesh.has_vertex_colors() else CLAY
    image = np.full((2 * height, 2 * width, 3), 255.0)
    image[seen] = (color * bright[:, None]).clip(0, 255)
    return image.reshape(height, 2, width, 2, 3).mean((1, 3)).astype(np.uint8)


if __name__ == "__main__":
    main()
