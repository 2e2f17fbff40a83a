"""Reconstruction of a scan of any size: survey, partition, tiles on Dask, one surface."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..config import Config
from ..errors import Finding, UsageError, notes, texts, warning
from ..extraction.attributes import is_label
from ..geometry import PointCloud
from ..problems.extract import FEWEST
from ..problems.problem import Run
from ..problems.reconstruct import check_carried, check_coverage, left_behind, tell
from ..problems.surface import selected
from ..runtime.progress import NOTE, TILES, OnProgress, say, silent, stage, steps, timed
from ..runtime.progress import tell as report_message
from ..settings import to_dict
from ..supervision.cloud import NOISY
from ..tiles_config import split_folder
from .boxes import tiling_of
from .cluster import Cluster, Task, cluster
from .coarse import coarse, keep_cloud
from .decimation import decimate_tile, decimated
from .eta import Eta
from .join import Joined
from .partition import distribute, is_distributed
from .plan import Outside, Plan, on_plan
from .report import KINDS, covered_share, median
from .result import Done, TiledReconstruction, kept_model, report_of, written
from .scratch import Kept, Scratch, of_run, scratch_folder
from .settings import LONGEST, check_settings, check_tiles, most_in_tile, wanted_cell, workers_of
from .stages import clean, measure, train
from .surface import mesh
from .survey import Survey
from .tiling import Tile, Tiling

COARSE_POINTS = 300_000
"""Number of points of the thinned cloud of the whole scan."""

OVERLAP = 36.0
"""Width of a tile's overlap, in spacings: its field is trained there too, and holes that stay covered, up to
24 spacings wide, are seen whole."""

SLACK = 0.05
"""Share of a cell by which lattice cells may be larger than wanted, to fit into voxels."""

COSTS = {"clean": (0.3, 5e-6), "field": (5.0, 5e-6), "mesh": (0.5, 3e-5)}
"""Seconds that a task takes on one core, and in addition for each point of its tile; measured."""


def surface_of_tiles(
    source: Any,
    config: Config,
    on_progress: OnProgress = silent,
    output: Path | None = None,
    model: Path | None = None,
    told: Sequence[Finding] = (),
    threads: int | None = None,
) -> TiledReconstruction:
    """Reconstruct a scan in tiles.

    source: what `reconstruct` takes, or a function without arguments that returns an iterator of PointCloud
    pieces, the same at each call. output: the mesh to write; None: it is in memory. model: the folder to
    write the fields to. told: findings to report before those of this run. threads: of each worker; None: 1.
    Raises a SasnetError.
    """
    check_settings(config)
    if config.tiles.split and output is None:
        raise UsageError("split writes a mesh for each tile: name the output")
    config = replace(config, tiles=workers_of(config, threads or 1))
    run, settings = Run(), config.tiles
    place = Path(settings.scratch) if settings.scratch else output and Path(f"{output}.tiles")
    with (
        scratch_folder(place, resume=config.checkpoint.resume, keep=settings.keep_scratch) as (scratch, kept),
        cluster(settings, scratch, threads) as workers,
    ):
        with timed(run.seconds, "read"), stage("read", on_progress, "reading"):
            if workers.dashboard is not None:
                say(f"{NOTE}{workers.dashboard} shows what the workers do")
            survey, plan, found = _partitioned(source, config, scratch, threads)
        with timed(run.seconds, "supervision"), stage("supervision", on_progress, "coarse field"):
            plan, whole = _decided(plan, workers)
        found += notes(whole["notes"]) + [warning(text) for text in whole["warnings"]]
        tell(found, config, survey.pieces.name)
        with (
            timed(run.seconds, "training"),
            stage(TILES, on_progress, "cleaning, training, meshing"),
        ):
            done = _worked(plan, workers, kept)
        with timed(run.seconds, "extraction"), stage("extraction", on_progress, "joining tiles"):
            joined = _joined(plan, workers, done)
        uncovered = check_coverage(covered_share(done.results, joined.covered))
        tell(uncovered, config, survey.pieces.name)
        found += uncovered + left_behind(survey.coarse, config.extraction)
        with timed(run.seconds, "write"), stage("write", on_progress, "writing"):
            surface, lost = written(joined, plan, output)
            field = kept_model(plan, whole, model)
        report = report_of(run, plan, survey, whole, done, joined, field)
    found = [*told, *found]
    report |= {"notes": texts([*found, *notes(lost)], "note"), "warnings": texts(found, "warning")}
    if output is not None and settings.split:
        output = split_folder(output)
    return TiledReconstruction(output, field, report, surface)


def _partitioned(
    source: Any, config: Config, scratch: Scratch, threads: int | None
) -> tuple[Survey, Plan, list[Finding]]:
    """The survey, the tiles with their points on disk, and what the user should know."""
    step, side = steps(), config.tiles.side
    step(0.5, "looking at the scan")
    survey = Survey.of(source, config, COARSE_POINTS, None if isinstance(side, str) else side)
    name, carry = survey.pieces.name, config.extraction.carry
    check_carried(survey.coarse, carry)
    examined, _ = selected(survey.coarse, config.supervision, name)
    cloud = examined.geometry
    assert isinstance(cloud, PointCloud)
    voxels = survey.voxels if len(cloud) == len(survey.coarse) else survey.voxels.around(cloud.points)
    spacing, size = voxels.typical_spacing(), float(np.ptp(cloud.points, axis=0).max())
    most = most_in_tile(config)
    cell = wanted_cell(config, spacing, size)
    tiling = tiling_of(voxels, most, None if isinstance(side, str) else side, cell, OVERLAP, LONGEST)
    check_tiles(config, tiling)
    scratch = of_run(scratch, _depends_on(config, survey, tiling, threads or 1))
    step(1.0, "sorting points into tiles")
    if not is_distributed(tiling, scratch, carry):
        distribute(survey, tiling, scratch, carry)
    keep_cloud(scratch, cloud)
    labels = tuple(name for name in carry if is_label(survey.coarse.scalars[name]))
    outside = Outside.of(cloud, examined.outside_from)
    plan = Plan(scratch, config, tiling, outside, labels=labels, colored=cloud.colors is not None)
    return survey, plan, notes(list(survey.notes)) + examined.findings


def _depends_on(config: Config, survey: Survey, tiling: Tiling, threads: int) -> dict[str, Any]:
    """What the results of tiles depend on, as plain values."""
    told, coarse = to_dict(config), survey.coarse
    for name in ("tiles", "checkpoint", "max_memory"):  # these decide about the tiles alone
        told.pop(name)
    sample = hashlib.sha256()
    for values in (coarse.points, coarse.normals, coarse.colors, coarse.sensors, *coarse.scalars.values()):
        sample.update(b"" if values is None else np.ascontiguousarray(values).tobytes())
    return told | {
        "version": __version__,
        "threads": threads,
        "points": survey.points,
        "bounds": [*survey.low.tolist(), *survey.high.tolist()],
        "sample": sample.hexdigest(),
        "tiling": tiling.to_dict(),
    }


def _decided(plan: Plan, workers: Cluster) -> tuple[Plan, dict[str, Any]]:
    """The plan with what the whole scan decides, and the facts of the coarse field."""
    numbers = [tile.number for tile in plan.tiling.tiles]
    place = plan.written()
    tasks = [Task("coarse", on_plan, (place, coarse), cost=30.0)]
    tasks += [Task(f"noise-{n}", on_plan, (place, measure, n)) for n in numbers]
    results = workers.run(tasks, lambda *_: None)
    measured = [results[f"noise-{n}"] for n in numbers]
    noise = median(part["noise"] for part in measured) or 0.0
    spacing = median(part["spacing"] for part in measured) or plan.tiling.cell
    whole = results["coarse"] | {"spacing": spacing, "noise_in_spacings": noise}
    wanted = wanted_cell(plan.config, spacing, whole["size"])
    cells = max(int(np.ceil(plan.tiling.side / wanted - SLACK)), 1)
    tiling = replace(plan.tiling, cells=cells)
    check_tiles(plan.config, tiling)
    decided = {"noise": noise, "noisy": noise > NOISY, "spacing": spacing}
    shape = {name: bool(whole[name]) for name in ("solid", "unclosed")}
    return replace(plan, tiling=tiling, **decided, **shape), whole


def _worked(plan: Plan, workers: Cluster, kept: Kept) -> Done:
    """Clean, train and mesh all tiles."""
    tasks = list(_tasks(plan))
    eta, seconds, meshed, count = Eta(tasks), {}, 0, 1

    def on_done(task: Task, result: Any, took: float) -> None:
        nonlocal meshed, count
        eta.finished(task, took)
        seconds[task.key] = took
        kept.worth = kept.worth or task.key.startswith("field")
        meshed += task.key.startswith("mesh")
        text = f"{meshed} of {len(plan.tiling.tiles)} tiles are done"
        count = max(count, workers.workers)
        # the first tasks also compile, which says nothing about the others
        report_message(eta.message(text, count) if meshed else text)

    found = workers.run(tasks, on_done)
    results: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in KINDS}
    for key, facts in found.items():
        kind, number = key.split("-")
        results[kind][int(number)] = facts
    return Done(results, seconds, count)


def _tasks(plan: Plan) -> Iterator[Task]:
    """The tasks of all tiles, each after those whose results it reads."""
    tiling, reach = plan.tiling, plan.halo * plan.tiling.cell

    def keys(kind: str, tiles: list[Tile]) -> list[str]:
        return [f"{kind}-{tile.number}" for tile in tiles]

    place = plan.written()

    def task(kind: str, work: Callable[..., Any], tile: Tile, after: Sequence[str] = ()) -> Task:
        fixed, each = COSTS[kind]
        cost = fixed + each * tile.points
        return Task(f"{kind}-{tile.number}", on_plan, (place, work, tile.number), tuple(after), cost)

    for tile in tiling.tiles:
        yield task("clean", clean, tile)
    for tile in tiling.tiles:
        yield task("field", train, tile, keys("clean", [tile, *tiling.around(tile, tile.overlap)]))
    for tile in sorted(tiling.tiles, key=lambda tile: (tiling.colors[tile.number], tile.number)):
        fields = keys("field", [tile, *tiling.overlapping(tile, reach)])
        yield task("mesh", mesh, tile, fields + keys("mesh", tiling.before(tile)))


def _joined(plan: Plan, workers: Cluster, done: Done) -> Joined:
    """The whole surface, with as many faces as the settings ask for."""
    extraction, numbers = plan.config.extraction, [tile.number for tile in plan.tiling.tiles]
    step = steps()
    step(0.5, "joining tiles")
    used = sum(part["points"] for part in done.results["clean"].values())
    fewest = min(FEWEST, extraction.smallest_component * used)
    joined = Joined.of(plan.scratch, numbers, extraction.carry, fewest, extraction.keep_components)
    if extraction.faces is None:
        return joined
    step(1.0, "decimating")

    def run(calls: list[tuple[Any, ...]]) -> None:
        place = plan.written()
        tasks = [Task(f"decimate-{call[0]}", on_plan, (place, decimate_tile, *call)) for call in calls]
        workers.run(tasks, lambda *_: None)

    return decimated(joined, plan, extraction.faces, run)
