"""Problems that networks are trained on; fitting, reports and memory plans are the same for all of them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import __version__
from ..config import Config, TrainingConfig
from ..errors import UsageError
from ..extraction.descent import CHUNK
from ..geometry import Array
from ..mesh import cross_products
from ..model_config import ModelConfig
from ..networks.network import Network
from ..networks.registry import build_model, by_chunks, parameter_count
from ..runtime.compiled import thread_count
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
from ..runtime.progress import OnProgress, Progress
from ..runtime.system import peak_memory_bytes
from ..settings import to_dict
from ..signal_config import SignalConfig
from ..supervision import CloudTarget, MeshTarget
from ..training import History, Task, train_and_keep

Result = TypeVar("Result")


class Problem(ABC, Generic[Result]):
    """Geometry, an image or a volume, in the unit cube [-1, 1]^dim that a network is trained in.

    dim, outputs: number of the network's inputs and outputs.
    """

    dim: int
    outputs: int

    @abstractmethod
    def task(self, model: Network[Any], training: TrainingConfig, seed: int, device: str) -> Task:
        """The batches and the loss of a training run on a device."""

    @staticmethod
    @abstractmethod
    def trial(model: Network[Any], training: TrainingConfig, points: Tensor) -> Tensor:
        """The loss of a step at points (N, dim) with placeholder values, to measure the memory of a step."""

    @abstractmethod
    def contents(self) -> Iterable[NDArray[Any]]:
        """All arrays that the training depends on; their hash identifies its checkpoints."""

    @abstractmethod
    def result(self, model: Network[Any], facts: dict[str, Any]) -> Result:
        """The result for the user, made from a trained network; facts: how it was trained."""

    @abstractmethod
    def held_out_error(self, seed: int) -> Callable[[Result], float]:
        """A function that gives the mean error of a result at places not used in training with this seed."""


def new_network(model: ModelConfig | None, dim: int, outputs: int, engine: str, seed: int) -> Network[Any]:
    """A network with these settings, on the CPU. Raises UsageError if the settings are not valid."""
    assert model is not None
    try:
        return build_model(model, dim, outputs, engine, seed)
    except ValueError as error:
        raise UsageError(f"model {model.name}: {error}") from error


def fit(
    problem: Problem[Result],
    model: Network[Any],
    config: Config | SignalConfig,
    device: str,
    on_progress: OnProgress,
) -> tuple[Result, History]:
    """Train a new network on a problem. Returns the result and the training's history.

    config: only its seed, training and checkpoint settings are used. The figures of the history are in the
    result's metadata.
    """
    compiles = "compiling kernels, once a machine" if model.engine == "numba" else ""
    on_progress(Progress("training", 0.0, compiles))
    model = model.to(device)
    task = problem.task(model, config.training, config.seed, device)
    history = train_and_keep(task, model.parameter_groups(), config, problem.contents(), on_progress)
    facts = {**history.facts(), "parameters": parameter_count(model), "seed": config.seed}
    return problem.result(model, facts), history


@dataclass(frozen=True, repr=False)
class Report(Mapping[str, Any]):
    """A result that is only a report: a mapping of plain values; `dict(result)` can be written as JSON."""

    report: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.report[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.report)

    def __len__(self) -> int:
        return len(self.report)


class Run:
    """The clock of a run, and the part of its report that all runs have (docs/report.md)."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = time.perf_counter()

    def report(
        self, result: Any, config: Config | SignalConfig, device: str, interrupted: bool, **more: Any
    ) -> dict[str, Any]:
        """The report of a fit as plain values; more: entries that the problem adds."""
        return {
            "version": __version__,
            "seed": config.seed,
            "device": device,
            "engine": result.model.engine,
            "model": result.model.config.name,
            "threads": thread_count(),
            "training": {name: value for name, value in result.metadata.items() if name != "seed"},
            **more,
            "seconds": {**self.seconds, "total": time.perf_counter() - self._started},
            "peak_memory_bytes": peak_memory_bytes(),
            "settings": to_dict(config),
            "interrupted": interrupted,
        }


_PROBE = 256
"""Number of samples in the first of two probes; the second has twice this number. The difference in kept
memory is that of _PROBE samples."""

Trial = Callable[[Network[Any], TrainingConfig, Tensor], Tensor]
"""(network, settings, points (N, dim)) -> the loss of a step of training on these points."""


def plan_of(model: Network[Any], config: Config | SignalConfig, trial: Trial) -> MemoryPlan:
    """The memory plan of a run that trains `model` with the loss from `trial`.

    Nothing is measured without a memory limit, or on a GPU.
    """
    if config.max_memory is None or next(model.parameters()).device.type != "cpu":
        return MemoryPlan(config.max_memory)
    generator = torch.Generator().manual_seed(0)
    kept, largest = _kept_a_sample(
        lambda count: trial(model, config.training, torch.rand(count, model.dim, generator=generator) * 2 - 1)
    )
    each = PARAMETER + CHECKPOINTED * (config.checkpoint.folder is not None)
    network = NetworkMemory(each * parameter_count(model), SAMPLE + model.bytes_per_sample, kept, largest)
    field = NetworkMemory()
    if model.outputs == 1:
        field = _probed(lambda points: by_chunks(model.value_and_gradient, points, "cpu"), model.dim)
    return MemoryPlan(config.max_memory, network, field)


def surface_memory(limit: int | None, ask: Callable[[Array], Any], faces: int | None = None) -> SurfaceMemory:
    """The memory for extracting, trimming and, if `faces` is given, decimating a surface.

    ask: computes a field's values and gradients at a few points (N, 3) of the unit cube.
    """
    if limit is None:
        return SurfaceMemory()
    vertex = TRIMMED_VERTEX if faces is None else DECIMATED_VERTEX
    return SurfaceMemory(limit, vertex, _probed(ask, 3).with_gradients(CHUNK))


def vertices_of(target: CloudTarget | MeshTarget, cell: float) -> float:
    """Estimated number of vertices of the data's surface on a lattice: one for each edge that it crosses."""
    if isinstance(target, MeshTarget):
        return float(np.abs(cross_products(target.vertices, target.faces)).sum()) / 2 / cell**2
    area = np.minimum(target.spacing, 3 * np.median(target.spacing)) ** 2
    return float((area[:, None] * np.abs(target.normals)).sum()) / cell**2


def _probed(ask: Callable[[Array], Any], dim: int) -> NetworkMemory:
    """The memory for computing values and gradients at points (N, dim)."""
    places = np.random.default_rng(0).uniform(-1, 1, (2 * _PROBE, dim))
    kept, largest = _kept_a_sample(lambda count: ask(places[:count]))
    return NetworkMemory(kept=kept, largest=largest)


def _kept_a_sample(ask: Callable[[int], Any]) -> tuple[float, float]:
    """CPU memory per sample, in bytes: for PyTorch's backward pass, and of the largest array."""
    totals, largest = [], 0.0
    for count in (_PROBE, 2 * _PROBE):
        kept: dict[int, Tensor] = {}

        def keep(tensor: Tensor, kept: dict[int, Tensor] = kept) -> Tensor:
            tensor = tensor.detach()  # a node that saved its own result would never be freed
            if tensor.device.type == "cpu":
                kept[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            ask(count)
        totals.append(sum(tensor.untyped_storage().nbytes() for tensor in kept.values()))
        of_samples = [tensor.untyped_storage().nbytes() for tensor in kept.values() if count in tensor.shape]
        largest = max(of_samples, default=0) / count
    return max(totals[1] - totals[0], 0) / _PROBE + LARGEST * largest, largest
