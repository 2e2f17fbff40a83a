"""The memory plan of a run: what its network keeps, counted on a few samples, and how large a surface is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..config import Config, SignalConfig, TrainingConfig
from ..extraction.descent import CHUNK
from ..geometry import Array
from ..networks.network import Network
from ..networks.registry import parameter_count
from ..runtime.memory import (
    CHECKPOINTED,
    DECIMATED_VERTEX,
    LARGEST,
    PARAMETER,
    SAMPLE,
    TRIMMED_VERTEX,
    MemoryPlan,
    NetworkMemory,
    SurfaceMemory,
)
from ..supervision import CloudTarget, MeshTarget

_PROBE = 256
"""Samples that a network is asked for, and as many again, to see what it keeps for each."""

Trial = Callable[[Network[Any], TrainingConfig, Tensor], Tensor]
"""(network, settings, points (N, dim)) -> the loss of a step of training on these points."""


def plan_of(model: Network[Any], config: Config | SignalConfig, trial: Trial) -> MemoryPlan:
    """The plan of a run that trains `model` on the device where it is, by the loss that `trial` gives."""
    if config.max_memory is None or next(model.parameters()).device.type != "cpu":
        return MemoryPlan(config.max_memory)
    generator = torch.Generator().manual_seed(0)
    kept, largest = _kept_a_sample(
        lambda count: trial(model, config.training, torch.rand(count, model.dim, generator=generator) * 2 - 1)
    )
    each = PARAMETER + CHECKPOINTED * (config.checkpoint.folder is not None)
    network = NetworkMemory(each * parameter_count(model), SAMPLE + model.bytes_per_sample, kept, largest)
    return MemoryPlan(config.max_memory, network)


def surface_memory(limit: int | None, ask: Callable[[Array], Any], faces: int | None = None) -> SurfaceMemory:
    """What extracting, trimming and decimating to `faces` takes.

    ask: gives a field's values and gradients at a few points (N, 3) of the unit cube.
    """
    if limit is None:
        return SurfaceMemory()
    places = np.random.default_rng(0).uniform(-1, 1, (2 * _PROBE, 3))
    kept, largest = _kept_a_sample(lambda count: ask(places[:count]))
    field = NetworkMemory(kept=kept, largest=largest).with_gradients(CHUNK)
    return SurfaceMemory(limit, TRIMMED_VERTEX if faces is None else DECIMATED_VERTEX, field)


def vertices_of(target: CloudTarget | MeshTarget, cell: float) -> float:
    """About how many vertices the surface of the data has on a lattice: one for each edge that it crosses."""
    if isinstance(target, MeshTarget):
        a, b, c = (target.vertices[target.faces[:, n]] for n in range(3))
        return float(np.abs(np.cross(b - a, c - a)).sum()) / 2 / cell**2
    area = np.minimum(target.spacing, 3 * np.median(target.spacing)) ** 2
    return float((area[:, None] * np.abs(target.normals)).sum()) / cell**2


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
