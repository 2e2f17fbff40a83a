"""`sasnet-sdf`: the group of commands, and the one place where errors become exit codes."""

from __future__ import annotations

import gc
import importlib
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from ..errors import Interrupted, SasnetError, UsageError, printable, unknown
from .options import Session

COMMANDS = {
    "reconstruct": ("reconstruct:command", "Turn a scan into a surface."),
    "extract": ("extract:extract", "Extract the surface of a saved model again."),
    "query": ("extract:query", "Get signed distances and gradients at points."),
    "evaluate": ("measure:evaluate", "Measure a mesh or a model against a reference."),
    "compare": ("measure:compare", "Train several networks, and compare their results."),
    "fit-image": ("fit:fit_image", "Turn an image into a small continuous model."),
    "fit-volume": ("fit:fit_volume", "Turn a volume into a small continuous model."),
    "render": ("render:command", "Make an image, a volume or a surface from such a model."),
    "info": ("info:command", "Show what a cloud, mesh, image, volume or model holds."),
    "doctor": ("doctor:command", "Show what this machine can run."),
    "meshlab": ("meshlab:command", "Build and install the filter of the desktop MeshLab."),
}
"""For each name: module and attribute of the command, which is imported when it runs, and its help line."""


class LazyGroup(click.Group):
    """A group whose commands are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        return getattr(importlib.import_module(f".{module}", __package__), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click, with a suggestion where there is no such command."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise UsageError(_no_command(args[0]))
        return super().resolve_command(ctx, args)


def _no_command(word: str) -> str:
    from ..io.formats import find

    if find(Path(word), "cloud", "mesh"):
        return f"{word} is not a command; to make a surface of it: sasnet-sdf reconstruct {shlex.quote(word)}"
    return unknown("command", word, COMMANDS)


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from .. import __version__

        click.echo(f"sasnet-sdf {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def group() -> None:
    """Turn scans into clean surfaces with a SASNet signed distance field.

    \b
    sasnet-sdf reconstruct scan.ply      writes scan_surface.ply
    sasnet-sdf fit-image photo.png       writes photo.sasnet, for sasnet-sdf render
    sasnet-sdf doctor                    shows what this machine can run

    Exit codes: 0 done, 2 usage, 3 unreadable input, 4 unusable geometry, 5 no surface,
    6 missing backend, 130 interrupted, 1 anything else.
    """


def main() -> None:
    """Run the program and end its process: the entry point of the console script."""
    # importing PyTorch creates many objects; garbage collection during the import would take 0.2 s
    gc.set_threshold(100_000)
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # the disk is full, or the reader of a pipe has exited
        code = code or 1
    os._exit(code)  # unloading PyTorch would take 0.5 s


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; any error is one line on stderr."""
    session = Session(tuple(arguments))
    try:
        return group.main(list(arguments), prog_name="sasnet-sdf", standalone_mode=False, obj=session) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return error.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last line of defense
        if session.verbose:
            traceback.print_exc()
        message, exit_code = _explain(error)
        click.echo("error: " + printable(" ".join(message.split())), err=True)
        return exit_code


def _explain(error: BaseException) -> tuple[str, int]:
    """The message of an error for the user, and its exit code."""
    if isinstance(error, SasnetError):
        return str(error), error.exit_code
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        hint = f' (see "{context.command_path} --help")' if context else ""
        return error.format_message() + hint, error.exit_code
    # click turns a keyboard interrupt, and also an end of file, into Abort.
    if isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt):
        return "interrupted", Interrupted.exit_code
    # NumPy raises MemoryError, PyTorch a RuntimeError
    out_of_memory = "out of memory" in str(error) or "allocate memory" in str(error)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and out_of_memory):
        return "out of memory; ask for less: a smaller resolution, size or preset (see --help)", 1
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}", 1
    report = "this is a bug in sasnet-sdf: run the command again with -v and report the traceback"
    return f"{type(error).__name__}: {error}; {report}", 1
