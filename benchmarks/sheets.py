"""`reconstruct` on open sheets, which must stay open, and on solids, which must be closed.

    python benchmarks/sheets.py -o sheets.json
    python benchmarks/sheets.py --counts 3000 12000 --shapes floor plate --steps 100 -o sheets.json

Sheets are 6 m long, with random points, uniform by area. Their outside is given by normals, by sensors
above them, or not at all. `noise` is a standard deviation along the normal.

A sheet is right if it is open, its area is within 15 % of the true one, no vertex is farther from the true
surface than three standard deviations plus one spacing, and its normals point to the given side. `edge` is
the farthest that it extends beyond its true edge, in spacings. A solid is right if it is closed, the box
without a lid if it is open.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import PRESETS, cells, circumstances

from sasnet_sdf import NoSurface, PointCloud, reconstruct
from sasnet_sdf.geometry import Array, TriangleMesh
from sasnet_sdf.mesh import areas

COUNTS, SIDES, NOISES = (500, 3000, 12_000, 100_000), ("normals", "sensors", "none"), (0.0, 0.002)
SIZE, ABOVE = 6.0, 2.0
COLUMNS = {"open": "", "area": ".3f", "off": ".4f", "edge": ".2f", "turned": ".3f", "seconds": ".1f"}


@dataclass(frozen=True)
class Patch:
    """A rectangle of sides (2,) about `center` (3,), bent along x to the height bend * sin(x).

    axes: (3, 3) rows: its two directions, and its normal.
    """

    sides: tuple[float, float]
    axes: Array
    center: Array
    bend: float = 0.0

    @property
    def area(self) -> float:
        u = np.linspace(-self.sides[0] / 2, self.sides[0] / 2, 10_001)
        return float(np.hypot(1, self.bend * np.cos(u)).mean() * self.sides[0] * self.sides[1])

    def sample(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Points and normals (count, 3), uniform by area."""
        u = np.linspace(-self.sides[0] / 2, self.sides[0] / 2, 10_001)
        length = np.cumsum(np.hypot(1, self.bend * np.cos(u)))
        u = np.interp(rng.uniform(length[0], length[-1], count), length, u)
        v = (rng.random(count) - 0.5) * self.sides[1]
        local = np.column_stack([u, v, self.bend * np.sin(u)])
        return local @ self.axes + self.center, self._normals(u) @ self.axes

    def offsets(self, points: Array) -> tuple[Array, Array, Array]:
        """Distances (N,) of points (N, 3) off the surface and beyond the edge, and normals (N, 3) there."""
        local = (points - self.center) @ self.axes.T
        normals = self._normals(local[:, 0])
        off = np.abs(local[:, 2] - self.bend * np.sin(local[:, 0])) * normals[:, 2]
        return off, (np.abs(local[:, :2]) - np.array(self.sides) / 2).max(1), normals @ self.axes

    def _normals(self, u: Array) -> Array:
        normals = np.column_stack([-self.bend * np.cos(u), np.zeros(len(u)), np.ones(len(u))])
        return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def turned(degrees: tuple[float, float, float]) -> Array:
    """Axes, as the rows of a (3, 3) array, turned about z, then x, then y."""
    result = np.eye(3)
    for axis, angle in zip((2, 0, 1), np.radians(degrees), strict=True):
        step, (a, b) = np.eye(3), [n for n in range(3) if n != axis]
        step[[a, b, a, b], [a, b, b, a]] = np.cos(angle), np.cos(angle), -np.sin(angle), np.sin(angle)
        result = result @ step
    return result


FLAT, NOWHERE = np.eye(3), np.zeros(3)
SHEETS = {
    "floor": [Patch((SIZE, SIZE), FLAT, NOWHERE)],
    "wall": [Patch((SIZE, SIZE / 2), turned((0, 90, 0)), NOWHERE)],
    "tilted": [Patch((SIZE, SIZE), turned((30, 25, 10)), NOWHERE)],
    "curved": [Patch((SIZE, SIZE), FLAT, NOWHERE, 0.5)],
    "two levels": [Patch((SIZE, SIZE), FLAT, np.array([0, 0, z])) for z in (0.0, 3.0)],
}


def box(size: tuple[float, float, float], faces: int = 6) -> list[Patch]:
    """The faces of a box, the top one last."""
    found = []
    for axis, sign in ((0, -1), (0, 1), (1, -1), (1, 1), (2, -1), (2, 1))[:faces]:
        normal = sign * np.eye(3)[axis]
        u = np.eye(3)[(axis + 1) % 3]
        axes = np.stack([u, np.cross(normal, u), normal])
        sides = size[(axis + 1) % 3], size[(axis + 2) % 3]
        found.append(Patch(sides, axes, normal * size[axis] / 2))
    return found


