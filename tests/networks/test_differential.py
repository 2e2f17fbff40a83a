"""Gradients of fields by their points."""

from __future__ import annotations

import pytest
import torch

from sasnet_sdf.networks.layers import value_and_gradient


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


@pytest.mark.parametrize("create_graph", [True, False])
def test_a_field_with_a_way_of_its_own_is_asked_for_it(points, create_graph):
    class Own:
        def __call__(self, x):
            raise AssertionError("the field knows a faster way")

        def value_and_gradient(self, x):
            self.grad_enabled = torch.is_grad_enabled()
            return x[:, 0], torch.ones_like(x)

    field = Own()
    values, gradients = value_and_gradient(field, points, create_graph)
    assert torch.equal(values, points[:, 0]) and torch.equal(gradients, torch.ones(40, 3))
    assert field.grad_enabled is create_graph
    assert torch.is_grad_enabled()
