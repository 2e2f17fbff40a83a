"""Reconstruction of a scan of any size: survey, partition, tiles on Dask, one surface."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..config import Config
from ..errors import Finding, NoSurface, UsageError, notes, texts, warning
from ..extraction.attributes import is_label
from ..geometry import PointCloud, TriangleMesh
from ..networks.registry import choose
from ..problems.extract import FEWEST, mode_of
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
from .field import COARSE as COARSE_FILE
from .field import TiledField, write_index
from .join import Joined
from .partition import distribute, is_distributed, tiling_of
from .plan import COARSE, Outside, Plan
from .report import KINDS, covered_share, lengths, median, tile_rows, trimmed
from .scratch import MARK, Kept, Scratch, scratch_folder
from .seams import check_lattice
from .settings import check_settings, most_in_tile, wanted_cell, workers_of
from .stages import clean, measure, train
from .surface import mesh
from .survey import Survey
from .tiling import Tile

COARSE_POINTS = 300_000
"""Number of points of the thinned cloud of the whole scan."""

OVERLAP = 36.0
"""Width of a tile's overlap, in spacings: its field is trained there too, and holes that stay covered, up to
24 spacings wide, are seen whole."""

LONGEST = 2048
"""Most lattice cells along a side of a tile."""

COSTS = {"clean": (0.3, 5e-6), "field": (5.0, 5e-6), "mesh": (0.5, 3e-5)}
"""Seconds that a task takes on one core, and in addition for each point of its tile; measured."""

NAMES = {"normals": "file", "place": "viewpoint", "away": "up"}
"""What reports call the ways in which the outside is found."""


@dataclass(frozen=True, eq=False)
class TiledReconstruction:
    """The surface of a scan that was cut into tiles, its field, and the report (docs/report.md).

    path: the file that the surface was written to; None where it is in memory.
    """

    path: Path | None
    field: TiledField
    report: dict[str, Any]
    joined: TriangleMesh | None = None

    @cached_property
    def mesh(self) -> TriangleMesh:
        """The surface, read from its file where it was written to one."""
        from ..io import read_mesh

        if self.joined is not None:
            return self.joined
        assert self.path is not None
        return read_mesh(self.path)

    def __repr__(self) -> str:
        """A summary in five lines."""
        report = self.report
        facts, used = report["extraction"], report["input"]["used_points"]
        size = f"{facts['vertices']:,} vertices, {facts['faces']:,} triangles"
        lines = [
            "TiledReconstruction",
            f"  mesh: {size}, {'open' if facts['boundary_edges'] else 'closed'}",
            f"  from: {used:,} points in {report['seconds']['total']:.1f} s",
            f"  field: {len(report['tiles'])} tiles, gives distances in world units",
            f"  report: {len(report['warnings'])} warnings, {len(report['notes'])} notes",
        ]
        return "\n".join(lines)


def surface_of_tiles(
    source: Any,
    config: Config,
    on_progress: OnProgress = silent,
    output: Path | None = None,
    model: Path | None = None,
    told: Sequence[Finding] = (),
) -> TiledReconstruction:
    """Reconstruct a scan in tiles.

    source: what `reconstruct` takes, or a function without arguments that returns an iterator of PointCloud
    pieces, the same at each call. output: the mesh to write; None: it is in memory. model: the folder to
    write the fields to. told: what the user should know already. Raises a SasnetError.
    """
    check_settings(config)
    config = replace(config, tiles=workers_of(config))
    run, settings = Run(), config.tiles
    place = Path(settings.scratch) if settings.scratch else output and Path(f"{output}.tiles")
    with scratch_folder(place, resume=config.checkpoint.resume, keep=settings.keep_scratch) as (
        scratch,
        kept,
    ):
        with timed(run.seconds, "read"), stage("read", on_progress, "reading"):
            survey, plan, found = _partitioned(source, config, scratch)
        with cluster(settings, scratch, None) as workers:
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
            surface, lost = _written(joined, plan, output)
            field = _model(plan, whole, model)
        report = _report(run, plan, survey, whole, done, joined, field)
    found = [*told, *found]
    report |= {"notes": texts([*found, *notes(lost)], "note"), "warnings": texts(found, "warning")}
    return TiledReconstruction(output, field, report, surface)


def _partitioned(source: Any, config: Config, scratch: Scratch) -> tuple[Survey, Plan, list[Finding]]:
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
    tiling = tiling_of(survey.voxels, most, None if isinstance(side, str) else side, cell, OVERLAP, LONGEST)
    check_lattice(tiling)
    _check_same(scratch, config, survey)
    step(1.0, "sorting points into tiles")
    if not is_distributed(tiling, scratch, carry):
        distribute(survey, tiling, scratch, carry)
    keep_cloud(scratch, cloud)
    labels = tuple(name for name in carry if is_label(survey.coarse.scalars[name]))
    outside = Outside.of(cloud, examined.outside_from)
    plan = Plan(scratch, config, tiling, outside, labels=labels, colored=cloud.colors is not None)
    return survey, plan, notes(list(survey.notes)) + examined.findings


def _check_same(scratch: Scratch, config: Config, survey: Survey) -> None:
    """Keep what an earlier run left only if it had the same input and settings."""
    told = to_dict(config)
    told.pop("tiles")
    told.pop("checkpoint")
    told |= {
        "version": __version__,
        "points": survey.points,
        "bounds": [*survey.low.tolist(), *survey.high.tolist()],
        "side": config.tiles.side,
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
    size = float(plan.tiling.side * (plan.tiling.high - plan.tiling.low - 2).max())
    cells = max(round(plan.tiling.side / wanted_cell(plan.config, spacing, size)), 1)
    tiling = replace(plan.tiling, cells=cells)
    check_lattice(tiling)
    whole = results["coarse"] | {"spacing": spacing, "noise_in_spacings": noise}
    decided = {"noise": noise, "noisy": noise > NOISY, "spacing": spacing, "solid": whole["solid"]}
    return replace(plan, tiling=tiling, **decided), whole


@dataclass(frozen=True)
class _Done:
    """The facts of each tile's tasks, by task and tile, and the seconds of each job."""

    results: dict[str, dict[int, dict[str, Any]]]
    seconds: dict[str, float]


