"""Trained networks: where they run, their values piece by piece, and their way to and from a model file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import MissingBackend, UsageError
from ..geometry import at_finite
from ..model_config import CLASSES, ModelConfig
from ..runtime.progress import steps
from ..settings import to_dict, with_changes
from .hash_grid import choose_engine
from .registry import build_model

Array = NDArray[np.floating]

CHUNK = 65_536
"""Points that go through a network at once."""

MOST, _MOST = 1 << 16, {"hidden_layers": 256, "bands": 64, "octaves": 100}
"""The largest setting of a network in a file; and of what takes time before it takes memory."""


def choose(device: str, engine: str) -> tuple[str, str]:
    """The device and engine that `auto` stands for here. Raises MissingBackend for one that is not there."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise MissingBackend(
            "no CUDA device is visible to PyTorch; leave --device away, or install a CUDA build of PyTorch"
        )
    return device, choose_engine(engine, device)


def by_chunks(function: Callable[[Tensor], tuple[Tensor, ...]], points: Array, device: Any) -> list[Array]:
    """The arrays that a function of points (N, d) gives, from a chunk at a time on a device.

    They are NaN where a point is not finite, or not in single precision.
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


def written(model: nn.Module) -> tuple[dict[str, Array], dict[str, Any]]:
    """A network as the arrays and the architecture of a model file (docs/model-format.md)."""
    arrays = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
    architecture = model.architecture()  # pyright: ignore[reportCallIssue]
    return arrays, {**architecture, "config": to_dict(model.config)}


def lasting(metadata: dict[str, Any]) -> dict[str, Any]:
    """What a model file says of the training: all but the time a step took, which no seed brings again."""
    return {name: value for name, value in metadata.items() if name != "ms_per_step"}


UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError)
"""What the numbers and words of a damaged model file may raise where they are used."""


def read(arrays: dict[str, Array], architecture: dict[str, Any], device: str, engine: str) -> nn.Module:
    """The network that was written as these, on a device.

    Raises one of UNREADABLE where they do not fit together: the file may be anybody's, so nothing of
    it is taken at its word.
    """
    try:
        config = with_changes(CLASSES[architecture["model"]](), architecture["config"])
    except UsageError as error:
        raise ValueError(str(error)) from error
    _check_settings(config, type(config)())
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


def _check_settings(config: Any, usual: Any) -> None:
    """Refuse settings of another type than the usual ones, not finite, or larger than any network's."""
    for name, value in vars(config).items():
        expected = getattr(usual, name)
        if is_dataclass(expected):
            _check_settings(value, expected)
            continue
        kinds = (int, float) if type(expected) is float else (type(expected),)
        if type(value) not in kinds:
            raise ValueError(f"{name} must be {kinds[-1].__name__}, found {value!r:.40}")
        if type(value) in (int, float) and not abs(value) <= _MOST.get(name, MOST):
            raise ValueError(f"{name} must be {_MOST.get(name, MOST)} at most, found {value!r:.40}")


def _check_arrays(arrays: dict[str, Array], config: ModelConfig, dim: int, outputs: int) -> None:
    """Refuse settings that the arrays do not bear out, before a network of their size is made."""
    numbers = sum(array.size for array in arrays.values())
    if config.width * config.hidden_layers > numbers:
        raise ValueError("its arrays are smaller than its settings say")
    with torch.device("meta"):  # where tensors have a shape and take no memory
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
