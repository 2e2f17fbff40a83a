"""The surface of all tiles is the one that was cut, however it was cut, without what no data support."""

from __future__ import annotations

import gc
import json
import threading
from itertools import product

import numpy as np
import psutil
import pytest
import trimesh

from sasnet_sdf.errors import UsageError
from sasnet_sdf.geometry import TriangleMesh
from sasnet_sdf.io import read_mesh, write_mesh
from sasnet_sdf.mesh import Edges, areas, component_of_vertices, with_faces, without_unused
from sasnet_sdf.tiles import output
from sasnet_sdf.tiles.join import Joined
from sasnet_sdf.tiles.scratch import Scratch
from sasnet_sdf.tiles.tiling import Tile, Tiling


def made(vertices, faces) -> TriangleMesh:
    """A mesh with every attribute, each different at every vertex."""
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    number = np.arange(len(vertices))
    normals = np.stack([np.cos(number), np.sin(number), np.zeros(len(number))], 1)
    colors = np.stack([number % 256, number // 256 % 256, number % 7], 1).astype(np.uint8)
    scalars = {"intensity": number.astype(np.uint16), "gps time": number + 2**40}
    return TriangleMesh(vertices, faces, normals, colors, scalars)


def both(*meshes) -> TriangleMesh:
    """Meshes side by side."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
    return made(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def sphere(center=(0.0, 0.0, 0.0), radius=0.9, level=4) -> TriangleMesh:
    ball = trimesh.creation.icosphere(level, radius)
    return made(ball.vertices + np.array(center), ball.faces)


def sheet(around: int, along: int, closed: bool = False) -> TriangleMesh:
    """A grid of squares in [-1, 1]^2, or, closed, on a torus."""
    i, j = (a.ravel() for a in np.mgrid[:around, :along])
    if closed:
        s, t = 2 * np.pi * i / around, 2 * np.pi * j / along
        ring = 0.65 + 0.3 * np.cos(t)
        vertices = np.stack([ring * np.cos(s), ring * np.sin(s), 0.3 * np.sin(t)], 1)
    else:
        vertices = np.stack([2 * i / (around - 1) - 1, 2 * j / (along - 1) - 1, 0.001 * i * j], 1)
    corners = [(i + a) % around * along + (j + b) % along for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
    if not closed:
        corners = [c[(i < around - 1) & (j < along - 1)] for c in corners]
    a, b, c, d = corners
    return made(vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))


def holed() -> TriangleMesh:
    """A sheet with a hole around its center, where tiles meet, and one within a tile."""
    plane = sheet(41, 41)
    centers = plane.vertices[plane.faces].mean(1)[:, :2]
    far = [np.linalg.norm(centers - center, axis=1) > 0.2 for center in ((0, 0), (0.6, 0.6))]
    return with_faces(plane, plane.faces[far[0] & far[1]])


def book() -> TriangleMesh:
    """Three pages on one spine, which crosses borders between tiles."""
    page = sheet(2, 31)
    height = page.vertices[:, 1]
    pages = []
    for angle in (0.1, 2.2, 4.3):
        out = (page.vertices[:, 0] + 1) * 0.4
        pages.append(made(np.stack([out * np.cos(angle), out * np.sin(angle), height], 1), page.faces))
    whole = both(*pages)
    # the vertices with out == 0 are the first 31 of each page
    same = np.arange(len(whole.vertices))
    same[62:93], same[124:155] = np.arange(31), np.arange(31)
    return without_unused(made(whole.vertices, same[whole.faces]))


def cut(scratch, mesh, tile, count, owner=None, density=1000.0, order=None):
    """Save the parts of a mesh in tiles; returns the numbers of the tiles.

    tile: (F,) of each triangle. owner: (V,) of each vertex that several tiles use; by default the first of
    these. density: data points per unit of area. order: of the tiles' vertices.
    """
    size = areas(mesh.vertices, mesh.faces)
    order = np.arange(len(mesh.vertices)) if order is None else order
    uses = np.zeros((count, len(mesh.vertices)), bool)
    uses[tile[:, None], mesh.faces] = True
    first = uses.argmax(0)
    owner = first if owner is None else np.where(uses.sum(0) > 1, owner, first)
    shared = (uses.sum(0) > 1) | (owner != first)
    index = np.full(len(mesh.vertices), -1)
    own = []
    for n in range(count):
        mine = order[(owner == n)[order]]
        own.append(np.concatenate([mine[shared[mine]], mine[~shared[mine]]]))
        index[own[n]] = np.arange(len(own[n]))
    for n in range(count):
        foreign = np.flatnonzero(uses[n] & (owner != n))
        local = np.full(len(mesh.vertices), -1)
        local[own[n]] = np.arange(len(own[n]))
        local[foreign] = len(own[n]) + np.arange(len(foreign))
        here = tile == n
        arrays = {f"scalar_{k}": v[own[n]] for k, v in enumerate(mesh.scalars.values())}
        arrays |= {"colors": mesh.colors[own[n]]} if len(own[n]) else {}
        scratch.save(
            "mesh",
            n,
            vertices=mesh.vertices[own[n]],
            shared=np.array(shared[own[n]].sum()),
            normals=mesh.normals[own[n]],
            faces=local[mesh.faces[here]].astype(np.int32),
            foreign=np.stack([owner[foreign], index[foreign]], 1).astype(np.int32),
            borne=(density * size[here]).astype(np.float32),
            area=size[here].astype(np.float32),
            **arrays,
        )
    return list(range(count))


def boxes(mesh, parts):
    """The box (F,), of parts^3 in [-1, 1]^3, that each triangle's center is in."""
    centers = mesh.vertices[mesh.faces].mean(1)
    places = np.clip(((centers + 1) / 2 * parts).astype(int), 0, parts - 1)
    return places @ [parts * parts, parts, 1]


def tiling_of(parts):
    tiles = [
        Tile(n, tuple(low), tuple(np.add(low, 1)), 1, 0.1)
        for n, low in enumerate(np.array(list(product(range(parts), repeat=3))).tolist())
    ]
    low, high = np.zeros(3, np.int64), np.full(3, parts)
    return Tiling(np.full(3, -1.0), 2 / parts, 8, low, high, tuple(tiles))


def assert_same(mesh, other):
    """Equal vertices, attributes and triangles, in any order."""
    first, second = canonical(mesh), canonical(other)
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)
        assert values.dtype == second[name].dtype, name


def canonical(mesh):
    order = np.lexsort(mesh.vertices.T)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    faces = rank[mesh.faces]
    turn = (faces.argmin(1)[:, None] + np.arange(3)) % 3
    faces = np.take_along_axis(faces, turn, 1)
    rows = {"vertices": mesh.vertices, "normals": mesh.normals, "colors": mesh.colors, **mesh.scalars}
    return {name: v[order] for name, v in rows.items()} | {"faces": faces[np.lexsort(faces.T)]}


def assert_counted(joined, mesh):
    edges = Edges.of(mesh.faces)
    assert joined.facts["boundary_edges"] == edges.boundary
    assert joined.facts["boundary_loops"] == edges.loops
    assert joined.facts["non_manifold_edges"] == edges.branching
    assert joined.facts["vertices"] == len(mesh.vertices)
    assert joined.facts["faces"] == len(mesh.faces)


NAMES = ("intensity", "gps time")
SHAPES = {
    "sphere": (sphere(), Edges(0, 0, 0)),
    "torus": (sheet(120, 60, closed=True), Edges(0, 0, 0)),
    "holes": (holed(), None),
    "book": (book(), Edges(6 + 3 * 30, 1, 30)),
}


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_joined_mesh_is_the_one_that_was_cut(tmp_path, shape, parts):
    mesh, edges = SHAPES[shape]
    numbers = cut(Scratch(tmp_path), mesh, boxes(mesh, parts), parts**3)
    joined = Joined.of(Scratch(tmp_path), numbers, NAMES)
    assert_same(joined.mesh(), mesh)
    assert_counted(joined, mesh)
    assert edges is None or Edges.of(mesh.faces) == edges
    assert joined.facts["components_dropped"] == 0
    total = areas(mesh.vertices, mesh.faces)
    for number, area in joined.areas.items():
        assert area == pytest.approx(total[boxes(mesh, parts) == number].sum(), rel=1e-6)


def test_open_edges_on_both_sides_of_a_border_make_one_loop(tmp_path):
    joined = Joined.of(Scratch(tmp_path), cut(Scratch(tmp_path), holed(), boxes(holed(), 2), 8), NAMES)
    assert joined.facts["boundary_loops"] == 3


@pytest.mark.parametrize("parts", [2, 3])
def test_components_are_judged_as_a_whole(tmp_path, parts):
    center = (0, 0, 0) if parts == 2 else (1 / 3, 0, 1 / 3)
    # 113 points and 320, but in no tile 200
    poor, good = sphere(center, 0.095, 2), sphere(center, 0.16, 3)
    whole = both(poor, sphere(), good)
    numbers = cut(Scratch(tmp_path), whole, boxes(whole, parts), parts**3)
    assert len(set(boxes(whole, parts)[: len(poor.faces)])) >= 4
    joined = Joined.of(Scratch(tmp_path), numbers, NAMES)
    assert joined.facts["components_dropped"] == 1
    rest = with_faces(whole, whole.faces[len(poor.faces) :])
    assert len(rest.vertices) == len(whole.vertices) - len(poor.vertices)
    assert_same(joined.mesh(), rest)
    assert_counted(joined, rest)
    total = areas(rest.vertices, rest.faces).sum()
    assert sum(joined.areas.values()) == pytest.approx(total, rel=1e-6)
    everything = Joined.of(Scratch(tmp_path), numbers, NAMES, keep_all=True)
    assert everything.facts["components_dropped"] == 0
    assert_same(everything.mesh(), whole)


def test_the_best_component_stays_however_poor(tmp_path):
    whole = both(sphere(radius=0.9), sphere(radius=0.5))
    numbers = cut(Scratch(tmp_path), whole, boxes(whole, 2), 8, density=1e-3)
    joined = Joined.of(Scratch(tmp_path), numbers, NAMES)
    assert joined.facts["components_dropped"] == 1
    assert np.linalg.norm(joined.mesh().vertices, axis=1).min() > 0.89


@pytest.mark.parametrize("seed", range(12))
def test_any_triangles_in_any_tiles(tmp_path, seed):
    """Degenerate and branching triangles, in tiles and with owners that have nothing to do with space."""
    rng = np.random.default_rng(seed)
    vertices, tiles = int(rng.integers(5, 180)), int(rng.integers(1, 6))
    faces = rng.integers(0, vertices, (int(rng.integers(1, 60)), 3))
    mesh = without_unused(made(rng.normal(size=(vertices, 3)), faces))
    owner = rng.integers(0, tiles, len(mesh.vertices))
    order = rng.permutation(len(mesh.vertices))
    tile = rng.integers(0, tiles, len(faces))
    numbers = cut(Scratch(tmp_path), mesh, tile, tiles, owner, 1.0, order)
    for fewest in (0.0, 5.0, 1e9):
        joined = Joined.of(Scratch(tmp_path), rng.permutation(numbers).tolist(), NAMES, fewest)
        group = component_of_vertices(mesh)[mesh.faces[:, 0]]
        points = np.bincount(group, areas(mesh.vertices, mesh.faces).astype(np.float32))
        there = np.bincount(group) > 0
        stays = there & (points >= min(fewest, points.max()) - 1e-6)
        expected = with_faces(mesh, mesh.faces[stays[group]])
        assert joined.facts["components_dropped"] == (there & ~stays).sum()
        assert_same(joined.mesh(), expected)
        assert_counted(joined, expected)


def test_unused_vertices_are_left_out(tmp_path):
    mesh = sphere(level=2)
    more = made(np.concatenate([mesh.vertices, [[5.0, 5, 5]]]), mesh.faces)
    scratch = Scratch(tmp_path)
    numbers = cut(scratch, more, boxes(more, 2), 8)
    arrays = scratch.load("mesh", 0)
    assert (arrays["vertices"] == 5).all(1).sum() == 1
    assert_same(Joined.of(scratch, numbers, NAMES).mesh(), without_unused(more))
    # now all vertices may be used by other tiles, which use no more of them
    scratch.save("mesh", 0, **arrays | {"shared": np.array(len(arrays["vertices"]))})
    joined = Joined.of(scratch, numbers, NAMES)
    assert_same(joined.mesh(), without_unused(more))
    assert_counted(joined, without_unused(more))


def test_the_ply_is_that_of_write_mesh_and_twice_the_same(tmp_path):
    mesh = both(sphere(), sphere((0, 0, 0), 0.05, 1), sheet(30, 30))
    scratch = Scratch(tmp_path / "scratch")
    joined = Joined.of(scratch, cut(scratch, mesh, boxes(mesh, 3), 27), NAMES)
    assert joined.facts["components_dropped"] == 1
    write_mesh(tmp_path / "plain.ply", joined.mesh())
    joined.write_ply(tmp_path / "streamed.ply")
    expected = (tmp_path / "plain.ply").read_bytes()
    assert (tmp_path / "streamed.ply").read_bytes() == expected
    Joined.of(scratch, range(27), NAMES).write_ply(tmp_path / "streamed.ply")
    assert (tmp_path / "streamed.ply").read_bytes() == expected
    assert {path.name for path in tmp_path.iterdir()} == {"scratch", "plain.ply", "streamed.ply"}
    without = Joined.of(scratch, range(27), NAMES[:1])
    without.write_ply(tmp_path / "streamed.ply")
    assert read_mesh(tmp_path / "streamed.ply").scalars.keys() == {"intensity"}


def test_tiles_without_surface_make_an_empty_ply(tmp_path):
    nothing = made(np.empty((0, 3)), np.empty((0, 3)))
    scratch = Scratch(tmp_path)
    joined = Joined.of(scratch, cut(scratch, nothing, boxes(nothing, 2), 8), NAMES)
    assert set(joined.facts.values()) == {0} and set(joined.areas.values()) == {0.0}
    assert joined.mesh().faces.shape == (0, 3)
    joined.write_ply(tmp_path / "empty.ply")
    write_mesh(tmp_path / "plain.ply", joined.mesh())
    assert (tmp_path / "empty.ply").read_bytes() == (tmp_path / "plain.ply").read_bytes()


def test_a_ply_with_too_many_vertices_is_refused(tmp_path, monkeypatch):
    scratch = Scratch(tmp_path)
    joined = Joined.of(scratch, cut(scratch, sphere(level=2), boxes(sphere(level=2), 2), 8), NAMES)
    monkeypatch.setattr(output, "MOST_VERTICES", joined.facts["vertices"] - 1)
    with pytest.raises(UsageError, match=r"big\.ply: .* 162; give --split"):
        joined.write_ply(tmp_path / "big.ply")
    assert not (tmp_path / "big.ply").exists()
    monkeypatch.setattr(output, "MOST_VERTICES", joined.facts["vertices"])
    joined.write_ply(tmp_path / "big.ply")


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    scratch = Scratch(tmp_path / "scratch")
    joined = Joined.of(scratch, cut(scratch, sphere(), boxes(sphere(), 2), 8), NAMES)
    (tmp_path / "old.ply").write_text("old")
    scratch.path("mesh", 7, "npz").unlink()
    with pytest.raises(UsageError, match=r"000007\.npz"):
        joined.write_ply(tmp_path / "old.ply")
    assert (tmp_path / "old.ply").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"scratch", "old.ply"}
    (tmp_path / "tiles").mkdir()
    (tmp_path / "tiles" / "index.json").write_text("old")
    with pytest.raises(UsageError, match=r"000007\.npz"):
        joined.write_folder(tmp_path / "tiles", "ply", tiling_of(2))
    assert not (tmp_path / "tiles" / "index.json").exists()
    with pytest.raises(UsageError, match=r"missing.tiles: the folder cannot be written"):
        joined.write_folder(tmp_path / "missing" / "tiles", "ply", tiling_of(2))


