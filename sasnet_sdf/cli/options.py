"""Options that commands share."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Session:
    """One run of the program: the words of its command line, and whether it tells all it knows."""

    words: tuple[str, ...] = ()
    verbose: bool = False


FILE = click.Path(path_type=Path)
OUTPUT = click.Path(path_type=Path, dir_okay=False)

output_option = click.option(
    "-o",
    "--output",
    type=OUTPUT,
    required=True,
    metavar="OUTPUT",
    help="File to write; its extension says the format.",
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace files that exist.")
progress_option = click.option(
    "--progress",
    type=click.Choice(["auto", "plain", "none"]),
    default="auto",
    show_default=True,
    help="auto: a bar on a terminal, else a few lines. plain: 'PERCENT MESSAGE' lines on stdout.",
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where the network runs.",
)
model_option = click.option(
    "--model",
    metavar="NAME[:KEY=VALUE]",
    help="The network: sasnet, siren, finer, wire, gauss, ffn, pemlp, ngp, bacon or tuner, with the "
    "settings of docs/models.md, and changes to them, such as siren:omega0=10. [default: sasnet]",
)


def preset_option(what: str) -> Callable[[Command], Command]:
    """--preset, and what it decides."""
    return click.option(
        "--preset",
        type=click.Choice(["fast", "balanced", "fine"]),
        default="balanced",
        show_default=True,
        help=what,
    )


def set_option(such_as: str) -> Callable[[Command], Command]:
    """--set, with examples."""
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help=f"Change any other setting, such as {such_as}; may be given again.",
    )


def checkpoint_options(command: Command) -> Command:
    """--checkpoint, --checkpoint-every and --resume."""
    options = (
        click.option(
            "--checkpoint",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="Keep the last two states of the training in DIR, whatever happens to the run.",
        ),
        click.option(
            "--checkpoint-every", type=float, metavar="S", help="Seconds between checkpoints. [default: 60]"
        ),
        click.option(
            "--resume",
            is_flag=True,
            help="Go on from the checkpoint of the same input and settings, if there is one; the result "
            "has the bytes of a run that was never stopped.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "numba", "torch", "tinycudann"]),
    default="auto",
    show_default=True,
    help="What computes the hash grid.",
)


max_memory_option = click.option(
    "--max-memory", metavar="SIZE", help="Refuse work that needs more, such as 4G."
)


def lattice_options(command: Command) -> Command:
    """How finely the surface is sampled and what of it is kept; make_config knows their bounds."""
    options = (
        click.option(
            "--resolution",
            type=int,
            metavar="N",
            help="Lattice cells along the side of the cube around the input.",
        ),
        click.option(
            "--edge-length",
            type=float,
            metavar="L",
            help="Size of a lattice cell in the units of the input, instead of --resolution.",
        ),
        click.option(
            "--trim",
            metavar="auto|off|LENGTH",
            help="Cut surface away that is farther from the data than LENGTH, in the units of the input. "
            "auto: as far as the spacing of the points tells, unless they lie all around a solid. "
            "[default: auto]",
        ),
        click.option("--watertight", is_flag=True, help="Close what is open instead of trimming it."),
        click.option("--faces", type=int, metavar="N", help="Decimate to N triangles."),
        click.option("--keep-components", is_flag=True, help="Keep pieces that few points bear out."),
        max_memory_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def quiet_option(command: Command) -> Command:
    return click.option("-q", "--quiet", is_flag=True, help="Print errors and warnings only.")(command)


def threads_option(command: Command) -> Command:
    """--threads: before PyTorch is loaded, so that all libraries take it."""

    def limit(ctx: click.Context, _: click.Parameter, count: int | None) -> None:
        if count is None:
            return
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "IGL_NUM_THREADS"):
            os.environ[name] = str(count)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(count)

    return click.option(
        "--threads",
        type=click.IntRange(1, 1024),
        metavar="N",
        expose_value=False,
        callback=limit,
        help="Threads to compute with. [default: OMP_NUM_THREADS, else one a core]",
    )(command)


def verbose_option(command: Command) -> Command:
    """-v: log what is chosen, and show the traceback of an error."""

    def tell_all(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
        if asked:
            ctx.ensure_object(Session).verbose = True
            logger = logging.getLogger("sasnet_sdf")
            logger.addHandler(logging.StreamHandler(sys.stderr))
            logger.setLevel(logging.INFO)

    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=tell_all,
        help="Log decisions; show the traceback of an error.",
    )(command)
