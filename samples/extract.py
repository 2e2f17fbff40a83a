"""A saved field gives meshes of any resolution: writes torus.sasnet, torus_64.ply and torus_192.ply.

python samples/extract.py
"""

import trimesh

import sasnet_sdf

torus = trimesh.creation.torus(major_radius=30.0, minor_radius=10.0)
sasnet_sdf.reconstruct(torus, preset="fast", resolution=64).field.save("torus.sasnet")

field = sasnet_sdf.Field.load("torus.sasnet")
for resolution in (64, 192):  # cells along the side of a cube around the shape
    mesh, _ = sasnet_sdf.extract(field, resolution=resolution)
    mesh.save(f"torus_{resolution}.ply")
    print(f"torus_{resolution}.ply: {len(mesh.faces):,} triangles")
