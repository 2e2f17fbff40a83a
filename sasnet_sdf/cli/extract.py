"""`sasnet-sdf extract`: the surface of a saved model at another resolution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..pipelines.settings import make_config
from ..runtime.progress import Progress, stage
from .options import (
    FILE,
    Command,
    engine_options,
    lattice_options,
    output_option,
    overwrite_option,
    progress_option,
    quiet_option,
    threads_option,
    verbose_option,
)
from .outputs import check_outputs
from .progress import shown
from .reconstruct import watcher
from .stop import StopRequest


@click.command("extract", cls=Command, short_help="Extract the surface of a saved model again.")
@click.argument("model", type=FILE, metavar="MODEL.sasnet")
@output_option
@lattice_options
@engine_options
@threads_option
@overwrite_option
@progress_option
@quiet_option
@verbose_option
def command(
    model: Path,
    output: Path,
    device: str,
    engine: str,
    overwrite: bool,
    progress: str,
    quiet: bool,
    **lattice: Any,
) -> None:
    """Extract the surface of MODEL.sasnet, in the coordinates of the scan it was trained on.

    The model is what `sasnet-sdf reconstruct --save-model` wrote; it knows where the data were, so
    that its surface is trimmed as it was then. Colours are not in it.
    """
    make_config(device=device, engine=engine, **lattice)  # refuses what is out of range before the work
    check_outputs(model, output, formats=("mesh",), overwrite=overwrite)
    with StopRequest() as stop, shown(progress, quiet) as show:
        watch = watcher(stop, show)
        watch(Progress("read", 0.0, "reading"))
        from ..field import Field
        from ..pipelines.extract import extract

        field = Field.load(model, device=device, engine=engine)
        mesh, facts = extract(field, on_progress=watch, **lattice)
        with stage("write", watch):
            lost = mesh.save(output)
    if not quiet:
        from .summary import note_lines, surface_lines

        lines = [*surface_lines(facts, facts["trim"]), f"wrote {output}", *note_lines(lost)]
        click.echo("\n".join(lines), err=True)
