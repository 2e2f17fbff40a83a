"""In Open3D: a scan to a mesh, beside screened Poisson.

    python samples/open3d_mesh.py samples/knot.ply -o surface.ply --poisson poisson.ply

The tensor reader keeps all attributes of the points, here the positions of their cameras (vx vy vz).
"""

from __future__ import annotations

import argparse

import open3d as o3d  # pyright: ignore[reportMissingImports]

import sasnet_open3d


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("scan")
    cli.add_argument("-o", "--output", default="surface.ply")
    cli.add_argument("--poisson", metavar="FILE", help="write the surface of Poisson as well")
    cli.add_argument("--preset", default="balanced")
    a = cli.parse_args()

    pcd = o3d.t.io.read_point_cloud(a.scan)
    mesh, distances = sasnet_open3d.create_from_point_cloud_sasnet(pcd, preset=a.preset)
    print(f"on average a vertex is {distances.mean().item():.3g} from the nearest point")
    o3d.t.io.write_triangle_mesh(a.output, mesh)

    if a.poisson:
        oriented = pcd.to_legacy()  # Poisson needs normals that agree on what is outside
        if not oriented.has_normals():
            oriented.estimate_normals()
            oriented.orient_normals_consistent_tangent_plane(30)
        poisson, _ = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(oriented, depth=8)
        o3d.io.write_triangle_mesh(a.poisson, poisson)


if __name__ == "__main__":
    main()
