"""`sasnet-sdf render`: a fitted image or volume at any size, or a volume's surface at a level."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ..config import Config
from ..errors import UsageError
from ..runtime.system import parse_memory, require
from . import options
from .outputs import check_outputs
from .progress import watched


def numbers(
    kind: type, separators: str
) -> Callable[[click.Context, click.Parameter, str | None], tuple[Any, ...] | None]:
    """A callback that parses numbers separated by any of the given separators."""

    def parse(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple[Any, ...] | None:
        if text is None:
            return None
        try:
            return tuple(kind(part) for part in re.split(f"[{separators}]", text))
        except ValueError:
            form = "WxH or IxJxK" if parameter.name == "size" else "numbers with commas between them"
            raise UsageError(f"--{parameter.name} must be {form}, found {text!r}") from None

    return parse


@click.command("render", cls=options.Command)
@click.argument("model", type=options.FILE, metavar="MODEL.sasnet")
@options.output
@options.option("--scale S", "Samples for each fitted one along an axis.", "Output", type=float)
@options.option(
    "--size WxH|IxJxK", "Samples along each axis, instead of --scale.", "Output", callback=numbers(int, "x,")
)
@options.option(
    "--region X0,Y0,X1,Y1",
    "Render a part of the domain, in pixels; for a volume I0,J0,K0,I1,J1,K1 in voxels.",
    "Output",
    callback=numbers(float, ","),
)
@options.option(
    "--shift X,Y",
    "Move the samples, in pixels; for a volume I,J,K in voxels.",
    "Output",
    callback=numbers(float, ","),
)
@options.overwrite
@options.option(
    "--isosurface LEVEL", "For a volume: write the surface at this value, a mesh.", "Surface", type=float
)
@options.option(
    "--resolution N",
    "For an isosurface: lattice cells along the longest side. [default: two per voxel]",
    "Surface",
    type=int,
)
@options.settings(Config, "max_memory")
@options.engine
@options.run
def command(
    model: Path,
    output: Path,
    isosurface: float | None,
    resolution: int | None,
    max_memory: str | None,
    device: str,
    engine: str,
    overwrite: bool,
    progress: str,
    quiet: bool,
    **view: Any,
) -> None:
    """Render MODEL.sasnet, which `sasnet-sdf fit-image` or `fit-volume` wrote.

    \b
    sasnet-sdf render photo.sasnet --scale 4 -o large.png
    sasnet-sdf render scan.sasnet --isosurface 300 -o bone.ply

    OUTPUT is a .png, .jpg or .tif file for an image; an .npy, .npz, .tif, .nii, .nii.gz or .nrrd file
    for a volume, with the spacing and the frame of the fitted one; a mesh with --isosurface. Without
    options it has the samples that were fitted. Nothing is made up outside their domain.
    """
    from ..io import check_writable
    from ..io.formats import suffix_of

    check_outputs(model, output, formats=("image", "volume", "mesh"), overwrite=overwrite)
    if isosurface is None and resolution is not None:
        raise UsageError("--resolution is for an isosurface; for samples give --scale or --size")
    if isosurface is not None and (given := [name for name, value in view.items() if value is not None]):
        raise UsageError(f"--{given[0]} is for samples, not for an isosurface")
    limit = None if max_memory is None else parse_memory(max_memory)
    with watched(progress, quiet) as (_, watch):
        from ..fitted import FittedSignal
        from ..io import write_image, write_volume
        from ..io.images import check_samples
        from ..problems.isosurface import isosurface as surface_at
        from .summary import log_network, note_lines, surface_lines

        fitted = FittedSignal.load(model, device=device, engine=engine)
        log_network(fitted.model, fitted.device)
        notes: Sequence[str] = ()
        if isosurface is not None:
            check_writable(output, overwrite, ("mesh",))
            mesh, facts = surface_at(
                fitted, isosurface, resolution=resolution, max_memory=limit, on_progress=watch
            )
            lines, notes = surface_lines(facts), mesh.save(output)
        else:
            check_writable(output, overwrite, ("image",) if fitted.kind == "image" else ("volume",))
            if suffix_of(output) in (".nii", ".nii.gz"):  # fail before the work, not after it
                require("nibabel", "volumes", "writing NIfTI files")
            if fitted.kind == "image":
                check_samples(fitted.dtype, len(fitted.low), output)
            signal = fitted.render(**view, max_memory=limit, on_progress=watch)
            notes = (write_image if fitted.kind == "image" else write_volume)(output, signal)
            shape = signal.grid.shape[::-1] if fitted.kind == "image" else signal.grid.shape
            lines = [f"{fitted.kind} of {' x '.join(f'{n:,}' for n in shape)}"]
    if not quiet:
        click.echo("\n".join([*lines, f"wrote {output}", *note_lines(notes)]), err=True)
