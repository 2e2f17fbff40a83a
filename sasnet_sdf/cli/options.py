"""Command-line options: options for settings, generated from their fields, and other shared options."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, get_args

import click

from ..config import PRESETS, Config
from ..errors import unknown
from ..settings import Settings, about, kind_of, options_of
from ..signal_config import SIGNAL_PRESETS, SignalConfig

Decorated = TypeVar("Decorated", bound="Callable[..., Any] | click.Command")

Group = Literal["Input", "Output", "Surface", "Training", "Tiles", "Run"]
"""The groups of options in help, in order."""

_MEMBERS: dict[Group, str] = {
    "Input": "input supervision max_points",
    "Surface": "extraction",
    "Training": "training checkpoint seed parameters ratio",
    "Tiles": "tiles",
}
"""Sections of settings, and single settings, whose options each group contains; Run has all others."""


class Decorator(Protocol):
    """A decorator that adds options to a command."""

    def __call__(self, command: Decorated, /) -> Decorated: ...


@dataclass
class Session:
    """One run of the program: the arguments of its command line, whether -v is among them, and --threads."""

    arguments: tuple[str, ...] = ()
    verbose: bool = False
    threads: int | None = None


class Option(click.Option):
    """An option that help lists under a group."""

    def __init__(self, *args: Any, group: Group = "Run", **kwargs: Any) -> None:
        self.group: Group = group
        super().__init__(*args, **kwargs)

    def get_help_extra(self, ctx: click.Context) -> Any:
        """The extra items of the option's help, without the bounds of numbers, which errors report."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


class Command(click.Command):
    """A command whose help lists the options by group."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in get_args(Group)}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                groups[getattr(parameter, "group", "Run")].append(record)
        used = {name: records for name, records in groups.items() if records}
        for name, records in used.items():
            with formatter.section(name if len(used) > 1 else "Options"):
                formatter.write_dl(records)


class Choice(click.Choice[str]):
    """One of several values; an error suggests the most similar one."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        return unknown("value", value, self.choices)


def option(
    declaration: str, help: str, group: Group = "Run", *, name: str | None = None, **keywords: Any
) -> Decorator:
    """Make an option as click.option does, in a group of the help.

    declaration: the option as help shows it, such as "-o, --output FILE"; without a value and a type it
    is a flag. name: the name of the command's argument, by default that of the option.
    """
    *others, last = declaration.split(", ")
    long, _, form = last.partition(" ")
    names = [*others, long, *([name] if name else [])]
    kind = {"metavar": form} if form else {} if "type" in keywords else {"is_flag": True}
    return click.option(*names, cls=Option, group=group, help=help, **kind, **keywords)


def all_of(*options: Decorator) -> Decorator:
    """Combine several options into one decorator; help keeps their order."""

    def decorate(command: Decorated, /) -> Decorated:
        for each in reversed(options):
            command = each(command)
        return command

    return decorate


def settings(owner: type[Settings], *names: str, only: str = "") -> Decorator:
    """Make the options of these settings; an omitted one is None, or its default if that is a string.

    only: the preset whose defaults help shows; None: those of all presets.
    """
    known = options_of(owner)
    presets: Mapping[str, Any] = SIGNAL_PRESETS if owner is SignalConfig else PRESETS
    presets = {only: presets[only]} if only else presets
    return all_of(*(_option_of(name, *known[name], presets) for name in names))


def _option_of(
    name: str, section: str, owner: type, part: Field[Any], presets: Mapping[str, Any]
) -> Decorator:
    what, (kind, _) = about(part), kind_of(owner, part.name)
    keywords: dict[str, Any] = {"default": part.default if isinstance(part.default, str) else None}
    form = f" {what.form}" if what.form else ""
    if what.choices:
        keywords["type"] = Choice(what.choices)
    elif kind is not bool:
        keywords["type"] = kind if kind in (int, float) and what.parse is None else str
    again = ""
    if kind is tuple and what.form == "NAME":
        keywords["multiple"], again = True, " May be repeated."
    help = f"{what.help}{again} {_default_of(section, part, presets)}".strip()
    groups: list[Group] = [group for group, names in _MEMBERS.items() if (section or name) in names.split()]
    group: Group = groups[0] if groups else "Run"
    return option(f"--{name.replace('_', '-')}{form}", help, group, name=name, **keywords)


