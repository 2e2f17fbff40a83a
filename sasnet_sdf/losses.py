"""Loss terms, one value an element; the caller reduces."""

from __future__ import annotations

import torch
from torch import Tensor

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
