"""The bundled sample: a scan, with noise, of a sculpture whose true surface is known.

A trefoil knot stands on a hexagonal plinth.  Half of the knot is a polished tube, half unravels
into a rope of three strands; the plinth has flat faces, sharp edges and a flared foot.  Depth
cameras around it and below it see it, each point carries the position of the camera that saw
it (vx vy vz) and a color; there are no normals.  Units are millimeters.

    python samples/make_sample.py                       writes samples/knot.ply
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Array = NDArray[np.floating]

CENTER = np.array([412.0, -268.0, 935.0])
"""Where the sculpture's own origin lies in the world (mm)."""

BOX = np.array([[-54.0, -42.0, -64.0], [54.0, 42.0, 64.0]])
"""A box around the sculpture in its own coordinates (mm)."""

NOISE = 0.001
"""Standard deviation of the depth noise along the ray, in diagonals of the surface's box."""

RING, SWING, TUBE = 30.0, 12.0, 7.0
KNOT_CENTER = np.array([0.0, 0.0, 16.0])
STRANDS, TURNS = 3, 9


def curve(t: Array) -> tuple[Array, Array, Array]:
    """The trefoil at parameter t (N,) in [0, 2 pi): position, first and second derivative, (N, 3)."""
    radius = RING + SWING * np.cos(3 * t)
    d_radius, dd_radius = -3 * SWING * np.sin(3 * t), -9 * SWING * np.cos(3 * t)
    c, s = np.cos(2 * t - np.pi / 2), np.sin(2 * t - np.pi / 2)
    x, z = radius * c, radius * s
    dx, dz = d_radius * c - 2 * z, d_radius * s + 2 * x
    ddx = dd_radius * c - 4 * d_radius * s - 4 * x
    ddz = dd_radius * s + 4 * d_radius * c - 4 * z
    y, dy, ddy = SWING * np.sin(3 * t), 3 * SWING * np.cos(3 * t), -9 * SWING * np.sin(3 * t)
    stack = [np.stack(v, 1) for v in ((x, y, z), (dx, dy, dz), (ddx, ddy, ddz))]
    return stack[0], stack[1], stack[2]


_SAMPLES = np.linspace(0, 2 * np.pi, 2048, endpoint=False)
_TREE = KDTree(curve(_SAMPLES)[0])


def nearest_on_curve(points: Array) -> Array:
    """Parameter (N,) of the curve's point nearest to each of `points` (N, 3), by Newton's method."""
    t = _SAMPLES[_TREE.query(points)[1]]
    for _ in range(3):
        position, d, dd = curve(t)
        gap = position - points
        slope = (d * d).sum(1) + np.maximum((gap * dd).sum(1), -0.5 * (d * d).sum(1))
        t = t - np.clip((gap * d).sum(1) / slope, -0.01, 0.01)
    return t


def ropiness(t: Array) -> Array:
    """0 where the knot is a plain tube, 1 where it is a rope of separate strands; smooth."""
    s = np.clip((0.62 - np.cos(t - 0.35)) / 1.0, 0, 1)
    return s * s * (3 - 2 * s)


def knot(points: Array) -> Array:
    """The knot: circles in the plane across the curve, which move apart where it is a rope."""
    local = points - KNOT_CENTER
    t = nearest_on_curve(local)
    position, d, _ = curve(t)
    tangent = d / np.linalg.norm(d, axis=1, keepdims=True)
    core = np.stack([np.sin(2 * t), np.zeros_like(t), -np.cos(2 * t)], 1) * RING
    outward = position - core
    outward -= (outward * tangent).sum(1, keepdims=True) * tangent
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    sideways = np.cross(tangent, outward)
    gap = local - position
    u, v = (gap * outward).sum(1), (gap * sideways).sum(1)
    along = np.sqrt(np.maximum((gap * gap).sum(1) - u * u - v * v, 0))
    rope = ropiness(t)
    offset, radius = 0.5 * TUBE * rope, TUBE * (1 - 0.46 * rope)
    distances = []
    for k in range(STRANDS):
        angle = TURNS * t + 2 * np.pi * k / STRANDS
        across = np.hypot(u - offset * np.cos(angle), v - offset * np.sin(angle))
        distances.append(np.hypot(across, along) - radius)
    a, b, c = distances
    return smooth_union(smooth_union(a, b, 1.2), c, 1.2)


def hexagonal_prism(points: Array, inradius: float, low: float, high: float) -> Array:
    """Outside a hexagonal prism along z, between `low` and `high`; sharp edges."""
    angles = np.arange(3) * np.pi / 3
    across = np.abs(points[:, :2] @ np.stack([np.cos(angles), np.sin(angles)])).max(1) - inradius
    along = np.abs(points[:, 2] - (low + high) / 2) - (high - low) / 2
    return np.minimum(np.maximum(across, along), 0) + np.hypot(np.maximum(across, 0), np.maximum(along, 0))


def smooth_union(a: Array, b: Array, width: float) -> Array:
    """The smaller of two distances, blended where they differ by less than `width`."""
    h = np.maximum(width - np.abs(a - b), 0) / width
    return np.minimum(a, b) - h * h * width / 4


