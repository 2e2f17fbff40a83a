"""Gradients of a field by its points."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def value_and_gradient(
    field: Callable[[Tensor], Tensor], points: Tensor, create_graph: bool = False
) -> tuple[Tensor, Tensor]:
    """f (N,) and df/dx (N, d) of a scalar field at points (N, d).

    `create_graph` keeps what is needed to train on the gradient. A field that has a method
    `value_and_gradient(points)` of its own, faster than autograd's, is asked for it.
    """
    if own := getattr(field, "value_and_gradient", None):
        with torch.set_grad_enabled(create_graph):
            return own(points)
    with torch.enable_grad():
        points = points.detach().requires_grad_(True)
        values = field(points).reshape(-1)
        (gradient,) = torch.autograd.grad(values.sum(), points, create_graph=create_graph)
    return (values if create_graph else values.detach()), gradient
