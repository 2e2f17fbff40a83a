"""Loss terms with one value per element, and the losses of a signed distance field and of a signal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..config import TrainingConfig
from ..errors import UsageError
from ..networks.network import Network

NEAR, FAR_WEIGHT = 0.01, 0.1
"""NEAR: the distance (unit cube) below which an error has nearly its full weight. FAR_WEIGHT: the weight of
errors far from the surface."""


def distance_error(value: Tensor, target: Tensor) -> Tensor:
    """The error |f - y| (NEAR / (|y| + NEAR) + FAR_WEIGHT) (N,) of values f (N,) for distances y (N,).

    It is relative far from the surface. FAR_WEIGHT keeps the sign correct where no other target is near.
    """
    return (value - target).abs() * (NEAR / (target.abs() + NEAR) + FAR_WEIGHT)


def eikonal(gradient: Tensor) -> Tensor:
    """The error (|g| - 1)^2 (N,) of gradients (N, d) of a distance field (Gropp et al. 2020)."""
    return (_length(gradient) - 1).square()


def normal_error(gradient: Tensor, normal: Tensor) -> Tensor:
    """1 minus the cosine (N,) of the angles between gradients (N, d) and unit normals (N, d)."""
    return 1 - (gradient * normal).sum(-1) / _length(gradient)


def mask_sparsity(masks: Tensor) -> Tensor:
    """The mean (N,) over all masks at each point; masks: (M, N) in [0, 1]."""
    return masks.mean(0)


def _length(gradient: Tensor) -> Tensor:
    # the square root has no derivative at zero, so the gradient there would be NaN
    return torch.sqrt(gradient.square().sum(-1) + 1e-12)


class DistanceTask:
    """The loss on signed distances and, for a part of each batch, on unit gradients and normals."""

    model: Any
    batches: Callable[[int], tuple[Tensor, Tensor, Tensor]]
    config: TrainingConfig
    recordable: bool

    def __init__(
        self,
        model: Network[Any],
        batches: Callable[[int], tuple[Tensor, Tensor, Tensor]],
        config: TrainingConfig,
    ):
        if (config.eikonal_weight or config.normal_weight) and not model.twice_differentiable:
            raise UsageError(
                f"the engine {model.engine} cannot train on gradients: choose another, or set eikonal_weight "
                "and normal_weight to 0"
            )
        self.model, self.batches, self.config = model, batches, config
        self.recordable: bool = model.recordable

    def draw(self, step: int) -> tuple[Tensor, ...]:
        """Points (B, 3), distances (B,); for the gradient points (E, 3), distances (E,), normals (E, 3)."""
        points, target, normals = self.batches(step)
        # a batch is in spatial order, so every k-th point has the same spatial distribution
        stride = max(1, len(points) // self.config.eikonal_batch)
        some, count = slice(step % stride, None, stride), len(points) // stride
        return points, target, *(part[some][:count] for part in (points, target, normals))

    def loss(
        self, points: Tensor, target: Tensor, some_points: Tensor, some_target: Tensor, normals: Tensor
    ) -> Tensor:
        """The scalar loss of a batch that `draw` returned."""
        config = self.config
        if config.mask_sparsity_weight and self.model.mask_names:
            values, masks = self.model.with_masks(points)
            loss = config.mask_sparsity_weight * mask_sparsity(masks).mean()
            loss = loss + distance_error(values.reshape(-1), target).mean()
        else:
            # a network of several scales learns them all
            every = self.model.every_scale(points)
            errors = [distance_error(values.reshape(-1), target).mean() for values in every]
            loss = torch.stack(errors).mean()
        if config.eikonal_weight or config.normal_weight:
            _, gradient = self.model.value_and_gradient(some_points)
            loss = loss + config.eikonal_weight * eikonal(gradient).mean()
            if config.normal_weight:
                near = some_target.abs() < 0.01
                off = normal_error(gradient, normals) * near
                loss = loss + config.normal_weight * off.sum() / torch.clamp(near.sum(), min=1)
        return loss


class SignalTask:
    """The mean squared error of values (B, C) at unit coordinates (B, d); NaN is ignored."""

    model: Any
    batches: Callable[[int], tuple[Tensor, Tensor]]
    recordable: bool

    def __init__(self, model: Network[Any], batches: Callable[[int], tuple[Tensor, Tensor]]):
        self.model, self.batches = model, batches
        self.recordable: bool = model.recordable

    def draw(self, step: int) -> tuple[Tensor, ...]:
        """The batch of a step."""
        return self.batches(step)

    def loss(self, points: Tensor, target: Tensor) -> Tensor:
        """The scalar loss of a batch."""
        # a network of several scales learns them all
        every = self.model.every_scale(points)
        known = torch.isfinite(target)
        target = torch.where(known, target, 0.0)
        # samples first: the rounding of sums of more than 32,768 numbers depends on PyTorch's threads
        squares = [((values - target) * known).square().sum(-1).sum() for values in every]
        return torch.stack(squares).mean() / known.sum().clamp(min=1)
