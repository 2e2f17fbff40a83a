"""The contenders: networks trained at one or three learning rates, and surfaces made without a network."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

from ..config import Config, ExtractionConfig, TrainingConfig
from ..errors import Interrupted, MissingBackend, SasnetError, UsageError
from ..extraction import Support
from ..geometry import Array, Frame, TriangleMesh
from ..model_config import ModelConfig
from ..networks.network import Network
from ..problems.extract import surface_of
from ..problems.problem import Problem, Result, fit, new_network, surface_memory
from ..problems.surface import SurfaceProblem
from ..runtime.progress import OnProgress, silent
from ..settings import to_dict
from ..signal_config import SignalConfig
from ..supervision import CloudTarget, MeshTarget
from ..training import History

RATES = (1e-3, 3e-3)
"""Learning rates of a sweep, in addition to the published one; other parameter groups are scaled by the same
factor."""

WARM_UP = 3
"""Number of steps that are run before timing begins."""


def trained(
    problem: Problem[Result],
    error_of: Callable[[Result], float],
    config: Config | SignalConfig,
    device: str,
    engine: str,
    sweep_rates: bool,
    on_progress: OnProgress,
) -> tuple[dict[str, Any], Any]:
    """Train a network on a problem; returns its table row and the result, or None if the loss was NaN.

    error_of: computes the error of a result; with several rates, the one with the least error is kept.
    """
    model, training = config.model, config.training
    assert model is not None

    def fit_with(model: ModelConfig, training: TrainingConfig, watch: OnProgress) -> tuple[Any, History]:
        network = new_network(model, problem.dim, problem.outputs, engine, config.seed)
        return fit(problem, network, replace(config, model=model, training=training), device, watch)

    best: tuple[float, dict[str, Any], Any] | None = None
    tried: dict[str, float | None] = {}
    for rate in sorted({model.rate, *RATES}) if sweep_rates else [model.rate]:
        at_rate = model.at_rate(rate)
        try:
            # one-time compilation and allocation do not count towards the time of a step
            fit_with(at_rate, replace(training, steps=WARM_UP, time_limit=None), silent)
            result, history = fit_with(at_rate, training, on_progress)
        except (UsageError, Interrupted):
            raise
        except SasnetError as error:
            tried[f"{rate:g}"] = None
            failure = str(error)
            continue
        if history.ended_by == "cancel":
            return {"ended_by": "cancel"}, None
        error = error_of(result)
        if not math.isfinite(error):
            tried[f"{rate:g}"], failure = None, "the field is not a number"
            continue
        tried[f"{rate:g}"] = error
        if best is None or error < best[0]:
            row = {
                **{name: value for name, value in result.metadata.items() if name != "seed"},
                "seconds": history.seconds,
                "rate": rate,
                "width": model.width,
                "held_out_error": error,
                "engine": _engine(result.model),
                "settings": to_dict(at_rate),
                "history": {"steps": history.steps, "losses": history.losses, "times": history.times},
            }
            best = error, row, result
    sweep = {"rates": tried} if sweep_rates else {}
    if best is None:
        return {"settings": to_dict(model), "failure": failure, **sweep}, None
    return best[1] | sweep, best[2]


def _engine(model: Network[Any]) -> str:
    """The engine that computed a network: compiled passes, or PyTorch with one of the hash grid's engines."""
    if model.compiled:
        return "compiled"
    return "torch" if model.engine == "torch" else f"torch, {model.engine}"


DEPTH = 9
"""The octree depth that works best on clean clouds of a few hundred thousand points."""


def is_poisson(words: str) -> bool:
    """Whether a model's name stands for Poisson reconstruction. Raises UsageError for an invalid depth."""
    name, _, _ = words.partition(":")
    if name == "poisson":
        _depth(words)
    return name == "poisson"


