"""`sasnet-sdf query`: signed distances and gradients of a saved model at given points."""

from __future__ import annotations

from pathlib import Path

import click

from .options import (
    FILE,
    device_option,
    engine_option,
    output_option,
    overwrite_option,
    quiet_option,
    verbose_option,
)
from .outputs import check_outputs


@click.command("query", short_help="Signed distances and gradients at points.")
@click.argument("model", type=FILE, metavar="MODEL.sasnet")
@click.argument("points", type=FILE, metavar="POINTS")
@output_option
@device_option
@engine_option
@overwrite_option
@quiet_option
@verbose_option
def command(
    model: Path, points: Path, output: Path, device: str, engine: str, overwrite: bool, quiet: bool
) -> None:
    """Write the signed distance (negative inside) and its gradient at every point of POINTS.

    POINTS is any file of points or vertices that `reconstruct` reads, in the coordinates of the
    scan that MODEL.sasnet was trained on; distances are in its units.
    """
    check_outputs(model, output, overwrite=overwrite)
    from ..field import Field
    from ..geometry import TriangleMesh
    from ..io import read_geometry, write_table

    geometry = read_geometry(points)
    places = geometry.vertices if isinstance(geometry, TriangleMesh) else geometry.points
    field = Field.load(model, device=device, engine=engine)
    distances = field.distance(places)
    write_table(output, places, distances, field.gradient(places))
    if not quiet:
        inside = int((distances < 0).sum())
        click.echo(
            f"{len(places):,} points, {inside:,} inside, distances from {distances.min():.6g} "
            f"to {distances.max():.6g}\nwrote {output}",
            err=True,
        )
