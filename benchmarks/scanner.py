"""Simulated scans and clean clouds of a mesh, for benchmarks that need the true surface.

    python benchmarks/scanner.py mesh.ply -o scan.ply
    python benchmarks/scanner.py mesh.ply -o scan.ply --noise 0.005 --cameras 4
    python benchmarks/scanner.py mesh.ply -o cloud.ply --clean --points 200000

A scan is made of what depth cameras see that stand evenly around the mesh and look at the center of its
bounding box. Every depth has normally distributed noise along its ray. A random subset of the points is
kept, and some points are replaced by outliers, uniform in a box 1.2 times as large as the bounding box.
Each point carries the position of its camera (vx vy vz); there are no normals, and no points where no
camera sees the surface. A clean cloud has points uniform by area, with the normals of their triangles.
The same mesh, options and seed give the same file. Needs `pip install "sasnet-sdf[bench]"`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sasnet_sdf import PointCloud, TriangleMesh, read_geometry
from sasnet_sdf.geometry import Array
from sasnet_sdf.io import write_cloud
from sasnet_sdf.metrics import Triangles, frame_around
from sasnet_sdf.runtime.system import require

OUTLIER_BOX = 1.2
"""Side of the box that outliers fill, relative to the bounding box."""
MARGIN = 1.02
"""Half the width of a camera's picture, relative to the sphere around the bounding box."""


@dataclass(frozen=True)
class Scanner:
    """Depth cameras around an object. Lengths are fractions of the bounding box's diagonal.

    points: of a scan, outliers included. cameras: how many. pixels: along each side of their pictures.
    distance: from the cameras to the center of the box. noise: standard deviation along the rays.
    outliers: the fraction of points that belong to nothing.
    """

    points: int = 150_000
    cameras: int = 12
    pixels: int = 512
    distance: float = 1.5
    noise: float = 0.002
    outliers: float = 0.01

    def scan(self, mesh: TriangleMesh, seed: int = 0) -> PointCloud:
        """Points (N, 3) and the position of the camera of each (N, 3), in the units of the mesh."""
        frame = frame_around(mesh.vertices)  # center 0, diagonal 1
        vertices = frame.to_unit(mesh.vertices)
        rng = np.random.default_rng(seed)
        eyes = self.distance * directions(self.cameras, rng)
        points, cameras = self._seen(vertices, mesh.faces, eyes, rng)
        strays = round(self.outliers * self.points)
        if len(points) < self.points - strays:
            raise SystemExit(f"the cameras see {len(points):,} points: ask for fewer, or for more cameras")
        kept = rng.permutation(len(points))[: self.points - strays]
        half = OUTLIER_BOX * np.ptp(vertices, axis=0) / 2
        points = np.concatenate([points[kept], rng.uniform(-half, half, (strays, 3))])
        cameras = np.concatenate([cameras[kept], rng.integers(0, self.cameras, strays)])
        order = rng.permutation(len(points))
        return PointCloud(frame.to_world(points[order]), sensors=frame.to_world(eyes[cameras[order]]))

    def _seen(
        self, vertices: Array, faces: NDArray[np.int64], eyes: Array, rng: np.random.Generator
    ) -> tuple[Array, NDArray[np.int64]]:
        """The points (M, 3) that all cameras see, with noise, and the index (M,) of the camera of each."""
        open3d = require("open3d", "bench", "the simulated scanner")
        scene = open3d.t.geometry.RaycastingScene()
        scene.add_triangles(vertices.astype(np.float32), faces.astype(np.uint32))
        tangent = MARGIN * np.tan(np.arcsin(0.5 / self.distance))
        points, cameras = [], []
        for number, eye in enumerate(eyes):
            rays = pixel_rays(eye, self.pixels, tangent)
            lines = np.hstack([np.broadcast_to(eye, rays.shape), rays]).astype(np.float32)
            depth = scene.cast_rays(open3d.core.Tensor(lines))["t_hit"].numpy().astype(np.float64)
            hit = np.isfinite(depth)
            noisy = depth[hit] + rng.normal(0, self.noise, hit.sum())
            points.append(eye + rays[hit] * noisy[:, None])
            cameras.append(np.full(len(noisy), number, np.int64))
        return np.concatenate(points), np.concatenate(cameras)


def directions(count: int, rng: np.random.Generator) -> Array:
    """Unit vectors (count, 3), evenly over the sphere along a spiral that is turned at random."""
    height = 1 - (2 * np.arange(count) + 1) / count
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))  # the golden angle
    across = np.sqrt(1 - height**2)
    spiral = np.column_stack([across * np.cos(turn), across * np.sin(turn), height])
    return Rotation.from_quat(rng.normal(size=4)).apply(spiral)


def pixel_rays(eye: Array, pixels: int, tangent: float) -> Array:
    """Unit directions (pixels², 3) of a pinhole camera at `eye` that looks at 0.

    tangent: that of half the camera's opening angle.
    """
    forward = -eye / np.linalg.norm(eye)
    right = np.cross(forward, np.eye(3)[np.abs(forward).argmin()])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    places = tangent * ((2 * np.arange(pixels) + 1) / pixels - 1)
    u, v = np.meshgrid(places, places)
    rays = forward + u.reshape(-1, 1) * right + v.reshape(-1, 1) * down
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def clean_cloud(mesh: TriangleMesh, points: int = 200_000, seed: int = 0) -> PointCloud:
    """Points uniform by area, with the normals of their triangles."""
    frame = frame_around(mesh.vertices)
    places, normals = Triangles.of(mesh, frame).draw(points, np.random.default_rng(seed))
    return PointCloud(frame.to_world(places), normals)


def read_mesh(path: Path) -> TriangleMesh:
    """Read a mesh; ends the program with one line if the file holds points only."""
    mesh = read_geometry(path)
    if not isinstance(mesh, TriangleMesh):
        raise SystemExit(f"{path}: points without faces; the scanner needs a mesh")
    return mesh


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("mesh", type=Path)
    cli.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    cli.add_argument("--clean", action="store_true", help="a clean cloud with normals instead of a scan")
    cli.add_argument("--points", type=int, help="default: 150,000; 200,000 for a clean cloud")
    cli.add_argument("--cameras", type=int, default=Scanner.cameras)
    cli.add_argument("--noise", type=float, default=Scanner.noise, help="in diagonals")
    cli.add_argument("--outliers", type=float, default=Scanner.outliers, help="a fraction of the points")
    cli.add_argument("--seed", type=int, default=0)
    options = cli.parse_args()
    mesh = read_mesh(options.mesh)
    if options.clean:
        cloud = clean_cloud(mesh, options.points or 200_000, options.seed)
    else:
        points = options.points or Scanner.points
        scanner = Scanner(points, options.cameras, noise=options.noise, outliers=options.outliers)
        cloud = scanner.scan(mesh, options.seed)
    write_cloud(options.output, cloud)
    print(f"{options.output}: {len(cloud):,} points")


if __name__ == "__main__":
    main()
