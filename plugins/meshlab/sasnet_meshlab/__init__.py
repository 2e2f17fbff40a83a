"""SASNet surface reconstruction as a filter of PyMeshLab and MeshLab.

    import pymeshlab, sasnet_meshlab

    sasnet_meshlab.register()
    ms = pymeshlab.MeshSet()
    ms.load_new_mesh("scan.ply")
    ms.generate_surface_reconstruction_sasnet()

docs/meshlab.md lists the parameters.
"""

from .registration import register, unregister
from .scripts import apply_filter_script

__all__ = ["apply_filter_script", "register", "unregister"]
