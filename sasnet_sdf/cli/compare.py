"""`sasnet-sdf compare`: networks, and Poisson, side by side on the same data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..config import Config
from ..errors import Interrupted
from .options import (
    FILE,
    Command,
    Session,
    engine_options,
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
from .progress import shown
from .reconstruct import watcher
from .stop import StopRequest

STOPPING = "stopping: the models that are done are kept"


@click.command("compare", cls=Command, short_help="Networks, and Poisson, side by side.")
@click.argument("source", type=FILE, metavar="INPUT")
@option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Folder for results.json, results.md, results.csv, pictures and meshes.",
)
@option("--reference", type=FILE, metavar="GT", help="What surfaces are measured against. [default: INPUT]")
@option(
    "--models",
    metavar="A,B,...",
    help="NAME[:KEY=VALUE] each, as of reconstruct --model, also sasnet:no-masks, sasnet:unfrozen, "
    "supervision (the surface that all are trained on) and poisson[:depth=N]. [default: all]",
)
@option(
    "--budget",
    default="parameters=150000,steps=1500",
    show_default=True,
    metavar="WORDS",
    help="What each may use: parameters=N or own, steps=N, seconds=S, batch=N.",
)
@option("--sweep-rates", is_flag=True, help="Take the best of three learning rates for each model.")
@preset_option("Decides, for surfaces, the number of targets and the resolution of the meshes.")
@settings(Config, "resolution", "seed")
@set_option("targets=200000 or eikonal_weight=0")
@engine_options
@threads_option
@overwrite_option
@progress_option
@quiet_option
@verbose_option
@click.make_pass_decorator(Session, ensure=True)
def command(
    session: Session,
    source: Path,
    output: Path,
    models: str | None,
    progress: str,
    quiet: bool,
    **words: Any,
) -> None:
    """Train networks on INPUT, a cloud or a mesh, with the same budget, and measure their surfaces; on
    an image or a volume, and measure how well they agree with it.

    All get the same targets. Sizes are solved for, learning rates are those published. A run that
    was stopped goes on with the same command; what DIR has is not run again.

    \b
    sasnet-sdf compare cloud.ply --reference truth.ply -o results
    sasnet-sdf compare mesh.ply --models sasnet,siren:omega0=10,ngp -o results
    """
    with StopRequest() as stop, shown(progress, quiet) as show:
        from ..comparison.compare import MODELS, compare

        chosen = tuple(models.split(",")) if models else MODELS
        try:
            numbers = compare(
                source, output, models=chosen, on_progress=watcher(stop, show, STOPPING), **words
            )
        except KeyboardInterrupt as error:
            raise Interrupted(f"interrupted; {output} keeps the models that were done") from error
    if not quiet:
        from .summary import note_lines
        from .tables import comparison

        lines = [
            comparison(numbers["rows"], numbers["run"]["kind"]),
            *note_lines(numbers["notes"]),
            f"wrote {output}",
        ]
        click.echo("\n".join(lines), err=True)
