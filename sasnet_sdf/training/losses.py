"""Loss terms, one value per element, and their sums for a signed distance field and for a signal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..config import TrainingConfig
from ..errors import UsageError
from ..networks.network import Network

NEAR, FAR_WEIGHT = 0.01, 0.1
"""Distances (unit cube) below which an error counts in full, and the weight that is left far away."""


def distance_error(value: Tensor, target: Tensor) -> Tensor:
    """|f - y| (NEAR / (|y| + NEAR) + FAR_WEIGHT): relative away from the surface, and never nothing.

    The last keeps the sign right where no other target is near. (N,) -> (N,).
    """
    return (value - target).abs() * (NEAR / (target.abs() + NEAR) + FAR_WEIGHT)


def eikonal(gradient: Tensor) -> Tensor:
    """(|g| - 1)^2 of gradients (N, d), for a field that is a distance (Gropp et al. 2020). (N,)."""
    return (_length(gradient) - 1).square()


def normal_error(gradient: Tensor, normal: Tensor) -> Tensor:
    """1 - cos of the angle between gradients (N, d) and unit normals (N, d). (N,)."""
    return 1 - (gradient * normal).sum(-1) / _length(gradient)


def mask_sparsity(masks: Tensor) -> Tensor:
    """Mean of each point's masks (M, N), which are in [0, 1]. (N,)."""
    return masks.mean(0)


def _length(gradient: Tensor) -> Tensor:
    # the root has no derivative at zero, and its gradient there would be NaN
    return torch.sqrt(gradient.square().sum(-1) + 1e-12)


class DistanceTask:
    """A field's loss on a step's points, distances and normals, some of which its gradient is held to."""

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
        # a batch is in spatial order: every k-th point is spread as the batch is
        stride = max(1, len(points) // self.config.eikonal_batch)
        some, count = slice(step % stride, None, stride), len(points) // stride
        return points, target, *(part[some][:count] for part in (points, target, normals))

    def loss(
        self, points: Tensor, target: Tensor, some_points: Tensor, some_target: Tensor, normals: Tensor
    ) -> Tensor:
        """The scalar loss of what `draw` gave."""
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
    """The mean squared error of batches of unit coordinates (B, d) and values (B, C); NaN is left away."""

    def __init__(self, model: Network[Any], batches: Callable[[int], tuple[Tensor, Tensor]]):
        self.model, self.batches = model, batches
        self.recordable: bool = model.recordable

    def draw(self, step: int) -> tuple[Tensor, ...]:
        return self.batches(step)

    def loss(self, points: Tensor, target: Tensor) -> Tensor:
        # a network of several scales learns them all
        every = self.model.every_scale(points)
        known = torch.isfinite(target)
        target = torch.where(known, target, 0.0)
        # by samples first: sums of more than 32,768 numbers are rounded by the number of PyTorch's threads
        squares = [((values - target) * known).square().sum(-1).sum() for values in every]
        return torch.stack(squares).mean() / known.sum().clamp(min=1)