def poisson_surface(problem: SurfaceProblem, words: str) -> tuple[dict[str, Any], TriangleMesh]:
    """The row and the surface of `poisson` or `poisson:depth=N`, in world units.

    It uses the cleaned points and oriented normals that the targets of the other models are computed from.
    Raises UsageError and MissingBackend.
    """
    depth = _depth(words)
    assert isinstance(problem.target, CloudTarget)
    points = problem.frame.to_world(problem.target.points)
    start = time.perf_counter()
    vertices, faces, library = _solve(points, problem.target.normals, depth)
    return (
        {"seconds": time.perf_counter() - start, "engine": library, "settings": {"depth": depth}},
        TriangleMesh(vertices, faces),
    )


def _depth(words: str) -> int:
    _, _, option = words.partition(":")
    if not option:
        return DEPTH
    key, _, text = option.partition("=")
    if key != "depth" or not text.isdigit() or not 1 <= int(text) <= 14:
        raise UsageError(f"model {words}: poisson takes depth=1 to 14")
    return int(text)


def _solve(points: Array, normals: Array, depth: int) -> tuple[Array, np.ndarray, str]:
    """Vertices, faces, and the library that was used."""
    missing = []
    for library, solve in (("open3d", _by_open3d), ("pymeshlab", _by_pymeshlab)):
        try:
            module = importlib.import_module(library)
        except (ImportError, OSError) as error:
            missing.append(str(error).splitlines()[0])
            continue
        vertices, faces = solve(module, points, np.ascontiguousarray(normals), depth)
        return np.asarray(vertices, np.float64), np.asarray(faces, np.int64), library
    raise MissingBackend(
        f'poisson needs Open3D or PyMeshLab: pip install "sasnet-sdf[open3d]" ({"; ".join(missing)})'
    )


def _by_open3d(open3d: ModuleType, points: Array, normals: Array, depth: int) -> tuple[Any, Any]:
    open3d.utility.set_verbosity_level(open3d.utility.VerbosityLevel.Error)
    vector = open3d.utility.Vector3dVector
    cloud = open3d.geometry.PointCloud(vector(points))
    cloud.normals = vector(normals)
    mesh, _ = open3d.geometry.TriangleMesh.create_from_point_cloud_poisson(cloud, depth=depth)
    return mesh.vertices, mesh.triangles


def _by_pymeshlab(pymeshlab: ModuleType, points: Array, normals: Array, depth: int) -> tuple[Any, Any]:
    meshes = pymeshlab.MeshSet(verbose=False)
    meshes.add_mesh(pymeshlab.Mesh(vertex_matrix=points, v_normals_matrix=normals))
    meshes.generate_surface_reconstruction_screened_poisson(depth=depth)
    mesh = meshes.current_mesh()
    return mesh.vertex_matrix(), mesh.face_matrix()


SUPERVISION = "supervision"
"""The name of this surface in a list of models to compare."""


def no_network(words: str) -> bool:
    """Whether a model's name stands for a surface made without a network.

    Raises UsageError for an invalid Poisson depth.
    """
    return words == SUPERVISION or is_poisson(words)


@dataclass(frozen=True)
class DataField:
    """The signed distance that the data imply, as a field to extract a surface from."""

    target: CloudTarget | MeshTarget
    frame: Frame
    support: Support

    @property
    def low(self) -> Array:
        return self.target.bounds[0]

    @property
    def high(self) -> Array:
        return self.target.bounds[1]

    def unit_distance(self, points: Array) -> Array:
        """Values (N,) at points (N, 3) of the unit cube."""
        return self.target.distance(points)[0]

    def unit_gradient(self, points: Array) -> tuple[Array, Array]:
        """Values (N,) and gradients (N, 3)."""
        return self.target.distance(points)


def supervision_surface(
    problem: SurfaceProblem, config: ExtractionConfig, max_memory: int | None
) -> tuple[dict[str, Any], TriangleMesh]:
    """The table row of the supervision, and its surface in world units, on the networks' lattice."""
    start = time.perf_counter()
    field = DataField(problem.target, problem.frame, problem.support)
    memory = surface_memory(max_memory, field.unit_gradient, config.faces)
    mesh, _ = surface_of(field, config, memory)
    return {"seconds": time.perf_counter() - start, "engine": "compiled", "settings": {}}, mesh
