"""Orthogonal updates: their singular values, and what they do to a badly conditioned problem."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sasnet_sdf.training.checkpoints import History
from sasnet_sdf.training.optimizers import MOMENTUM, Muon, Optimizer, orthogonal, state_shapes


@pytest.mark.parametrize("width", [8, 64, 190])
def test_singular_vectors_stay_and_values_become_nearly_one(width):
    u, v = (torch.linalg.qr(torch.randn(2, width, width))[0] for _ in range(2))
    values = torch.logspace(0, -1.5, width)
    result = orthogonal(u @ torch.diag(values) @ v.mT)
    diagonal = u.mT @ result @ v
    kept = diagonal.diagonal(dim1=-2, dim2=-1)
    assert ((kept > 0.6) & (kept < 1.25)).all()
    assert (diagonal - torch.diag_embed(kept)).abs().max() < 1e-4


def test_the_size_of_the_gradient_does_not_matter():
    matrix = torch.randn(1, 20, 20)
    for size in (1e-15, 1e15):
        assert torch.allclose(orthogonal(matrix * size), orthogonal(matrix), atol=1e-4)
    assert (orthogonal(torch.zeros(1, 20, 20)) == 0).all()


def test_matrices_of_a_stack_are_independent():
    stack = torch.randn(3, 30, 30) * torch.tensor([1e-6, 1, 1e6])[:, None, None]
    for one, update in zip(stack, orthogonal(stack), strict=True):
        assert torch.allclose(orthogonal(one[None])[0], update, atol=1e-5)


def test_an_update_is_the_rate_times_an_orthogonal_matrix():
    parameter = nn.Parameter(torch.zeros(1, 16, 16))
    optimizer = Muon([{"params": [parameter], "lr": 0.1}])
    gradients = torch.randn(2, 1, 16, 16)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    momentum = MOMENTUM * gradients[0] + gradients[1]
    expected = orthogonal(gradients[0]) + orthogonal(gradients[1] + MOMENTUM * momentum)
    assert torch.allclose(parameter, -0.1 * expected, atol=1e-6)


def test_an_update_of_a_complex_matrix_is_unitary():
    parameter = nn.Parameter(torch.zeros(12, 12, 2))
    parameter.grad = torch.randn(12, 12, 2)
    Muon([{"params": [parameter], "lr": 1.0, "complex": True}]).step()
    values = torch.linalg.svdvals(torch.view_as_complex(parameter.detach()))
    assert ((values > 0.6) & (values < 1.25)).all()


def test_all_directions_are_learned_at_one_rate():
    """min |A (W - T)|^2 with a spectrum of 1 to 0.01: Adam leaves the small directions behind."""
    generator = torch.Generator().manual_seed(3)
    rotation = torch.linalg.qr(torch.randn(24, 24, generator=generator))[0]
    factor = rotation @ torch.diag(torch.logspace(0, -2, 24)) @ rotation.T
    target = torch.randn(1, 24, 24, generator=generator)

    def error_after(**of_group):
        weights = nn.Parameter(torch.zeros(1, 24, 24))
        optimizer = Optimizer([{"params": [weights], "lr": 0.05, **of_group}])
        for step in range(400):
            optimizer.set_share(1 - step / 400)
            (factor @ (weights - target)).square().sum().backward()
            optimizer.step()
        return float((weights.detach() - target).norm() / target.norm())

    assert error_after(muon=True) < 0.7 * error_after()


def test_a_restored_state_gives_the_same_bits():
    def gradient(step):
        return torch.randn(1, 12, 12, generator=torch.Generator().manual_seed(step))

    sine, matrix = nn.Parameter(torch.ones(5)), nn.Parameter(torch.ones(1, 12, 12))
    groups = [{"params": [matrix], "lr": 1e-2, "muon": True}, {"params": [sine], "lr": 1e-2}]
    optimizer = Optimizer(groups)

    def steps(numbers):
        for step in numbers:
            sine.grad, matrix.grad = gradient(step)[0, 0, :5].clone(), gradient(step)
            optimizer.step()

    steps(range(3))
    state = optimizer.state(History())
    assert [tuple(tensor.shape) for tensor in state.tensors] == state_shapes(groups)
    steps(range(3, 6))
    there = matrix.detach().clone(), sine.detach().clone()
    optimizer.restore(state)
    assert not torch.equal(matrix, there[0])
    steps(range(3, 6))
    assert torch.equal(matrix, there[0]) and torch.equal(sine, there[1])
