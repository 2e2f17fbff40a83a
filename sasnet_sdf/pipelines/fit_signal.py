"""Images and volumes: samples go in, a small continuous network comes out."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..config import SignalConfig
from ..errors import UnusableGeometry, UsageError
from ..fitted import FittedSignal
from ..io.files import within
from ..metrics import peak_of
from ..networks.registry import build_model, parameter_count
from ..networks.trained import choose
from ..runtime.compiled import thread_count
from ..runtime.progress import OnProgress, Progress, silent, stage, tick
from ..runtime.system import parse_memory, peak_memory_bytes
from ..settings import to_dict
from ..signals import Array, Grid, Signal
from ..training import History
from ..training.checkpoints import train_and_keep
from ..training.losses import SignalTask
from ..training.samplers import SignalBatches
from .memory import check_fit
from .signal_report import measured
from .signal_settings import notes_on, signal_config
from .timing import timed

LARGEST = 1e100
"""A value from which on a signal is refused: sums of squares come near the largest number."""


def fit_signal(
    source: Any,
    kind: str,
    spacing: Any = None,
    *,
    preset: str = "balanced",
    on_progress: OnProgress = silent,
    **words: Any,
) -> tuple[FittedSignal, Signal]:
    """What sasnet_sdf.fit_image or fit_volume gives, as `kind` says, and the signal that was read."""
    seconds: dict[str, float] = {}
    started = time.perf_counter()
    asked = words.get("max_memory")
    limit = None if asked is None else parse_memory(asked)
    with timed(seconds, "read"), stage("read", on_progress, "reading"):
        with within(limit):
            signal, notes = load_signal(source, kind, spacing)
        low, high, missing = ranges(signal)
        check_size(signal, low, high)
    if missing and not isinstance(source, (str, Path)):  # a reader says so itself
        notes.append(f"{missing} of {signal.values.size} values are not finite; the fit leaves them out")
    config = signal_config(signal, preset, **words)
    notes += notes_on(signal, config)
    device, engine = choose(config.device, config.engine)
    check_fit(signal, config, device, engine)
    with timed(seconds, "training"):
        fitted, history = train_on(signal, (low, high), config, device, engine, on_progress)
    with timed(seconds, "evaluation"), stage("evaluation", on_progress, "measuring"):
        metrics, more = measured(fitted, signal)
    fitted.report = {
        "version": __version__,
        "seed": config.seed,
        "device": device,
        "engine": fitted.model.engine,
        "model": fitted.model.config.name,
        "threads": thread_count(),
        "input": _facts(source, kind, signal),
        "training": {name: value for name, value in fitted.metadata.items() if name != "seed"},
        "history": {"steps": history.steps, "losses": history.losses, "times": history.times},
        "metrics": metrics,
        "seconds": {**seconds, "total": time.perf_counter() - started},
        "peak_memory_bytes": peak_memory_bytes(),
        "settings": to_dict(config),
        "notes": notes + history.notes + more,
        "interrupted": history.ended_by == "cancel",
    }
    return fitted, signal


def train_on(
    signal: Signal,
    ranges: tuple[Array, Array],
    config: SignalConfig,
    device: str,
    engine: str,
    on_progress: OnProgress = silent,
) -> tuple[FittedSignal, History]:
    """The settings' network, trained on a signal whose channels have these ranges, and how that went.

    Raises UsageError where the settings make no network.
    """
    assert config.model is not None
    try:
        model = build_model(config.model, signal.grid.dim, signal.channels, engine, config.seed)
    except ValueError as error:
        raise UsageError(f"model {config.model.name}: {error}") from error
    compiles = "compiling kernels, once a machine" if getattr(model, "compiled", False) else ""
    on_progress(Progress("training", 0.0, compiles))
    model, (low, high) = model.to(device), ranges
    batches = SignalBatches(signal, low, high, config.training.batch, config.seed, device)
    data = itertools.chain([signal.grid.affine], signal.slabs())
    task = SignalTask(model, batches)
    history = train_and_keep(task, model.parameter_groups(), config, data, on_progress)
    facts = {**history.facts(), "parameters": parameter_count(model), "seed": config.seed}
    dtype, peak = signal.values.dtype.str, peak_of(signal.values, float(low.min()), float(high.max()))
    return FittedSignal(model, signal.grid, low, high, dtype, peak, signal.header, facts), history


def load_signal(source: Any, kind: str, spacing: Any = None) -> tuple[Signal, list[str]]:
    """A path, an array or a signal as a signal, and notes about it; what an array masks is NaN.

    Raises UnreadableInput, UsageError.
    """
    if isinstance(source, Signal):
        signal, notes = source, []
    elif isinstance(source, (str, Path)):
        if spacing is not None:
            raise UsageError("spacing is for arrays: a file has its own")
        from ..io import read_image, read_volume

        signal = (read_image if kind == "image" else read_volume)(source)
        notes = signal.notes
    else:
        signal, notes = _of_array(np.asanyarray(source), kind, spacing), []
    if signal.grid.dim != (2 if kind == "image" else 3):
        raise UsageError(f"an {kind} was expected" if kind == "image" else "a volume was expected")
    return signal, list(notes)


def check_size(signal: Signal, low: Array, high: Array) -> None:
    """Raises UnusableGeometry where a signal whose channels have these ranges cannot be fitted."""
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

    Of a channel without any both are NaN.
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