def implicit(points: Array) -> Array:
    """The sculpture in its own coordinates: negative inside, zero on it; not a distance everywhere."""
    plate = hexagonal_prism(points, 32.0, -60.0, -49.0)
    below = np.maximum(-24.0 - points[:, 2], 0)
    flare = np.hypot(points[:, 0], points[:, 1]) - 9.0 - 0.032 * below**2
    flare = np.maximum(flare / np.sqrt(1 + (0.064 * below) ** 2), np.abs(points[:, 2] + 37.0) - 13.0)
    return np.minimum(plate, smooth_union(flare, knot(points), 7.0))


def distance(points: Array) -> Array:
    """Signed distance (N,) of world points (N, 3) to the true surface, negative inside.

    The implicit function over the length of its gradient: right to first order, so within about
    a millimeter of the surface; farther out only its sign and its growth mean something.
    """
    local = np.asarray(points, np.float64) - CENTER
    step = 1e-4
    gradient = np.stack(
        [implicit(local + step * axis) - implicit(local - step * axis) for axis in np.eye(3)], 1
    ) / (2 * step)
    return implicit(local) / np.maximum(np.linalg.norm(gradient, axis=1), 1e-3)


def color(points: Array) -> Array:
    """Colors (N, 3) uint8 of world points: a slate plinth, brass where the knot is plain, teal rope."""
    local = points - CENTER
    slate, brass, teal = np.array([[96, 104, 118], [212, 166, 84], [44, 138, 138]], np.float64)
    rope = ropiness(nearest_on_curve(local - KNOT_CENTER))[:, None]
    plinth = np.clip((-30.0 - local[:, 2:]) / 4.0, 0, 1)
    return np.round((brass + (teal - brass) * rope) * (1 - plinth) + slate * plinth).astype(np.uint8)


def camera_positions() -> Array:
    """World positions (20, 3) of the cameras: rings at five heights, 250 mm from the sculpture."""
    rings = [(-55, 4, 0.0), (-20, 4, 0.5), (12, 6, 0.25), (40, 5, 0.0), (72, 1, 0.0)]
    angles = [
        (np.radians(height), 2 * np.pi * (k + shift) / count)
        for height, count, shift in rings
        for k in range(count)
    ]
    height, turn = np.array(angles).T
    away = np.stack([np.cos(height) * np.cos(turn), np.cos(height) * np.sin(turn), np.sin(height)], 1)
    return CENTER + 250.0 * away


def pixel_rays(eye: Array, pixels: int) -> Array:
    """Unit directions (pixels^2, 3) of a pinhole camera at `eye` that looks at the sculpture."""
    forward = (CENTER - eye) / np.linalg.norm(CENTER - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    across = ((np.arange(pixels) + 0.5) / pixels * 2 - 1) * 0.31
    rays = forward + across[None, :, None] * right + across[:, None, None] * np.cross(right, forward)
    return (rays / np.linalg.norm(rays, axis=2, keepdims=True)).reshape(-1, 3)


def first_hits(eye: Array, rays: Array) -> tuple[Array, Array]:
    """Sphere tracing: the rays (M, 3) that meet the surface and their distances (M,) from `eye`."""
    depth = np.full(len(rays), 150.0)
    alive, hit = np.arange(len(rays)), np.zeros(len(rays), bool)
    for _ in range(200):
        value = implicit(eye + rays[alive] * depth[alive, None] - CENTER)
        hit[alive] = value < 1e-3
        depth[alive] += np.where(value < 1e-3, 0, 0.7 * value)
        alive = alive[(value >= 1e-3) & (depth[alive] < 350.0)]
    return rays[hit], depth[hit]


def scan(count: int = 50_000, pixels: int = 100, seed: int = 0) -> tuple[Array, Array, Array]:
    """Points (count, 3) with noise, the camera of each (count, 3), and colors (count, 3) uint8."""
    rng = np.random.default_rng(seed)
    exact, seen, eyes = [], [], []
    for eye in camera_positions():
        rays, depth = first_hits(eye, pixel_rays(eye, pixels))
        exact.append(eye + rays * depth[:, None])
        seen.append(rays)
        eyes.append(np.broadcast_to(eye, rays.shape))
    keep = rng.permutation(sum(map(len, exact)))[:count]
    points, rays, sensors = (np.concatenate(part)[keep] for part in (exact, seen, eyes))
    diagonal = np.linalg.norm(points.max(0) - points.min(0))
    noise = rng.normal(0, NOISE * diagonal, (len(points), 1))
    return points + rays * noise, sensors, color(points)


def write_ply(path: Path, points: Array, sensors: Array, colors: Array) -> None:
    """Binary PLY in single precision, 27 bytes a point."""
    names = ["x", "y", "z", "vx", "vy", "vz"]
    table = np.empty(len(points), [(n, "<f4") for n in names] + [(n, "u1") for n in ("red", "green", "blue")])
    for name, column in zip(table.dtype.names or (), np.hstack([points, sensors, colors]).T, strict=True):
        table[name] = column
    header = ["ply", "format binary_little_endian 1.0", "comment units are millimeters"]
    header += [f"element vertex {len(points)}", *(f"property float {n}" for n in names)]
    header += [*(f"property uchar {n}" for n in ("red", "green", "blue")), "end_header", ""]
    path.write_bytes("\n".join(header).encode("ascii") + table.tobytes())


if __name__ == "__main__":
    output = Path(__file__).with_name("knot.ply")
    write_ply(output, *scan())
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB")
