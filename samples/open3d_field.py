"""In Open3D: the field of a scan, queried like a RaycastingScene, and a part of its mesh.

python samples/open3d_field.py samples/knot.ply -o part.ply --save-model scan.sasnet
"""

from __future__ import annotations

import argparse

import numpy as np
import open3d as o3d  # pyright: ignore[reportMissingImports]

import sasnet_open3d

SIDE = 64  # points along each axis of the grid


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("scan")
    cli.add_argument("-o", "--output", default="part.ply", help="the upper half of the mesh")
    cli.add_argument("--save-model", default="scan.sasnet")
    cli.add_argument("--preset", default="balanced")
    a = cli.parse_args()

    pcd = o3d.t.io.read_point_cloud(a.scan)
    mesh, _, field, _ = sasnet_open3d.reconstruct(pcd, preset=a.preset)
    field.save(a.save_model)

    surface = mesh.to_legacy()
    box = surface.get_axis_aligned_bounding_box()
    low, high = box.min_bound, box.max_bound
    upper = o3d.geometry.AxisAlignedBoundingBox([*low[:2], box.get_center()[2]], high)
    o3d.io.write_triangle_mesh(a.output, surface.crop(upper))

    scene = sasnet_open3d.FieldScene(a.save_model)
    axes = [np.linspace(start, end, SIDE) for start, end in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)  # (SIDE, SIDE, SIDE, 3)
    volume = box.volume() * scene.compute_occupancy(grid).numpy().mean()
    deepest = scene.compute_signed_distance(grid).numpy().min()
    print(f"volume {volume:.4g}; the deepest place lies {-deepest:.3g} below the surface")


if __name__ == "__main__":
    main()
