"""The coarse field of a whole scan, trained on a thinned cloud.

It knows inside from outside where a tile cannot, covers holes that are wider than a tile, gives estimated
orientations a common side, and tells whether the scan surrounds a solid.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..config import ExtractionConfig
from ..errors import NoSurface, texts
from ..extraction import Support
from ..field import Field
from ..geometry import Frame, PointCloud
from ..networks.registry import choose
from ..problems.extract import surface_of
from ..problems.problem import fit, new_network
from ..problems.surface import SurfaceProblem
from ..runtime.memory import SurfaceMemory
from ..runtime.progress import silent
from ..supervision import CloudTarget
from .plan import COARSE, Plan
from .scratch import Scratch

RESOLUTION = 256
"""Lattice cells along the side of the cube, for telling a solid from a sheet."""

_INPUT = "cloud"


def keep_cloud(scratch: Scratch, cloud: PointCloud) -> None:
    """Write the thinned cloud, with the normals or sensors that tell its outside, for the task `coarse`."""
    arrays = {"points": cloud.points, "normals": cloud.normals, "sensors": cloud.sensors}
    scratch.save(_INPUT, COARSE, **{name: part for name, part in arrays.items() if part is not None})


def coarse(plan: Plan) -> dict[str, Any]:
    """Train the coarse field; write it and its oriented points. Raises UnusableGeometry and NoSurface."""
    return plan.scratch.once("coarse", COARSE, lambda: _coarse(plan))


def _coarse(plan: Plan) -> dict[str, Any]:
    arrays = plan.scratch.load(_INPUT, COARSE)
    cloud = PointCloud(arrays["points"], arrays.get("normals"), None, arrays.get("sensors"))
    frame, config = Frame.around(cloud.points), plan.config
    problem = SurfaceProblem.of(cloud, frame, config.supervision, config.seed)
    if problem.noisy:
        config = replace(config, training=config.training.for_noisy_scan())
    device, engine = choose(config.device, config.engine)
    model = new_network(config.model, SurfaceProblem.dim, SurfaceProblem.outputs, engine, config.seed)
    field, _ = fit(problem, model, config, device, silent)
    target = problem.target
    assert isinstance(target, CloudTarget)
    spacing = Support.of(target, scanned=True).spacing
    plan.scratch.save(
        "coarse",
        COARSE,
        points=frame.to_world(target.points),
        normals=target.normals.astype(np.float32),
        spacing=spacing * frame.scale,
    )
    plan.scratch.write(plan.scratch.path("coarse", COARSE, "sasnet"), field.save)
    return {
        **(shape(field, config.extraction, target) if asks_for_shape(config.extraction) else UNKNOWN),
        "size": float(np.ptp(cloud.points, axis=0).max()),
        "training": {name: value for name, value in field.metadata.items() if name != "seed"},
        "notes": texts(problem.findings, "note"),
        "warnings": texts(problem.findings, "warning"),
        **{name: problem.facts.get(name) for name in ("orientation_confidence", "normals_from")},
    }


UNKNOWN = {"solid": None, "unclosed": None}
"""In place of the shape, where the settings say what is trimmed anyway."""


def asks_for_shape(extraction: ExtractionConfig) -> bool:
    """Whether the shape decides what is trimmed."""
    return extraction.trim == "auto" and not extraction.watertight


def shape(field: Field, extraction: ExtractionConfig, target: CloudTarget | None = None) -> dict[str, bool]:
    """Whether the points surround a solid, and whether only the lattice's border closes its surface.

    target: what the points imply, where it is still known.
    """
    config = replace(extraction, resolution=RESOLUTION, edge_length=None, faces=None)
    try:
        trim = surface_of(field, config, SurfaceMemory(), target)[1]["trim"]
    except NoSurface:
        return {"solid": False, "unclosed": False}
    return {"solid": bool(trim["solid"]), "unclosed": trim["capped"]}
