"""The results of a tiled run: the mesh, the model, the report."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import NoSurface, UsageError
from ..geometry import TriangleMesh
from ..networks.registry import choose
from ..problems.problem import Run
from ..tiles_config import INDEX, split_folder
from .field import COARSE as COARSE_FILE
from .field import TiledField, write_index
from .join import Joined
from .plan import COARSE, Plan
from .report import covered_share, lengths, median, tile_rows, trimmed
from .survey import Survey

NAMES = {"normals": "file", "place": "viewpoint", "away": "up"}
"""What reports call the ways in which the outside is found."""


@dataclass(frozen=True, eq=False)
class TiledReconstruction:
    """The surface of a scan that was cut into tiles, its field, and the report (docs/report.md).

    path: the file, or the folder of a mesh for each tile, that the surface was written to; None where it is
    in memory.
    """

    path: Path | None
    field: TiledField
    report: dict[str, Any]
    joined: TriangleMesh | None = None

    @cached_property
    def mesh(self) -> TriangleMesh:
        """The surface, read from its file where it was written to one. Raises UsageError for a folder."""
        from ..io import read_mesh

        if self.joined is not None:
            return self.joined
        assert self.path is not None
        if self.path.is_dir():
            raise UsageError(f"{self.path}: has a mesh for each tile; read those that its index.json names")
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


@dataclass(frozen=True)
class Done:
    """Facts of each tile's tasks, by task and tile, the seconds of each task, and the number of workers."""

    results: dict[str, dict[int, dict[str, Any]]]
    seconds: dict[str, float]
    workers: int


def written(joined: Joined, plan: Plan, output: Path | None) -> tuple[TriangleMesh | None, list[str]]:
    """Write the surface: streamed as PLY, a mesh a tile into a folder, or through memory.

    Returns the surface where there is no output, and notes.
    """
    if not joined.facts["faces"]:
        raise NoSurface("no tile has a surface near the data; check the normals, or train for more steps")
    if output is None:
        return joined.mesh(), []
    if plan.config.tiles.split:
        return None, list(joined.write_folder(split_folder(output), output.suffix[1:], plan.tiling))
    if output.suffix.lower() == ".ply":
        joined.write_ply(output)
        return None, []
    return None, list(joined.mesh().save(output))


def kept_model(plan: Plan, whole: dict[str, Any], model: Path | None) -> TiledField:
    """The field, in the folder `model` or in a temporary one that lives as long as the field.

    An older model in its place is replaced.
    """
    folder = model or Path(tempfile.mkdtemp(prefix="sasnet-sdf-"))
    scratch = plan.scratch
    try:
        if folder.is_file():
            folder.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        for old in (folder / INDEX, *folder.glob("*.sasnet")):
            old.unlink(missing_ok=True)
        shutil.copyfile(scratch.path("coarse", COARSE, "sasnet"), folder / COARSE_FILE)
        for tile in plan.tiling.tiles:
            place = scratch.path("field", tile.number, "sasnet")
            if place.is_file():
                shutil.copyfile(place, folder / place.name)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror or error})") from error
    known = {name: whole[name] for name in ("solid", "unclosed", "spacing")}
    write_index(folder, plan.tiling, whole["training"] | known)
    field = TiledField.load(folder, plan.config.device, plan.config.engine)
    if model is None:
        weakref.finalize(field, shutil.rmtree, folder, ignore_errors=True)
    return field


def report_of(
    run: Run,
    plan: Plan,
    survey: Survey,
    whole: dict[str, Any],
    done: Done,
    joined: Joined,
    field: TiledField,
) -> dict[str, Any]:
    extraction, clean_facts = plan.config.extraction, done.results["clean"].values()
    used, merged = (sum(part[what] for part in clean_facts) for what in ("points", "merged"))
    facts, cell = joined.facts, plan.tiling.cell
    length, reach = lengths(extraction, plan.solid, whole["spacing"])
    closed = not facts["boundary_edges"]
    device = choose(plan.config.device, plan.config.engine)[0]
    coarse_frame, tiles = field.coarse.frame, tile_rows(plan.tiling, done.results, done.seconds)
    report = run.report(
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
            "duplicates_merged": merged,
            "outliers_removed": sum(tile.points for tile in plan.tiling.tiles) - merged - used,
            "far_points": survey.points - sum(tile.points for tile in plan.tiling.tiles),
            "noise": median(part.get("noise") for part in clean_facts) if plan.noisy else None,
            "noise_in_spacings": plan.noise,
            "spacing": whole["spacing"],
            "normals_from": NAMES.get(plan.outside.kind, plan.outside.kind),
            "orientation_confidence": whole["orientation_confidence"],
        },
        frame=coarse_frame.to_dict(),
        trim=trimmed(done.results, plan, closed, length, reach),
        refinement={"mode": extraction.refine},
        extraction={
            "resolution": round(2 * coarse_frame.scale / cell),
            "edge_length": cell,
            "lattice": [int(n) for n in plan.tiling.shape],
            **facts,
            "points_covered": covered_share(done.results, joined.covered),
        },
        attributes=[*(["colors"] if plan.colored and extraction.colors == "auto" else []), *extraction.carry],
        training=whole["training"],
        tiles=tiles,
        workers=done.workers,
    )
    report["peak_memory_bytes"] += done.workers * max(tile["peak_memory_bytes"] for tile in tiles)
    return report
