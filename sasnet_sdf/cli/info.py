"""`sasnet-sdf info`: what a file holds."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import printable
from . import options
from .summary import warning_lines

if TYPE_CHECKING:
    from ..errors import Finding
    from ..field import Field
    from ..fitted import FittedSignal
    from ..geometry import Array, PointCloud, TriangleMesh
    from ..signals import Signal
    from ..tiles.field import TiledField


@click.command("info")
@click.argument("file", type=options.FILE, metavar="FILE")
@options.option("--json", "Print JSON.", name="as_json")
@options.verbose
def command(file: Path, as_json: bool) -> None:
    """Show what FILE holds: a point cloud, a mesh, an image, a volume, or a model (.sasnet)."""
    facts = {"file": str(file), **_facts(file)}
    click.echo(json.dumps(facts, indent=2) if as_json else "\n".join(_lines(facts)))


def _facts(file: Path) -> dict[str, Any]:
    if file.suffix.lower() == ".sasnet" or (file / "tiles.json").is_file():
        from ..api import load_model

        return model_facts(load_model(file, device="cpu"))
    from ..errors import UnusableGeometry, texts
    from ..geometry import TriangleMesh
    from ..io import read_geometry
    from ..io.columns import finite
    from ..io.formats import signal_kind

    if kind := signal_kind(file):
        from ..problems.signal import load_signal

        return signal_facts(*load_signal(file, kind))
    geometry = read_geometry(file)
    points = geometry.vertices if isinstance(geometry, TriangleMesh) else geometry.points
    if not len(points):
        raise UnusableGeometry(f"{file}: holds no points")
    if not finite(points).any():
        raise UnusableGeometry(f"{file}: none of its {len(points)} points is finite; export it again")
    if isinstance(geometry, TriangleMesh):
        return mesh_facts(geometry)
    facts, found = cloud_facts(geometry), _findings(geometry, str(file))
    notes = [*facts["notes"], *texts(found, "note")]
    return {**facts, "notes": notes, "warnings": texts(found, "warning")}


def cloud_facts(cloud: PointCloud) -> dict[str, Any]:
    """Points, extent in world units, attributes, and the notes of the reader.

    sensors: the number of sensor positions. spacing: the median distance to the nearest
    other point, None for fewer than two points. Extent and spacing are those of the finite points.
    """
    from ..metrics import Points
    from ..spatial import first_of_equals

    points, facts, notes = _common(cloud, cloud.points, "points")
    return {
        "kind": "point cloud",
        "points": len(cloud),
        **facts,
        "sensors": 0 if cloud.sensors is None else len(first_of_equals(cloud.sensors)),
        "spacing": _number(Points(points).spacing()) if len(points) > 1 else None,
        "notes": notes,
    }


def mesh_facts(mesh: TriangleMesh) -> dict[str, Any]:
    """Vertices, faces, extent of the finite vertices in world units, attributes, whether it is closed."""
    from ..mesh import Edges

    edges = Edges.of(mesh.faces)
    _, facts, notes = _common(mesh, mesh.vertices, "vertices")
    return {
        "kind": "mesh",
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        **facts,
        "closed": edges.boundary == 0 and edges.branching == 0,
        "boundary_edges": edges.boundary,
        "boundary_loops": edges.loops,
        "non_manifold_edges": edges.branching,
        "notes": notes,
    }


def _common(
    geometry: PointCloud | TriangleMesh, points: Array, what: str
) -> tuple[Array, dict[str, Any], list[str]]:
    """The finite points of (N, 3), the facts that clouds and meshes have in common, and notes."""
    from ..io.columns import finite

    usable = points[finite(points)]
    low, high = usable.min(0).tolist(), usable.max(0).tolist()
    attributes = ("normals", "colors", "sensors")
    facts = {
        "low": low,
        "high": high,
        "diagonal": _number(math.dist(low, high)),
        "attributes": [name for name in attributes if getattr(geometry, name, None) is not None],
        "scalars": list(geometry.scalars),
    }
    missing = len(points) - len(usable)
    notes = [f"{missing} of {len(points)} {what} are not finite"] if missing else []
    return usable, facts, [*geometry.notes, *notes]


def _findings(cloud: PointCloud, name: str) -> list[Finding]:
    """The findings of `reconstruct` about a cloud before it starts; an error becomes a warning here."""
    from ..config import SupervisionConfig
    from ..errors import SasnetError, notes, warning
    from ..io.validate import validated
    from ..problems.surface import selected

    try:
        usable, texts = validated(cloud, name)
        found, _ = selected(usable, SupervisionConfig(), name)
    except SasnetError as error:
        return [warning(str(error).removeprefix(f"{name}: "))]
    # cloud_facts returns the other notes
    others = [text for text in texts if text not in cloud.notes and "points are not finite" not in text]
    return notes(others) + found.findings


def signal_facts(signal: Signal, notes: list[str]) -> dict[str, Any]:
    """Samples along the axes, channels, type, range of values, and a volume's placement in the world."""
    from ..problems.signal import ranges

    low, high, missing = ranges(signal)
    place: dict[str, Any] = {}
    if signal.grid.dim == 3:
        place = {"spacing": signal.grid.spacing.tolist(), "origin": signal.grid.affine[:3, 3].tolist()}
    return {
        "kind": "volume" if signal.grid.dim == 3 else "image",
        "shape": list(signal.grid.shape),
        "channels": signal.channels,
        "dtype": str(signal.values.dtype),
        "low": [_number(value) for value in low.tolist()],
        "high": [_number(value) for value in high.tolist()],
        "not_finite": missing,
        **place,
        "notes": notes,
    }


def model_facts(model: Field | TiledField | FittedSignal) -> dict[str, Any]:
    """Architecture, parameters, frame or grid, and training of a trained field, image or volume."""
    from ..fitted import FittedSignal
    from ..settings import to_dict
    from ..tiles.field import TiledField

    surface = not isinstance(model, FittedSignal)
    kind = "model" if surface else f"model of {'an' if model.kind == 'image' else 'a'} {model.kind}"
    tiles = {"tiles": len(model.tiling.tiles)} if isinstance(model, TiledField) else {}
    return {
        "kind": kind,
        **tiles,
        "parameters": sum(parameter.numel() for parameter in model.model.parameters()),
        "network": to_dict(model.model.config),
        **({"frame": model.frame.to_dict()} if surface else {"grid": model.grid.to_dict()}),
        "training": model.metadata,
    }


def _number(value: float) -> float | None:
    """The value, or None where it is not finite: JSON has no number for it."""
    return value if math.isfinite(value) else None


def _lines(facts: dict[str, Any], indent: str = "") -> list[str]:
    """One `name  value` line for each fact; nested facts are indented."""
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
    """A coordinate without an exponent, rounded to about a ten-thousandth of the extent."""
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
