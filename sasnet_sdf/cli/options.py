"""Command-line options: those of settings, generated from their fields, and others that commands share."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ..config import PRESETS, SIGNAL_PRESETS, Config, SignalConfig
from ..settings import Settings, about, kind_of, words_of

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

INPUT, OUTPUT_GROUP, SURFACE, TRAINING, RUN = "Input", "Output", "Surface", "Training", "Run"
"""The groups of options in help."""

_GROUP_OF = {"extraction": SURFACE, "training": TRAINING, "checkpoint": TRAINING}
_GROUP_OF |= {"input": INPUT, "supervision": INPUT, "max_points": INPUT, "seed": TRAINING}
_GROUP_OF |= {"parameters": TRAINING, "ratio": TRAINING}
"""By the section that a setting lies in, or by its word."""


@dataclass
class Session:
    """One run of the program: the words of its command line, and whether it tells all it knows."""

    words: tuple[str, ...] = ()
    verbose: bool = False


class Option(click.Option):
    """An option that help lists under a group."""

    def __init__(self, *args: Any, group: str = RUN, **kwargs: Any):
        self.group = group
        super().__init__(*args, **kwargs)

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Without bounds, which only an error needs to tell."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


class Command(click.Command):
    """A command whose help lists the options by group."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {
            name: [] for name in (INPUT, OUTPUT_GROUP, SURFACE, TRAINING, RUN)
        }
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                groups[getattr(parameter, "group", RUN)].append(record)
        for name, records in groups.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)


def option(*declarations: str, group: str = RUN, **words: Any) -> Callable[[Decorated], Decorated]:
    """click.option, in a group of the help."""
    return click.option(*declarations, cls=Option, group=group, **words)


def all_of(*options: Callable[[Decorated], Decorated]) -> Callable[[Decorated], Decorated]:
    """Several options as one decorator."""

    def decorate(command: Decorated) -> Decorated:
        for each in reversed(options):
            command = each(command)
        return command

    return decorate


def settings(owner: type[Settings], *words: str) -> Callable[[Decorated], Decorated]:
    """The options of these settings; one that is not given is None, or its default if that is a text."""
    known = words_of(owner)
    presets = SIGNAL_PRESETS if owner is SignalConfig else PRESETS
    return all_of(*(_option_of(word, *known[word], presets) for word in words))


def _option_of(
    word: str, section: str, owner: type, part: Field[Any], presets: Mapping[str, Any]
) -> Callable[[Decorated], Decorated]:
    what, (kind, _) = about(part), kind_of(owner, part.name)
    default = part.default if isinstance(part.default, str) else None
    words: dict[str, Any] = {"default": default, "metavar": what.form or None, "type": str}
    if kind is bool:
        words |= {"is_flag": True, "type": None, "metavar": None}
    elif what.choices:
        words |= {"type": click.Choice(what.choices)}
    elif kind in (int, float) and what.parse is None:
        words |= {"type": kind}
    elif kind is tuple and what.form == "NAME":
        words |= {"multiple": True}
    again = " May be repeated." if "multiple" in words else ""
    help = f"{what.help}{again} {_default_of(section, part, presets)}".strip()
    group = _GROUP_OF.get(word, _GROUP_OF.get(section, RUN))
    return option(f"--{word.replace('_', '-')}", word, group=group, help=help, **words)


def _default_of(section: str, part: Field[Any], presets: Mapping[str, Any]) -> str:
    """The default as help shows it, by preset where the presets differ; empty where it says nothing."""
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


FILE = click.Path(path_type=Path)
OUTPUT = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)

output_option = option(
    "-o",
    "--output",
    type=OUTPUT,
    required=True,
    metavar="OUTPUT",
    group=OUTPUT_GROUP,
    help="File to write; its extension says the format.",
)
overwrite_option = option("--overwrite", is_flag=True, group=OUTPUT_GROUP, help="Replace files that exist.")
progress_option = option(
    "--progress",
    type=click.Choice(["auto", "plain", "none"]),
    default="auto",
    show_default=True,
    help="auto: a bar on a terminal, else a few lines. plain: 'PERCENT MESSAGE' lines on stdout.",
)
model_option = option(
    "--model",
    group=TRAINING,
    metavar="NAME[:KEY=VALUE]",
    help="The network: sasnet, siren, finer, wire, gauss, ffn, pemlp, ngp, bacon or tuner, with the "
    "settings of docs/models.md, and changes to them, such as siren:omega0=10. [default: sasnet]",
)


def preset_option(what: str) -> Callable[[Decorated], Decorated]:
    """--preset, and what it decides."""
    return option(
        "--preset",
        group=TRAINING,
        type=click.Choice(["fast", "balanced", "fine"]),
        default="balanced",
        show_default=True,
        help=what,
    )


def set_option(such_as: str) -> Callable[[Decorated], Decorated]:
    """--set, with examples."""
    return option(
        "--set",
        "settings",
        group=TRAINING,
        multiple=True,
        metavar="KEY=VALUE",
        help=f"Change any other setting, such as {such_as}; may be given again.",
    )


engine_options = settings(Config, "device", "engine")
lattice_options = settings(
    Config, "resolution", "edge_length", "trim", "watertight", "faces", "keep_components", "max_memory"
)
checkpoint_options = settings(Config, "checkpoint", "checkpoint_every", "resume")


def quiet_option(command: Decorated) -> Decorated:
    return option("-q", "--quiet", is_flag=True, help="Print errors and warnings only.")(command)


def threads_option(command: Decorated) -> Decorated:
    """--threads: before PyTorch is loaded, so that all libraries take it."""

    def limit(ctx: click.Context, _: click.Parameter, count: int | None) -> None:
        if count is None:
            return
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "IGL_NUM_THREADS"):
            os.environ[name] = str(count)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(count)

    return option(
        "--threads",
        type=click.IntRange(1, 1024),
        metavar="N",
        expose_value=False,
        callback=limit,
        help="Threads to compute with. [default: OMP_NUM_THREADS, else one a core]",
    )(command)


def verbose_option(command: Decorated) -> Decorated:
    """-v: log what is chosen, and show the traceback of an error."""

    def tell_all(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
        if asked:
            ctx.ensure_object(Session).verbose = True
            logger = logging.getLogger("sasnet_sdf")
            logger.addHandler(logging.StreamHandler(sys.stderr))
            logger.setLevel(logging.INFO)

    return option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=tell_all,
        help="Log decisions; show the traceback of an error.",
    )(command)
