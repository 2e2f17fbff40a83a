"""Engines: the available implementations of the hash grid, by name, and the choice between them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import MissingBackend, UsageError, unknown
from .runtime.system import Registry

_NETWORKS = f"{__package__}.networks"
_BUILT = "tiny-cuda-nn is built from its git repository (bindings/torch); see docs/engines.md"


@dataclass(frozen=True)
class Engine:
    """One implementation of the hash grid.

    encode: the function, or "module:function" to be imported at first use. It takes points (N, d) in
    [-1, 1], a table (entries, F), a GridLayout and the interpolation, and returns features (levels * F, N).
    library: the module that it needs. device: the only kind of device that it runs on; None: any.
    twice_differentiable: the gradient with respect to the points can be differentiated again. install: how to
    install the library.
    """

    name: str
    encode: Callable[..., Any] | str
    library: str = "torch"
    device: str | None = None
    twice_differentiable: bool = True
    install: str = ""

    def register(self) -> None:
        """Register the engine under its name. Raises ValueError for a name that the package itself uses."""
        ENGINES.add(self.name, self)

    def missing(self) -> str | None:
        """Why the engine cannot be used here and how to install it, or None where it can be used."""
        try:
            importlib.import_module(self.library)
        except (ImportError, OSError) as error:
            return f"{self.install or f'pip install {self.library}'} ({str(error).splitlines()[0]})"
        return None

    def runs_on(self, device: str) -> bool:
        """Whether the engine runs on a kind of device, such as "cpu" or "cuda"."""
        return self.device in (None, device)

    def load(self) -> Callable[..., Any]:
        """The function `encode`. Raises MissingBackend where the engine is not installed."""
        if reason := self.missing():
            raise MissingBackend(f"the engine {self.name} is not installed: {reason}")
        if not isinstance(self.encode, str):
            return self.encode
        module, _, name = self.encode.partition(":")
        return getattr(importlib.import_module(module), name)


ENGINES: Registry[Engine] = Registry(
    "sasnet_sdf.engines",
    "engine",
    {
        engine.name: engine
        for engine in (
            Engine("tinycudann", f"{_NETWORKS}.tinycudann_engine:encode", "tinycudann", "cuda", True, _BUILT),
            Engine("numba", f"{_NETWORKS}.numba_engine:encode", "numba", "cpu"),
            Engine("torch", f"{_NETWORKS}.hash_grid:encode"),
        )
    },
)
"""Every engine by name. The package's own engines come fastest first: `auto` takes the first one that runs
on the device and is installed. Registered engines are used only when requested by name."""


def as_engine(value: Any) -> str:
    """The value of the setting `engine`: auto, or the name of an engine. Raises UsageError."""
    if not isinstance(value, str) or (value != "auto" and value not in ENGINES):
        raise UsageError(unknown("engine", value, ("auto", *ENGINES)))
    return value


def available_engines() -> dict[str, str | None]:
    """The name of each engine, with None where it can be used or the reason why not."""
    found: dict[str, str | None] = {}
    for name in ENGINES:
        try:
            found[name] = ENGINES[name].missing()
        except MissingBackend as error:
            found[name] = str(error)
    return found


def choose_engine(name: str, device: str) -> str:
    """The engine to use on a device such as "cpu" or "cuda:1"; `auto` chooses, any other name is kept.

    Raises UsageError for an unknown name or one that does not run on the device, MissingBackend
    for one that is not installed.
    """
    kind = str(device).partition(":")[0]
    if name == "auto":
        return next(e.name for e in ENGINES.own.values() if e.runs_on(kind) and not e.missing())
    engine = ENGINES.find(name)
    engine.load()
    if not engine.runs_on(kind):
        raise UsageError(f"the engine {name} runs on {engine.device}, not on {kind}; choose auto or torch")
    return name
