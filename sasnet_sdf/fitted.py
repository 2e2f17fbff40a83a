"""A fitted image or volume: sampling anywhere in its domain, rendering at any size, saving and loading."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .errors import UnreadableInput, UnusableGeometry, UsageError
from .geometry import as_places
from .networks import registry as networks
from .networks.network import Network
from .networks.registry import by_chunks
from .runtime.memory import RENDERED_COPIES, RENDERED_PLACE, RENDERING
from .runtime.progress import ALONE, OnProgress, silent, stage, steps
from .runtime.system import check_memory, format_memory, held_bytes
from .signals import Array, Grid, Signal, checked_header

_DTYPES = re.compile(r"[<>|=]([iu][1248]|f(2|4|8|16))")

MOST_SAMPLES = 1 << 33
"""Largest number of samples of a rendering, 64 GB for one channel: a larger request must be a typing
error."""


class FittedSignal:
    """An image or a volume represented by a network: compact, continuous, differentiable.

        image = sasnet_sdf.FittedSignal.load("photo.sasnet")
        larger = image.render(scale=4).values  # (4 H, 4 W, C)
        values = image.sample([[10.5, 20.5]])  # (1, C), at x, y in pixels

    grid: positions of the samples that it was trained on, in world coordinates. low, high: (C,) the range of
    each channel, to which values are clamped. dtype: the type of the samples. peak: the peak value for the
    PSNR. header: other metadata that a file of the same format needs. metadata: how it was trained. report:
    the report of the fit (docs/report.md); None for a fit loaded from a file.
    """

    def __init__(
        self,
        model: Network[Any],
        grid: Grid,
        low: Array,
        high: Array,
        dtype: str,
        peak: float,
        header: dict[str, Any],
        metadata: dict[str, Any],
    ):
        self.model: Network[Any] = model.eval().requires_grad_(False)
        self.grid: Grid = grid
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.peak: float = peak
        self.low: Array = np.asarray(low, np.float64)
        self.high: Array = np.asarray(high, np.float64)
        self.header: dict[str, Any] = header
        self.metadata: dict[str, Any] = metadata
        self.report: dict[str, Any] | None = None

    @property
    def kind(self) -> str:
        return "image" if self.grid.dim == 2 else "volume"

    def sample(self, coordinates: Array) -> Array:
        """Values (N, C) float64 at world coordinates (N, d); NaN outside the domain or if not finite.

        coordinates: any array or list of real numbers. Raises ValueError for another shape. In the outer half
        of a border cell, beyond the last sample, the value is that at the last sample.
        """
        index = self._index(coordinates)
        return np.where(self.grid.covers(index)[:, None], self.at_index(index), np.nan)

    def gradient(self, coordinates: Array) -> Array:
        """Derivatives (N, C, d) of the unclamped values by the world coordinates (N, d).

        They are NaN outside the domain, and 0 along an axis on which the place lies beyond the last sample.
        """
        index = self._index(coordinates)
        world = self.slopes_at_index(index) @ np.linalg.inv(self.grid.affine[:-1, :-1])
        return np.where(self.grid.covers(index)[:, None, None], world, np.nan)

    def slopes_at_index(self, index: Array) -> Array:
        """Derivatives (N, C, d) by the index at indices (N, d), like `gradient`, but never NaN."""
        inside = self._inside(index)
        unit = by_chunks(self._slopes, self.grid.to_unit(inside), self.device)[0].astype(np.float64)
        unit = unit * (np.abs(index - inside) < 1e-9)[:, None]
        return unit * (self.grid.spacing / self.grid.half) * ((self.high - self.low) / 2)[:, None]

    def at_index(self, index: Array) -> Array:
        """Values (N, C) float64 at indices (N, d) of the samples, clamped to the first and the last."""
        found = by_chunks(lambda x: (self.model(x),), self.grid.to_unit(self._inside(index)), self.device)
        return ((found[0].astype(np.float64) + 1) / 2 * (self.high - self.low) + self.low).clip(
            self.low, self.high
        )

    def render(
        self,
        scale: float | None = None,
        size: tuple[int, ...] | None = None,
        region: tuple[float, ...] | None = None,
        shift: tuple[float, ...] | None = None,
        max_memory: int | None = None,
        on_progress: OnProgress = silent,
    ) -> Signal:
        """The signal on another grid, with values of the samples' type.

        Lengths are in cells of the samples' grid, in the order x, y of an image (pixels) and of the array's
        axes of a volume (voxels). region: the lowest corner, then the highest corner, of the rendered part;
        the whole domain by default. scale: new cells per cell along an axis. size: number of new cells along
        each axis, instead of scale. shift: how far the grid is moved; cells whose center leaves the domain
        are omitted. max_memory: bytes that the process may hold. Raises UsageError for a region outside the
        domain, or a rendering that is too large.
        """
        low, high = self._region(region)
        extent = high - low
        if scale is not None and size is not None:
            raise UsageError("give the scale or the size, not both")
        if scale is not None and not 0 < scale < np.inf:
            raise UsageError(f"scale must be positive, found {scale}")
        if size is None:
            counts = np.maximum(np.round(extent * (scale or 1)), 1)
        else:
            counts = self._ordered(size, "size")
            if counts.min() < 1 or (counts != np.round(counts)).any():
                raise UsageError("size must be whole numbers of at least 1")
        if np.prod(counts) * len(self.low) > MOST_SAMPLES:
            raise UsageError(f"a rendering of {np.prod(counts):,.0f} samples is too large")
        if max_memory is not None:
            self._check_memory(counts, max_memory)
        step = extent / counts
        moved = np.zeros(self.grid.dim) if shift is None else self._ordered(shift, "shift")
        first = low + step / 2 - 0.5 + moved
        axes = [f + s * np.arange(int(n)) for f, s, n in zip(first, step, counts, strict=True)]
        axes = [
            axis[(axis >= -0.5 - 1e-9) & (axis <= n - 0.5 + 1e-9)]
            for axis, n in zip(axes, self.grid.shape, strict=True)
        ]
        if not all(len(axis) for axis in axes):
            raise UsageError("shift moves the whole grid out of the domain")
        into_old = np.diag([*step, 1.0])
        into_old[:-1, -1] = [axis[0] for axis in axes]
        grid = Grid(tuple(len(axis) for axis in axes), self.grid.affine @ into_old)
        with stage(ALONE, on_progress):
            return Signal(self._at(axes, self.dtype), grid, self.header)

    def at_samples(self, first: Array, end: Array) -> Array:
        """Values (*, C) float64, not rounded, at the samples from index first (d,) to before end (d,)."""
        return self._at(
            [np.arange(a, b, dtype=np.float64) for a, b in zip(first, end, strict=True)], np.float64
        )

    def _at(self, axes: list[Array], dtype: Any) -> np.ndarray:
        """Values (*, C) at all combinations of indices along the axes."""
        rows, *others = axes
        out = np.empty((*(len(axis) for axis in axes), len(self.low)), dtype)
        across = int(np.prod([len(axis) for axis in others]))
        slab = max(1, networks.CHUNK // across)
        step = steps()
        for start in range(0, len(rows), slab):
            step((start + slab) / len(rows))
            part = [rows[start : start + slab], *others]
            index = np.stack(np.meshgrid(*part, indexing="ij"), -1)
            values = self.at_index(index.reshape(-1, self.grid.dim))
            if not np.isfinite(values).all():
                raise UnusableGeometry("the model gives values that are not finite: it is damaged")
            out[start : start + slab] = _as(out.dtype, values).reshape(*index.shape[:-1], -1)
        return out

    def _check_memory(self, counts: Array, limit: int) -> None:
        """Raise UsageError, with a size that would fit, if so many cells along the axes would not."""
        held = held_bytes()

        def needed(counts: Array) -> float:
            samples, across = np.prod(counts), np.prod(counts[1:])
            slab = RENDERED_PLACE * max(across, networks.CHUNK) * (2 + len(self.low))
            return held + RENDERING + slab + RENDERED_COPIES * samples * len(self.low) * self.dtype.itemsize

        def advice() -> str:
            smaller = counts
            while needed(smaller) > limit and smaller.max() > 1:
                smaller = np.maximum(np.floor(0.97 * smaller), 1)
            if needed(smaller) > limit:
                return f"the process holds {format_memory(held)} already, so no size would fit"
            size = smaller[::-1] if self.grid.dim == 2 else smaller
            return f"size {'x'.join(str(int(n)) for n in size)} would fit"

        check_memory(f"a rendering of {np.prod(counts):,.0f} samples", needed(counts), limit, advice)

    def _region(self, region: tuple[float, ...] | None) -> tuple[Array, Array]:
        """The corners of a part of the domain, in cells along the array's axes."""
        whole = np.array(self.grid.shape, np.float64)
        if region is None:
            return np.zeros(self.grid.dim), whole
        if len(region) != 2 * self.grid.dim:
            raise UsageError(f"region must have {2 * self.grid.dim} numbers, found {len(region)}")
        low = self._ordered(region[: self.grid.dim], "region")
        high = self._ordered(region[self.grid.dim :], "region")
        if not ((low >= 0) & (high <= whole) & (low < high)).all():
            shape = self.grid.shape[::-1] if self.grid.dim == 2 else self.grid.shape
            size = " x ".join(str(n) for n in shape)
            raise UsageError(f"region must lie within the {self.kind} of {size}, its first corner lower")
        return low, high

    def _ordered(self, numbers: tuple[float, ...], name: str) -> Array:
        """One number per axis, in the order of the array's axes."""
        if len(numbers) != self.grid.dim or not np.isfinite(numbers).all():
            raise UsageError(f"{name} must have {self.grid.dim} numbers, found {numbers}")
        array = np.array(numbers, np.float64)
        return array[::-1].copy() if self.grid.dim == 2 else array

    def _slopes(self, unit: torch.Tensor) -> tuple[torch.Tensor]:
        """Derivatives (N, C, d) of the network's outputs."""
        with torch.enable_grad():
            x = unit.detach().requires_grad_(True)
            columns = [
                torch.autograd.grad(self.model(x)[:, channel].sum(), x)[0] for channel in range(len(self.low))
            ]
        return (torch.stack(columns, 1),)

    def _index(self, coordinates: Array) -> Array:
        """World coordinates as indices."""
        places = as_places(coordinates, self.grid.dim, "coordinates")
        with np.errstate(over="ignore", invalid="ignore"):
            return self.grid.to_index(places)

    def _inside(self, index: Array) -> Array:
        return np.clip(index, 0, np.array(self.grid.shape) - 1)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def save(self, path: str | Path) -> None:
        """Write the model file (.sasnet), see docs/model-format.md."""
        from .io.models import write_model

        arrays, architecture = networks.written(self.model)
        signal = {
            "kind": self.kind,
            "grid": self.grid.to_dict(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "dtype": self.dtype.str,
            "peak": self.peak,
            "header": self.header,
        }
        training = networks.lasting(self.metadata)
        metadata = {"architecture": architecture, "signal": signal, "training": training}
        write_model(Path(path), arrays, metadata)

    @classmethod
    def load(cls, path: str | Path, device: str = "auto", engine: str = "auto") -> FittedSignal:
        """Read a model file. Raises UnreadableInput if it is damaged, newer or not of a signal."""
        from .io.models import read_model

        arrays, metadata = read_model(Path(path))
        try:
            if "signal" not in metadata:
                raise UnreadableInput(f"{path}: the model of a surface: use sasnet-sdf extract or query")
            signal = metadata["signal"]
            if not _DTYPES.fullmatch(signal["dtype"]):
                raise ValueError(f"its samples are of the type {signal['dtype']!r:.40}")
            grid, dtype = Grid.from_dict(signal["grid"]), np.dtype(signal["dtype"])
            low, high = (np.array(signal[name], np.float64) for name in ("low", "high"))
            architecture, peak = metadata["architecture"], float(signal["peak"])
            if architecture["dim"] != grid.dim:
                raise ValueError("its grid and its network do not fit together")
            if not low.shape == high.shape == (architecture["outputs"],):
                raise ValueError("its ranges and its network do not fit together")
            largest = np.finfo(dtype).max if dtype.kind == "f" else np.inf
            fits = (low <= high) & (low >= -largest) & (high <= largest)
            if not (fits & (high / 2 - low / 2 < np.finfo(np.float64).max / 2)).all():
                raise ValueError("its ranges exceed the type of its samples")
            if not 0 < peak < np.inf:
                raise ValueError(f"its peak is {peak}")
            model = networks.read(arrays, architecture, device, engine)
            header, facts = checked_header(signal["header"]), dict(metadata["training"])
            return cls(model, grid, low, high, dtype.str, peak, header, facts)
        except networks.UNREADABLE as error:
            reason = " ".join(str(error).split())
            raise UnreadableInput(f"{path}: not a model that this version can read ({reason})") from error


def _as(dtype: np.dtype, values: Array) -> np.ndarray:
    """The values converted to a type; for integers, rounded and clamped to its range."""
    if dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    # the largest 64-bit integer is not a float64, so the next smaller float64 is the limit
    top = limits.max if limits.bits < 64 else np.nextafter(float(limits.max), 0)
    return values.round().clip(limits.min, top).astype(dtype)
