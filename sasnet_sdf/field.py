"""The trained signed distance field, in world units."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from .config import to_dict, with_changes
from .differential import value_and_gradient
from .errors import UnreadableInput
from .extraction.support import Support
from .geometry import Array, Frame
from .model_config import CLASSES, ModelConfig
from .models import build_model
from .supervision.tree import Tree

CHUNK = 65_536

SUPPORT_POINTS = 1 << 18
"""Points of the data that a model file holds at most; 4 MB."""


class Field:
    """A signed distance in world units, negative inside: small, differentiable, queryable.

    `low` and `high` (3,) bound the data it was trained on, in the unit cube. `metadata` says how
    it was trained. `support` knows where the data were, in the unit cube; a surface is trimmed by it.
    """

    def __init__(
        self,
        model: nn.Module,
        frame: Frame,
        low: Array,
        high: Array,
        metadata: dict[str, Any],
        support: Support | None = None,
    ):
        self.model: Any = model.eval().requires_grad_(False)
        self.frame, self.support = frame, support
        self.low, self.high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        self.metadata = metadata

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def distance(self, points: Array) -> Array:
        """Signed distances (N,) float64, world units, at world points (N, 3).

        Outside the cube that was trained the distance to the cube is added to the value at its
        border: the sign and the growth are right there, the value is an estimate.
        """
        unit = self.frame.to_unit(_as_points(points))
        clamped = unit.clip(-1, 1)
        beyond = np.linalg.norm(unit - clamped, axis=1)
        return (self.unit_distance(clamped) + beyond) * self.frame.scale

    def gradient(self, points: Array) -> Array:
        """Gradients (N, 3) float64 of the distance at world points (N, 3); they point outward."""
        unit = self.frame.to_unit(_as_points(points))
        clamped = unit.clip(-1, 1)
        gradients = self.unit_gradient(clamped)[1].astype(np.float64)
        beyond = unit - clamped
        length = np.linalg.norm(beyond, axis=1, keepdims=True)
        return np.where(beyond == 0, gradients, 0) + beyond / np.where(length > 0, length, 1)

    def unit_distance(self, points: Array) -> Array:
        """Values (N,) float32 at points (N, 3) of the unit cube."""
        return self._by_chunks(points, lambda x: (self.model(x).reshape(-1),))[0]

    def unit_gradient(self, points: Array) -> tuple[Array, Array]:
        """Values (N,) and gradients (N, 3) float32 at points (N, 3) of the unit cube."""
        values, gradients = self._by_chunks(points, lambda x: value_and_gradient(self.model, x))
        return values, gradients

    def _by_chunks(self, points: Array, function: Callable[[torch.Tensor], tuple]) -> list[Array]:
        chunks = []
        with torch.no_grad():
            for start in range(0, max(len(points), 1), CHUNK):
                x = torch.from_numpy(np.ascontiguousarray(points[start : start + CHUNK], np.float32))
                chunks.append([part.cpu().numpy() for part in function(x.to(self.device))])
        return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]

    def save(self, path: str | Path) -> None:
        """Write the model file (.sasnet): safetensors with JSON metadata, see docs/model-format.md."""
        from .io.models import write_model

        arrays = {name: value.cpu().numpy() for name, value in self.model.state_dict().items()}
        architecture = self.model.architecture()  # pyright: ignore[reportCallIssue]
        config = to_dict(self.model.config)
        metadata = {
            "architecture": {**architecture, "config": config},
            "frame": self.frame.to_dict(),
            "bounds": {"low": self.low.tolist(), "high": self.high.tolist()},
            "training": self.metadata,
        }
        if self.support is not None:
            # more points would make the file larger than the surface needs to be told where to end
            support = self.support.thinned(SUPPORT_POINTS)
            arrays["support.points"] = support.tree.points.astype(np.float32)
            arrays["support.spacing"] = support.spacing.astype(np.float32)
            metadata["support"] = {"gap": support.gap if np.isfinite(support.gap) else None}
        write_model(Path(path), arrays, metadata)

    @classmethod
    def load(cls, path: str | Path, device: str = "auto", engine: str = "auto") -> Field:
        """Read a model file. Raises UnreadableInput where it is damaged, newer or not one of ours."""
        from .io.models import read_model

        arrays, metadata = read_model(Path(path))
        try:
            architecture = metadata["architecture"]
            config = with_changes(CLASSES[architecture["model"]](), architecture["config"])
            size = {"dim": architecture["dim"], "outputs": architecture["outputs"]}
            support = _support(arrays, metadata)
            _check_shapes(arrays, config, **size)
            device, engine = choose(device, engine)
            model = build_model(config, engine=engine, **size)
            model.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
            frame, bounds = Frame.from_dict(metadata["frame"]), metadata["bounds"]
            low, high = bounds["low"], bounds["high"]
            return cls(model.to(device), frame, low, high, metadata["training"], support)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise UnreadableInput(f"{path}: not a model that this version can read ({reason})") from error


def _support(arrays: dict[str, Array], metadata: dict[str, Any]) -> Support | None:
    """Takes the data's points out of a model's arrays; None where they are not told."""
    if "support" not in metadata:
        return None
    points = arrays.pop("support.points").astype(np.float64)
    spacing, gap = arrays.pop("support.spacing").astype(np.float64), metadata["support"]["gap"]
    if (
        not len(spacing)
        or points.shape != (len(spacing), 3)
        or not (np.isfinite(points).all() and (spacing > 0).all())
    ):
        raise ValueError("its support is not made of points and their spacing")
    return Support(Tree.of(points), spacing, np.inf if gap is None else float(gap))


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


def choose(device: str, engine: str) -> tuple[str, str]:
    """The device and engine that `auto` stands for here. Raises MissingBackend for one that is not there."""
    from .encodings import choose_engine
    from .errors import MissingBackend

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise MissingBackend(
            "no CUDA device is visible to PyTorch; leave --device away, or install a CUDA build of PyTorch"
        )
    return device, choose_engine(engine, device)


def _as_points(points: Array) -> Array:
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points must have the shape (N, 3), found {points.shape}")
    return points
