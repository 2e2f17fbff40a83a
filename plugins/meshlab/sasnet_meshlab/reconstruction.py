"""generate_surface_reconstruction_sasnet: a surface from a layer's points, as a new layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sasnet_sdf import PRESETS, PointCloud, TriangleMesh, UnusableGeometry, UsageError

from .filters import Filter, OnProgress
from .layers import SCALAR, add_surface, geometry_of, layers_of
from .parameters import Parameter

LAYER = "SASNet surface"

TRAINING = (
    Parameter("preset", "enum", "balanced", "How much work to spend.", tuple(PRESETS)),
    Parameter(
        "normals",
        "enum",
        "auto",
        "What says where outside is, of a layer without faces. file: its normals; estimate: its points; "
        "auto: its normals where it has some.",
        ("auto", "file", "estimate"),
    ),
    Parameter("seed", "int", 0, "The same seed gives the same surface."),
    Parameter("steps", "int", 0, "Training steps; 0: those of the preset."),
    Parameter("timelimit", "float", 0.0, "Training ends after so many seconds; 0: no limit."),
)

PARAMETERS = (
    Parameter(
        "visiblelayer", "bool", False, "Take all visible layers together instead of the current one alone."
    ),
    TRAINING[0],
    Parameter(
        "resolution",
        "int",
        0,
        "Cells of the lattice along the longest side, which decide how fine the triangles are; "
        "0: those of the preset.",
    ),
    Parameter("edgelength", "length", 0, "Size of a cell, instead of the resolution; 0: by the resolution."),
    Parameter(
        "trim",
        "length",
        0,
        "Surface farther than this from the points is cut away; 0: as far as the spacing of the points "
        "tells; 100%: nothing is.",
    ),
    Parameter("watertight", "bool", False, "Close what is open instead of cutting it away."),
    Parameter(
        "refine",
        "bool",
        True,
        "Follow the points where there are points, and the network across holes; off: the network "
        "everywhere.",
    ),
    TRAINING[1],
    Parameter("faces", "int", 0, "Decimate to so many triangles; 0: keep all."),
    Parameter("colors", "bool", True, "Carry the colours of the vertices over."),
    Parameter("scalar", "bool", True, "Carry the scalar (quality) of the vertices over."),
    *TRAINING[2:],
    Parameter(
        "savemodel",
        "str",
        "",
        "Keep the signed distance field as this file (.sasnet); empty: none is kept.",
    ),
)


def training_settings(values: dict[str, Any]) -> dict[str, Any]:
    """The words of sasnet_sdf.reconstruct for the parameters of TRAINING."""
    return {
        "preset": values["preset"],
        "normals": values["normals"],
        "seed": values["seed"],
        "steps": values["steps"] or None,
        "time_limit": values["timelimit"] or None,
    }


def source_of(layers: list[Any], colors: bool = False, scalar: bool = False) -> PointCloud | TriangleMesh:
    """The layers as geometry. Raises UnusableGeometry where there is none."""
    if not any(layer.vertex_number() for layer in layers):
        raise UnusableGeometry("there are no points" if layers else "no layer is visible")
    return geometry_of(layers, colors, scalar)


def _check_model(path: Path) -> None:
    """Refuse, before the work, a name that no model can have. Raises UsageError."""
    if path.suffix.lower() != ".sasnet":
        raise UsageError(f"{path}: the name of a model ends in .sasnet")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it or choose another")


def _run(mesh_set: Any, values: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    from sasnet_sdf import reconstruct

    if values["savemodel"]:
        _check_model(Path(values["savemodel"]))
    layers = layers_of(mesh_set, values["visiblelayer"])
    source = source_of(layers, values["colors"], values["scalar"])
    result = reconstruct(
        source,
        **training_settings(values),
        resolution=values["resolution"] or None,
        edge_length=values["edgelength"] or None,
        trim=values["trim"] or None,
        watertight=values["watertight"],
        refine="auto" if values["refine"] else "off",
        faces=values["faces"] or None,
        colors="auto" if values["colors"] else "off",
        carry=(SCALAR,) if SCALAR in source.scalars else (),
        on_progress=on_progress,
    )
    if values["savemodel"]:
        result.field.save(values["savemodel"])
    add_surface(mesh_set, result.mesh, LAYER)
    return {
        "closed": result.report["trim"]["closed"],
        "orientation_confidence": result.report["input"].get("orientation_confidence"),
        "warnings": list(result.report["warnings"]),
        "notes": list(result.report["notes"]),
    }


RECONSTRUCTION = Filter(
    "generate_surface_reconstruction_sasnet",
    "Surface Reconstruction: SASNet",
    "Train a neural signed distance field on the points or triangles of the current layer, or of all "
    "visible ones, and make its surface a new layer. Normals are not needed.",
    PARAMETERS,
    _run,
)
