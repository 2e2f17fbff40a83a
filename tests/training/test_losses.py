"""Loss terms by hand: one value an element, and finite gradients everywhere."""

from __future__ import annotations

import math

import pytest
import torch

from sasnet_sdf.training.losses import FAR_WEIGHT, NEAR, distance_error, eikonal, mask_sparsity, normal_error


def test_distance_error_by_hand():
    value = torch.tensor([0.02, -0.02, 0.01, 0.5, 0.3])
    target = torch.tensor([0.0, 0.0, 0.01, 0.49, -0.09])
    expected = torch.tensor([0.022, 0.022, 0.0, 0.01 * (0.02 + 0.1), 0.39 * (0.1 + 0.1)])
    torch.testing.assert_close(distance_error(value, target), expected, rtol=1e-5, atol=1e-8)


def test_distance_error_counts_less_far_away_but_never_nothing():
    target = torch.tensor([0.0, 0.01, 0.1, 1.0, 1e6])
    error = distance_error(target + 1.0, target)
    assert error[0] == 1 + FAR_WEIGHT and error[1] == pytest.approx(0.5 + FAR_WEIGHT, rel=1e-4)
    assert (error.diff() < 0).all() and error[-1] == pytest.approx(FAR_WEIGHT, rel=1e-3)
    assert NEAR == 0.01


def test_distance_error_is_symmetric_and_draws_to_the_target():
    target = torch.tensor([0.2, -0.2])
    assert torch.allclose(distance_error(target + 0.1, target), distance_error(target - 0.1, target))
    value = torch.tensor([0.3, -0.3], requires_grad=True)
    (slope,) = torch.autograd.grad(distance_error(value, target).sum(), value)
    weight = NEAR / (0.2 + NEAR) + FAR_WEIGHT
    torch.testing.assert_close(slope, torch.tensor([weight, -weight]))


def test_eikonal_by_hand():
    gradient = torch.tensor([[0.0, 1.0, 0.0], [0.6, 0.0, -0.8], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(eikonal(gradient), torch.tensor([0.0, 0.0, 4.0, 1.0]), rtol=1e-5, atol=3e-6)
    plane = torch.tensor([[3.0, 4.0]])
    assert eikonal(plane).item() == pytest.approx(16, rel=1e-5)


def test_normal_error_by_hand():
    normal = torch.tensor([[0.0, 0.0, 1.0]]).expand(4, 3)
    gradient = torch.tensor([[0.0, 0.0, 0.5], [2.0, 0.0, 0.0], [0.0, 0.0, -7.0], [0.0, 1.0, 1.0]])
    expected = torch.tensor([0.0, 1.0, 2.0, 1 - math.sqrt(0.5)])
    torch.testing.assert_close(normal_error(gradient, normal), expected, rtol=0, atol=1e-6)


def test_normal_error_does_not_depend_on_the_length():
    gradient, normal = torch.randn(50, 3), torch.nn.functional.normalize(torch.randn(50, 3))
    torch.testing.assert_close(normal_error(gradient, normal), normal_error(30 * gradient, normal))


@pytest.mark.parametrize("term", [eikonal, lambda g: normal_error(g, torch.ones_like(g) / 3**0.5)])
def test_gradients_are_finite_where_the_field_is_flat(term):
    gradient = torch.zeros(4, 3, requires_grad=True)
    (slope,) = torch.autograd.grad(term(gradient).sum(), gradient, create_graph=True)
    assert slope.isfinite().all()
    (bend,) = torch.autograd.grad(slope.sum(), gradient)
    assert bend.isfinite().all()


def test_mask_sparsity_is_the_mean_mask_of_a_point():
    masks = torch.tensor([[0.0, 1.0, 0.5], [0.0, 1.0, 1.0]])
    assert torch.equal(mask_sparsity(masks), torch.tensor([0.0, 1.0, 0.75]))
