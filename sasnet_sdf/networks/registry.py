"""Networks by the name of their settings: building, sizing, evaluating, and reading and writing files."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..engines import choose_engine
from ..errors import MissingBackend, UsageError
from ..geometry import at_finite
from ..model_config import GridConfig, ModelConfig, class_of
from ..runtime.progress import steps
from ..settings import to_dict, with_changes
from .hash_grid import grid_layout
from .network import Network


def network_of(config: ModelConfig) -> type[Network[Any]]:
    """The network class that the settings belong to."""
    if not isinstance(config.network, str):
        return config.network
    module, _, name = config.network.partition(":")
    return getattr(importlib.import_module(module), name)


def build_model(
    config: ModelConfig, dim: int = 3, outputs: int = 1, engine: str = "torch", seed: int = 0
) -> Network[Any]:
    """A newly initialized network on the CPU, which maps points (N, dim) to values (N, outputs).

    Raises ValueError for invalid settings.
    """
    return network_of(config)(config, dim, outputs, engine, seed)


def parameter_count(model: nn.Module) -> int:
    """The number of trained parameters, including all rows of a hash grid's table."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


TOLERANCE = 0.02
"""The default tolerance of with_parameters, as a share of the number of parameters."""


def with_parameters(
    config: ModelConfig,
    count: int,
    dim: int = 3,
    outputs: int = 1,
    table: bool = True,
    tolerance: float = TOLERANCE,
) -> ModelConfig:
    """The settings with the width, and the hash grid's table size, that come closest to `count` parameters.

    Layers, frequencies and the number of the grid's levels are kept; if `table` is False, so is the whole
    grid. Raises ValueError if no width comes within the tolerance, a share of `count`.
    """
    parameters_of(config, dim, outputs)  # raises if the settings are invalid for another reason
    config = _with_table(config, count, dim) if table else config

    def size(width: int) -> float:
        try:
            return parameters_of(replace(config, width=width), dim, outputs)
        except (ValueError, UsageError):  # not enough frequencies, or an invalid width
            return math.inf

    low, high = 1, 8
    while size(high) < count:
        low, high = high, 2 * high
    while low < high:  # find the narrowest with at least `count` parameters
        middle = (low + high) // 2
        low, high = (middle + 1, high) if size(middle) < count else (low, middle)
    width = min(max(low - 1, 1), low, key=lambda width: abs(size(width) - count))
    if not (size(width) < math.inf and abs(size(width) - count) <= tolerance * count):
        raise ValueError(f"no width gives {config.name} about {count:,} parameters")
    return replace(config, width=width)


def parameters_of(config: ModelConfig, dim: int = 3, outputs: int = 1) -> int:
    """The number of trained parameters of a network with these settings, without allocating them."""
    with torch.device("meta"):
        return parameter_count(build_model(config, dim, outputs))


def _with_table(config: ModelConfig, count: int, dim: int) -> ModelConfig:
    """The largest table of the hash grid, if there is one, that leaves the layers their share."""
    grid = config.sized_grid
    if grid is None:
        return config
    for log2_table in range(grid.log2_table, 2, -1):
        smaller = _coarser(replace(grid, log2_table=log2_table))
        if grid_layout(smaller, dim).entries * grid.features <= config.most_in_table(count):
            return replace(config, grid=smaller)
    raise ValueError(f"no hash grid of {grid.levels} levels fits into {count:,} parameters")


