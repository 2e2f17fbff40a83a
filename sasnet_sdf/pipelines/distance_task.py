"""The loss of a signed distance field: data, eikonal, and the optional terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..config import TrainingConfig
from ..differential import value_and_gradient
from ..losses import distance_error, eikonal, mask_sparsity, normal_error


class DistanceTask:
    """A field's loss on a step's points, distances and normals, some of which its gradient is held to."""

    def __init__(
        self,
        model: Any,
        batches: Callable[[int], tuple[Tensor, Tensor, Tensor]],
        config: TrainingConfig,
    ):
        self.model, self.batches, self.config = model, batches, config
        # tiny-cuda-nn takes memory and streams of its own
        self.recordable = model.engine == "torch"

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
        if config.mask_sparsity_weight and getattr(self.model, "masks", None) is not None:
            values, masks = self.model.with_masks(points)
            loss = config.mask_sparsity_weight * mask_sparsity(masks).mean()
            loss = loss + distance_error(values.reshape(-1), target).mean()
        else:
            # a network of several scales learns them all
            every = getattr(self.model, "every_scale", lambda x: [self.model(x)])(points)
            errors = [distance_error(values.reshape(-1), target).mean() for values in every]
            loss = torch.stack(errors).mean()
        if config.eikonal_weight or config.normal_weight:
            _, gradient = value_and_gradient(self.model, some_points, create_graph=True)
            loss = loss + config.eikonal_weight * eikonal(gradient).mean()
            if config.normal_weight:
                near = some_target.abs() < 0.01
                off = normal_error(gradient, normals) * near
                loss = loss + config.normal_weight * off.sum() / torch.clamp(near.sum(), min=1)
        return loss
