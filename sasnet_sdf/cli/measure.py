"""`sasnet-sdf evaluate` and `compare`: how well results agree with a reference."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ..comparison.protocols import RATES
from ..config import Config
from . import options
from .outputs import command_line, write_json
from .progress import shown, watched
from .summary import log, note_lines

PARTS = ("mean", "median", "p90", "p99", "max")
Row = tuple[str, tuple[str, ...], str, str]
"""A row of the table: its label, the keys of its figures, their format, and a remark."""

DISTANCES: tuple[Row, ...] = (
    ("accuracy, to reference", tuple(f"accuracy_{part}" for part in PARTS), ".4g", ""),
    ("completeness, from it", tuple(f"completeness_{part}" for part in PARTS), ".4g", ""),
)
LENGTHS: tuple[Row, ...] = (
    ("error, mean of means", ("error",), ".4g", ""),
    ("Hausdorff, of samples", ("hausdorff",), ".4g", ""),
)
SPACING: Row = ("spacing of the cloud", ("spacing",), ".4g", "")
AGREEMENT: tuple[Row, ...] = (
    ("normal consistency", ("normal_consistency",), ".5f", ""),
    ("F-score at 0.1 %", ("fscore_01",), ".5f", ""),
    ("F-score at 0.5 %", ("fscore_05",), ".5f", ""),
    ("IoU, also near surface", ("iou",), ".5f", ""),
    ("IoU, uniform", ("iou_uniform",), ".5f", ""),
    ("legacy Chamfer", ("chamfer_legacy",), ".3e", "squared, in a cube of side 0.9"),
    ("  its sampling floor", ("chamfer_legacy_floor",), ".3e", "the reference against itself"),
)
FIELD: tuple[Row, ...] = (
    ("distance, |f - d|", ("sdf_error_near", "sdf_error_far"), ".4g", ""),
    ("share of wrong signs", ("sign_error_near", "sign_error_far"), ".3g", ""),
    ("eikonal, ||grad f| - 1|", ("eikonal_error_near", "eikonal_error_far"), ".3g", ""),
)


@click.command("evaluate", cls=options.Command)
@click.argument("source", type=options.FILE, metavar="MESH")
@options.option(
    "--reference FILE",
    "The true surface: a mesh or a cloud, in the same coordinates.",
    "Input",
    type=options.FILE,
    required=True,
)
@options.option("--json", "Print JSON on stdout instead of the table.", "Output", name="as_json")
@options.option("-o, --output FILE.json", "Write the figures to a file too.", "Output", type=options.NEW_FILE)
@options.overwrite
@options.option(
    "--samples N",
    "Points sampled on each surface and, for volumes and signs, in space.",
    type=int,
    default=200_000,
    show_default=True,
)
@options.option("--seed N", "The same seed gives the same figures.", type=int, default=0, show_default=True)
@options.option(
    "--resolution N",
    "For a model: lattice cells along the side of the cube around its data. [default: as in extract]",
    type=int,
)
@options.quiet
@options.verbose
@click.make_pass_decorator(options.Session, ensure=True)
def evaluate(
    session: options.Session,
    source: Path,
    reference: Path,
    as_json: bool,
    output: Path | None,
    samples: int,
    seed: int,
    resolution: int | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Measure how well MESH agrees with a reference: distances both ways, normals, volumes.

    \b
    sasnet-sdf evaluate surface.ply --reference truth.ply

    MESH is a mesh or a model (.sasnet). The surface of a model is extracted first, and its distances
    and gradients are measured too. Lengths are in 1e-4 of the diagonal of the reference's bounding
    box; docs/evaluate.md explains each figure.
    """
    if output:
        from ..io import check_writable

        check_writable(output, overwrite, ("report",))
    with shown("auto", quiet) as show:
        from ..tiles.evaluate import evaluate

        found = evaluate(
            source, reference, samples=samples, seed=seed, resolution=resolution, on_progress=show
        )
    figures = {**found, "command": command_line(session.arguments)}
    if output:
        write_json(output, figures)
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    elif not quiet:
        click.echo(table(figures))
        if output:
            click.echo(f"wrote {output}", err=True)


