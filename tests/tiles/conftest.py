"""Tiled runs without Dask, shapes that are known exactly, and what a mesh's edges tell."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import sasnet_sdf
from sasnet_sdf.config import Config
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.tiles import coarse
from sasnet_sdf.tiles import reconstruct as module
from sasnet_sdf.tiles.decimation import decimate_tile, decimated
from sasnet_sdf.tiles.join import Joined
from sasnet_sdf.tiles.scratch import Scratch
from sasnet_sdf.tiles.surface import mesh

SMALL = {
    "preset": "fast",
    "device": "cpu",
    "steps": 100,
    "batch": 512,
    "settings": (
        "supervision.targets=6000",
        "training.eikonal_batch=64",
        "model.grid.levels=2",
        "model.grid.finest=16",
        "model.grid.log2_table=12",
    ),
}
SOLID = 32
"""Lattice cells along the cube in which a small scan is told to be a solid or a sheet."""


class Serial:
    """Runs tasks one after the other, and of those that may run, the last one first.

    So a task that reads the result of one that it does not name finds nothing there.
    """

    workers = 1
    dashboard = None

    def run(self, tasks: Sequence[Any], on_done: Callable[..., object]) -> dict[str, Any]:
        results: dict[str, Any] = {}
        waiting = list(tasks)
        while waiting:
            task = next(task for task in reversed(waiting) if all(key in results for key in task.after))
            results[task.key] = task.call(*task.arguments)
            on_done(task, results[task.key], 0.0)
            waiting.remove(task)
        return results


@contextmanager
def _serial(*_: object) -> Iterator[Serial]:
    yield Serial()


@pytest.fixture
def serially(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiled runs without Dask, one task after the other."""
    monkeypatch.setattr(module, "cluster", _serial)
    monkeypatch.setattr(coarse, "RESOLUTION", SOLID)


@dataclass(frozen=True)
class Run:
    """A tiled run of a source, its plan, which names the folder of its tasks' results, and its settings."""

    source: Any
    result: Any
    plan: Any
    config: Config

    @property
    def mesh(self) -> TriangleMesh:
        return self.result.mesh

    @property
    def report(self) -> dict[str, Any]:
        return self.result.report

    @property
    def folder(self) -> Path:
        return self.plan.scratch.folder.parent

    def cut_again(self, folder: Path, faces: int | None = None, drop: Iterable[int] = (), **options: Any):
        """(mesh, report of each tile): the surface by other settings of extraction, of the same fields.

        drop: the tiles whose fields are lost.
        """
        for kind in ("raw", "clean", "coarse", "field"):
            shutil.copytree(self.plan.scratch.folder / kind, folder / kind)
        for number in drop:
            Scratch(folder).path("field", number, "sasnet").unlink()
        extraction = replace(self.config.extraction, **options)
        solid = self.plan.solid and extraction.trim == "auto" and not extraction.watertight
        config = replace(self.config, extraction=extraction)
        plan = replace(self.plan, config=config, scratch=Scratch(folder), solid=solid)
        tiles = sorted(plan.tiling.tiles, key=lambda tile: (plan.tiling.colors[tile.number], tile.number))
        facts = {tile.number: mesh(plan, tile.number) for tile in tiles}
        joined = Joined.of(plan.scratch, sorted(facts), extraction.carry)
        if faces is not None:
            joined = decimated(
                joined, plan, faces, lambda calls: [decimate_tile(plan, *call) for call in calls]
            )
        return joined.mesh(), facts


@pytest.fixture(scope="session")
def small() -> Callable[..., Config]:
    """small(...): the settings of a small run; keyword arguments are those of `reconstruct`."""
    return lambda **options: sasnet_sdf.make_config(**{**SMALL, **options})


@pytest.fixture(scope="session")
def tiled(tmp_path_factory: pytest.TempPathFactory, small: Callable[..., Config]) -> Callable[..., Run]:
    """tiled(source, tiles=side, ...): a run without Dask, whose scratch folder is kept."""

    def tiled(source: Any, *, output: Path | None = None, model: Path | None = None, **options: Any) -> Run:
        given = {"scratch": str(tmp_path_factory.mktemp("scratch")), "keep_scratch": True, "workers": 1}
        config, plans, worked = small(**{**given, **options}), [], module._worked
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as workers do
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(module, "cluster", _serial)
                patch.setattr(coarse, "RESOLUTION", SOLID)
                patch.setattr(
                    module, "_worked", lambda plan, *rest: plans.append(plan) or worked(plan, *rest)
                )
                result = module.surface_of_tiles(source, config, output=output, model=model)
        finally:
            torch.set_num_threads(threads)
        return Run(source, result, plans[0], config)

    return tiled


@dataclass(frozen=True)
class Edges:
    """boundary: (B, 2) the edges of one triangle. branching: how many have more than two, or two that are
    turned against each other. pieces: of vertices that edges connect. double: vertices at the place of
    another, or in no triangle."""

    boundary: np.ndarray
    branching: int
    pieces: int
    double: int

    @property
    def closed(self) -> bool:
        return not (len(self.boundary) or self.branching or self.double)


@pytest.fixture(scope="session")
def edges() -> Callable[[TriangleMesh], Edges]:
    """edges(mesh): what its edges tell, counted one by one."""

    def edges(mesh: TriangleMesh) -> Edges:
        count = len(mesh.vertices)
        directed = np.concatenate([mesh.faces[:, [k, (k + 1) % 3]] for k in range(3)])
        both, uses = np.unique(np.sort(directed, 1), axis=0, return_counts=True)
        _, runs = np.unique(directed, axis=0, return_counts=True)
        graph = coo_array((np.ones(len(both)), tuple(both.T)), (count, count))
        pieces, _ = connected_components(graph, directed=False)
        lone = count - len(np.unique(mesh.faces))
        double = count - len(np.unique(mesh.vertices.astype(np.float32), axis=0))
        return Edges(both[uses == 1], int((uses > 2).sum() + (runs > 1).sum()), pieces, double + lone)

    return edges


def _directions(count: int, seed: int) -> np.ndarray:
    """Directions (N, 3) that are spread evenly, then moved a little."""
    k = np.arange(count) + 0.5
    z, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    even = np.stack([np.cos(turn) * np.sqrt(1 - z**2), np.sin(turn) * np.sqrt(1 - z**2), z], 1)
    moved = even + 0.3 / np.sqrt(count) * np.random.default_rng(seed).normal(size=even.shape)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


@pytest.fixture(scope="session")
def ball() -> Callable[..., PointCloud]:
    """ball(count, noise=0.0): points with normals on the unit sphere around the origin."""

    def ball(count: int, noise: float = 0.0) -> PointCloud:
        normals = _directions(count, 0)
        return PointCloud(normals + noise * np.random.default_rng(1).normal(size=normals.shape), normals)

    return ball


@pytest.fixture(scope="session")
def sphere(
    tiled: Callable[..., Run], ball: Callable[..., PointCloud], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A colored sphere in 8 tiles, with the height as a scalar and the half as a label; its model is kept."""
    cloud = ball(5000)
    z = cloud.points[:, 2]
    colors = np.rint(127.5 * (1 + cloud.points)).astype(np.uint8)
    scalars = {"height": z.astype(np.float32), "half": (z > 0).astype(np.int16)}
    cloud = PointCloud(cloud.points, cloud.normals, colors, scalars=scalars)
    model = tmp_path_factory.mktemp("model") / "ball"
    return tiled(cloud, tiles=1.2, edge_length=0.075, carry=("height", "half"), model=model)
