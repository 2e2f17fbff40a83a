"""Gradients of fields by their points."""

from __future__ import annotations

import pytest
import torch

from sasnet_sdf.model_config import SirenConfig
from sasnet_sdf.networks.network import value_and_gradient
from sasnet_sdf.networks.registry import build_model


def sphere(points):
    return points.norm(dim=1) - 0.5


@pytest.fixture
def points():
    return torch.rand(40, 3) * 2 - 1


def test_distance_to_a_sphere(points):
    values, gradients = value_and_gradient(sphere, points)
    assert torch.equal(values, sphere(points))
    torch.testing.assert_close(gradients, points / points.norm(dim=1, keepdim=True))
    assert not values.requires_grad and not gradients.requires_grad


def test_a_column_of_values_in_the_plane():
    points = torch.rand(10, 2)
    values, gradients = value_and_gradient(lambda x: (x[:, :1] * x[:, 1:]).square(), points)
    x, y = points.t()
    torch.testing.assert_close(values, (x * y).square())
    torch.testing.assert_close(gradients, torch.stack([2 * x * y * y, 2 * x * x * y], 1))


def test_works_where_gradients_are_off_and_leaves_the_points_alone(points):
    with torch.no_grad():
        _, gradients = value_and_gradient(sphere, points)
    assert gradients.norm(dim=1).mean().item() == pytest.approx(1, abs=1e-5)
    assert not points.requires_grad and points.grad is None


def test_training_on_the_gradient(points):
    """f = a |x|^2 has the gradient 2 a x; the mean of its square by a is 8 a |x|^2."""
    scale = torch.tensor(1.5, requires_grad=True)
    values, gradients = value_and_gradient(lambda x: scale * x.square().sum(1), points, create_graph=True)
    squares = points.square().sum(1)
    (slope,) = torch.autograd.grad(gradients.square().sum(1).mean() + values.mean(), scale)
    assert slope.item() == pytest.approx((8 * 1.5 * squares + squares).mean().item(), rel=1e-5)
    values, gradients = value_and_gradient(lambda x: scale * x.square().sum(1), points)
    assert not values.requires_grad and not gradients.requires_grad


@pytest.mark.parametrize("on", [True, False])
def test_a_networks_gradient_is_trained_on_where_gradients_are_on(points, on):
    model = build_model(SirenConfig(width=8))
    with torch.set_grad_enabled(on):
        values, gradients = model.value_and_gradient(points)
    assert values.requires_grad is gradients.requires_grad is on
    expected = value_and_gradient(model, points)
    torch.testing.assert_close((values.detach(), gradients.detach()), expected, rtol=0, atol=0)
