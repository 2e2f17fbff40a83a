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

COMMANDS = (
    *("reconstruct", "extract", "query", "evaluate", "compare"),
    *("fit-image", "fit-volume", "render", "info", "doctor", "meshlab"),
)
"""Each is `command` in the module of its name."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f".{cmd_name.replace('-', '_')}", __package__).command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with a hint where there is no such command."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise UsageError(_no_command(args[0]))
        return super().resolve_command(ctx, args)


def _no_command(word: str) -> str:
    from ..io.formats import find

    path = Path(word)
    if find(path, "cloud", "mesh"):
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
    sasnet-sdf doctor                    says what this machine can run

    Exit codes: 0 done, 2 usage, 3 unreadable input, 4 unusable geometry, 5 no surface,
    6 missing backend, 130 interrupted, 1 anything else.
    """


def main() -> None:
    """The entry point of the console script: a process of its own."""
    # importing PyTorch creates many objects; garbage collection in between would take 0.2 s
    gc.set_threshold(100_000)
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # the disk is full, or the reader of a pipe has gone
        code = code or 1
    os._exit(code)  # unloading PyTorch would take 0.5 s


def run(words: Sequence[str]) -> int:
    """Run one command line and return its exit code; whatever goes wrong is one line on stderr."""
    session = Session(words=tuple(words))
    try:
        return group.main(list(words), prog_name="sasnet-sdf", standalone_mode=False, obj=session) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return error.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last line of defence
        if session.verbose:
            traceback.print_exc()
        message, exit_code = _explain(error)
        click.echo("error: " + printable(" ".join(message.split())), err=True)
        return exit_code


def _explain(error: BaseException) -> tuple[str, int]:
    """What to tell the user about an error, and its exit code."""
    if isinstance(error, SasnetError):
        return str(error), error.exit_code
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        hint = f' (see "{context.command_path} --help")' if context else ""
        return error.format_message() + hint, error.exit_code
    # click turns a keyboard interrupt into Abort, and an end of file as well.
    if isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt):
        return "interrupted", Interrupted.exit_code
    if _out_of_memory(error):
        return "out of memory; ask for less: a smaller resolution, size or preset (see --help)", 1
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}", 1
    report = "this is a bug in sasnet-sdf: run the command again with -v and report the traceback"
    return f"{type(error).__name__}: {error}; {report}", 1


def _out_of_memory(error: BaseException) -> bool:
    """numpy raises MemoryError, torch a RuntimeError."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in str(error) or "allocate memory" in str(error))
    )