SOLIDS = {
    "box": box((2.0, 1.5, 1.0)),
    "plate": box((1.0, 0.6, 0.05)),
    "sphere": [],
    "open box": box((2.0, 1.5, 1.0), 5),
}


def cloud_of(shape: str, count: int, side: str, noise: float, seed: int) -> PointCloud:
    """Points of a shape, with what gives their side; noise: standard deviation for a shape of length SIZE."""
    rng = np.random.default_rng(seed)
    if shape == "sphere":
        normals = rng.normal(size=(count, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        points, size = normals.copy(), 2.0
    else:
        patches = (SHEETS | SOLIDS)[shape]
        shares = np.array([patch.area for patch in patches])
        each = rng.multinomial(count, shares / shares.sum())
        parts = [patch.sample(n, rng) for patch, n in zip(patches, each, strict=True)]
        points, normals = (np.concatenate(part) for part in zip(*parts, strict=True))
        size = float(np.ptp(points, axis=0).max())
    sensors = points + ABOVE / SIZE * size * normals
    points = points + normals * rng.normal(0, noise / SIZE * size, (count, 1))
    return PointCloud(
        points,
        normals if side == "normals" else None,
        sensors=sensors if side == "sensors" else None,
    )


def sheet_scores(mesh: TriangleMesh, patches: list[Patch], count: int, side: str, noise: float) -> dict:
    """The figures of a sheet; lengths in meters, `edge` in spacings."""
    found = [patch.offsets(mesh.vertices) for patch in patches]
    off, beyond, normals = (np.stack(part) for part in zip(*found, strict=True))
    nearest, rows = off.argmin(0), np.arange(len(mesh.vertices))
    true = sum(patch.area for patch in patches)
    spacing = float(np.sqrt(true / count))
    assert mesh.normals is not None
    alike = (mesh.normals * normals[nearest, rows]).sum(1) > 0
    scores = {
        "area": float(areas(mesh.vertices, mesh.faces).sum() / true),
        "off": float(off[nearest, rows].max()),
        "edge": float(beyond[nearest, rows].max() / spacing),
        "turned": None if side == "none" else float(1 - alike.mean()),
    }
    one_sheet = scores["off"] <= 3 * noise + spacing and not 0.001 < alike.mean() < 0.999
    if len(patches) > 1 and side == "none":
        one_sheet = scores["off"] <= 3 * noise + spacing  # each level may have its own side
    right_side = side == "none" or scores["turned"] < 0.001
    return {**scores, "right": abs(scores["area"] - 1) <= 0.15 and one_sheet and right_side}


def run(shape: str, count: int, side: str, noise: float, changes: dict[str, Any]) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        result = reconstruct(cloud_of(shape, count, side, noise, changes["seed"]), **changes)
    except NoSurface as error:
        return {"right": False, "error": str(error)}
    row: dict[str, Any] = {"open": not result.report["trim"]["closed"]}
    row["seconds"] = time.perf_counter() - start
    if shape in SHEETS:
        scores = sheet_scores(result.mesh, SHEETS[shape], count, side, noise)
        return {**row, **scores, "right": scores["right"] and row["open"]}
    return {**row, "right": row["open"] is (shape == "open box")}


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shapes = [*SHEETS, *SOLIDS]
    cli.add_argument("--shapes", nargs="+", default=shapes, choices=shapes, metavar="NAME")
    cli.add_argument("--counts", nargs="+", type=int, default=COUNTS, metavar="N", help="points")
    cli.add_argument("--sides", nargs="+", default=SIDES, choices=SIDES)
    cli.add_argument("--noise", nargs="+", type=float, default=NOISES, metavar="S", help=f"of {SIZE:g} m")
    cli.add_argument("--preset", default="fast", choices=PRESETS)
    cli.add_argument("--steps", type=int, help="training steps, instead of the preset's")
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.json")
    options = cli.parse_args()
    changes = {"preset": options.preset, "seed": options.seed}
    if options.steps is not None:
        changes["steps"] = options.steps
    result: dict[str, Any] = {**circumstances(options.seed), "settings": changes, "rows": []}
    for shape in options.shapes:
        for count in options.counts:
            for side in options.sides:
                for noise in options.noise:
                    key = {"shape": shape, "points": count, "side": side, "noise": noise}
                    row = {**key, **run(shape, count, side, noise, changes)}
                    result["rows"].append(row)
                    options.output.write_text(json.dumps(result, indent=1), encoding="utf-8")
                    verdict = "right" if row["right"] else f"WRONG {row.get('error', '')}"
                    line = f"{shape:<11}{count:>7} {side:<8}{noise:<6g} {cells(row, COLUMNS)}  {verdict}"
                    print(line, file=sys.stderr, flush=True)
    wrong = sum(not row["right"] for row in result["rows"])
    print(f"{len(result['rows']) - wrong} right, {wrong} wrong", file=sys.stderr)


if __name__ == "__main__":
    main()
