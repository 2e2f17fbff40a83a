"""`sasnet-sdf render`: a fitted image or volume at any size."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from ..config import Config
from ..errors import UsageError
from ..runtime.optional import require
from ..runtime.progress import OnProgress
from ..runtime.system import parse_memory
from .options import (
    FILE,
    Command,
    engine_options,
    option,
    output_option,
    overwrite_option,
    progress_option,
    quiet_option,
    settings,
    threads_option,
    verbose_option,
)
from .outputs import check_outputs
from .progress import shown
from .reconstruct import watcher
from .stop import StopRequest


def numbers(kind: type, separators: str) -> Any:
    """A callback that reads numbers with one of some separators between them."""

    def parse(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple | None:
        if text is None:
            return None
        try:
            return tuple(kind(part) for part in re.split(f"[{separators}]", text))
        except ValueError:
            shown = "WxH or IxJxK" if parameter.name == "size" else "numbers with commas between them"
            raise UsageError(f"--{parameter.name} must be {shown}, found {text!r}") from None

    return parse


@click.command("render", cls=Command, short_help="Make an image, a volume or a surface from a fitted model.")
@click.argument("model", type=FILE, metavar="MODEL.sasnet")
@output_option
@option("--scale", type=float, metavar="S", help="New samples for each old one along an axis.")
@option(
    "--size",
    callback=numbers(int, "x,"),
    metavar="WxH|IxJxK",
    help="New samples along each axis, instead of --scale.",
)
@option(
    "--region",
    callback=numbers(float, ","),
    metavar="X0,Y0,X1,Y1",
    help="A part of the domain, in pixels; of a volume I0,J0,K0,I1,J1,K1 in voxels.",
)
@option("--shift", callback=numbers(float, ","), metavar="X,Y", help="Move the samples, in pixels or voxels.")
@option(
    "--isosurface", type=float, metavar="LEVEL", help="Of a volume: write the surface at this value, a mesh."
)
@option(
    "--resolution",
    type=int,
    metavar="N",
    help="Of an isosurface: lattice cells along the longest side. [default: two a voxel]",
)
@settings(Config, "max_memory")
@engine_options
@threads_option
@overwrite_option
@progress_option
@quiet_option
@verbose_option
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

    OUTPUT is a .png, .jpg or .tif of an image; an .npy, .npz, .tif, .nii, .nii.gz or .nrrd of a volume,
    with the spacing and the frame of the one that was fitted; with --isosurface a mesh. Without
    options it has the samples that were fitted. Nothing outside their domain is made up.
    """
    from ..io import check_writable
    from ..io.formats import suffix_of

    check_outputs(model, output, formats=("image", "volume", "mesh"), overwrite=overwrite)
    if isosurface is None and resolution is not None:
        raise UsageError("--resolution is for an isosurface; for samples give --scale or --size")
    limit = None if max_memory is None else parse_memory(max_memory)
    with StopRequest() as stop, shown(progress, quiet) as show:
        watch = watcher(stop, show)
        from ..fitted import FittedSignal

        fitted = FittedSignal.load(model, device=device, engine=engine)
        if isosurface is not None:
            if given := [name for name, value in view.items() if value is not None]:
                raise UsageError(f"--{given[0]} is for samples, not for an isosurface")
            check_writable(output, overwrite, ("mesh",))
            lines = _surface(fitted, isosurface, resolution, limit, output, watch)
        else:
            check_writable(output, overwrite, ("image",) if fitted.kind == "image" else ("volume",))
            if suffix_of(output) in (".nii", ".nii.gz"):  # before the work, not after it
                require("nibabel", "volumes", "writing NIfTI files")
            lines = _samples(fitted, view, limit, output, watch)
    if not quiet:
        click.echo("\n".join(lines), err=True)


def _surface(
    fitted: Any, level: float, resolution: Any, limit: int | None, output: Path, watch: OnProgress
) -> list[str]:
    from ..pipelines.render import isosurface
    from .summary import note_lines, surface_lines

    mesh, facts = isosurface(fitted, level, resolution=resolution, max_memory=limit, on_progress=watch)
    lost = mesh.save(output)
    return [*surface_lines(facts), f"wrote {output}", *note_lines(lost)]


def _samples(
    fitted: Any, view: dict[str, Any], limit: int | None, output: Path, watch: OnProgress
) -> list[str]:
    from ..io import write_image, write_volume
    from ..io.images import check_samples
    from .summary import note_lines

    if fitted.kind == "image":
        check_samples(fitted.dtype, len(fitted.low), output)
    signal = fitted.render(**view, max_memory=limit, on_progress=watch)
    shape = signal.grid.shape[::-1] if fitted.kind == "image" else signal.grid.shape
    notes = (write_image if fitted.kind == "image" else write_volume)(output, signal)
    size = " x ".join(f"{n:,}" for n in shape)
    return [f"{fitted.kind} of {size}", f"wrote {output}", *note_lines(notes)]
