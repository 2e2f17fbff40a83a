"""Reconstruction of a scan of any size: survey, partition, tiles on Dask, one surface."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..config import Config
from ..errors import Finding, notes, texts, warning
from ..extraction.attributes import is_label
from ..geometry import PointCloud
from ..problems.extract import FEWEST
from ..problems.problem import Run
from ..problems.reconstruct import check_carried, check_coverage, left_behind, tell
from ..problems.surface import selected
from ..runtime.progress import TILES, OnProgress, silent, stage, steps, timed
from ..runtime.progress import tell as report_message
from ..settings import to_dict
from ..supervision.cloud import NOISY
from .cluster import Cluster, Job, cluster
from .coarse import coarse, keep_cloud
from .decimation import thin, thinned
from .eta import Eta
from .join import Joined
from .partition import distribute, is_distributed, tiling_of
from .plan import Outside, Plan
from .report import KINDS, covered_share, median
from .result import Done, TiledReconstruction, kept_model, report_of, written
from .scratch import MARK, Kept, Scratch, scratch_folder
from .seams import check_lattice
from .settings import check_memory, check_settings, most_in_tile, wanted_cell, workers_of
from .stages import clean, measure, train
from .surface import mesh
from .survey import Survey
from .tiling import Tile, Tiling

COARSE_POINTS = 300_000
"""Number of points of the thinned cloud of the whole scan."""

OVERLAP = 36.0
"""Width of a tile's overlap, in spacings: its field is trained there too, and holes that stay covered, up to
24 spacings wide, are seen whole."""

LONGEST = 2048
"""Most lattice cells along a side of a tile."""

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
    write the fields to. told: what the user should know already. threads: of each worker; None: 1. Raises a
    SasnetError.
    """
    check_settings(config)
    config = replace(config, tiles=workers_of(config))
    run, settings = Run(), config.tiles
    place = Path(settings.scratch) if settings.scratch else output and Path(f"{output}.tiles")
    with (
        scratch_folder(place, resume=config.checkpoint.resume, keep=settings.keep_scratch) as (scratch, kept),
        cluster(settings, scratch, threads) as workers,
    ):
        with timed(run.seconds, "read"), stage("read", on_progress, "reading"):
            survey, plan, found = _partitioned(source, config, scratch, threads)
        with timed(run.seconds, "supervision"), stage("supervision", on_progress, "coarse field"):
            plan, whole = _decided(plan, workers)
        found += notes(whole["notes"]) + [warning(text) for text in whole["warnings"]]
        tell(found, config, survey.pieces.name)
        with timed(run.seconds, "training"), stage(TILES, on_progress, "tiles"):
            done = _worked(plan, workers, kept)
        with timed(run.seconds, "extraction"), stage("extraction", on_progress, "joining tiles"):
            joined = _joined(plan, workers, done)
        found += check_coverage(covered_share(done.results))
        found += left_behind(survey.coarse, config.extraction)
        with timed(run.seconds, "write"), stage("write", on_progress, "writing"):
            surface, lost = written(joined, plan, output)
            field = kept_model(plan, whole, model)
        report = report_of(run, plan, survey, whole, done, joined, field)
    found = [*told, *found]
    report |= {"notes": texts([*found, *notes(lost)], "note"), "warnings": texts(found, "warning")}
    if output is not None and settings.split:
        output = output.with_suffix("")
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
    check_lattice(tiling)
    check_memory(config, max(tile.points for tile in tiling.tiles))
    _check_same(scratch, config, survey, tiling, threads)
    step(1.0, "sorting points into tiles")
    if not is_distributed(tiling, scratch, carry):
        distribute(survey, tiling, scratch, carry)
    keep_cloud(scratch, cloud)
    labels = tuple(name for name in carry if is_label(survey.coarse.scalars[name]))
    outside = Outside.of(cloud, examined.outside_from)
    plan = Plan(scratch, config, tiling, outside, labels=labels, colored=cloud.colors is not None)
    return survey, plan, notes(list(survey.notes)) + examined.findings


