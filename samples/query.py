"""Signed distances and gradients at any points, here of a torus, whose exact distance is known.

python samples/query.py
"""

import numpy as np
import trimesh

import sasnet_sdf

torus = trimesh.creation.torus(major_radius=30.0, minor_radius=10.0, major_sections=256, minor_sections=128)
field = sasnet_sdf.reconstruct(torus, preset="fast", resolution=64).field

points = np.random.default_rng(0).uniform((-42, -42, -12), (42, 42, 12), (10_000, 3))
distances = field.distance(points)  # (N,), negative inside
gradients = field.gradient(points)  # (N, 3), of length about 1, away from the surface
nearest = points - distances[:, None] * gradients  # the nearest point of the surface

exact = np.hypot(np.hypot(points[:, 0], points[:, 1]) - 30, points[:, 2]) - 10
print(f"{(distances < 0).sum():,} of {len(points):,} points are inside")
print(f"for radii of 30 and 10 the distances are off by {np.abs(distances - exact).mean():.3f} on average")