def _worked(plan: Plan, workers: Cluster, kept: Kept) -> _Done:
    """Clean, train and mesh all tiles."""
    jobs = list(_jobs(plan))
    eta, seconds, meshed = Eta(jobs), {}, 0

    def on_done(job: Job, result: Any, took: float) -> None:
        nonlocal meshed
        eta.finished(job, took)
        seconds[job.key] = took
        kept.worth = kept.worth or job.key.startswith("field")
        meshed += job.key.startswith("mesh")
        text = f"{meshed} of {len(plan.tiling.tiles)} tiles are done"
        # the first tasks also compile, which says nothing about the others
        report_message(eta.message(text, workers.workers) if meshed else text)

    found = workers.run(jobs, on_done)
    results: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in KINDS}
    for key, facts in found.items():
        kind, number = key.split("-")
        results[kind][int(number)] = facts
    return _Done(results, seconds)


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


def _joined(plan: Plan, workers: Cluster, done: _Done) -> Joined:
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


def _written(joined: Joined, plan: Plan, output: Path | None) -> tuple[TriangleMesh | None, list[str]]:
    """Write the surface: streamed as PLY, a mesh a tile into a folder, or through memory.

    Returns the surface where there is no output, and notes.
    """
    if not joined.facts["faces"]:
        raise NoSurface("no tile has a surface near the data; check the normals, or train for more steps")
    if output is None:
        return joined.mesh(), []
    if plan.config.tiles.split:
        return None, list(joined.write_folder(output.with_suffix(""), output.suffix[1:], plan.tiling))
    if output.suffix.lower() == ".ply":
        joined.write_ply(output)
        return None, []
    return None, list(joined.mesh().save(output))


def _model(plan: Plan, whole: dict[str, Any], model: Path | None) -> TiledField:
    """The field, in the folder `model` or in a temporary one that lives as long as the field."""
    folder = model or Path(tempfile.mkdtemp(prefix="sasnet-sdf-"))
    scratch = plan.scratch
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(scratch.path("coarse", COARSE, "sasnet"), folder / COARSE_FILE)
        for tile in plan.tiling.tiles:
            place = scratch.path("field", tile.number, "sasnet")
            if place.is_file():
                shutil.copyfile(place, folder / place.name)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror or error})") from error
    write_index(folder, plan.tiling, whole["training"] | {"solid": plan.solid, "spacing": whole["spacing"]})
    field = TiledField.load(folder, plan.config.device)
    if model is None:
        weakref.finalize(field, shutil.rmtree, folder, ignore_errors=True)
    return field


def _report(
    run: Run,
    plan: Plan,
    survey: Survey,
    whole: dict[str, Any],
    done: _Done,
    joined: Joined,
    field: TiledField,
) -> dict[str, Any]:
    extraction, clean_facts = plan.config.extraction, done.results["clean"].values()
    used = sum(part["points"] for part in clean_facts)
    facts, cell = joined.facts, plan.tiling.cell
    length, reach = lengths(extraction, plan.solid, whole["spacing"])
    closed = not facts["boundary_edges"]
    device = choose(plan.config.device, plan.config.engine)[0]
    coarse_frame = field.coarse.frame
    return run.report(
        field.coarse,
        plan.config,
        device,
        False,
        input={
            "path": survey.pieces.path,
            "kind": "cloud",
            "points": survey.points,
            "had_normals": survey.coarse.normals is not None,
            "had_sensors": survey.coarse.sensors is not None,
            "had_colors": survey.coarse.colors is not None,
            "diagonal": float(np.linalg.norm(survey.high - survey.low)),
            "used_points": used,
            "outliers_removed": sum(tile.points for tile in plan.tiling.tiles) - used,
            "far_points": survey.points - sum(tile.points for tile in plan.tiling.tiles),
            "noise": median(part.get("noise") for part in clean_facts) if plan.noisy else None,
            "noise_in_spacings": plan.noise,
            "spacing": whole["spacing"],
            "normals_from": NAMES.get(plan.outside.kind, plan.outside.kind),
            "orientation_confidence": whole["orientation_confidence"],
        },
        frame=coarse_frame.to_dict(),
        trim=trimmed(done.results, mode_of(extraction), plan.solid, closed, length, reach),
        refinement={"mode": extraction.refine},
        extraction={
            "resolution": round(2 * coarse_frame.scale / cell),
            "edge_length": cell,
            "lattice": [int(n) for n in plan.tiling.shape],
            **facts,
            "points_covered": covered_share(done.results),
        },
        attributes=[*(["colors"] if plan.colored and extraction.colors == "auto" else []), *extraction.carry],
        training=whole["training"],
        tiles=tile_rows(plan.tiling, done.results, done.seconds),
        workers=plan.config.tiles.workers,
    )