def _check_same(
    scratch: Scratch, config: Config, survey: Survey, tiling: Tiling, threads: int | None
) -> None:
    """Keep what an earlier run left only if it had the same input, settings and tiles."""
    told = to_dict(config)
    for name in ("tiles", "checkpoint", "max_memory"):  # these decide about the tiles alone
        told.pop(name)
    told |= {
        "version": __version__,
        "threads": threads,
        "points": survey.points,
        "bounds": [*survey.low.tolist(), *survey.high.tolist()],
        "tiling": tiling.to_dict(),
    }
    text, place = json.dumps(told, sort_keys=True), scratch.folder / MARK
    if place.read_text("utf-8") != text:
        for part in scratch.folder.iterdir():
            if part.is_dir() and part.name != "workers":
                shutil.rmtree(part, ignore_errors=True)
        scratch.write(place, lambda partial: partial.write_text(text, "utf-8"))


def _decided(plan: Plan, workers: Cluster) -> tuple[Plan, dict[str, Any]]:
    """The plan with what the whole scan decides, and the facts of the coarse field."""
    numbers = [tile.number for tile in plan.tiling.tiles]
    jobs = [Job("coarse", coarse, (plan,), cost=30.0)]
    jobs += [Job(f"noise-{n}", measure, (plan, n)) for n in numbers]
    results = workers.run(jobs, lambda *_: None)
    measured = [results[f"noise-{n}"] for n in numbers]
    noise = median(part["noise"] for part in measured) or 0.0
    spacing = median(part["spacing"] for part in measured) or plan.tiling.cell
    whole = results["coarse"] | {"spacing": spacing, "noise_in_spacings": noise}
    wanted = wanted_cell(plan.config, spacing, whole["size"])
    cells = max(int(np.ceil(plan.tiling.side / wanted - SLACK)), 1)
    tiling = replace(plan.tiling, cells=cells)
    check_lattice(tiling)
    decided = {"noise": noise, "noisy": noise > NOISY, "spacing": spacing}
    shape = {name: whole[name] for name in ("solid", "unclosed")}
    return replace(plan, tiling=tiling, **decided, **shape), whole


def _worked(plan: Plan, workers: Cluster, kept: Kept) -> Done:
    """Clean, train and mesh all tiles."""
    jobs = list(_jobs(plan))
    eta, seconds, meshed, count = Eta(jobs), {}, 0, 1

    def on_done(job: Job, result: Any, took: float) -> None:
        nonlocal meshed, count
        eta.finished(job, took)
        seconds[job.key] = took
        kept.worth = kept.worth or job.key.startswith("field")
        meshed += job.key.startswith("mesh")
        text = f"{meshed} of {len(plan.tiling.tiles)} tiles are done"
        count = max(count, workers.workers)
        # the first tasks also compile, which says nothing about the others
        report_message(eta.message(text, count) if meshed else text)

    found = workers.run(jobs, on_done)
    results: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in KINDS}
    for key, facts in found.items():
        kind, number = key.split("-")
        results[kind][int(number)] = facts
    return Done(results, seconds, count)


def _jobs(plan: Plan) -> Iterator[Job]:
    """The tasks of all tiles, each after those whose results it reads."""
    tiling, reach = plan.tiling, plan.halo * plan.tiling.cell

    def keys(kind: str, tiles: list[Tile]) -> list[str]:
        return [f"{kind}-{tile.number}" for tile in tiles]

    order = sorted(tiling.tiles, key=lambda tile: (tiling.colors[tile.number], tile.number))
    for tile in tiling.tiles:
        yield Job(f"clean-{tile.number}", clean, (plan, tile.number), cost=_cost("clean", tile))
    for tile in tiling.tiles:
        after = keys("clean", [tile, *tiling.around(tile, tile.overlap)])
        yield Job(f"field-{tile.number}", train, (plan, tile.number), tuple(after), _cost("field", tile))
    for tile in order:
        after = keys("field", [tile, *tiling.overlapping(tile, reach)]) + keys("mesh", tiling.before(tile))
        yield Job(f"mesh-{tile.number}", mesh, (plan, tile.number), tuple(after), _cost("mesh", tile))


def _cost(kind: str, tile: Tile) -> float:
    fixed, each = COSTS[kind]
    return fixed + each * tile.points


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
        workers.run([Job(f"thin-{call[1]}", thin, call) for call in calls], lambda *_: None)

    return thinned(joined, plan, extraction.faces, run)
