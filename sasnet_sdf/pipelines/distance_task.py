"""The loss of a signed distance field: data, eikonal, and the optional terms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..config import TrainingConfig
from ..differential import value_and_gradient
from ..losses import distance_error, eikonal, mask_sparsity, normal_error


class DistanceTask:
    """`task(step)` is the scalar loss of the next batch of (points, distances, normals)."""

    def __init__(
        self,
        model: Any,
        batches: Iterator[tuple[Tensor, Tensor, Tensor | None]],
        config: TrainingConfig,
    ):
        self.model, self.batches, self.config = model, batches, config
        self.device = next(model.parameters()).device

    def __call__(self, step: int) -> Tensor:
        config = self.config
        points, target, normals = (
            None if part is None else part.to(self.device) for part in next(self.batches)
        )
        assert points is not None and target is not None
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
            # a batch is in spatial order: every k-th point is spread as the batch is
            stride = max(1, len(points) // config.eikonal_batch)
            some = slice(step % stride, None, stride)
            _, gradient = value_and_gradient(self.model, points[some], create_graph=True)
            loss = loss + config.eikonal_weight * eikonal(gradient).mean()
            if config.normal_weight and normals is not None:
                near = target[some].abs() < 0.01
                off = normal_error(gradient, normals[some]) * near
                loss = loss + config.normal_weight * off.sum() / torch.clamp(near.sum(), min=1)
        return loss
