"""`sasnet-sdf render`: a fitted image or volume at any size, or a volume's surface at a level."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config import Config
from ..errors import UsageError
from ..runtime.optional import require
from ..runtime.progress import OnProgress
from ..runtime.system import parse_memory
from . import options
from .outputs import check_outputs
from .progress import watched

if TYPE_CHECKING:
    from ..fitted import FittedSignal


def numbers(
    kind: type, separators: str
) -> Callable[[click.Context, click.Parameter, str | None], tuple[Any, ...] | None]:
    """A callback that reads numbers with one of some separators between them."""

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
    from ..io.files import IMAGES, MESHES, VOLUMES, check_writable, suffix_of

    check_outputs(model, output, formats=(*IMAGES, *VOLUMES, *MESHES), overwrite=overwrite)
    if isosurface is None and resolution is not None:
        raise UsageError("--resolution is for an isosurface; for samples give --scale or --size")
    limit = None if max_memory is None else parse_memory(max_memory)
    with watched(progress, quiet) as (_, watch):
        from ..fitted import FittedSignal
        from .summary import log_network

        fitted = FittedSignal.load(model, device=device, engine=engine)
        log_network(fitted.model, fitted.device)
        if isosurface is not None:
            if given := [name for name, value in view.items() if value is not None]:
                raise UsageError(f"--{given[0]} is for samples, not for an isosurface")
            check_writable(output, overwrite, MESHES)
            lines = _surface(fitted, isosurface, resolution, limit, output, watch)
        else:
            check_writable(output, overwrite, IMAGES if fitted.kind == "image" else VOLUMES)
            if suffix_of(output) in (".nii", ".nii.gz"):  # before the work, not after it
                require("nibabel", "volumes", "writing NIfTI files")
            lines = _samples(fitted, view, limit, output, watch)
    if not quiet:
        click.echo("\n".join(lines), err=True)


def _surface(
    fitted: FittedSignal,
    level: float,
    resolution: int | None,
    limit: int | None,
    output: Path,
    watch: OnProgress,
) -> list[str]:
    from ..pipelines.render import isosurface
    from .summary import note_lines, surface_lines

    mesh, facts = isosurface(fitted, level, resolution=resolution, max_memory=limit, on_progress=watch)
    lost = mesh.save(output)
    return [*surface_lines(facts), f"wrote {output}", *note_lines(lost)]


def _samples(
    fitted: FittedSignal, view: dict[str, Any], limit: int | None, output: Path, watch: OnProgress
) -> list[str]:
    from ..io.images import check_samples, write_image
    from ..io.volumes import write_volume
    from .summary import note_lines

    if fitted.kind == "image":
        check_samples(fitted.dtype, len(fitted.low), output)
    signal = fitted.render(**view, max_memory=limit, on_progress=watch)
    shape, notes = signal.grid.shape, []
    if fitted.kind == "image":
        shape = shape[::-1]
        write_image(signal.values, output)
    else:
        notes = write_volume(signal, output)
    size = " x ".join(f"{n:,}" for n in shape)
    return [f"{fitted.kind} of {size}", f"wrote {output}", *note_lines(notes)]