def _default_of(section: str, part: Field[Any], presets: Mapping[str, Any]) -> str:
    """The default as help shows it, by preset where presets differ; empty where it is not informative."""
    if about(part).usual:
        return f"[default: {about(part).usual}]"
    holders = [getattr(config, section) if section else config for config in presets.values()]
    values = [getattr(holder, part.name) for holder in holders]
    if len(set(values)) > 1:
        each = (f"{preset} {value}" for preset, value in zip(presets, values, strict=True))
        return f"[default: {', '.join(each)}]"
    if values[0] is None or values[0] is False or values[0] == ():
        return ""
    return f"[default: {values[0]:g}]" if isinstance(values[0], float) else f"[default: {values[0]}]"


LATTICE = ("resolution", "edge_length", "trim", "watertight", "faces", "keep_components", "max_memory")
"""The settings of an extraction."""

FILE: click.Path = click.Path(path_type=Path)
NEW_FILE: click.Path = click.Path(path_type=Path, dir_okay=False)
FOLDER: click.Path = click.Path(path_type=Path, file_okay=False)

output: Decorator = option(
    "-o, --output OUTPUT",
    "File to write; its extension decides the format.",
    "Output",
    type=NEW_FILE,
    required=True,
)
report: Decorator = option(
    "--report FILE.json", "Write a report too: what was done, in numbers.", "Output", type=FILE
)
overwrite: Decorator = option("--overwrite", "Replace files that exist.", "Output")
model: Decorator = option(
    "--model NAME[:KEY=VALUE]",
    "The network: sasnet, siren, finer, wire, gauss, ffn, pemlp, ngp, bacon or tuner, with the settings of "
    "docs/models.md, and changes to them, such as siren:omega0=10. [default: sasnet]",
    "Training",
)


def preset(what: str) -> Decorator:
    """Make --preset; `what` describes what it determines."""
    choice = Choice([*PRESETS])
    return option("--preset", what, "Training", type=choice, default="balanced", show_default=True)


def set_other(such_as: str) -> Decorator:
    """Make --set; `such_as` gives examples."""
    help = f"Change any other setting, such as {such_as}. May be repeated."
    return option("--set KEY=VALUE", help, "Training", name="settings", multiple=True)


def _limit_threads(ctx: click.Context, _: click.Parameter, count: int | None) -> None:
    """Set the number of threads before PyTorch is loaded, so that all libraries use it."""
    if count is None:
        return
    ctx.ensure_object(Session).threads = count
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "IGL_NUM_THREADS"):
        os.environ[name] = str(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


class _Lines(logging.Handler):
    """Log records as plain lines on the stream that is stderr at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


def _log_more(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked:
        return
    ctx.ensure_object(Session).verbose = True
    logger, handler = logging.getLogger("sasnet_sdf"), _Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    ctx.call_on_close(lambda: (logger.removeHandler(handler), logger.setLevel(level)))


verbose: Decorator = option(
    "-v, --verbose",
    "Log what was chosen; show the traceback of an error.",
    expose_value=False,
    callback=_log_more,
)
quiet: Decorator = option("-q, --quiet", "Print errors and warnings only.")
run: Decorator = all_of(
    option(
        "--threads N",
        "Threads to compute with. [default: OMP_NUM_THREADS, else one per core]",
        type=click.IntRange(1, 1024),
        expose_value=False,
        callback=_limit_threads,
    ),
    option(
        "--progress",
        "auto: bars on a terminal, else a few lines. plain: 'PERCENT MESSAGE' lines on stdout.",
        type=Choice(["auto", "plain", "none"]),
        default="auto",
        show_default=True,
    ),
    quiet,
    verbose,
)
engine: Decorator = settings(Config, "device", "engine")
checkpoint: Decorator = settings(Config, "checkpoint", "checkpoint_every", "resume")
