"""Trained networks: where they run, their values piece by piece, and their way to and from a model file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .config import to_dict, with_changes
from .encodings import choose_engine
from .errors import MissingBackend
from .model_config import CLASSES, ModelConfig
from .models import build_model

Array = NDArray[np.floating]

CHUNK = 65_536
"""Points that go through a network at once."""


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
    """The arrays that a function of points (N, d) gives, from a chunk at a time on a device."""
    chunks = []
    with torch.no_grad():
        for start in range(0, max(len(points), 1), CHUNK):
            x = torch.from_numpy(np.ascontiguousarray(points[start : start + CHUNK], np.float32))
            chunks.append([part.cpu().numpy() for part in function(x.to(device))])
    return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]


def written(model: nn.Module) -> tuple[dict[str, Array], dict[str, Any]]:
    """A network as the arrays and the architecture of a model file (docs/model-format.md)."""
    arrays = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
    architecture = model.architecture()  # pyright: ignore[reportCallIssue]
    return arrays, {**architecture, "config": to_dict(model.config)}


def read(arrays: dict[str, Array], architecture: dict[str, Any], device: str, engine: str) -> nn.Module:
    """The network that was written as these, on a device.

    Raises KeyError, TypeError, ValueError or RuntimeError where they do not fit together.
    """
    config = with_changes(CLASSES[architecture["model"]](), architecture["config"])
    size = {"dim": architecture["dim"], "outputs": architecture["outputs"]}
    _check_shapes(arrays, config, **size)
    device, engine = choose(device, engine)
    model = build_model(config, engine=engine, **size)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
    return model.to(device)


def _check_shapes(arrays: dict[str, Array], config: ModelConfig, dim: int, outputs: int) -> None:
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
