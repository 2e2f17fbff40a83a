"""The subject of a comparison: a surface, an image or a volume."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic

import numpy as np
from numpy.typing import NDArray

from ..config import PRESETS, Config
from ..errors import MissingBackend, NoSurface, UnusableGeometry, UsageError
from ..field import Field
from ..fitted import FittedSignal
from ..geometry import PointCloud, TriangleMesh
from ..io.formats import signal_kind
from ..model_config import ModelConfig
from ..problems.evaluate import evaluated
from ..problems.extract import surface_of
from ..problems.loading import load
from ..problems.problem import Problem, Result, surface_memory
from ..problems.settings import model_of
from ..problems.signal import SignalProblem, load_signal
from ..problems.signal_figures import measured
from ..problems.signal_settings import default_count, known_models, sized_model
from ..problems.surface import SurfaceProblem, selected
from ..runtime.progress import OnProgress, stage
from ..settings import to_dict
from ..signal_config import SignalConfig
from .pictures import draw_all, draw_signals
from .protocols import BESIDE_MUON
from .results import Budget, sized, training_of
from .without_network import is_poisson, no_network, poisson_surface, supervision_surface

TARGETS = 1_000_000
"""Default number of targets of a comparison; presets have fewer, since they train for less time."""


class Subject(ABC, Generic[Result]):
    """The data that networks are compared on, with the interface that the comparison's loop uses.

    wanted: the settings of each model, by its description; None for a surface made without a network. config:
    seed, training and checkpoints. facts, settings: what identifies the comparison in results.json. notes:
    what the user should know. beside_muon: the learning rate of Adam in the protocol muon.
    """

    beside_muon: ClassVar[float]
    wanted: dict[str, ModelConfig | None]
    config: Config | SignalConfig
    facts: dict[str, Any]
    settings: dict[str, Any]
    notes: list[str]

    @abstractmethod
    def problem(self, on_progress: OnProgress) -> Problem[Result]:
        """The problem that all networks are trained on, created on first use."""

    @abstractmethod
    def without_network(
        self, words: str, on_progress: OnProgress
    ) -> tuple[dict[str, Any], TriangleMesh | None]:
        """The row of a surface made without a network, and the surface, if there is one."""

    @abstractmethod
    def judged(
        self, result: Result | None, mesh: TriangleMesh | None, on_progress: OnProgress
    ) -> tuple[dict[str, Any], TriangleMesh | None]:
        """The figures of a result, or of a mesh made without a network; and the mesh, if there is one."""

    @abstractmethod
    def draw(self, folder: Path, rows: list[dict[str, Any]]) -> list[str]:
        """Draw pictures into the folder; returns notes on those that could not be drawn."""


class SurfaceSubject(Subject[Field]):
    """A cloud or a mesh; surfaces are measured against a reference."""

    beside_muon = BESIDE_MUON["surface"]

    def __init__(
        self,
        source: Any,
        reference: Any,
        config: Config,
        budget: Budget,
        protocol: str,
        models: Sequence[str],
        samples: int,
        on_progress: OnProgress,
    ):
        if config.supervision.targets == PRESETS[config.preset].supervision.targets:
            config = replace(config, supervision=replace(config.supervision, targets=TARGETS))
        self.config: Config = replace(config, training=training_of(config.training, budget))
        self.wanted: dict[str, ModelConfig | None] = {
            words: None if no_network(words) else sized(words, budget, protocol) for words in models
        }
        self.samples: int = samples
        self.given: PointCloud | TriangleMesh
        self.truth: PointCloud | TriangleMesh
        self.notes: list[str]
        with stage("read", on_progress, "reading"):
            self.given, self.notes = load(source, self.config)
            self.truth = self.given if reference is None else load(reference, self.config)[0]
        if isinstance(self.given, TriangleMesh) and any(map(is_poisson, self.wanted)):
            self.wanted = {words: model for words, model in self.wanted.items() if not is_poisson(words)}
            self.notes.append("Poisson is made from points, and the input is a mesh: it was left out")
        if not self.wanted:
            raise UsageError("there is no model left to compare: Poisson is made from points")
        places = [g.vertices if isinstance(g, TriangleMesh) else g.points for g in (self.given, self.truth)]
        self.facts: dict[str, Any] = {
            "kind": "surface",
            "input": _path(source),
            "reference": _path(reference),
            "content": [fingerprint([np.asarray(part, np.float64)]) for part in places],
            "samples": samples,
        }
        self.settings: dict[str, Any] = to_dict(self.config)
        self._problem: SurfaceProblem | None = None

    def problem(self, on_progress: OnProgress) -> SurfaceProblem:
        if self._problem is None:
            with stage("supervision", on_progress):
                found, frame = selected(
                    self.given, self.config.supervision, self.facts["input"] or "the input"
                )
                self._problem = SurfaceProblem.of(
                    found.geometry, frame, self.config.supervision, self.config.seed
                )
            self.notes += [finding.text for finding in found.findings + self._problem.findings]
        return self._problem

    def without_network(
        self, words: str, on_progress: OnProgress
    ) -> tuple[dict[str, Any], TriangleMesh | None]:
        problem = self.problem(on_progress)
        try:
            if is_poisson(words):
                return poisson_surface(problem, words)
            with stage("extraction", on_progress):
                return supervision_surface(problem, self.config.extraction, self.config.max_memory)
        except (MissingBackend, NoSurface) as error:
            return {"failure": str(error).partition(";")[0]}, None

    def judged(
        self, result: Field | None, mesh: TriangleMesh | None, on_progress: OnProgress
    ) -> tuple[dict[str, Any], TriangleMesh | None]:
        field = None
        try:
            if result is not None:
                extraction = self.config.extraction
                memory = surface_memory(self.config.max_memory, result.unit_gradient, extraction.faces)
                with stage("extraction", on_progress):
                    mesh = surface_of(result, extraction, memory)[0]
                # without the data, so that all distances come from the network
                field = Field(result.model, result.frame, result.low, result.high, result.metadata)
            assert mesh is not None
            found = evaluated(mesh, self.truth, field=field, samples=self.samples, seed=self.config.seed)
        except NoSurface as error:
            return {"failure": str(error).partition(";")[0]}, None
        except UnusableGeometry:
            return {"failure": "no triangle of the surface has an area"}, None
        same = ("version", "samples", "seed", "notes", "diagonal")
        return {
            name: value
            for name, value in found.items()
            if name not in same and not name.startswith("reference")
        }, mesh

    def draw(self, folder: Path, rows: list[dict[str, Any]]) -> list[str]:
        return draw_all(folder, rows, self.truth)


class SignalSubject(Subject[FittedSignal]):
    """An image or a volume; fits are measured by their agreement with the samples."""

    beside_muon = BESIDE_MUON["signal"]

    def __init__(
        self,
        source: Any,
        config: Config,
        budget: Budget,
        models: Sequence[str],
        on_progress: OnProgress,
    ):
        self.notes: list[str]
        with stage("read", on_progress, "reading"):
            kind = signal_kind(source) if isinstance(source, (str, Path)) else source.kind
            assert kind is not None
            signal, self.notes = load_signal(source, kind)
            self._problem = SignalProblem.of(signal)[0]
        base = SignalConfig(seed=config.seed)
        training = training_of(base.training, budget)
        self.config: SignalConfig = replace(base, training=training)
        surfaces = [words for words in models if no_network(words)]
        if surfaces:
            self.notes.append(
                f"left out: {', '.join(surfaces)} (for surfaces only, and the input is a {kind})"
            )
        count = budget.parameters or default_count(signal)
        known = known_models(signal, count, training)
        wanted = {words: model_of(words, known) for words in models if words not in surfaces}
        if budget.parameters is not None:
            wanted = {words: sized_model(model, signal, count) for words, model in wanted.items()}
        self.wanted: dict[str, ModelConfig | None] = {**wanted}
        if not self.wanted:
            raise UsageError(f"no model is left to compare: {', '.join(surfaces)} is for surfaces only")
        shape = str((signal.values.shape, signal.values.dtype.str))
        self.facts: dict[str, Any] = {
            "kind": kind,
            "input": _path(source),
            "reference": None,
            "content": [fingerprint(signal.slabs(), shape)],
        }
        self.settings: dict[str, Any] = {"seed": config.seed, "training": to_dict(training)}

    def problem(self, on_progress: OnProgress) -> SignalProblem:
        return self._problem

    def without_network(
        self, words: str, on_progress: OnProgress
    ) -> tuple[dict[str, Any], TriangleMesh | None]:
        raise UsageError(f"{words} is for surfaces only")

    def judged(
        self, result: FittedSignal | None, mesh: TriangleMesh | None, on_progress: OnProgress
    ) -> tuple[dict[str, Any], TriangleMesh | None]:
        assert result is not None
        return measured(result, self._problem.signal)[0], None

    def draw(self, folder: Path, rows: list[dict[str, Any]]) -> list[str]:
        return draw_signals(folder, rows, self._problem.signal)


def fingerprint(parts: Iterable[NDArray[Any]], shape: str = "") -> str:
    """16 hexadecimal digits that differ for different inputs, whatever their names."""
    digest = hashlib.sha256(shape.encode())
    for part in parts:
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]


def _path(source: Any) -> str | None:
    return str(source) if isinstance(source, (str, Path)) else None
