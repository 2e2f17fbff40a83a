"""What a field is trained on, and the training of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..config import Config, SupervisionConfig
from ..errors import Finding, UsageError
from ..extraction import Support
from ..field import Field
from ..geometry import Frame, PointCloud, TriangleMesh
from ..networks.registry import build_model, parameter_count
from ..runtime.progress import OnProgress, Progress, steps
from ..supervision import CloudTarget, MeshTarget, prepare
from ..training import History
from ..training.checkpoints import train_and_keep
from ..training.losses import DistanceTask
from ..training.samplers import Batches, Pool, draw_pool


@dataclass(frozen=True)
class Problem:
    """Geometry in its frame, the distance that it implies, and targets drawn from that.

    facts: what was found in the geometry, for the report. findings: what the user should know of it.
    """

    geometry: PointCloud | TriangleMesh
    frame: Frame
    target: CloudTarget | MeshTarget
    pool: Pool
    facts: dict[str, Any]
    findings: list[Finding]

    @property
    def noisy(self) -> bool:
        """Whether noise was taken off the points."""
        return self.facts.get("noise") is not None

    @classmethod
    def of(
        cls, geometry: PointCloud | TriangleMesh, frame: Frame, supervision: SupervisionConfig, seed: int
    ) -> Problem:
        """Prepare the geometry and draw the targets."""
        step = steps()
        step(0.8)
        target, facts = prepare(geometry, frame)
        step(1.0, "drawing targets")
        findings = facts.pop("findings", [])
        if facts.get("noise") is not None:
            supervision = supervision.for_noisy_scan()
        near = supervision.near_share, supervision.near_spread
        pool = draw_pool(target, supervision.targets, seed, *near)
        return cls(geometry, frame, target, pool, facts, findings)


def fit(
    problem: Problem, config: Config, device: str, engine: str, on_progress: OnProgress
) -> tuple[Field, History]:
    """A field of the settings' network, trained on the problem; how it went is in its metadata too.

    Raises UsageError where the settings make no network.
    """
    try:
        model = build_model(config.model, engine=engine, seed=config.seed).to(device)
    except ValueError as error:
        raise UsageError(f"model {config.model.name}: {error}") from error
    compiles = model.engine == "numba"
    on_progress(Progress("training", 0.0, "compiling kernels, once a machine" if compiles else ""))
    batches = Batches(problem.pool, config.training.batch, config.seed, device)
    task = DistanceTask(model, batches, config.training)
    data = (part.numpy() for part in (problem.pool.points, problem.pool.distances, problem.pool.normals))
    history = train_and_keep(task, model.parameter_groups(), config, data, on_progress)
    facts = {**history.facts(), "parameters": parameter_count(model), "seed": config.seed}
    support = Support.of(problem.target, scanned=isinstance(problem.geometry, PointCloud))
    return Field(model, problem.frame, *problem.target.bounds, facts, support), history
