"""Options and parameter types that commands share."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import UsageError
from ..system import parse_memory

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Session:
    """One run of the program: the words of its command line, and whether it tells all it knows."""

    words: tuple[str, ...] = ()
    verbose: bool = False


class Positive(click.ParamType):
    """A finite number greater than 0."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not (math.isfinite(number) and number > 0):
            self.fail(f"{value} is not a finite number greater than 0", param, ctx)
        return number


class Memory(click.ParamType):
    """A size in bytes, written as 4G or 800M."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return parse_memory(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


FILE = click.Path(path_type=Path)
OUTPUT = click.Path(path_type=Path, dir_okay=False)

output_option = click.option(
    "-o", "--output", type=OUTPUT, required=True, metavar="OUTPUT", help="File to write; its extension says the format."
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
engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "numba", "torch", "tinycudann"]),
    default="auto",
    show_default=True,
    help="What computes the hash grid.",
)


def lattice_options(command: Command) -> Command:
    """How finely the surface is sampled and what of it is kept."""
    for option in reversed(
        (
            click.option(
                "--resolution",
                type=click.IntRange(8, 8192),
                metavar="N",
                help="Lattice cells along the longest side (8 to 8192).",
            ),
            click.option(
                "--edge-length",
                type=Positive(),
                metavar="L",
                help="Size of a lattice cell in the units of the input, instead of --resolution.",
            ),
            click.option(
                "--faces", type=click.IntRange(min=4), metavar="N", help="Decimate to N triangles (at least 4)."
            ),
            click.option("--keep-components", is_flag=True, help="Keep small floating pieces."),
            click.option(
                "--max-memory", type=Memory(), metavar="SIZE", help="Refuse work that needs more, such as 4G."
            ),
        )
    ):
        command = option(command)
    return command


def quiet_option(command: Command) -> Command:
    return click.option("-q", "--quiet", is_flag=True, help="Print errors only.")(command)


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


def one_lattice(resolution: int | None, edge_length: float | None) -> None:
    """Refuse both sizes of the lattice at once."""
    if resolution is not None and edge_length is not None:
        raise UsageError("--resolution and --edge-length exclude each other: give one of them")
