"""`sasnet-sdf extract` and `query`: a surface, or distances at points, from a saved field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..config import Config
from ..problems.settings import make_config
from ..runtime.progress import Progress, stage
from . import options
from .outputs import check_outputs
from .progress import watched


@click.command("extract", cls=options.Command)
@click.argument("model", type=options.FILE, metavar="MODEL.sasnet")
@options.output
@options.overwrite
@options.settings(Config, *options.LATTICE, only="balanced")
@options.engine
@options.run
def extract(
    model: Path,
    output: Path,
    device: str,
    engine: str,
    overwrite: bool,
    progress: str,
    quiet: bool,
    **lattice: Any,
) -> None:
    """Extract the surface of MODEL.sasnet, in the coordinates of the scan that it was trained on.

    \b
    sasnet-sdf extract scan.sasnet --resolution 640 -o fine.ply

    `sasnet-sdf reconstruct --save-model` writes such a model. It keeps where the data were, so its
    surface is trimmed in the same way. It keeps no colors.
    """
    make_config(device=device, engine=engine, **lattice)  # refuses values out of range before the work starts
    check_outputs(model, output, formats=("mesh",), overwrite=overwrite)
    with watched(progress, quiet) as (_, watch):
        watch(Progress("read", 0.0, "reading"))
        from ..api import extract as surface_of
        from ..tiles.field import load_field
        from .summary import log_network, note_lines, surface_lines

        field = load_field(model, device=device, engine=engine)
        log_network(field.model, field.device)
        mesh, facts = surface_of(field, on_progress=watch, **lattice)
        with stage("write", watch):
            lost = mesh.save(output)
    if not quiet:
        lines = [*surface_lines(facts, facts["trim"]), f"wrote {output}", *note_lines(lost)]
        click.echo("\n".join(lines), err=True)


@click.command("query", cls=options.Command)
@click.argument("model", type=options.FILE, metavar="MODEL.sasnet")
@click.argument("points", type=options.FILE, metavar="POINTS")
@options.output
@options.overwrite
@options.engine
@options.quiet
@options.verbose
def query(
    model: Path, points: Path, output: Path, device: str, engine: str, overwrite: bool, quiet: bool
) -> None:
    """Write the signed distance (negative inside) and its gradient at every point of POINTS.

    \b
    sasnet-sdf query scan.sasnet points.ply -o distances.csv

    POINTS is any file of points or vertices that `reconstruct` reads, in the coordinates of the scan
    that MODEL.sasnet was trained on; distances are in its units.
    """
    check_outputs(model, output, formats=("table",), overwrite=overwrite)
    import numpy as np

    from ..errors import UnreadableInput, UnusableGeometry
    from ..geometry import TriangleMesh, are_finite
    from ..io import read_geometry, write_table
    from ..tiles.field import load_field
    from .summary import log_network

    geometry = read_geometry(points)
    places = geometry.vertices if isinstance(geometry, TriangleMesh) else geometry.points
    field = load_field(model, device=device, engine=engine)
    log_network(field.model, field.device)
    with np.errstate(over="ignore"):
        usable = are_finite(field.frame.to_unit(places))
    if not usable.any():
        raise UnusableGeometry(f"{points}: none of its {len(places)} points is finite")
    distances = field.distance(places)
    finite = distances[usable]
    if not np.isfinite(finite).all():
        raise UnreadableInput(f"{model}: gives distances that are not finite; train it again")
    write_table(output, places, distances, field.gradient(places))
    if not quiet:
        inside = int((finite < 0).sum())
        click.echo(
            f"{len(places):,} points, {inside:,} inside, distances from {finite.min():.6g} "
            f"to {finite.max():.6g}\nwrote {output}",
            err=True,
        )
