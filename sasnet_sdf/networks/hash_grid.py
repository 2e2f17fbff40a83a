"""The hash grid: its layout in memory, the table of engines that compute it, and its torch module.

Mueller et al., "Instant Neural Graphics Primitives", 2022, in tiny-cuda-nn's convention (its grid.h
and common_device.h): a trained table means the same to every engine.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import MissingBackend, UsageError, unknown
from ..model_config import GridConfig

PRIMES = (1, 2654435761, 805459861)
INTERPOLATIONS = ("linear", "smoothstep")

_MARGIN = 2.0**-18
"""The finest scale is lowered by this share, so that no engine's rounding lifts it over a whole number."""


@dataclass(frozen=True, eq=False)
class GridLayout:
    """The levels of a grid in `dim` dimensions; L levels, coarse to fine.

    A point x of [0, 1]^dim lies at x * scales[l] + 0.5 in level l: the whole part is the cell, the
    rest the fraction. A vertex v of level l owns row offsets[l] + index(v) of the table, where,
    modulo the level's rows, index(v) is the xor of v_a * PRIMES[a] in 32 bits if hashed[l] (eq. 4),
    and v_0 + v_1 * resolutions[l] + v_2 * resolutions[l]^2 otherwise.

    scales: (L,) float32. resolutions: (L,) int64, vertices an axis. offsets: (L + 1,) int64.
    hashed: (L,) bool. per_level_scale: the ratio of one level to the one before.
    """

    config: GridConfig
    dim: int
    per_level_scale: np.float32
    scales: NDArray[np.float32]
    resolutions: NDArray[np.int64]
    offsets: NDArray[np.int64]
    hashed: NDArray[np.bool_]

    @property
    def entries(self) -> int:
        """Rows of the table."""
        return int(self.offsets[-1])


def grid_layout(config: GridConfig, dim: int) -> GridLayout:
    """The layout of a grid in 2 or 3 dimensions. Raises ValueError for settings that make none."""
    _check(config, dim)
    growth = max(config.finest * (1 - _MARGIN) / config.coarsest, 1.0)
    ratio = np.float32(growth ** (1 / max(config.levels - 1, 1)))
    levels = np.arange(config.levels, dtype=np.float32)
    # In float32, as CUDA does: in float64 the ceiling differs at some levels.
    scales = np.exp2(levels * np.log2(ratio)) * np.float32(config.coarsest) - np.float32(1)
    resolutions = np.ceil(scales).astype(np.int64) + 1
    vertices = resolutions**dim
    entries = np.minimum((vertices + 7) // 8 * 8, 2**config.log2_table)
    offsets = np.concatenate([[0], np.cumsum(entries)]).astype(np.int64)
    return GridLayout(config, dim, ratio, scales, resolutions, offsets, vertices > entries)


def _check(config: GridConfig, dim: int) -> None:
    if dim not in (2, 3):
        raise ValueError(f"a hash grid has 2 or 3 dimensions, not {dim}")
    if not 1 <= config.levels <= 32:
        raise ValueError(f"a hash grid has 1 to 32 levels, not {config.levels}")
    if config.features not in (1, 2, 4, 8):
        raise ValueError(f"a hash grid has 1, 2, 4 or 8 features a level, not {config.features}")
    # Within these limits no engine's 32-bit index overflows.
    if not 3 <= config.log2_table <= 21:
        raise ValueError(f"log2_table must lie between 3 and 21, found {config.log2_table}")
    if not 2 <= config.coarsest <= config.finest <= 32768:
        raise ValueError(
            f"levels must grow from 2 to 32768 vertices an axis, found {config.coarsest} to {config.finest}"
        )
    if config.interpolation not in INTERPOLATIONS:
        raise ValueError(f"interpolation must be linear or smoothstep, not {config.interpolation!r}")


Encode = Callable[[Tensor, Tensor, GridLayout, str], Tensor]
"""(points (N, d) in [-1, 1], table (entries, F), layout, interpolation) -> features (levels * F, N)."""


@dataclass(frozen=True)
class Engine:
    """One implementation: `library` brings it, `device` is the only one it runs on (None: any).

    `twice_differentiable`: the gradient by the points can be differentiated again.
    """

    name: str
    library: str
    device: str | None
    twice_differentiable: bool
    install: str

    def missing(self) -> str | None:
        """Why the engine cannot be used here and what brings it, or None where it can."""
        try:
            importlib.import_module(self.library)
        except (ImportError, OSError) as error:
            return f"{self.install} ({str(error).splitlines()[0]})"
        return None

    def runs_on(self, device: str) -> bool:
        return self.device in (None, device)

    def load(self) -> Encode:
        """The engine's `encode`. Raises MissingBackend."""
        if reason := self.missing():
            raise MissingBackend(f"the engine {self.name} is not installed: {reason}")
        return importlib.import_module(f"{__package__}.{self.name}_engine").encode


_TINYCUDANN = (
    "tiny-cuda-nn is built from its git repository (subdirectory bindings/torch); see docs/engines.md"
)

ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("tinycudann", "tinycudann", "cuda", True, _TINYCUDANN),
        Engine("numba", "numba", "cpu", True, "pip install numba"),
        Engine("torch", "torch", None, True, "pip install torch"),
    )
}
"""The fastest first: `auto` takes the first that runs on the device and is installed."""


def available_engines() -> dict[str, str | None]:
    """Each engine's name, and None where it can be used or the reason why not."""
    return {name: engine.missing() for name, engine in ENGINES.items()}


def choose_engine(name: str, device: str | torch.device) -> str:
    """The engine to use on a device; `auto` chooses, any other name is taken at its word.

    Raises UsageError for an unknown name or one that does not run on the device, MissingBackend
    for one that is not installed.
    """
    kind = torch.device(device).type
    if name == "auto":
        return next(e.name for e in ENGINES.values() if e.runs_on(kind) and not e.missing())
    engine = find_engine(name)
    engine.load()
    if not engine.runs_on(kind):
        raise UsageError(f"the engine {name} runs on {engine.device}, not on {kind}; choose auto or torch")
    return name


def find_engine(name: str) -> Engine:
    """The engine of that name. Raises UsageError."""
    if name not in ENGINES:
        raise UsageError(unknown("engine", name, ENGINES))
    return ENGINES[name]


class HashGrid(nn.Module):
    """Multi-resolution hash grid (Mueller et al. 2022): points (N, dim) to features (levels * F, N).

    Points lie in [-1, 1]. The only parameter, `table` (entries, F), drawn from N(0, 0.01^2), means
    the same to every engine. Raises MissingBackend where the engine is not installed.
    """

    def __init__(self, config: GridConfig, dim: int, engine: str, generator: torch.Generator):
        super().__init__()
        self.config, self.engine, self.layout = config, engine, grid_layout(config, dim)
        self.encode = find_engine(engine).load()
        table = torch.empty(self.layout.entries, config.features)
        self.table = nn.Parameter(table.normal_(0, 0.01, generator=generator))

    def forward(self, points: Tensor) -> Tensor:
        return self.encode(points, self.table, self.layout, self.config.interpolation)
