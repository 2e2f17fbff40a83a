"""Fits a small continuous network to the samples of an image or a volume."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..config import TrainingConfig
from ..errors import UnusableGeometry, UsageError
from ..fitted import FittedSignal
from ..metrics import peak_of
from ..networks.network import Network
from ..networks.registry import CHUNK, by_chunks, choose
from ..runtime.progress import OnProgress, silent, stage, tick, timed
from ..runtime.system import parse_memory
from ..signals import Array, Grid, Signal
from ..training import Task
from ..training.losses import SignalTask
from ..training.samplers import SignalBatches
from .problem import Problem, Run, fit, new_network, plan_of
from .signal_figures import MOST_MEASURED, measured
from .signal_settings import notes_on, signal_config

COMPARED = 50_000
"""Number of samples on which learning rates are compared."""

LARGEST = 1e100
"""Signals with larger values are refused: their sums of squares come near the largest float64."""


@dataclass(frozen=True)
class SignalProblem(Problem[FittedSignal]):
    """An image or a volume; low, high: (C,) the range of each channel, which is mapped to [-1, 1]."""

    signal: Signal
    low: Array
    high: Array

    @property
    def dim(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.signal.grid.dim

    @property
    def outputs(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.signal.channels

    @classmethod
    def of(cls, signal: Signal) -> tuple[SignalProblem, int]:
        """The problem of a signal, and how many of its values are not finite.

        Raises UnusableGeometry if the signal cannot be fitted.
        """
        low, high, missing = ranges(signal)
        check_size(signal, low, high)
        return cls(signal, low, high), missing

    def task(self, model: Network[Any], training: TrainingConfig, seed: int, device: str) -> Task:
        return SignalTask(
            model, SignalBatches(self.signal, self.low, self.high, training.batch, seed, device)
        )

    @staticmethod
    def trial(model: Network[Any], training: TrainingConfig, points: Tensor) -> Tensor:
        values = torch.zeros(len(points), model.outputs)
        return SignalTask(model, lambda _: (points, values)).loss(points, values)

    def contents(self) -> Iterable[NDArray[Any]]:
        return itertools.chain([self.signal.grid.affine], self.signal.slabs())

    def result(self, model: Network[Any], facts: dict[str, Any]) -> FittedSignal:
        signal, low, high = self.signal, self.low, self.high
        peak = peak_of(signal.values, float(low.min()), float(high.max()))
        return FittedSignal(
            model, signal.grid, low, high, signal.values.dtype.str, peak, signal.header, facts
        )

    def held_out_error(self, seed: int) -> Callable[[FittedSignal], float]:
        """A function that gives the mean squared error at samples that are the same for all networks."""
        points, values = SignalBatches(self.signal, self.low, self.high, COMPARED, seed + 1)(0)

        def error_of(fitted: FittedSignal) -> float:
            found = by_chunks(lambda x: (fitted.model(x),), points.numpy(), fitted.device)[0]
            return float(np.nanmean((found - values.numpy()) ** 2))

        return error_of


def fit_signal(
    source: Any,
    kind: str,
    spacing: Any = None,
    *,
    preset: str = "balanced",
    on_progress: OnProgress = silent,
    **options: Any,
) -> tuple[FittedSignal, Signal]:
    """The result of sasnet_sdf.fit_image or fit_volume (according to `kind`), and the signal."""
    run = Run()
    asked = options.get("max_memory")
    limit = None if asked is None else parse_memory(asked)
    with timed(run.seconds, "read"), stage("read", on_progress, "reading"):
        signal, notes = load_signal(source, kind, spacing, limit)
        problem, missing = SignalProblem.of(signal)
    if missing and not isinstance(source, (str, Path)):  # readers of files report this themselves
        notes.append(f"{missing} of {signal.values.size} values are not finite; the fit leaves them out")
    config = signal_config(signal, preset, **options)
    notes += notes_on(signal, config)
    device, engine = choose(config.device, config.engine)
    model = new_network(config.model, problem.dim, problem.outputs, engine, config.seed).to(device)
    samples = math.prod(signal.grid.shape)
    measured_numbers = signal.channels * min(samples, MOST_MEASURED)
    plan_of(model, config, problem.trial).check_samples(
        min(config.training.batch, samples), measured_numbers, problem.dim, CHUNK
    )
    with timed(run.seconds, "training"):
        fitted, history = fit(problem, model, config, device, on_progress)
    with timed(run.seconds, "evaluation"), stage("evaluation", on_progress, "measuring"):
        metrics, more = measured(fitted, signal)
    fitted.report = run.report(
        fitted,
        config,
        device,
        history.ended_by == "cancel",
        input=_facts(source, kind, signal),
        history={"steps": history.steps, "losses": history.losses, "times": history.times},
        metrics=metrics,
        notes=notes + history.notes + more,
    )
    return fitted, signal


def load_signal(
    source: Any, kind: str, spacing: Any = None, max_memory: int | None = None
) -> tuple[Signal, list[str]]:
    """A path, an array or a signal as a signal, and notes; masked values of an array become NaN.

    Raises UnreadableInput, UsageError.
    """
    if isinstance(source, Signal):
        signal, notes = source, []
    elif isinstance(source, (str, Path)):
        if spacing is not None:
            raise UsageError("spacing is for arrays: a file has its own")
        from ..io import read_image, read_volume

        signal = (read_image if kind == "image" else read_volume)(source, max_memory)
        notes = signal.notes
    else:
        signal, notes = _of_array(np.asanyarray(source), kind, spacing), []
    if signal.grid.dim != (2 if kind == "image" else 3):
        raise UsageError(f"an {kind} was expected" if kind == "image" else "a volume was expected")
    return signal, list(notes)


def check_size(signal: Signal, low: Array, high: Array) -> None:
    """Raises UnusableGeometry if a signal whose channels have these ranges cannot be fitted."""
    if min(signal.grid.shape) < 2:
        shape = " x ".join(str(n) for n in signal.grid.shape)
        raise UnusableGeometry(f"{shape} samples are too few: 2 along each axis are needed")
    if np.isnan(low).any():
        raise UnusableGeometry("a channel has no finite value")
    largest = float(max(np.abs(low).max(), np.abs(high).max()))
    if largest >= LARGEST:
        raise UnusableGeometry(f"values up to {largest:.3g} are too large: their squares are not finite")


def _of_array(values: np.ndarray, kind: str, spacing: Any) -> Signal:
    dim = 2 if kind == "image" else 3
    if np.ma.isMaskedArray(values):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    if values.dtype == bool:
        values = values.astype(np.uint8) * np.uint8(255 if dim == 2 else 1)
    if values.dtype.kind not in "iuf":
        raise UsageError(f"an array of real numbers is needed, found {values.dtype}")
    if values.ndim == dim:
        values = values[..., None]
    if values.ndim != dim + 1 or not 1 <= values.shape[-1] <= 4:
        axes = "(H, W) or (H, W, C)" if dim == 2 else "(I, J, K) or (I, J, K, C)"
        raise UsageError(f"an array {axes} of 1 to 4 channels is needed, found the shape {values.shape}")
    if dim == 2:
        return Signal(values, Grid.of_image(*values.shape[:2]))
    given = np.ones(3) if spacing is None else np.asarray(spacing, np.float64)
    if given.shape != (3,) or not ((given > 0) & np.isfinite(given)).all():
        raise UsageError(f"spacing must be three positive numbers, found {spacing}")
    return Signal(values, Grid.of_volume(values.shape[:3], given))


def ranges(signal: Signal) -> tuple[Array, Array, int]:
    """The lowest and the highest finite value (C,) of each channel, and how many values are not finite.

    For a channel without finite values, both are NaN.
    """
    low, high = np.full(signal.channels, np.inf), np.full(signal.channels, -np.inf)
    missing = 0
    for slab in signal.slabs():
        tick()
        numbers = slab.reshape(-1, signal.channels).astype(np.float64)
        finite = np.isfinite(numbers)
        missing += int(finite.size - finite.sum())
        low = np.minimum(low, np.where(finite, numbers, np.inf).min(0))
        high = np.maximum(high, np.where(finite, numbers, -np.inf).max(0))
    return np.where(low <= high, low, np.nan), np.where(low <= high, high, np.nan), missing


def _facts(source: Any, kind: str, signal: Signal) -> dict[str, Any]:
    return {
        "path": str(source) if isinstance(source, (str, Path)) else None,
        "kind": kind,
        "shape": list(signal.grid.shape),
        "channels": signal.channels,
        "dtype": str(signal.values.dtype),
        "spacing": signal.grid.spacing.tolist(),
    }
