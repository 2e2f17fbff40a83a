"""What the stages of a run will take of the memory, told before their work begins.

Every figure is an upper bound, in bytes, beside what the process holds when it is asked: measured
where the work is NumPy's, counted on a few samples where it is PyTorch's. A stage that would not fit
is refused with what would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..config import Config, SignalConfig
from ..extraction import DECIMATED, TRIMMED, Lattice, Needs
from ..extraction.descent import CHUNK
from ..geometry import PointCloud, TriangleMesh
from ..networks.registry import build_model, parameter_count
from ..networks.trained import CHUNK as RENDERED
from ..runtime.system import check_memory, format_memory, held_bytes
from ..signals import Signal
from ..supervision import MESH_SAMPLES, CloudTarget, MeshTarget
from ..supervision.mesh import is_closed
from ..training.losses import DistanceTask, SignalTask

LIBRARIES = 64 << 20
"""Bytes for what is loaded, and compiled, on the way."""

PER_POINT, KEPT_POINT = 900, 300
"""For a point of a cloud: while distances are prepared (835 where it is clean and without normals, 810
where it is noisy), and from then on."""

PER_FACE = 300
"""For a triangle of a closed mesh, while distances from it are asked for."""

PER_TARGET, KEPT_TARGET = 170, 60
"""For a target: while they are drawn, and while they are trained on."""

PER_PARAMETER, PER_STATE = 44, 24
"""For a trained number: itself, its gradient, Adam's moments, and two copies of a good state; and where
checkpoints are written, what goes into the file."""

PER_SAMPLE, LARGEST = 100, 3
"""For a sample of a batch, beside the network's own: what is drawn; and how many times its largest array
the network takes on the way back, beside what it kept."""

PER_MEASURED = {2: 60, 3: 140}
"""For a number of an image, or of a volume, that a fit is compared with."""

MAPPED, SCATTERED = 32 << 20, 2.4
"""Arrays of so many bytes go back to the system when they are freed. Smaller ones leave gaps in the heap:
three steps on layers of 19 MB took 2.4 times what one held."""

_PROBE = 256
"""Samples that a network is asked for, and as many again, to see what it keeps for each."""


@dataclass(frozen=True)
class Passes:
    """What passes through a network take of the CPU's memory, in bytes.

    network: for its parameters, while they are trained. drawn: for a sample of a batch, beside what
    PyTorch keeps: what is drawn, and what compiled passes keep. kept: what PyTorch keeps of a sample for
    the way back, and takes beside on it. largest: the largest array, a sample.
    """

    network: float = 0.0
    drawn: float = PER_SAMPLE
    kept: float = 0.0
    largest: float = 0.0

    def of(self, count: int) -> float:
        """With gradients by the points, of so many points at once."""
        return count * self.kept * (1.0 if count * self.largest >= MAPPED else SCATTERED)

    def alone(self, count: int) -> float:
        """Without gradients."""
        return count * LARGEST * self.largest * SCATTERED

    def step(self, batch: int) -> float:
        """Of a step of training, beside the parameters."""
        return batch * self.drawn + self.of(batch)

    def batch_that_fits(self, room: float) -> int:
        return int(0.97 * room / (self.drawn + SCATTERED * self.kept))


def check_reconstruction(
    geometry: PointCloud | TriangleMesh, config: Config, device: str, engine: str
) -> None:
    """Refuse geometry whose supervision and training would not fit into `max_memory`. Raises UsageError."""
    limit = config.max_memory
    if limit is None:
        return
    held, targets = held_bytes() + LIBRARIES, config.supervision.targets
    if isinstance(geometry, PointCloud):
        points, faces = len(geometry), 0
    else:
        points, faces = (0, len(geometry.faces)) if is_closed(geometry.faces) else (MESH_SAMPLES, 0)
    batch = min(config.training.batch, targets)
    passes = _training(config, device, engine)
    drawing = PER_FACE * faces + PER_TARGET * targets
    later, training = held + KEPT_POINT * points, KEPT_TARGET * targets + passes.network

    def points_that_fit() -> str:
        least = min(
            (limit - held) / PER_POINT,
            (limit - held - max(drawing, training + passes.step(batch))) / KEPT_POINT,
        )
        if not isinstance(geometry, PointCloud) or least < 1000:
            return f"the process holds {format_memory(held - LIBRARIES)} already; give it more"
        return f"max-points {int(0.97 * least)} would fit"

    def targets_that_fit() -> str:
        fits = min(
            (limit - later - PER_FACE * faces) / PER_TARGET,
            (limit - later - passes.network - passes.step(batch)) / KEPT_TARGET,
        )
        return f"supervision.targets={int(fits)} would fit" if fits >= 50_000 else points_that_fit()

    check_memory(f"preparing {points} points", held + PER_POINT * points, limit, points_that_fit)
    check_memory(f"drawing {targets} targets", later + drawing, limit, targets_that_fit)
    _check_batch(later + training, batch, passes, limit, points_that_fit)


def check_extraction(
    target: CloudTarget | MeshTarget, lattice: Lattice, config: Config, device: str, engine: str
) -> None:
    """Refuse a lattice on which the surface of the data would not fit into `max_memory`, before training.

    The surface may turn out larger, where it goes on beyond the data: extraction asks again.
    Raises UsageError.
    """
    if config.max_memory is None:
        return
    passes = _training(config, device, engine)
    needs = Needs(_per_vertex(config.extraction.faces), passes.of(CHUNK))
    vertices = vertices_of(target, lattice.cell)
    needs.check(config.max_memory, lattice, vertices, held_bytes() + LIBRARIES + passes.network)


def check_fit(signal: Signal, config: SignalConfig, device: str, engine: str) -> None:
    """Refuse a fit that would not fit into `max_memory`. Raises UsageError."""
    from .signal_report import MOST_MEASURED

    limit = config.max_memory
    if limit is None:
        return
    samples = int(np.prod(signal.grid.shape))
    batch = min(config.training.batch, samples)
    passes = _training(config, device, engine, signal)
    held = held_bytes() + LIBRARIES

    def advice() -> str:
        return f"the process holds {format_memory(held - LIBRARIES)} already; give it more"

    _check_batch(held + passes.network, batch, passes, limit, advice)
    numbers = signal.channels * min(samples, MOST_MEASURED)
    needed = held + passes.network + PER_MEASURED[signal.grid.dim] * numbers + passes.alone(RENDERED)
    check_memory("measuring the fit", needed, limit, advice)


def field_needs(ask: Callable[[np.ndarray], Any], faces: int | None = None) -> Needs:
    """What extracting, trimming and decimating to `faces` takes, from how a field gives values and
    gradients of a few points."""
    places = np.random.default_rng(0).uniform(-1, 1, (2 * _PROBE, 3))
    kept, largest = _kept_a_sample(lambda count: ask(places[:count]))
    return Needs(_per_vertex(faces), Passes(kept=kept, largest=largest).of(CHUNK))


def _per_vertex(faces: int | None) -> int:
    return TRIMMED if faces is None else DECIMATED


def vertices_of(target: CloudTarget | MeshTarget, cell: float) -> float:
    """About how many vertices the surface of the data has on a lattice: one for each edge that it crosses."""
    if isinstance(target, MeshTarget):
        a, b, c = (target.vertices[target.faces[:, n]] for n in range(3))
        return float(np.abs(np.cross(b - a, c - a)).sum()) / 2 / cell**2
    area = np.minimum(target.spacing, 3 * np.median(target.spacing)) ** 2
    return float((area[:, None] * np.abs(target.normals)).sum()) / cell**2


def _check_batch(held: float, batch: int, passes: Passes, limit: int, otherwise: Callable[[], str]) -> None:
    def advice() -> str:
        fits = passes.batch_that_fits(limit - held)
        return f"training.batch={fits} would fit" if fits >= min(256, batch) else otherwise()

    check_memory(f"training on batches of {batch}", held + passes.step(batch), limit, advice)


def _training(
    config: Config | SignalConfig, device: str, engine: str, signal: Signal | None = None
) -> Passes:
    """What training takes for the settings' network."""
    if device != "cpu":
        return Passes()
    assert config.model is not None
    dim, channels = (3, 1) if signal is None else (signal.grid.dim, signal.channels)
    try:
        model = build_model(config.model, dim, channels, engine, config.seed)
    except ValueError:  # whoever trains it says what is wrong
        return Passes()
    settings, generator = config.training, torch.Generator().manual_seed(0)
    eikonal = settings.eikonal_batch / settings.batch

    def ask(count: int) -> Tensor:
        points = torch.rand(count, dim, generator=generator) * 2 - 1
        part = replace(settings, batch=count, eikonal_batch=max(1, round(eikonal * count)))
        if signal is None:
            task = DistanceTask(model, lambda _: (points, torch.zeros(count), points), part)
        else:
            task = SignalTask(model, lambda _: (points, torch.zeros(count, channels)))
        return task.loss(*task.draw(0))

    compiled = model.bytes_per_sample
    each = PER_PARAMETER + PER_STATE * (config.checkpoint.folder is not None)
    return Passes(each * parameter_count(model), PER_SAMPLE + compiled, *_kept_a_sample(ask))


def _kept_a_sample(ask: Callable[[int], Any]) -> tuple[float, float]:
    """Bytes on the CPU of each sample: what PyTorch keeps and takes for the way back, the largest array."""
    totals, largest = [], 0.0
    for count in (_PROBE, 2 * _PROBE):
        kept: dict[int, Tensor] = {}

        def keep(tensor: Tensor, kept: dict[int, Tensor] = kept) -> Tensor:
            tensor = tensor.detach()  # what a node saved of its own result would keep it alive for ever
            if tensor.device.type == "cpu":
                kept[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            ask(count)
        totals.append(sum(tensor.untyped_storage().nbytes() for tensor in kept.values()))
        of_samples = [tensor.untyped_storage().nbytes() for tensor in kept.values() if count in tensor.shape]
        largest = max(of_samples, default=0) / count
    return max(totals[1] - totals[0], 0) / _PROBE + LARGEST * largest, largest
