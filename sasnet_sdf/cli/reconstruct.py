"""`sasnet-sdf reconstruct`: a scan goes in, a surface comes out."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config import Config
from ..errors import Interrupted, NoSurface
from ..pipelines.settings import make_config
from ..progress import OnProgress, Progress
from ..system import peak_memory_bytes
from .options import (
    FILE,
    OUTPUT,
    Session,
    checkpoint_options,
    device_option,
    engine_option,
    lattice_options,
    model_option,
    overwrite_option,
    preset_option,
    progress_option,
    quiet_option,
    set_option,
    verbose_option,
)
from .outputs import check_outputs, write_json
from .progress import Show, shown
from .stop import StopRequest

if TYPE_CHECKING:
    from ..pipelines.reconstruct import Reconstruction

STOPPING = "stopping: the surface so far will be written; Ctrl-C again stops at once"
INTERRUPTED = "interrupted: training ended early, the surface is the one it had reached"


@click.command("reconstruct", short_help="Turn a scan into a surface.")
@click.argument("source", type=FILE, metavar="INPUT")
@click.option(
    "-o",
    "--output",
    type=OUTPUT,
    metavar="OUTPUT",
    help="Mesh to write. [default: INPUT_surface.ply, beside INPUT]",
)
@preset_option("How much work to spend.")
@click.option(
    "--normals",
    type=click.Choice(["auto", "file", "sensors", "estimate"]),
    default="auto",
    show_default=True,
    help="What says where outside is. auto: the file's normals, else its sensors, else estimated.",
)
@click.option(
    "--max-points",
    type=int,
    metavar="N",
    help="Use N points at most, thinned evenly. [default: what memory carries, 5,000,000 at most]",
)
@lattice_options
@click.option(
    "--colors",
    type=click.Choice(["auto", "off"]),
    default="auto",
    show_default=True,
    help="Carry the input's colours over to the vertices.",
)
@click.option(
    "--carry",
    multiple=True,
    metavar="NAME",
    help="Carry a scalar of the input, such as intensity, as well; may be given again.",
)
@model_option
@set_option("width=128 or training.batch=8192")
@click.option("--steps", type=int, metavar="N", help="Training steps, instead of the preset's.")
@click.option("--time-limit", type=float, metavar="S", help="End training after S seconds.")
@click.option(
    "--seed", type=int, default=0, show_default=True, metavar="N", help="The same seed gives the same bytes."
)
@device_option
@engine_option
@checkpoint_options
@click.option("--save-model", type=OUTPUT, metavar="FILE.sasnet", help="Keep the field as well.")
@click.option("--report", type=OUTPUT, metavar="FILE.json", help="Keep what was done, in numbers.")
@overwrite_option
@progress_option
@quiet_option
@verbose_option
@click.make_pass_decorator(Session, ensure=True)
def command(
    session: Session,
    source: Path,
    output: Path | None,
    save_model: Path | None,
    report: Path | None,
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
    LAS, LAZ and E57 need pip install "sasnet-sdf[lidar]".

    The surface ends where the scan does, and is closed where the scan lies all around a solid.

    Ctrl-C during training ends the training and writes the surface that it has (exit code 130);
    a second Ctrl-C, or one outside training, stops at once and writes nothing.
    """
    started = time.perf_counter()
    config = make_config(preset, **changes)
    output = output or source.with_name(f"{source.stem}_surface.ply")
    check_outputs(source, output, save_model, report, overwrite=overwrite)
    with StopRequest() as stop, shown(progress, quiet) as show:
        watch = watcher(stop, show)
        result = _reconstruct(source, config, stop, watch)
        watch(Progress("write", 0.0))
        write_started = time.perf_counter()
        lost = result.mesh.save(output)
        if save_model:
            result.field.save(save_model)
        now = time.perf_counter()
        numbers = {
            **result.report,
            "notes": [*result.report["notes"], *lost, *[INTERRUPTED] * stop.requested],
            "interrupted": stop.requested,
            "peak_memory_bytes": peak_memory_bytes(),
            "command": shlex.join(["sasnet-sdf", *session.words]),
            "seconds": {**result.report["seconds"], "write": now - write_started, "total": now - started},
        }
        if report:
            write_json(report, numbers)
        watch(Progress("write", 1.0, str(output)))
    if not quiet:
        from .summary import summarise

        written = [path for path in (output, save_model, report) if path]
        click.echo(summarise(numbers, written), err=True)
    if stop.requested:
        raise click.exceptions.Exit(Interrupted.exit_code)


def watcher(stop: StopRequest, show: Show, stopping: str = STOPPING) -> OnProgress:
    """The progress callback: shows, and answers whether to go on."""

    def watch(progress: Progress) -> bool:
        goes_on = stop.goes_on(progress)
        show(progress if goes_on else replace(progress, message=stopping))
        return goes_on

    return watch


def _reconstruct(source: Path, config: Config, stop: StopRequest, watch: OnProgress) -> Reconstruction:
    """The pipeline; Interrupted where a stop signal ended it before there was a surface."""
    try:
        from ..pipelines.reconstruct import reconstruct

        return reconstruct(source, config=config, on_progress=watch)
    except NoSurface as error:
        if stop.requested:
            raise Interrupted("interrupted before the field had a surface; nothing was written") from error
        raise
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted; nothing was written") from error
