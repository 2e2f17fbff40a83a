"""The table of engines, implementations of the hash grid, and the rule that chooses one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import MissingBackend, UsageError
from .layout import GridLayout

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
        raise UsageError(f"there is no engine {name!r}; known: {', '.join(ENGINES)}")
    return ENGINES[name]
