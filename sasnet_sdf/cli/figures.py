"""The figures of an evaluation as a table for a terminal of 80 columns."""

from __future__ import annotations

from typing import Any

from .summary import note_lines

PARTS = ("mean", "median", "p90", "p99", "max")

WAYS = (
    ("accuracy, to reference", "accuracy"),
    ("completeness, from it", "completeness"),
)
LENGTHS = (
    ("error, mean of means", "error", ".4g"),
    ("Hausdorff, of samples", "hausdorff", ".4g"),
    ("spacing of the cloud", "spacing", ".4g"),
)
AGREEMENT = (
    ("normal consistency", "normal_consistency", ".5f"),
    ("F-score at 0.1 %", "fscore_01", ".5f"),
    ("F-score at 0.5 %", "fscore_05", ".5f"),
    ("IoU, also near surface", "iou", ".5f"),
    ("IoU, uniform", "iou_uniform", ".5f"),
    ("legacy Chamfer", "chamfer_legacy", ".3e"),
    ("  its sampling floor", "chamfer_legacy_floor", ".3e"),
)
SAID = {
    "chamfer_legacy": "squared, in a cube of side 0.9",
    "chamfer_legacy_floor": "the reference against itself",
}
"""What stands behind figures that are not in the unit of the others."""
FIELD = (
    ("distance, |f - d|", "sdf_error", ".4g"),
    ("share of wrong signs", "sign_error", ".3g"),
    ("eikonal, ||grad f| - 1|", "eikonal_error", ".3g"),
)


def table(figures: dict[str, Any]) -> str:
    """Lengths, agreement, the field's errors if there are any, then what the mesh is."""
    lines = [
        f"lengths in 1e-4 of the reference's diagonal, which is {figures['diagonal']:.6g}",
        "",
        " " * 24 + "".join(f"{part:>11}" for part in PARTS),
        *(_spread(label, name, figures) for label, name in WAYS),
        "",
        *_rows(figures, LENGTHS),
        "",
        *_rows(figures, AGREEMENT),
        "",
    ]
    if "sdf_error_near" in figures:
        lines += [" " * 24 + f"{'near':>11}{'in the box':>11}", *_field_rows(figures), ""]
    lines += [*_mesh_rows(figures), *note_lines(figures["notes"])]
    return "\n".join(lines)


def _spread(label: str, name: str, figures: dict[str, Any]) -> str:
    return f"{label:<24}" + "".join(f"{figures[f'{name}_{part}']:11.4g}" for part in PARTS)


def _rows(figures: dict[str, Any], rows: tuple[tuple[str, str, str], ...]) -> list[str]:
    """A line a figure; what there is none of says why, and the spacing is a cloud's only."""
    return [
        f"{label:<24}{_cell(name, spec, figures)}"
        for label, name, spec in rows
        if name != "spacing" or figures[name] is not None
    ]


def _cell(name: str, spec: str, figures: dict[str, Any]) -> str:
    value = figures[name]
    if value is None:
        return f"{'-':>11}  {_why_none(name, figures)}"
    return f"{value:>11{spec}}  {SAID.get(name, '')}".rstrip()


def _why_none(name: str, figures: dict[str, Any]) -> str:
    if name == "normal_consistency":
        return "the cloud has no normals"
    return "the reference is a cloud" if figures["reference"] == "cloud" else "the reference is open"


def _field_rows(figures: dict[str, Any]) -> list[str]:
    if figures["sdf_error_near"] is None:
        return [f"{label:<24}{'-':>11}{'-':>11}  {_why_none(name, figures)}" for label, name, _ in FIELD]
    return [
        f"{label:<24}" + "".join(f"{figures[f'{name}_{place}']:>11{spec}}" for place in ("near", "far"))
        for label, name, spec in FIELD
    ]


def _mesh_rows(figures: dict[str, Any]) -> list[str]:
    kind = "watertight" if figures["watertight"] else f"{figures['boundary_edges']:,} boundary edges"
    if figures["nonmanifold_edges"]:
        kind += f", {figures['nonmanifold_edges']:,} non-manifold edges"
    pieces = figures["components"]
    size = f"{figures['vertices']:,} vertices and {figures['faces']:,} faces"
    return [
        f"mesh of {size} in {pieces:,} piece{'s'[: pieces != 1]}",
        f"  {kind}",
        f"  area {_beside(figures, 'area')}, in the units of the input",
        f"  volume {_beside(figures, 'volume')}",
    ]


def _beside(figures: dict[str, Any], name: str) -> str:
    """A size of the mesh and that of the reference, in world units."""
    sizes = [figures[name], figures[f"reference_{name}"]]
    own, other = ("none" if size is None else f"{size:.6g}" for size in sizes)
    return f"{own}, the reference's {other}"
