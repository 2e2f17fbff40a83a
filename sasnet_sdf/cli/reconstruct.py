"""`sasnet-sdf reconstruct`: a scan goes in, a surface comes out."""

from __future__ import annotations

import shlex
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config import Config
from ..errors import Interrupted, NoSurface
from ..pipelines.settings import make_config
from ..runtime.progress import OnProgress, Progress, stage
from ..runtime.system import peak_memory_bytes
from .jobs import Job, MeshFormat, planned
from .options import (
    FILE,
    INPUT,
    OUTPUT_GROUP,
    Command,
    Session,
    checkpoint_options,
    engine_options,
    lattice_options,
    model_option,
    option,
    overwrite_option,
    preset_option,
    progress_option,
    quiet_option,
    set_option,
    settings,
    threads_option,
    verbose_option,
)
from .outputs import Saver, check_outputs, write_json
from .progress import Show, shown
from .stop import StopRequest

if TYPE_CHECKING:
    from ..pipelines.reconstruct import Reconstruction

STOPPING = "stopping: the surface so far will be written; Ctrl-C again stops at once"
INTERRUPTED = "interrupted: training ended early, the surface is the one it had reached"


@click.command("reconstruct", cls=Command, short_help="Turn a scan into a surface.")
@click.argument("sources", type=FILE, metavar="INPUT...", nargs=-1, required=True)
@settings(Config, "normals", "viewpoint", "up")
@option("--merge", group=INPUT, is_flag=True, help="Make one scan, and one surface, of all INPUTs.")
@settings(Config, "classes", "crop", "max_points")
@option(
    "-o",
    "--output",
    group=OUTPUT_GROUP,
    type=FILE,
    metavar="OUTPUT",
    help="Mesh to write, or a folder; of several INPUTs a folder. [default: INPUT_surface.ply, beside INPUT]",
)
@option("--save-model", group=OUTPUT_GROUP, type=FILE, metavar="FILE.sasnet", help="Keep the field as well.")
@option(
    "--report", group=OUTPUT_GROUP, type=FILE, metavar="FILE.json", help="Keep what was done, in numbers."
)
@option(
    "--format",
    "form",
    group=OUTPUT_GROUP,
    type=MeshFormat(),
    metavar=MeshFormat.name,
    help="Format of the mesh where --output names no file. [default: ply]",
)
@overwrite_option
@lattice_options
@settings(Config, "refine", "colors", "carry")
@preset_option("How much work to spend.")
@settings(Config, "steps", "batch", "time_limit", "seed")
@model_option
@set_option("width=128 or supervision.targets=200000")
@checkpoint_options
@engine_options
@threads_option
@settings(Config, "strict")
@progress_option
@quiet_option
@verbose_option
@click.make_pass_decorator(Session, ensure=True)
def command(
    session: Session,
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
    **changes: Any,
) -> None:
    """Turn INPUT, a point cloud or a mesh, into a clean triangle mesh in the same coordinates.

    INPUT is a PLY, LAS, LAZ, E57, PTX, PTS, XYZ, ASC, TXT, CSV, PCD, NPY, NPZ, OBJ, STL, OFF or GLB
    file; OUTPUT a .ply, .obj, .stl, .off or .glb file. A file that exists is kept unless --overwrite
    is given.

    \b
    sasnet-sdf reconstruct scan.ply
    sasnet-sdf reconstruct scan.laz --preset fast --edge-length 0.05 -o terrain.obj
    sasnet-sdf reconstruct a.ply b.ply --merge -o both.ply --report both.json

    LAS, LAZ and E57 need pip install "sasnet-sdf[lidar]".

    The surface ends where the scan does, and is closed where the scan lies all around a solid.

    Several INPUTs are done one after the other, past those that fail; a table closes the run. What
    is written has the names of the inputs, and --output, --save-model and --report name folders.
    With --merge they are one scan, whose surface is the first one's INPUT_merged_surface.ply by default.

    Ctrl-C during training ends the training and writes the surface that it has (exit code 130);
    a second Ctrl-C, or one outside training, stops at once and writes nothing.
    """
    config = make_config(preset, **changes)

    jobs = planned(
        [sources] if merge else [(source,) for source in sources], output, save_model, report, form
    )
    for job in jobs:
        for source in job.sources:
            check_outputs(source, *job.outputs, formats=("mesh",), overwrite=overwrite)
    from .summary import batch_warnings, summarise, summarise_batch, warning_lines

    failures: list[Exception] = []
    with StopRequest() as stop, shown(progress, quiet) as show:
        watch = watcher(stop, show)
        if len(jobs) == 1:
            numbers = _done(jobs[0], config, session, stop, watch)
            told, warned = summarise(numbers, jobs[0].outputs), warning_lines(numbers["warnings"])
        else:
            results = list(_one_by_one(jobs, config, session, stop, watch))
            told, warned = summarise_batch(results), batch_warnings(results)
            failures = [error for _, error in results if isinstance(error, Exception)]
    for text in warned if quiet else [told]:
        click.echo(text, err=True)
    if stop.requested:
        raise click.exceptions.Exit(Interrupted.exit_code)
    if failures:
        codes = {getattr(error, "exit_code", 1) for error in failures}
        raise click.exceptions.Exit(codes.pop() if len(codes) == 1 else 1)


