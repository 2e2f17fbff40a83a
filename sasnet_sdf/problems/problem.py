"""A problem is what a network is trained on; one fit and one report serve surfaces and signals alike."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray
from torch import Tensor

from .. import __version__
from ..config import Config, SignalConfig, TrainingConfig
from ..errors import UsageError
from ..model_config import ModelConfig
from ..networks.network import Network
from ..networks.registry import build_model, parameter_count
from ..runtime.compiled import thread_count
from ..runtime.progress import OnProgress, Progress
from ..runtime.system import peak_memory_bytes
from ..settings import to_dict
from ..training import History, Task
from ..training.checkpoints import train_and_keep

Result = TypeVar("Result")


class Problem(ABC, Generic[Result]):
    """Geometry, an image or a volume, as a network sees it: in the unit cube [-1, 1]^dim.

    dim, outputs: numbers that the network takes and gives.
    """

    dim: int
    outputs: int

    @abstractmethod
    def task(self, model: Network[Any], training: TrainingConfig, seed: int, device: str) -> Task:
        """The batches of a training on a device, and the loss."""

    @staticmethod
    @abstractmethod
    def trial(model: Network[Any], training: TrainingConfig, points: Tensor) -> Tensor:
        """The loss of a step on some points (N, dim), whatever their values: for the memory plan."""

    @abstractmethod
    def contents(self) -> Iterable[NDArray[Any]]:
        """All numbers that the training depends on, apart from the settings: they name its checkpoints."""

    @abstractmethod
    def result(self, model: Network[Any], facts: dict[str, Any]) -> Result:
        """What the user gets of a trained network; facts: how it was trained."""

    @abstractmethod
    def held_out_error(self, seed: int) -> Callable[[Result], float]:
        """The mean error of a result at places that training with this seed does not use."""


def new_network(model: ModelConfig | None, dim: int, outputs: int, engine: str, seed: int) -> Network[Any]:
    """A network of these settings, on the CPU. Raises UsageError where they make none."""
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
    """Train a new network on a problem; how it went is in the result's metadata too.

    config: seed, training and checkpoints are used.
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
    """A result that is a report alone: a mapping of plain values; `dict(result)` is for JSON."""

    report: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.report[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.report)

    def __len__(self) -> int:
        return len(self.report)


class Run:
    """The clock of a run, and what every report says of it (docs/report.md)."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = time.perf_counter()

    def report(
        self, result: Any, config: Config | SignalConfig, device: str, interrupted: bool, **more: Any
    ) -> dict[str, Any]:
        """The report of a fit as plain values; more: what the problem adds."""
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
