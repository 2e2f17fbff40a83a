"""`sasnet-sdf evaluate`: how well a surface agrees with a reference."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from . import options
from .outputs import command_line, write_json
from .progress import shown
from .summary import note_lines

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
        from ..problems.evaluate import evaluate

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
    """The figures for a terminal: lengths, agreement, the field's errors if any, what the mesh is."""
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
    """A line for each row; one without figures says why."""
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
    if figures["nonmanifold_edges"]:
        kind += f", {figures['nonmanifold_edges']:,} non-manifold edges"
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
