"""docs/settings.md: a table of every setting, from the dataclasses that hold them.

python benchmarks/settings_page.py
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from common import table

from sasnet_sdf.config import PRESETS
from sasnet_sdf.model_config import PUBLISHED
from sasnet_sdf.settings import About, about, kind_of
from sasnet_sdf.signal_config import SIGNAL_PRESETS, VOLUME_TUNING, SignalTuning

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

HEAD = """# Settings

Every setting. `python benchmarks/settings_page.py` writes this page from the dataclasses that hold them, and
a test checks that it is up to date.

- A setting with an option has a keyword argument of the same name in Python: `--edge-length 0.5` is
  `reconstruct(..., edge_length=0.5)`.
- Any setting can be given by its name in the first column: `--set supervision.targets=200000`, or
  `reconstruct(..., settings=["supervision.targets=200000"])`.
- A default that differs between the presets is listed for each of them. An empty one means that the setting
  has no effect until it is given.

## Surfaces

`sasnet-sdf reconstruct` and `sasnet_sdf.reconstruct`, class `sasnet_sdf.Config`; the settings of its network
are [below](#networks).

"""

SIGNALS = """## Images and volumes

`sasnet-sdf fit-image` and `fit-volume`, `sasnet_sdf.fit_image` and `fit_volume`, class
`sasnet_sdf.SignalConfig`: what is new here or has another default. `seed`, `device`, `engine`,
`max_memory`, the checkpoints and the rest of `training` are as for surfaces, but `noisy_steps` and the
settings of eikonal, normals and masks have no effect. Without `--model` the network is a SASNet whose
settings are chosen from the signal ([signals.md](signals.md)).

"""

TUNING = """### How the SASNet of an image or a volume is chosen

By these numbers, from the signal's resolution and spectrum and from the number of parameters; `--set
tuning.widest=0.25` changes one.

"""

NETWORKS = """## Networks

The settings of each network, as `--model siren:omega0=10` or `--set model.omega0=10` changes them;
[models.md](models.md) says where the values come from. Coordinates are those of the unit cube [-1, 1]³. The
defaults of the presets' network are listed by preset.
"""

COLUMNS = ["setting", "option", "Python", "values", "default", "meaning"]
NETWORK_COLUMNS = ["setting", "values", "default", "meaning"]


def page() -> str:
    """The text of docs/settings.md."""
    surfaces, signals = rows_of(PRESETS), rows_of(SIGNAL_PRESETS)
    new = [row for row in signals if row not in surfaces and row[0] != "`training.noisy_steps`"]
    tuning = network_rows({"images": SignalTuning(), "volumes": VOLUME_TUNING}, "tuning.")
    parts = [HEAD, table(COLUMNS, surfaces), "\n", SIGNALS, table(COLUMNS, new), "\n"]
    parts += [TUNING, table(NETWORK_COLUMNS, tuning), "\n", NETWORKS]
    models = {preset: config.model for preset, config in PRESETS.items()}
    usual = next(iter(models.values())).name
    for name, config in PUBLISHED.own.items():
        if name != config.name:  # a preset of another network
            continue
        kind = type(config)
        parts += [f"\n### {name}\n\n", f"{inspect.getdoc(kind)}\n\n"]
        rows = network_rows(models if name == usual else {"": kind()})
        parts.append(table(NETWORK_COLUMNS, rows))
    return "".join(parts)


def rows_of(presets: Mapping[str, Any], section: str = "") -> list[list[str]]:
    """A row for each setting of a section of these configurations, then those of the sections in it."""
    first = next(iter(presets.values()))
    rows: list[list[str]] = []
    inner: list[list[str]] = []
    for part in fields(first):
        name = f"{section}.{part.name}".removeprefix(".")
        values = {preset: getattr(config, part.name) for preset, config in presets.items()}
        if name in ("preset", "model", "tuning"):
            continue
        if is_dataclass(getattr(first, part.name)):
            inner += rows_of(values, name)
            continue
        what = about(part)
        option = f"`{f'--{what.option} {what.form}'.replace('_', '-').strip()}`" if what.option else ""
        python = f"`{what.option}`" if what.option else ""
        cells = option, python, values_of(type(first), part), default_of(what, values), what.help
        rows.append([escaped(cell) for cell in (f"`{name}`", *cells)])
    return rows + inner


def network_rows(models: Mapping[str, Any], section: str = "") -> list[list[str]]:
    """A row for each setting of a network, by preset where there are several, those of its grid included."""
    first = next(iter(models.values()))
    rows: list[list[str]] = []
    for part in fields(first):
        name = f"{section}{part.name}"
        values = {preset: getattr(model, part.name) for preset, model in models.items()}
        if is_dataclass(getattr(first, part.name)):
            rows += network_rows(values, f"{name}.")
            continue
        what = about(part)
        cells = f"`{name}`", values_of(type(first), part), default_of(what, values), what.help
        rows.append([escaped(cell) for cell in cells])
    return rows


def values_of(owner: type, part: Field[Any]) -> str:
    """The type of a setting, and its bounds or choices."""
    what, (kind, _) = about(part), kind_of(owner, part.name)
    if what.choices:
        return ", ".join(f"`{choice}`" for choice in what.choices)
    if kind is bool:
        return "on, off"
    if kind in (int, float) and what.parse is None:
        name = "whole number" if kind is int else "number"
        return f"{name}{bounds_of(what)}"
    return f"`{what.form}`" if what.form else "text" if kind is str else kind.__name__


def bounds_of(what: About) -> str:
    if what.positive:
        return " above 0"
    if what.low is None:
        return ""
    low = number(what.low)
    return f", at least {low}" if what.high is None else f", {low} to {number(what.high)}"


def number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def default_of(what: About, by_preset: Mapping[str, Any]) -> str:
    """The default, by preset where they differ."""
    if what.usual:
        return what.usual
    values = list(by_preset.values())
    if all(value == values[0] for value in values):
        return shown(values[0])
    return ", ".join(f"{preset} {shown(value) or 'none'}" for preset, value in by_preset.items())


def shown(value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return number(value) if isinstance(value, (int, float)) else f"`{value}`"


def escaped(text: str) -> str:
    """A cell whose bars do not end it."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