def test_what_a_format_cannot_keep_is_said_once(tmp_path):
    scratch = Scratch(tmp_path / "scratch")
    joined = Joined.of(scratch, cut(scratch, sphere(), boxes(sphere(), 2), 8), NAMES)
    notes = joined.write_folder(tmp_path / "tiles", "off", tiling_of(2))
    assert notes == (f"{tmp_path / 'tiles'}: OFF is written without colors; PLY keeps them",)


@pytest.mark.parametrize("suffix", ["ply", "obj"])
def test_a_folder_has_a_mesh_of_each_tile_and_an_index(tmp_path, suffix):
    mesh = both(sphere(), sphere((0, 0, 0), 0.05, 1))
    scratch = Scratch(tmp_path / "scratch")
    numbers = cut(scratch, mesh, boxes(mesh, 3), 27)
    joined = Joined.of(scratch, numbers, NAMES)
    joined.write_folder(tmp_path / "tiles", suffix, tiling_of(3))
    index = json.loads((tmp_path / "tiles" / "index.json").read_text())["tiles"]
    assert [entry["tile"] for entry in index] == numbers
    files = {entry["file"] for entry in index} - {None}
    assert files | {"index.json"} == {path.name for path in (tmp_path / "tiles").iterdir()}
    assert index[13] == {
        "tile": 13,
        "file": None,
        "low": pytest.approx([-1 / 3] * 3),
        "high": pytest.approx([1 / 3] * 3),
        "vertices": 0,
        "faces": 0,
    }
    parts = []
    for entry in index:
        if entry["file"]:
            part = read_mesh(tmp_path / "tiles" / entry["file"])
            assert len(part.vertices) == entry["vertices"] and len(part.faces) == entry["faces"]
            outside = np.maximum(entry["low"] - part.vertices, part.vertices - entry["high"])
            assert outside.max() < 0.1
            parts.append(part)
    corners = np.concatenate([part.vertices[part.faces] for part in parts])
    main = sphere()
    assert len(corners) == len(main.faces)
    np.testing.assert_allclose(
        np.sort(corners.sum((1, 2))), np.sort(main.vertices[main.faces].sum((1, 2))), atol=1e-6
    )


