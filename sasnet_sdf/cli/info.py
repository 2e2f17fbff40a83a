"""`sasnet-sdf info`: what a file holds."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click

from ..errors import printable
from .options import FILE, verbose_option
from .summary import warning_lines


@click.command("info", short_help="Say what a cloud, mesh, image, volume or model holds.")
@click.argument("file", type=FILE, metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@verbose_option
def command(file: Path, as_json: bool) -> None:
    """Say what FILE holds: a point cloud, a mesh, an image, a volume, or a model (.sasnet)."""
    facts = _facts(file)
    click.echo(json.dumps(facts, indent=2) if as_json else "\n".join(_lines(facts)))


def _facts(file: Path) -> dict[str, Any]:
    from ..errors import UnusableGeometry, texts
    from ..geometry import TriangleMesh
    from .facts import checked, cloud_facts, mesh_facts, model_facts, signal_facts

    if file.suffix.lower() == ".sasnet":
        from ..fitted import load_model

        return {"file": str(file), **model_facts(load_model(file, device="cpu"))}
    from ..io import read_geometry
    from ..io.columns import finite
    from ..io.formats import signal_kind

    if kind := signal_kind(file):
        from ..pipelines.fit_signal import load_signal

        return {"file": str(file), **signal_facts(*load_signal(file, kind))}

    geometry = read_geometry(file)
    points = geometry.vertices if isinstance(geometry, TriangleMesh) else geometry.points
    if not finite(points).any():
        what = (
            f"none of its {len(points)} points is finite; export it again"
            if len(points)
            else "holds no points"
        )
        raise UnusableGeometry(f"{file}: {what}")
    if isinstance(geometry, TriangleMesh):
        return {"file": str(file), **mesh_facts(geometry)}
    facts = cloud_facts(geometry)
    found = checked(geometry, str(file))
    told = [*facts["notes"], *texts(found, "note")]
    return {"file": str(file), **facts, "notes": told, "warnings": texts(found, "warning")}


def _lines(facts: dict[str, Any], indent: str = "") -> list[str]:
    """One `name  value` line a fact, nested ones indented."""
    width = max((len(name) for name in facts), default=0)
    lines = []
    for name, value in facts.items():
        label = printable(name.replace("_", " "))
        if isinstance(value, dict):
            lines += [f"{indent}{label}", *_lines(value, indent + "  ")]
        elif name == "notes":
            lines += [f"note: {printable(note)}" for note in value]
        elif name == "warnings":
            lines += warning_lines(value)
        elif name in ("low", "high", "origin") and "diagonal" in facts:
            digits = max(0, 5 - math.ceil(math.log10(max(facts["diagonal"] or 1.0, 1e-300))))
            lines.append(f"{indent}{label:<{width}}  " + "  ".join(_place(x, digits) for x in value))
        else:
            lines.append(f"{indent}{label:<{width}}  {_shown(value)}")
    return lines


def _place(coordinate: float, digits: int) -> str:
    """A coordinate without an exponent, to about a ten-thousandth of the extent."""
    return f"{coordinate:.{digits}f}" if digits < 12 and abs(coordinate) < 1e12 else f"{coordinate:.6g}"


def _shown(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return "  ".join(_shown(item) for item in value) or "none"
    return printable(str(value))