def table(figures: dict[str, Any]) -> str:
    """The figures for a terminal: lengths, agreement, errors of the field if any, facts about the mesh."""
    lengths = (*LENGTHS, SPACING) if figures["spacing"] is not None else LENGTHS
    blocks = [
        [f"lengths in 1e-4 of the reference's diagonal, which is {figures['diagonal']:.6g}"],
        [_line("", PARTS), *_rows(figures, DISTANCES)],
        _rows(figures, lengths),
        _rows(figures, AGREEMENT),
        [*_mesh_rows(figures), *note_lines(figures["notes"])],
    ]
    if "sdf_error_near" in figures:
        blocks.insert(4, [_line("", ("near", "in the box")), *_rows(figures, FIELD)])
    return "\n\n".join("\n".join(block) for block in blocks)


def _line(label: str, cells: Sequence[str], remark: str = "") -> str:
    return f"{label:<24}{''.join(f'{cell:>11}' for cell in cells)}  {remark}".rstrip()


def _rows(figures: dict[str, Any], rows: Sequence[Row]) -> list[str]:
    """A line for each row; a row without figures gives the reason."""
    lines = []
    for label, keys, form, remark in rows:
        cells = ["-" if figures[key] is None else format(figures[key], form) for key in keys]
        lines.append(_line(label, cells, _why_none(keys[0], figures) if "-" in cells else remark))
    return lines


def _why_none(key: str, figures: dict[str, Any]) -> str:
    if key == "normal_consistency":
        return "the cloud has no normals"
    return "the reference is a cloud" if figures["reference"] == "cloud" else "the reference is open"


def _mesh_rows(figures: dict[str, Any]) -> list[str]:
    kind = "watertight" if figures["watertight"] else f"{figures['boundary_edges']:,} boundary edges"
    if figures["non_manifold_edges"]:
        kind += f", {figures['non_manifold_edges']:,} non-manifold edges"
    pieces = figures["components"]
    size = f"{figures['vertices']:,} vertices and {figures['faces']:,} faces"
    names = ("area", "reference_area", "volume", "reference_volume")
    sizes = ["none" if figures[name] is None else f"{figures[name]:.6g}" for name in names]
    return [
        f"mesh of {size} in {pieces:,} piece{'s'[: pieces != 1]}",
        f"  {kind}",
        f"  area {sizes[0]}, the reference's {sizes[1]}, in the units of the input",
        f"  volume {sizes[2]}, the reference's {sizes[3]}",
    ]


SHOWN = (
    *("error", "hausdorff", "normal_consistency", "eikonal_error_near"),
    *("psnr", "ssim", "psnr_edge", "noisiness", "parameters", "ms_per_step"),
)
"""The columns of results.md that fit a terminal."""


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
@options.option(
    "--protocol",
    "published: each model is trained by its own optimizer at its own rates. adam, muon: all are trained by "
    "that optimizer, each at the best of four rates.",
    "Training",
    type=click.Choice(tuple(RATES)),
    default="published",
    show_default=True,
)
@options.option(
    "--tuning FILE",
    "Choose the rates on this input instead of on INPUT; may be repeated.",
    "Training",
    multiple=True,
    type=options.FILE,
)
@options.option(
    "--seeds N",
    "Train each model with N seeds, and report means and standard deviations.",
    "Training",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
)
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
    agreement with its samples is measured. All networks get the same training data, and the widths that
    fit the budget. The same command goes on with a run that was stopped; results that DIR has are not
    computed again.
    """
    stopping = "stopping: the models that are done are kept"
    with watched(progress, quiet, stopping, f"{output} keeps the finished models") as (_, watch):
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
