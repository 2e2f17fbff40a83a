"""`sasnet-sdf query`: signed distances and gradients of a saved model at given points."""

from __future__ import annotations

from pathlib import Path

import click

from .options import (
    FILE,
    Command,
    engine_options,
    output_option,
    overwrite_option,
    quiet_option,
    verbose_option,
)
from .outputs import check_outputs


@click.command("query", cls=Command, short_help="Signed distances and gradients at points.")
@click.argument("model", type=FILE, metavar="MODEL.sasnet")
@click.argument("points", type=FILE, metavar="POINTS")
@output_option
@engine_options
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
    check_outputs(model, output, formats=("table",), overwrite=overwrite)
    import numpy as np

    from ..errors import UnreadableInput, UnusableGeometry
    from ..field import Field
    from ..geometry import TriangleMesh, are_finite
    from ..io import read_geometry, write_table

    geometry = read_geometry(points)
    places = geometry.vertices if isinstance(geometry, TriangleMesh) else geometry.points
    field = Field.load(model, device=device, engine=engine)
    with np.errstate(over="ignore"):
        usable = are_finite(field.frame.to_unit(places))
    if not usable.any():
        raise UnusableGeometry(f"{points}: none of its {len(places)} points is finite")
    distances = field.distance(places)
    told = distances[usable]
    if not np.isfinite(told).all():
        raise UnreadableInput(f"{model}: gives distances that are not finite; train anew")
    write_table(output, places, distances, field.gradient(places))
    if not quiet:
        inside = int((told < 0).sum())
        click.echo(
            f"{len(places):,} points, {inside:,} inside, distances from {told.min():.6g} "
            f"to {told.max():.6g}\nwrote {output}",
            err=True,
        )