def test_tile_meshes_stand_alone_with_their_attributes(tmp_path):
    mesh = sheet(60, 40, closed=True)
    tile = boxes(mesh, 2)
    joined = Joined.of(Scratch(tmp_path), cut(Scratch(tmp_path), mesh, tile, 8), NAMES)
    for number, part in joined.tile_meshes():
        assert_same(part, with_faces(mesh, mesh.faces[tile == number]))


def test_a_tile_made_beside_other_tiles_is_refused(tmp_path):
    mesh = sphere(level=2)
    scratch = Scratch(tmp_path)
    numbers = cut(scratch, mesh, boxes(mesh, 2), 8)
    with pytest.raises(UsageError, match=r"mesh.00000\d\.npz: does not fit .*: delete the folder"):
        Joined.of(scratch, numbers[1:], NAMES)
    arrays = scratch.load("mesh", 0)
    scratch.save("mesh", 0, **arrays | {"shared": arrays["shared"] - 1})
    with pytest.raises(UsageError, match="does not fit the surfaces of the tiles around it"):
        Joined.of(scratch, numbers, NAMES)
    (tmp_path / "mesh" / "000003.npz").unlink()
    with pytest.raises(UsageError, match=r"000003\.npz"):
        Joined.of(scratch, numbers, NAMES)


