"""SASNet surface reconstruction in Open3D, with Open3D's names and types.

    import open3d as o3d, sasnet_open3d

    sasnet_open3d.register()
    mesh, distances = o3d.geometry.TriangleMesh.create_from_point_cloud_sasnet(pcd)

Importing this imports neither Open3D nor PyTorch.
"""

from .reconstruction import Reconstruction, create_from_point_cloud_sasnet, reconstruct, register, unregister
from .scene import FieldScene

__all__ = [
    "FieldScene",
    "Reconstruction",
    "create_from_point_cloud_sasnet",
    "reconstruct",
    "register",
    "unregister",
]
