"""`sasnet-sdf compare`: networks, and Poisson, side by side on the same data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ..config import Config
from . import options
from .progress import watched
from .summary import log, note_lines

SHOWN = (
    *("error", "hausdorff", "normal_consistency", "eikonal_error_near"),
    *("psnr", "ssim", "psnr_edge", "noisiness", "parameters", "ms_per_step"),
)
"""The columns that fit a terminal, of those in results.md."""


@click.command("compare", cls=options.Command)
@click.argument("source", type=options.FILE, metavar="INPUT")
@options.option(
    "--reference FILE",
    "The true surface that results are measured against. [default: INPUT]",
    "Input",
    type=options.FILE,
)
@options.option(
    "-o, --output DIR",
    "Folder for results.json, results.md, results.csv, pictures and meshes.",
    "Output",
    type=options.FOLDER,
    required=True,
)
@options.overwrite
@options.option(
    "--models A,B,...",
    "Each NAME[:KEY=VALUE] as in reconstruct --model, or sasnet:no-masks, sasnet:unfrozen, supervision (the "
    "surface that all are trained on) or poisson[:depth=N]. [default: all]",
    "Training",
)
@options.option(
    "--budget KEY=VALUE,...",
    "What each model may use: parameters=N or own, steps=N, seconds=S, batch=N.",
    "Training",
    default="parameters=150000,steps=1500",
    show_default=True,
)
@options.option("--sweep-rates", "Train each model with three learning rates and keep the best.", "Training")
@options.preset("Decides, for surfaces, the number of targets and the resolution of the meshes.")
@options.settings(Config, "resolution", "seed")
@options.set_other("targets=200000 or eikonal_weight=0")
@options.engine
@options.run
def compare(
    source: Path, output: Path, models: str | None, progress: str, quiet: bool, **values: Any
) -> None:
    """Train several networks on INPUT with the same budget, and measure each result.

    \b
    sasnet-sdf compare cloud.ply --reference truth.ply -o results
    sasnet-sdf compare mesh.ply --models sasnet,siren:omega0=10,ngp -o results
    sasnet-sdf compare photo.png -o results

    INPUT is a cloud or a mesh, whose surfaces are measured, or an image or a volume, where the
    agreement with its samples is measured. All networks get the same training data, the widths that
    fit the budget, and the learning rates that were published for them. The same command goes on
    with a run that was stopped; results that DIR has are not computed again.
    """
    stopping = "stopping: the models that are done are kept"
    with watched(progress, quiet, stopping, f"{output} keeps the models that were done") as (_, watch):
        from ..comparison.compare import MODELS, compare

        chosen = tuple(models.split(",")) if models else MODELS
        numbers = compare(source, output, models=chosen, on_progress=watch, **values)
    log(f"device {numbers['device']}, {len(numbers['rows'])} models, budget {values['budget']}")
    if not quiet:
        lines = [
            comparison(numbers["rows"]),
            *note_lines(numbers["notes"]),
            f"wrote {output}",
        ]
        click.echo("\n".join(lines), err=True)


def comparison(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows of a comparison as a table, one for each model; without a result it gives the reason."""
    from ..comparison.results import COLUMNS, main_figure

    first = main_figure(rows)
    names = [name for name in SHOWN if name == first or any(row.get(name) is not None for row in rows)]
    width = max(len(str(row["model"])) for row in rows)
    lines = ["  ".join([f"{'model':<{width}}", *(COLUMNS[name][0] for name in names)])]
    for row in rows:
        cells = [str(row.get("failure", "no surface"))]
        if row.get(first) is not None:
            cells = [_cell(row.get(name), *COLUMNS[name]) for name in names]
        lines.append("  ".join([f"{row['model']:<{width}}", *cells]).rstrip())
    units = "PSNR in dB" if first == "psnr" else "error and Hausdorff in 1e-4 of the reference's diagonal"
    return "\n".join([*lines, units])


def _cell(value: Any, heading: str, form: str) -> str:
    return f"{'' if value is None else format(value, form):>{len(heading)}}"
