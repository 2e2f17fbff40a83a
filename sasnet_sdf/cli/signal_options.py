"""What fit-image and fit-volume share: their options, and what they do with them."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import click

from ..config import SignalConfig
from ..errors import Interrupted, UsageError
from ..runtime.progress import Progress, stage
from ..runtime.system import peak_memory_bytes
from .options import (
    FOLDER,
    OUTPUT,
    OUTPUT_GROUP,
    Session,
    all_of,
    checkpoint_options,
    model_option,
    option,
    overwrite_option,
    preset_option,
    progress_option,
    quiet_option,
    set_option,
    settings,
    threads_option,
    verbose_option,
)
from .outputs import Saver, check_outputs, make_folder, write_json
from .progress import shown
from .reconstruct import watcher
from .stop import StopRequest

STOPPING = "stopping: the model so far will be written; Ctrl-C again stops at once"
INTERRUPTED = "interrupted: training ended early, the model is the one it had reached"


fit_options = all_of(
    option(
        "-o",
        "--output",
        group=OUTPUT_GROUP,
        type=OUTPUT,
        metavar="MODEL.sasnet",
        help="Model to write. [default: the input's name with .sasnet, beside it]",
    ),
    option(
        "--report",
        group=OUTPUT_GROUP,
        type=OUTPUT,
        metavar="FILE.json",
        help="Keep what was done, in numbers.",
    ),
    option(
        "--pictures",
        group=OUTPUT_GROUP,
        type=FOLDER,
        metavar="DIR",
        help="Draw the error, every mask, the spectrum and the convergence.",
    ),
    overwrite_option,
    preset_option("How much work to spend."),
    settings(SignalConfig, "parameters", "ratio", "steps", "batch", "time_limit", "seed"),
    model_option,
    set_option("width=128 or model.omega0=40"),
    checkpoint_options,
    settings(SignalConfig, "device", "engine", "max_memory"),
    threads_option,
    progress_option,
    quiet_option,
    verbose_option,
)
"""The options of a fit."""


def run_fit(
    session: Session,
    kind: str,
    source: Path,
    *,
    output: Path | None,
    report: Path | None,
    pictures: Path | None,
    overwrite: bool,
    progress: str,
    quiet: bool,
    **words: Any,
) -> None:
    """Fit, write what was asked for, and say what came out."""
    started = time.perf_counter()
    from ..io.access import refused
    from ..io.formats import suffix_of

    if suffix_of(source) == ".sasnet":  # whose model would be itself
        raise refused(source, "image", "volume")
    output = output or source.with_name(source.name[: -len(suffix_of(source)) or None] + ".sasnet")
    if output.suffix.lower() != ".sasnet":
        raise UsageError(
            f"{output}: a model's name ends in .sasnet; `sasnet-sdf render` makes pictures of it"
        )
    check_outputs(source, output, report, formats=("model",), overwrite=overwrite)
    if pictures:
        check_pictures(pictures, overwrite)
    with StopRequest() as stop, shown(progress, quiet) as show:
        watch = watcher(stop, show, STOPPING)
        watch(Progress("read", 0.0, "reading"))
        from ..pipelines.fit_signal import fit_signal
        from ..pipelines.signal_report import bits, draw

        try:
            fitted, signal = fit_signal(source, kind, on_progress=watch, **words)
        except KeyboardInterrupt as error:
            raise Interrupted("interrupted; nothing was written") from error
        assert fitted.report is not None
        write_started = time.perf_counter()
        saver = Saver()

        def write(path: Path) -> int:
            fitted.save(path)
            return path.stat().st_size

        notes = [*fitted.report["notes"], *[INTERRUPTED] * stop.requested]
        with stage("write", watch):
            size = saver.save(write, output) or 0
            if pictures:
                notes += saver.save(lambda folder: draw(fitted, signal, folder), pictures) or []
        now = time.perf_counter()
        numbers = {
            **fitted.report,
            "bits_per_sample": bits(fitted, signal, fitted.report["metrics"]["psnr"], size),
            "notes": notes,
            "interrupted": stop.requested,
            "peak_memory_bytes": peak_memory_bytes(),
            "command": shlex.join(["sasnet-sdf", *session.words]),
            "seconds": {**fitted.report["seconds"], "write": now - write_started, "total": now - started},
        }
        if report:
            saver.save(lambda path: write_json(path, numbers), report)
        saver.check(words["checkpoint"])
        watch(Progress("write", 1.0, str(output)))
    if not quiet:
        from .signal_summary import summarise_fit

        written = [path for path in (output, report) if path]
        click.echo(summarise_fit(numbers, written, pictures), err=True)
    if stop.requested:
        raise click.exceptions.Exit(Interrupted.exit_code)


def check_pictures(folder: Path, overwrite: bool) -> None:
    """Refuse a folder for pictures that cannot be one, or has some already. Raises UsageError."""
    from ..io import check_writable
    from ..pipelines.signal_report import PICTURES

    make_folder(folder)
    for name in PICTURES:
        check_writable(folder / name, overwrite, ("image",))
