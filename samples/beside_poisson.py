"""The picture at the top of the README: the bundled scan, screened Poisson, and this package's surface.

    python samples/beside_poisson.py -o docs/images/knot.png

Poisson is Open3D's, with outliers removed, normals oriented toward the sensors, and the depth that gives the
smallest distance from the true surface. Prints the mean distance of both surfaces' vertices from the object.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import make_sample
import numpy as np
import open3d

from sasnet_sdf import PointCloud, TriangleMesh, reconstruct
from sasnet_sdf.io import read_cloud
from sasnet_sdf.views.render import picture

SCAN = Path(__file__).with_name("knot.ply")
DEPTHS = range(6, 11)
NEIGHBORS, DEVIATIONS = 30, 2.0
"""For Open3D's normals, and for its removal of outliers."""


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("-o", "--output", required=True)
    options = cli.parse_args()
    scan = read_cloud(SCAN)
    poisson = min((poisson_surface(scan, depth) for depth in DEPTHS), key=off)
    ours = reconstruct(scan).mesh
    print(f"Poisson {off(poisson):.3f} mm, sasnet-sdf {off(ours):.3f} mm")
    picture([scan, poisson, ours], -70, 22, 640).save(options.output)


def off(mesh: TriangleMesh) -> float:
    """The mean distance of the vertices from the object, in millimeters."""
    return float(np.abs(make_sample.distance(mesh.vertices)).mean())


def poisson_surface(scan: PointCloud, depth: int) -> TriangleMesh:
    """The surface that a user of Open3D would get from the scan."""
    assert scan.sensors is not None
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(scan.points))
    cloud, kept = cloud.remove_statistical_outlier(NEIGHBORS, DEVIATIONS)
    cloud.estimate_normals(open3d.geometry.KDTreeSearchParamKNN(NEIGHBORS))
    points, normals = np.asarray(cloud.points), np.asarray(cloud.normals)
    away = (normals * (scan.sensors[np.asarray(kept)] - points)).sum(1) < 0
    normals[away] *= -1
    cloud.normals = open3d.utility.Vector3dVector(normals)
    mesh, _ = open3d.geometry.TriangleMesh.create_from_point_cloud_poisson(cloud, depth=depth)
    return TriangleMesh(np.asarray(mesh.vertices), np.asarray(mesh.triangles, np.int64))


if __name__ == "__main__":
    main()
