"""generate_surface_reconstruction_sasnet: a surface from a layer's points, as a new layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sasnet_sdf import PRESETS, PointCloud, TriangleMesh, UnusableGeometry, UsageError

from .filters import Filter, OnProgress, Parameter, help_of
from .layers import SCALAR, add_surface, geometry_of, layers_of

LAYER = "SASNet surface"

TRAINING = (
    Parameter("preset", "enum", "balanced", "How much work to spend.", tuple(PRESETS)),
    Parameter(
        "normals",
        "enum",
        "auto",
        "What decides which side of a layer without faces is outside. file: its normals. estimate: its "
        "points. auto: its normals if it has any.",
        ("auto", "file", "estimate"),
    ),
    Parameter("seed", "int", 0, help_of("seed")),
    Parameter("steps", "int", 0, f"{help_of('steps')} 0: the preset's."),
    Parameter("timelimit", "float", 0.0, f"{help_of('time_limit')} 0: no limit."),
)

PARAMETERS = (
    Parameter("visiblelayer", "bool", False, "Take all visible layers together instead of the current one."),
    TRAINING[0],
    Parameter("resolution", "int", 0, f"{help_of('resolution')} 0: the preset's."),
    Parameter("edgelength", "length", 0, f"{help_of('edge_length')} 0: the resolution decides it."),
    Parameter(
        "trim",
        "length",
        0,
        "Cut surface away that is farther from the points than this. 0: the spacing of the points decides, "
        "and nothing is cut where they surround a solid. 100%: cut nothing away.",
    ),
    Parameter("watertight", "bool", False, help_of("watertight")),
    Parameter("refine", "bool", True, help_of("refine").replace("auto:", "On:").replace("off:", "Off:")),
    TRAINING[1],
    Parameter("faces", "int", 0, f"{help_of('faces')} 0: keep all."),
    Parameter("colors", "bool", True, help_of("colors")),
    Parameter("scalar", "bool", True, "Carry the scalar (quality) of the vertices over."),
    *TRAINING[2:],
    Parameter("savemodel", "str", "", "Write the signed distance field to this file (.sasnet), if given."),
)


def training_settings(values: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of sasnet_sdf.reconstruct for the parameters in TRAINING."""
    settings = {name: values[name] for name in ("preset", "normals", "seed")}
    return settings | {"steps": values["steps"] or None, "time_limit": values["timelimit"] or None}


def source_of(layers: list[Any], colors: bool = False, scalar: bool = False) -> PointCloud | TriangleMesh:
    """Return the layers as geometry. Raises UnusableGeometry where there are no points."""
    if not any(layer.vertex_number() for layer in layers):
        raise UnusableGeometry("there are no points" if layers else "no layer is visible")
    return geometry_of(layers, colors, scalar)


def _check_model(path: Path) -> None:
    """Refuse, before the work starts, a path where no model can be written. Raises UsageError."""
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
        tiles="off",  # the model is one file, and the surface a layer in memory
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
    "visible ones, and add its surface as a new layer. Normals are not needed.",
    PARAMETERS,
    _run,
)