def _one_by_one(
    jobs: list[Job], config: Config, session: Session, stop: StopRequest, watch: OnProgress
) -> Iterator[tuple[Job, dict[str, Any] | Exception]]:
    """Each job with its numbers, or with the error that ended it; none after a stop."""
    for number, job in enumerate(jobs):
        name = job.source.name

        def part(progress: Progress, number: int = number, name: str = name) -> bool | None:
            return watch(replace(progress, part=number, parts=len(jobs), label=name))

        try:
            yield job, _done(job, config, session, stop, part)
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are to be done
            if session.verbose:
                traceback.print_exc()
            yield job, error
        if stop.requested:
            return


def _done(job: Job, config: Config, session: Session, stop: StopRequest, watch: OnProgress) -> dict[str, Any]:
    """Do it, write what was asked for, and give the numbers of the report."""
    started = time.perf_counter()
    watch(Progress("read", 0.0, "reading"))
    source = job.source if len(job.sources) == 1 else job.sources
    result = _reconstruct(source, config, stop, watch)
    write_started = time.perf_counter()
    saver = Saver()
    with stage("write", watch):
        lost = saver.save(result.mesh.save, job.output) or ()
        if job.model:
            saver.save(result.field.save, job.model)
    now = time.perf_counter()
    numbers = {
        **result.report,
        "notes": [*result.report["notes"], *lost, *[INTERRUPTED] * stop.requested],
        "interrupted": stop.requested,
        "peak_memory_bytes": peak_memory_bytes(),
        "command": shlex.join(["sasnet-sdf", *session.words]),
        "seconds": {**result.report["seconds"], "write": now - write_started, "total": now - started},
    }
    if job.report:
        saver.save(lambda path: write_json(path, numbers), job.report)
    saver.check(config.checkpoint.folder)
    watch(Progress("write", 1.0, str(job.output)))
    return numbers


def watcher(stop: StopRequest, show: Show, stopping: str = STOPPING) -> OnProgress:
    """The progress callback: shows, and answers whether to go on."""

    def watch(progress: Progress) -> bool:
        goes_on = stop.goes_on(progress)
        show(progress if goes_on else replace(progress, message=stopping))
        return goes_on

    return watch


def _reconstruct(
    source: Path | Sequence[Path], config: Config, stop: StopRequest, watch: OnProgress
) -> Reconstruction:
    """The pipeline; Interrupted where a stop signal ended it before there was a surface."""
    try:
        from ..pipelines.reconstruct import surface_of_source

        return surface_of_source(source, config, watch)
    except NoSurface as error:
        if stop.requested:
            raise Interrupted("interrupted before the field had a surface; nothing was written") from error
        raise
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted; nothing was written") from error
