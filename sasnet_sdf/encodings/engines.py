"""The table of engines: names, where each runs, and the rule that picks one."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from ..errors import MissingBackend, UsageError


@dataclass(frozen=True)
class Engine:
    """An implementation of the hash grid. All three are twice differentiable by the points."""

    name: str
    package: str
    devices: tuple[str, ...]
    how_to_install: str

    def missing(self) -> str | None:
        """Why it cannot be used here, or None."""
        if importlib.util.find_spec(self.package) is None:
            return f"{self.package} is not installed: {self.how_to_install}"
        return None


ENGINES = {
    "numba": Engine("numba", "numba", ("cpu",), "pip install numba"),
    "torch": Engine("torch", "torch", ("cpu", "cuda"), "pip install torch"),
    "tinycudann": Engine(
        "tinycudann",
        "tinycudann",
        ("cuda",),
        "build tiny-cuda-nn's PyTorch bindings from its source, see docs/engines.md",
    ),
}


def available_engines() -> dict[str, str | None]:
    """Every engine's name, with the reason why it cannot be used here, or None."""
    return {name: engine.missing() for name, engine in ENGINES.items()}


def choose_engine(name: str, device: str) -> str:
    """The engine that `name` stands for on "cpu" or "cuda".

    "auto" takes the fastest that is there; a name is taken at its word. Raises MissingBackend
    where it is not installed, UsageError where it does not run on the device.
    """
    if name == "auto":
        fastest = ("tinycudann", "torch") if device == "cuda" else ("numba", "torch")
        return next(choice for choice in fastest if ENGINES[choice].missing() is None)
    if name not in ENGINES:
        raise UsageError(f"unknown engine {name!r}: one of auto, {', '.join(ENGINES)}")
    engine = ENGINES[name]
    if reason := engine.missing():
        raise MissingBackend(f"engine {name}: {reason}")
    if device not in engine.devices:
        raise UsageError(f"engine {name} runs on {' or '.join(engine.devices)}, not on {device}")
    return name
