"""`sasnet-sdf reconstruct`: from a scan to a surface."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..config import Config
from ..errors import Interrupted, NoSurface
from ..problems.settings import make_config
from ..runtime.progress import OnProgress, Progress, stage
from . import options
from .outputs import Job, MeshFormat, Saver, check_outputs, check_split, planned
from .progress import StopRequest, watched

STOPPING = "stopping: the surface so far will be written; Ctrl-C again stops at once"
INTERRUPTED = "interrupted: training ended early, and the surface is the one that it had reached"


@click.command("reconstruct", cls=options.Command)
@click.argument("sources", type=options.FILE, metavar="INPUT...", nargs=-1, required=True)
@options.settings(Config, "normals", "viewpoint", "up")
@options.option("--merge", "Merge all INPUTs into one scan, with one surface.", "Input")
@options.settings(Config, "classes", "crop", "max_points")
@options.option(
    "-o, --output OUTPUT",
    "Mesh to write, or a folder; for several INPUTs a folder. [default: INPUT_surface.ply, beside INPUT]",
    "Output",
    type=options.FILE,
)
@options.option("--save-model FILE.sasnet", "Write the trained field too.", "Output", type=options.FILE)
@options.report
@options.option(
    "--format",
    "Format of the mesh where --output names no file. [default: ply]",
    "Output",
    name="form",
    type=MeshFormat(),
    metavar=MeshFormat.name,
)
@options.overwrite
@options.settings(Config, *options.LATTICE, "refine", "colors", "carry")
@options.preset("How much work to spend: about 7, 10 or 30 seconds for 200,000 points on two cores.")
@options.settings(Config, "steps", "batch", "time_limit", "seed")
@options.model
@options.set_other("width=128 or supervision.targets=200000")
@options.checkpoint
@options.engine
@options.settings(Config, "strict")
@options.settings(Config, "tiles", "workers", "scheduler", "scratch", "keep_scratch", "split")
@options.run
@click.make_pass_decorator(options.Session, ensure=True)
def command(
    session: options.Session,
    sources: tuple[Path, ...],
    output: Path | None,
    merge: bool,
    save_model: Path | None,
    report: Path | None,
    form: str | None,
    preset: str,
    overwrite: bool,
    progress: str,
    quiet: bool,
    **values: Any,
) -> None:
    """Turn INPUT, a point cloud or a mesh, into a clean triangle mesh in the same coordinates.

    \b
    sasnet-sdf reconstruct scan.ply
    sasnet-sdf reconstruct scan.laz --preset fast --edge-length 0.05 -o terrain.obj
    sasnet-sdf reconstruct a.ply b.ply --merge -o both.ply --report both.json

    INPUT is a PLY, LAS, LAZ, E57, PTX, PTS, XYZ, ASC, TXT, CSV, PCD, NPY, NPZ, OBJ, STL, OFF or GLB
    file; OUTPUT a .ply, .obj, .stl, .off or .glb file. Files that exist are kept unless --overwrite is
    given. LAS, LAZ and E57 need pip install "sasnet-sdf[lidar]".

    The surface ends where the scan ends, and is closed where the scan surrounds a solid.

    Several INPUTs are processed one after the other, and one that fails does not stop the others; a
    table closes the run. Files are named after the inputs, and --output, --save-model and --report
    name folders. With --merge all INPUTs are one scan; its surface is INPUT_merged_surface.ply, after
    the first of them, unless --output is given.

    A scan with more detail or more points than one field holds is cut into tiles, which needs
    pip install "sasnet-sdf[tiles]". If such a run is stopped, --resume goes on with it.

    The first Ctrl-C during training ends the training and writes the surface so far (exit code 130). A
    second one, or one outside training, stops at once and writes nothing.
    """
    config = make_config(preset, **values)
    jobs = planned([sources] if merge else [(each,) for each in sources], output, save_model, report, form)
    for job in jobs:
        for source in job.sources:
            check_outputs(source, *job.outputs, formats=("mesh",), overwrite=overwrite)
        if config.tiles.split:
            check_split(job.output, job.sources, overwrite)
    from .summary import batch_warnings, summarize, summarize_batch, warning_lines

    failures: list[Exception] = []
    with watched(progress, quiet, STOPPING) as (stop, watch):
        if len(jobs) == 1:
            numbers = _done(jobs[0], config, session, stop, watch)
            text, warnings = summarize(numbers, jobs[0].written(numbers)), warning_lines(numbers["warnings"])
        else:
            results = list(_one_by_one(jobs, config, session, stop, watch))
            text, warnings = summarize_batch(results), batch_warnings(results)
            failures = [error for _, error in results if isinstance(error, Exception)]
    for line in warnings if quiet else [text]:
        click.echo(line, err=True)
    if stop.requested:
        raise click.exceptions.Exit(Interrupted.exit_code)
    if failures:
        codes = {getattr(error, "exit_code", 1) for error in failures}
        raise click.exceptions.Exit(codes.pop() if len(codes) == 1 else 1)


def _one_by_one(
    jobs: list[Job], config: Config, session: options.Session, stop: StopRequest, watch: OnProgress
) -> Iterator[tuple[Job, dict[str, Any] | Exception]]:
    """Each job with the figures of its report or the error that ended it; no more jobs after a stop."""
    for number, job in enumerate(jobs):
        name = job.source.name

        def part(progress: Progress, number: int = number, name: str = name) -> bool | None:
            return watch(replace(progress, part=number, parts=len(jobs), label=name))

        own = config
        # each scan's own, so that one that fails can be resumed after the others
        if config.tiles.scratch is not None:
            place = Path(config.tiles.scratch) / f"{job.output.name}.tiles"
            own = replace(config, tiles=replace(config.tiles, scratch=str(place)))
        try:
            yield job, _done(job, own, session, stop, part)
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001 - the other jobs are done after any error
            if session.verbose:
                traceback.print_exc()
            yield job, error
        if stop.requested:
            return


def _done(
    job: Job, config: Config, session: options.Session, stop: StopRequest, watch: OnProgress
) -> dict[str, Any]:
    """Do a job, write its files, and return the figures of its report."""
    started = time.perf_counter()
    watch(Progress("read", 0.0, "reading"))
    from ..tiles.choice import surface_of_any
    from ..tiles.result import TiledReconstruction
    from .summary import log_choices

    try:
        source = job.source if len(job.sources) == 1 else job.sources
        result = surface_of_any(source, config, watch, job.output, job.model, session.threads)
    except NoSurface as error:
        if stop.requested:
            raise Interrupted("interrupted before the field had a surface; nothing was written") from error
        raise
    log_choices(result.report)
    saver = Saver(started)
    lost: Sequence[str] = ()
    if not isinstance(result, TiledReconstruction):  # tiles are written while they are joined
        with stage("write", watch):
            lost = saver.save(result.mesh.save, job.output) or ()
            if job.model:
                saver.save(result.field.save, job.model)
    notes = [*result.report["notes"], *lost, *[INTERRUPTED] * stop.requested]
    numbers = {**result.report, "notes": notes, "interrupted": stop.requested}
    numbers = saver.finish(numbers, session.arguments, job.report, config.checkpoint.folder)
    watch(Progress("write", 1.0, str(job.written(numbers)[0])))
    return numbers
