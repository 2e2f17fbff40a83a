"""A scan becomes a mesh: writes surface.ply, and its signed distance field as surface.sasnet.

python samples/reconstruct.py
"""

from pathlib import Path

import sasnet_sdf

scan = Path(__file__).with_name("knot.ply")  # 50,000 points with noise, in millimeters
result = sasnet_sdf.reconstruct(scan, preset="fast")
result.mesh.save("surface.ply")
result.field.save("surface.sasnet")

closed = "closed" if result.report["trim"]["closed"] else "open"
low, high = result.mesh.vertices.min(0), result.mesh.vertices.max(0)
print(f"surface.ply: {len(result.mesh.faces):,} triangles, {closed}, size {(high - low).round(1)} mm")