class Strip(Scratch):
    """Tiles in a row, each a sheet of 2 rows * columns triangles, that are made when they are loaded."""

    rows, columns = 400, 300

    def load(self, kind, number):
        if kind != "mesh":
            return super().load(kind, number)
        rows, columns = self.rows, self.columns
        # the row that the next tile uses comes first; the first row is the last tile's, but in tile 0
        i, j = np.divmod(np.arange((rows + 1) * columns), columns)
        place = np.where(i == rows, j, (i + (number == 0)) * columns + j)
        owned = (rows + (number == 0)) * columns
        if number:
            place[:columns] = owned + np.arange(columns)
        order = np.argsort(place[place < owned])
        mine = place < owned
        vertices = np.stack([i + number * rows, j, 0 * i], 1).astype(np.float64)[mine][order]
        grid = place.reshape(rows + 1, columns)
        a, b, c, d = (g.ravel() for g in (grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]))
        faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
        foreign = np.stack([np.full(columns, number - 1), np.arange(columns)], 1)
        return {
            "vertices": vertices,
            "shared": np.array(columns),
            "normals": np.tile([0.0, 0, 1], (len(vertices), 1)),
            "faces": faces,
            "foreign": foreign[: columns * (number > 0)].astype(np.int32),
            "borne": np.ones(len(faces), np.float32),
            "area": np.full(len(faces), 0.5, np.float32),
        }


def test_memory_is_that_of_one_tile(tmp_path):
    """4.3 million triangles, 190 MB of arrays, are joined and written in less than 100 MB."""
    scratch, tiles = Strip(tmp_path), 18
    process, most, done = psutil.Process(), [0], threading.Event()
    Joined.of(scratch, [0])  # compiles
    gc.collect()
    before = process.memory_info().rss

    def watch():
        while not done.wait(0.005):
            most[0] = max(most[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        joined = Joined.of(scratch, range(tiles))
        joined.write_ply(tmp_path / "strip.ply")
    finally:
        done.set()
        watcher.join()
    rows, columns = scratch.rows * tiles, scratch.columns
    assert joined.facts == {
        "vertices": (rows + 1) * columns,
        "components_dropped": 0,
        "faces": 2 * rows * (columns - 1),
        "boundary_edges": 2 * (rows + columns - 1),
        "boundary_loops": 1,
        "non_manifold_edges": 0,
    }
    assert (tmp_path / "strip.ply").stat().st_size > joined.facts["vertices"] * 36 + joined.facts[
        "faces"
    ] * 13
    assert 0 < most[0] < 100e6
