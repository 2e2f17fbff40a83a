"""`sasnet-sdf fit-image` and `fit-volume`: from samples to a small continuous model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from ..errors import Interrupted, UsageError
from ..runtime.progress import Progress, stage
from ..signal_config import SignalConfig
from . import options
from .outputs import Saver, check_outputs, make_folder
from .progress import watched

STOPPING = "stopping: the model so far will be written; Ctrl-C again stops at once"
INTERRUPTED = "interrupted: training ended early, and the model is the one that it had reached"

fit_options: options.Decorator = options.all_of(
    options.option(
        "-o, --output MODEL.sasnet",
        "Model to write. [default: the input's name with .sasnet, beside it]",
        "Output",
        type=options.NEW_FILE,
    ),
    options.report,
    options.option(
        "--pictures DIR",
        "Draw the error, all masks, the spectrum and the convergence.",
        "Output",
        type=options.FOLDER,
    ),
    options.overwrite,
    options.preset("How much work to spend; decides the steps."),
    options.settings(SignalConfig, "parameters", "ratio", "steps", "batch", "time_limit", "seed"),
    options.model,
    options.set_other("width=128 or model.omega0=40"),
    options.checkpoint,
    options.settings(SignalConfig, "device", "engine", "max_memory"),
    options.run,
)
"""The options of a fit."""


@click.command("fit-image", cls=options.Command)
@click.argument("source", type=options.FILE, metavar="IMAGE")
@fit_options
@click.make_pass_decorator(options.Session, ensure=True)
def fit_image(session: options.Session, source: Path, **values: Any) -> None:
    """Train a network on IMAGE and write it as a model, from which `sasnet-sdf render` makes images of
    any size.

    \b
    sasnet-sdf fit-image photo.png
    sasnet-sdf render photo.sasnet --scale 4 -o large.png

    IMAGE is a PNG, JPEG or TIFF file of 8 or 16 bits, gray or RGB, with or without alpha. Files that
    exist are kept unless --overwrite is given.

    The first Ctrl-C during training ends the training and writes the model so far (exit code 130). A
    second one, or one outside training, stops at once and writes nothing.
    """
    _fit(session, "image", source, **values)


@click.command("fit-volume", cls=options.Command)
@click.argument("source", type=options.FILE, metavar="VOLUME")
@fit_options
@click.make_pass_decorator(options.Session, ensure=True)
def fit_volume(session: options.Session, source: Path, **values: Any) -> None:
    """Train a network on VOLUME and write it as a model, from which `sasnet-sdf render` makes volumes
    of any size and isosurfaces.

    \b
    sasnet-sdf fit-volume scan.nrrd
    sasnet-sdf render scan.sasnet --isosurface 300 -o bone.ply

    VOLUME is an NPY file, an NPZ file with `volume` and `spacing`, a TIFF stack, NIfTI or NRRD, with
    numbers of any type. Files that exist are kept unless --overwrite is given. NIfTI and NRRD need
    pip install "sasnet-sdf[volumes]".

    The first Ctrl-C during training ends the training and writes the model so far (exit code 130). A
    second one, or one outside training, stops at once and writes nothing.
    """
    _fit(session, "volume", source, **values)


def _fit(
    session: options.Session,
    kind: str,
    source: Path,
    *,
    output: Path | None,
    report: Path | None,
    pictures: Path | None,
    overwrite: bool,
    progress: str,
    quiet: bool,
    **values: Any,
) -> None:
    """Fit, write the requested files, and print a summary."""
    started = time.perf_counter()
    from ..io import check_writable
    from ..io.access import refused
    from ..io.formats import suffix_of

    if suffix_of(source) == ".sasnet":  # the model's file would be the input itself
        raise refused(source, "image", "volume")
    output = output or source.with_name(source.name[: -len(suffix_of(source)) or None] + ".sasnet")
    if output.suffix.lower() != ".sasnet":
        raise UsageError(
            f"{output}: a model's name ends in .sasnet; `sasnet-sdf render` makes pictures of it"
        )
    check_outputs(source, output, report, formats=("model",), overwrite=overwrite)
    if pictures:
        from ..problems.signal_figures import PICTURES

        make_folder(pictures)
        for name in PICTURES:
            check_writable(pictures / name, overwrite, ("image",))
    with watched(progress, quiet, STOPPING) as (stop, watch):
        watch(Progress("read", 0.0, "reading"))
        from ..problems.signal import fit_signal
        from ..problems.signal_figures import bits, draw
        from .summary import log_choices, summarize_fit

        fitted, signal = fit_signal(source, kind, on_progress=watch, **values)
        assert fitted.report is not None
        log_choices(fitted.report)
        saver = Saver(started)

        def write(path: Path) -> int:
            fitted.save(path)
            return path.stat().st_size

        notes = [*fitted.report["notes"], *[INTERRUPTED] * stop.requested]
        with stage("write", watch):
            size = saver.save(write, output) or 0
            if pictures:
                notes += saver.save(lambda folder: draw(fitted, signal, folder), pictures) or []
        shares = bits(fitted, signal, fitted.report["metrics"]["psnr"], size)
        numbers = {"bits_per_sample": shares, "notes": notes, "interrupted": stop.requested}
        numbers = saver.finish({**fitted.report, **numbers}, session.arguments, report, values["checkpoint"])
        watch(Progress("write", 1.0, str(output)))
    if not quiet:
        click.echo(summarize_fit(numbers, [path for path in (output, report) if path], pictures), err=True)
    if stop.requested:
        raise click.exceptions.Exit(Interrupted.exit_code)
