"""A scan in PyMeshLab: its surface by SASNet, and by screened Poisson beside it.

python samples/meshlab_filter.py samples/knot.ply surface.ply poisson.ply
"""

# PyMeshLab has no types, and may be missing where types are checked.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import sys

import pymeshlab

import sasnet_meshlab

scan, surface, poisson = sys.argv[1:]
sasnet_meshlab.register()
mesh_set = pymeshlab.MeshSet()
mesh_set.load_new_mesh(scan)
print(mesh_set.generate_surface_reconstruction_sasnet())
mesh_set.save_current_mesh(surface)

mesh_set.set_current_mesh(0)
mesh_set.compute_normal_for_point_clouds()  # which screened Poisson needs
mesh_set.generate_surface_reconstruction_screened_poisson()
mesh_set.meshing_invert_face_orientation(forceflip=False)  # where those normals all point inward
mesh_set.save_current_mesh(poisson)
