"""How good surfaces in tiles are: at borders, beside one field, and with fine detail; for scale.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import data_file
from numpy.typing import NDArray
from scale_runs import Asked, reconstruct, tell
from scale_shapes import Displaced
from scanner import clean_cloud, read_mesh

from sasnet_sdf import Frame, PointCloud, TriangleMesh, evaluate, read_cloud
from sasnet_sdf.geometry import Array
from sasnet_sdf.io import write_cloud
from sasnet_sdf.mesh import cross_products, without_unused
from sasnet_sdf.metrics import UNIT, Triangles, frame_around
from sasnet_sdf.views.gallery import save
from sasnet_sdf.views.render import render_picture

SHAPES = ("armadillo", "dragon")
SCORES = (
    *("error", "accuracy_mean", "completeness_mean", "hausdorff", "normal_consistency"),
    *("watertight", "boundary_edges", "non_manifold_edges", "components", "vertices", "faces"),
)
SAMPLES = 200_000
"""Samples of a surface whose distances are measured."""

NEAR = 2.0
"""A face is near a border between tiles within this many cells of it."""

CLOSE = 40.0
"""Radius of what a picture of a border shows, in cells."""

TINTS = np.array(
    [
        *([214, 150, 110], [120, 170, 200], [170, 190, 120], [200, 170, 210]),
        *([230, 205, 120], [140, 200, 180], [205, 130, 140], [160, 160, 200]),
    ],
    np.uint8,
)
"""Colors of tiles in a picture."""

WORST_SEAM, WORST_COPY, WORST_DETAIL = 1.1, 1.1, 0.5
"""The limits: of the error of normals at borders over that elsewhere, of the error of a copy over that of
the shape alone, of the error in tiles over that of one field."""


def seams(asked: Asked) -> dict[str, Any]:
    """Shapes in tiles, beside one field with the same cells and one with the preset's."""
    rows = []
    for name in SHAPES[: 1 if asked.small else None]:
        truth = read_mesh(data_file("meshes", f"{name}.ply"))
        cloud, origin = _cloud(name, truth, 20_000 if asked.small else 200_000, asked.seed)
        source = asked.folder / f"{name}.ply"
        write_cloud(source, cloud)
        length = float(np.ptp(cloud.points, axis=0).max()) / (2 if asked.small else 3.4)

        def made(label: str, *options: str, name: str = name, source: Path = source) -> dict[str, Any]:
            return reconstruct(source, asked.folder / f"{name}_{label}.ply", *asked.options(), *options)

        tiled = made("tiles", "--tiles", repr(length))
        if len(tiled["tiles"]) < 8:
            raise SystemExit(f"{name}: only {len(tiled['tiles'])} tiles, at least 8 are needed")
        edge = tiled["extraction"]["edge_length"]
        runs = {
            "tiles": tiled,
            "one field, same edge": made("same", "--tiles", "off", "--edge-length", repr(edge)),
            "one field": made("default", "--tiles", "off"),
        }
        borders = Borders.of(tiled["tiles"], edge)
        meshes = {}
        for label, made_of, kind in zip(runs, runs.values(), ("tiles", "same", "default"), strict=True):
            mesh = meshes[label] = read_mesh(asked.folder / f"{name}_{kind}.ply")
            found = evaluate(mesh, truth, samples=SAMPLES // (10 if asked.small else 1))
            scores = {score: found[score] for score in SCORES}
            row = {"shape": name, "method": label, "cloud": origin, **scores}
            rows.append({**row, "normals": borders.normal_errors(mesh, truth), "run": made_of})
            tell(f"{name} {label}", error=row["error"], border_ratio=rows[-1]["normals"]["ratio"])
        stem = f"{asked.output.stem}_{name}"
        borders.picture(list(meshes.items())[:2], asked.output.with_name(f"{stem}_border.png"))
        borders.tiles_picture(meshes["tiles"], asked.output.with_name(f"{stem}_tiles.png"))
    tiles = [row for row in rows if row["method"] == "tiles"]
    return {
        "rows": rows,
        "holds": {
            f"ratio at borders <= {WORST_SEAM}": all(r["normals"]["ratio"] <= WORST_SEAM for r in tiles),
            "closed and manifold": all(r["watertight"] and not r["non_manifold_edges"] for r in tiles),
        },
    }


def _cloud(name: str, truth: TriangleMesh, count: int, seed: int) -> tuple[PointCloud, str]:
    """`count` clean points of a shape, and where they come from."""
    place = data_file("meshes", f"{name}.ply").parents[1] / "clouds" / f"{name}.ply"
    if not place.exists():
        return clean_cloud(truth, count, seed), f"drawn uniformly from meshes/{name}.ply, with its normals"
    cloud = read_cloud(place)
    some = np.random.default_rng(seed).permutation(len(cloud))[:count]
    return cloud.select(np.sort(some)), f"{len(some):,} points of clouds/{name}.ply"


@dataclass(frozen=True)
class Borders:
    """The borders between tiles: their low and high corners (T, 3), and the side of a cell."""

    low: Array
    high: Array
    cell: float

    @classmethod
    def of(cls, tiles: list[dict[str, Any]], cell: float) -> Borders:
        """The borders between the tiles of a report."""
        low, high = (np.array([tile[end] for tile in tiles]) for end in ("low", "high"))
        return cls(low, high, cell)

    def inside(self, points: Array) -> NDArray[np.bool_]:
        """Which boxes, NEAR cells larger on all sides, hold the points (N, 3): (T, N)."""
        reach = NEAR * self.cell
        return np.array(
            [
                ((points >= low - reach) & (points <= high + reach)).all(1)
                for low, high in zip(self.low, self.high, strict=True)
            ]
        )

    def near(self, points: Array) -> NDArray[np.bool_]:
        """Which points (N, 3) are within NEAR cells of two tiles, and so of a border between tiles."""
        return self.inside(points).sum(0) >= 2

    def normal_errors(self, mesh: TriangleMesh, truth: TriangleMesh) -> dict[str, Any]:
        """The angles in degrees between faces and the nearest true faces, near borders and elsewhere.

        Means and 95 % quantiles are weighted by area; ratio: of the two means.
        """
        frame, across = frame_around(truth.vertices), cross_products(mesh.vertices, mesh.faces)
        area = np.linalg.norm(across, axis=1)
        whole = area > 0
        centers = mesh.vertices[mesh.faces[whole]].mean(1)
        _, normals = Triangles.of(truth, frame).nearest(frame.to_unit(centers))
        cosine = (across[whole] * normals).sum(1) / area[whole]
        degrees, near = np.degrees(np.arccos(cosine.clip(-1, 1))), self.near(centers)
        found: dict[str, Any] = {"faces_near": int(near.sum())}
        for place, some in (("near", near), ("elsewhere", ~near)):
            found[f"{place}_mean"], found[f"{place}_p95"] = weighted(degrees[some], area[whole][some])
        return found | {"ratio": found["near_mean"] / found["elsewhere_mean"]}

    def longest(self, mesh: TriangleMesh) -> tuple[Array, Array]:
        """The middle (3,) of the longest border that a mesh crosses, and the mesh's normal (3,) there."""
        centers = mesh.vertices[mesh.faces].mean(1)
        inside = self.inside(centers).astype(np.float32)
        shared = np.triu(inside @ inside.T, 1)
        one, other = np.unravel_index(int(shared.argmax()), shared.shape)
        on_it = np.flatnonzero(inside[one] * inside[other])
        ahead = centers[on_it] - centers[on_it].mean(0)
        middle = centers[on_it[np.linalg.norm(ahead, axis=1).argmin()]]
        around = np.linalg.norm(centers - middle, axis=1) < CLOSE / 4 * self.cell
        normal = cross_products(mesh.vertices, mesh.faces[around]).sum(0)
        return middle, normal / np.linalg.norm(normal)

    def picture(self, meshes: list[tuple[str, TriangleMesh]], path: Path) -> None:
        """Draw what lies around the middle of the longest border of the first mesh, for all meshes."""
        middle, normal = self.longest(meshes[0][1])
        parts = []
        for label, mesh in meshes:
            away = np.linalg.norm(mesh.vertices - middle, axis=1)
            kept = (away < CLOSE * self.cell)[mesh.faces].all(1)
            parts.append((label, without_unused(TriangleMesh(mesh.vertices, mesh.faces[kept]))))
        azimuth = np.degrees(np.arctan2(normal[1], normal[0]))
        elevation = np.degrees(np.arcsin(normal[2].clip(-0.999, 0.999)))
        save(render_picture(parts, parts[0][1].vertices, 800, azimuth, elevation), path)

    def tiles_picture(self, mesh: TriangleMesh, path: Path) -> None:
        """Draw the surface from tiles, with neighboring tiles mostly in different colors."""
        colors = np.full((len(mesh.vertices), 3), 255, np.uint8)
        for number, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            inside = ((mesh.vertices >= low) & (mesh.vertices < high)).all(1)
            colors[inside] = TINTS[number % len(TINTS)]
        colored = TriangleMesh(mesh.vertices, mesh.faces, colors=colors)
        save(render_picture([("", colored)], mesh.vertices, 900, 70, 20, up=1), path)


def weighted(values: Array, weights: Array) -> tuple[float, float]:
    """The mean of values (N,) and their 95 % quantile, both by weight (N,)."""
    if not len(values):
        raise SystemExit("no faces on one side of the comparison at borders")
    order = values.argsort()
    share = np.cumsum(weights[order]) / weights.sum()
    at = min(int(np.searchsorted(share, 0.95)), len(values) - 1)
    return float(np.average(values, weights=weights)), float(values[order[at]])


def copies(asked: Asked) -> dict[str, Any]:
    """Copies of the dragon in one scan, in tiles, each beside the dragon alone in one field."""
    rows_of_copies, name = (1, 2) if asked.small else (3, 3), "dragon"
    truth = read_mesh(data_file("meshes", f"{name}.ply"))
    cloud, origin = _cloud(name, truth, 20_000 if asked.small else 200_000, asked.seed)
    middle = cloud.points.min(0) / 2 + cloud.points.max(0) / 2
    reach = 1.05 * float(np.linalg.norm((cloud.points - middle)[:, :2], axis=1).max())
    places = [(x, y) for x in range(rows_of_copies[0]) for y in range(rows_of_copies[1])]
    moves = [
        Move(middle, 360 * n / 9 + 7, 2.2 * reach * np.array([*place, 0.0])) for n, place in enumerate(places)
    ]
    points = np.concatenate([move(cloud.points) for move in moves])
    normals = np.concatenate([move(cloud.normals, turn_only=True) for move in moves])
    source, output = asked.folder / "copies.ply", asked.folder / "copies_tiles.ply"
    write_cloud(source, PointCloud(points, normals))
    side = repr(1.5 * reach) if asked.tiles == "auto" else asked.tiles
    together = reconstruct(source, output, *asked.options(), "--tiles", side)
    if not together["tiles"]:
        raise SystemExit("copies: one field was used: give a shorter --tiles")
    write_cloud(asked.folder / "alone.ply", cloud)
    alone = reconstruct(
        asked.folder / "alone.ply", asked.folder / "alone_mesh.ply", *asked.options(), "--tiles", "off"
    )
    samples = SAMPLES // (10 if asked.small else 1)
    before = evaluate(asked.folder / "alone_mesh.ply", truth, samples=samples)["error"]
    mesh, rows, used = read_mesh(output), [], 0
    for number, move in enumerate(moves):
        center = middle + move.shift
        within = (np.abs(mesh.vertices - center)[:, :2] < 1.1 * reach).all(1)[mesh.faces].all(1)
        used += int(within.sum())
        part = without_unused(TriangleMesh(mesh.vertices, mesh.faces[within]))
        found = evaluate(part, TriangleMesh(move(truth.vertices), truth.faces), samples=samples)
        row = {"copy": number, **{score: found[score] for score in SCORES}}
        rows.append({**row, "ratio": row["error"] / before})
        tell(f"copy {number}", error=row["error"], ratio=rows[-1]["ratio"])
    worst = max(row["ratio"] for row in rows)
    return {
        "cloud": origin,
        "rows": rows,
        "error_alone": before,
        "worst_ratio": worst,
        "faces_outside": len(mesh.faces) - used,
        "together": together,
        "alone": alone,
        "holds": {f"ratio of every copy <= {WORST_COPY}": worst <= WORST_COPY},
    }


@dataclass(frozen=True)
class Move:
    """A turn about the vertical axis through `middle` (3,) by an angle in degrees, then a shift (3,)."""

    middle: Array
    degrees: float
    shift: Array

    def __call__(self, points: Any, turn_only: bool = False) -> Array:
        """Points, or with turn_only directions, (N, 3) moved."""
        c, s = np.cos(np.radians(self.degrees)), np.sin(np.radians(self.degrees))
        turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        return points @ turn if turn_only else (points - self.middle) @ turn + self.middle + self.shift


def detail(asked: Asked) -> dict[str, Any]:
    """The armadillo with waves six point spacings long, in tiles and with one field, at the same preset."""
    count = 60_000 if asked.small else asked.points or 5_000_000
    truth = read_mesh(data_file("meshes", "armadillo.ply"))
    shape, source = Displaced.of(truth, count), asked.folder / "waves.ply"
    write_cloud(source, shape.cloud(count))
    size = float(np.ptp(truth.vertices, axis=0).max())
    rows = []
    side = repr(size / 2) if asked.small and asked.tiles == "auto" else asked.tiles
    for method, tiles in (("tiles", side), ("one field", "off")):
        output = asked.folder / f"waves_{method.replace(' ', '_')}.ply"
        made = reconstruct(source, output, *asked.options(), "--tiles", tiles)
        error = waves_error(read_mesh(output), shape, SAMPLES)
        rows.append({"method": method, **error, "run": made})
        tell(f"detail {method}", **error)
    ratio = rows[0]["error"] / rows[1]["error"]
    holds = {f"ratio of errors <= {WORST_DETAIL}": ratio <= WORST_DETAIL}
    about = {"points": count, "wavelength": shape.wavelength, "size_over_wavelength": size / shape.wavelength}
    return {**about, "rows": rows, "ratio": ratio, "holds": holds}


def waves_error(mesh: TriangleMesh, shape: Displaced, samples: int) -> dict[str, float]:
    """Mean distances between a mesh and a displaced one, in 1e-4 of the diagonal; error: their mean."""
    triangles = Triangles.of(mesh, Frame(np.zeros(3), 1.0))
    drawn, _ = triangles.draw(samples, np.random.default_rng(0))
    unit = UNIT / float(np.linalg.norm(np.ptp(shape.mesh.vertices, axis=0)))
    there = unit * float(shape.distance(drawn).mean())
    back = unit * float(triangles.nearest(shape.cloud(samples, seed=2).points)[0].mean())
    return {"error": (there + back) / 2, "accuracy_mean": there, "completeness_mean": back}