def _coarser(grid: GridConfig) -> GridConfig:
    """The grid, with levels no finer than its table can resolve on a surface.

    A surface crosses about `finest`^2 cells of the finest level. If these are many more than the table's
    rows, updates at one place disturb other places.
    """
    finest = min(grid.finest, 2 ** ((grid.log2_table + 1) // 2))
    return replace(grid, finest=finest, coarsest=min(grid.coarsest, max(2, finest // 16)))


Array = NDArray[np.floating[Any]]

CHUNK = 65_536
"""Number of points that a network evaluates at once."""


def choose(device: str, engine: str) -> tuple[str, str]:
    """The device and the engine to use; either may be given as `auto`.

    Raises MissingBackend if one is not available, UsageError for an engine that is unknown or does not run on
    the device.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise MissingBackend(
            "no CUDA device is visible to PyTorch; omit --device, or install a CUDA build of PyTorch"
        )
    return device, choose_engine(engine, device)


def by_chunks(
    function: Callable[[Tensor], tuple[Tensor, ...]], points: Array, device: torch.device | str
) -> list[Array]:
    """The arrays (N, ...) that a function of points (N, d) returns, computed on a device in chunks.

    They are NaN where a point is not finite in single precision.
    """

    def of_chunk(x: Array) -> tuple[Array, ...]:
        parts = function(torch.from_numpy(np.ascontiguousarray(x)).to(device))
        return tuple(part.cpu().numpy() for part in parts)

    chunks, step = [], steps()
    with torch.no_grad(), np.errstate(over="ignore"):
        for start in range(0, max(len(points), 1), CHUNK):
            step((start + CHUNK) / max(len(points), 1))
            chunks.append(at_finite(of_chunk, np.asarray(points[start : start + CHUNK], np.float32)))
    return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]


def written(model: Network[Any]) -> tuple[dict[str, Array], dict[str, Any]]:
    """A network as the arrays and the architecture of a model file (docs/model-format.md)."""
    arrays = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
    return arrays, {**model.architecture(), "config": to_dict(model.config)}


def lasting(metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata for a model file: all except the time per step, which differs between runs."""
    return {name: value for name, value in metadata.items() if name != "ms_per_step"}


UNREADABLE: tuple[type[Exception], ...] = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
)
"""The exceptions that the content of a damaged model file may raise."""


def read(arrays: dict[str, Array], architecture: dict[str, Any], device: str, engine: str) -> Network[Any]:
    """The network that was written as these arrays and this architecture, on a device.

    The file may come from an untrusted source: everything in it is checked before it is used. Raises one of
    UNREADABLE if something is inconsistent, MissingBackend if the network's package or the device cannot be
    used.
    """
    try:
        usual = class_of(architecture["model"])()
        _check_settings(architecture["config"], usual)
        config = with_changes(usual, architecture["config"])
    except UsageError as error:
        raise ValueError(str(error)) from error
    size = {"dim": architecture["dim"], "outputs": architecture["outputs"]}
    if (
        any(type(n) is not int for n in size.values())
        or size["dim"] not in (2, 3)
        or not 1 <= size["outputs"] <= 4
    ):
        raise ValueError(f"a network has 2 or 3 dimensions and 1 to 4 outputs, found {size}")
    _check_arrays(arrays, config, **size)
    device, engine = choose(device, engine)
    model = build_model(config, engine=engine, **size)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
    return model.to(device)


def _check_settings(found: dict[str, Any], usual: Any) -> None:
    """Refuse settings of another network, or of other types than the default settings.

    A program may pass 64.0 for 64, but the package never writes a file that does so.
    """
    if found.get("name", name := getattr(usual, "name", None)) != name:
        raise ValueError(f"its settings are those of {found['name']!r:.40}, not of {name}")
    for part in fields(usual):
        value, expected = found.get(part.name), getattr(usual, part.name)
        if is_dataclass(expected) and value is not None:
            _check_settings(value, expected)
        elif value is not None and expected is not None:
            kinds = {float: (int, float), tuple: (list,)}.get(type(expected), (type(expected),))
            if type(value) not in kinds:
                raise ValueError(f"{part.name} must be {kinds[-1].__name__}, found {value!r:.40}")


def _check_arrays(arrays: dict[str, Array], config: ModelConfig, dim: int, outputs: int) -> None:
    """Refuse settings that do not match the arrays, before a network of that size is allocated."""
    numbers = sum(array.size for array in arrays.values())
    if config.width * config.hidden_layers > numbers:
        raise ValueError("its arrays are smaller than its settings say")
    with torch.device("meta"):  # where tensors have a shape but no memory
        expected = build_model(config, dim=dim, outputs=outputs).state_dict()
    for name, tensor in expected.items():
        if name not in arrays:
            raise ValueError(f"there is no array {name}")
        if arrays[name].shape != tensor.shape:
            found, asked = arrays[name].shape, tuple(tensor.shape)
            raise ValueError(f"{name} has the shape {found}, its settings say {asked}")
        if str(arrays[name].dtype) != str(tensor.dtype).removeprefix("torch."):
            raise ValueError(f"{name} holds {arrays[name].dtype}, not {tensor.dtype}")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} holds numbers that are not finite")
    if extra := sorted(set(arrays) - set(expected)):
        raise ValueError(f"there is no place for the array {extra[0]!r:.40}")
