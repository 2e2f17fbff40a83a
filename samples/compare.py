"""SASNet beside SIREN of the same size on the same data: writes a table and pictures to comparison/.

python samples/compare.py
"""

import trimesh

import sasnet_sdf

torus = trimesh.creation.torus(major_radius=30.0, minor_radius=10.0)
shape = sasnet_sdf.TriangleMesh(torus.vertices, torus.faces)
found = sasnet_sdf.compare(
    shape,
    "comparison",
    models=["sasnet", "siren:omega0=30"],
    budget="parameters=10000,steps=100,batch=2048",
    settings=["targets=50000"],
    resolution=64,
    samples=10_000,
    overwrite=True,
)
for row in found.rows:
    print(f"{row['model']}: {row['parameters']:,} parameters, error {row['error']:.1f}e-4 of the diagonal")
