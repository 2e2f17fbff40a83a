"""`sasnet-sdf evaluate`: how well a surface agrees with a reference."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from .options import FILE, OUTPUT, Session, overwrite_option, quiet_option, verbose_option
from .outputs import write_json
from .progress import shown


@click.command("evaluate", short_help="Measure a mesh or a model against a reference.")
@click.argument("source", type=FILE, metavar="MESH")
@click.option(
    "--reference",
    type=FILE,
    required=True,
    metavar="FILE",
    help="The truth: a mesh, or a cloud, in the same coordinates.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout instead of the table.")
@click.option("-o", "--output", type=OUTPUT, metavar="FILE.json", help="Write the figures to a file as well.")
@click.option(
    "--samples",
    type=int,
    default=200_000,
    show_default=True,
    metavar="N",
    help="Places on each surface, and points in space, at which is measured.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="The same seed gives the same figures.",
)
@click.option(
    "--resolution",
    type=int,
    metavar="N",
    help="Of a model: lattice cells along the side of the cube around its data. [default: as in extract]",
)
@overwrite_option
@quiet_option
@verbose_option
@click.make_pass_decorator(Session, ensure=True)
def command(
    session: Session,
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
    """Measure how well MESH agrees with the reference: distances both ways, normals, volumes.

    MESH is a mesh, or a model (.sasnet): then its surface is extracted, and its distances and
    gradients are measured as well. Lengths are in 1e-4 of the diagonal of the reference's bounding
    box; docs/evaluate.md says what each figure is.
    """
    if output:
        from ..io import check_writable

        check_writable(output, overwrite, ("report",))
    with shown("auto", quiet) as show:
        from ..pipelines.evaluate import evaluate

        figures = evaluate(
            source, reference, samples=samples, seed=seed, resolution=resolution, on_progress=show
        )
    figures["command"] = shlex.join(["sasnet-sdf", *session.words])
    if output:
        write_json(output, figures)
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    elif not quiet:
        from .figures import table

        click.echo(table(figures))
        if output:
            click.echo(f"wrote {output}", err=True)
