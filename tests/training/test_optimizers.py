"""The schedule's shape, Adam on the CPU against torch's, and the rate of each part of a network."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from sasnet_sdf.training.optimizers import BETAS, EPSILON, LARGE, CPUAdam, Optimizer, schedule


def test_schedule_warms_up_then_follows_half_a_cosine():
    shares = [schedule(fraction, 0.1, 0.01) for fraction in np.linspace(0, 1, 1001)]
    rising, falling = np.array(shares[:101]), np.array(shares[100:])
    assert 0 < rising[0] < 0.02
    assert np.allclose(np.diff(rising[:100]), (1 - rising[0]) / 100, rtol=1e-6)
    assert falling[0] == 1 and falling[-1] == pytest.approx(0.01)
    assert (np.diff(falling) < 0).all()
    assert schedule(0.55, 0.1, 0.01) == pytest.approx(0.01 + 0.99 / 2)
    quarter = 0.01 + 0.99 * (1 + math.cos(math.pi / 4)) / 2
    assert schedule(0.1 + 0.9 / 4, 0.1, 0.01) == pytest.approx(quarter)


def test_schedule_past_the_end_and_without_warm_up():
    assert schedule(1.7, 0.1, 0.01) == pytest.approx(0.01)
    assert schedule(0.0, 0.0, 0.01) == 1
    assert schedule(0.5, 0.0, 1.0) == pytest.approx(1)


def gradients_of(ours):
    """Where a gradient is added: the sums of a large parameter, else autograd's."""
    if not hasattr(ours, "gradient_sums"):
        ours.grad = torch.zeros_like(ours)
        return ours.grad
    return ours.gradient_sums


def parameter_and_twin(rows, columns=2):
    """Two parameters of the same numbers, and an optimizer of each kind at a rate of 1e-2."""
    start = torch.randn(rows, columns)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    adam = torch.optim.Adam([theirs], lr=1e-2, betas=BETAS, eps=EPSILON)
    return ours, theirs, CPUAdam([{"params": [ours], "lr": 1e-2}], BETAS, EPSILON), adam


ROWS = LARGE // 2 + 5
"""Rows of two numbers that make a parameter large."""


@pytest.mark.parametrize("rows, columns", [(1, 1), (31, 2), (64, 1), (70, 3), (ROWS, 2)])
def test_like_adam_where_every_number_has_a_gradient(rows, columns):
    ours, theirs, cpu_adam, adam = parameter_and_twin(rows, columns)
    start = theirs.detach().clone()
    for step in range(12):
        theirs.grad = torch.randn(rows, columns) * 10.0 ** (step % 7 - 5)
        gradients_of(ours).add_(theirs.grad)
        rate = 1e-2 / (1 + step)
        for optimizer in (cpu_adam, adam):
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
            optimizer.zero_grad()
    assert (theirs.detach() - start).abs().mean() > 5e-3
    torch.testing.assert_close(ours.detach(), theirs.detach(), rtol=3e-7, atol=3e-6)


def test_only_a_large_parameter_keeps_its_gradient():
    for rows, keeps in ((ROWS, True), (LARGE // 2 - 1, False)):
        ours, _, cpu_adam, _ = parameter_and_twin(rows)
        assert hasattr(ours, "gradient_sums") is keeps
        cpu_adam.close()
        assert not hasattr(ours, "gradient_sums")


@pytest.mark.parametrize("rows", [70, ROWS])
def test_first_step_is_the_rate_whatever_the_gradient(rows):
    ours, _, cpu_adam, _ = parameter_and_twin(rows)
    start, gradient = ours.detach().clone(), torch.randn(rows, 2) * 1e-4
    gradients_of(ours).add_(gradient)
    cpu_adam.step()
    torch.testing.assert_close(ours.detach(), start - 1e-2 * gradient.sign(), rtol=0, atol=5e-7)


def test_gradients_from_both_ways_are_added():
    ours, theirs, cpu_adam, adam = parameter_and_twin(ROWS)
    for _ in range(3):
        one, other = torch.randn(2, ROWS, 2)
        ours.gradient_sums += one
        ours.grad, theirs.grad = other, one + other
        cpu_adam.step()
        adam.step()
    torch.testing.assert_close(ours.detach(), theirs.detach(), rtol=0, atol=3e-6)


@pytest.mark.parametrize("rows", [400, ROWS])
def test_numbers_without_a_gradient_stay_as_they_are(rows):
    ours, _, cpu_adam, _ = parameter_and_twin(rows)
    touched = torch.zeros(rows, dtype=torch.bool)
    touched[[0, 5, 130, rows - 1]] = True
    for _ in range(4):
        gradients_of(ours).copy_(torch.randn(rows, 2))
        cpu_adam.step()
    arrays = (ours, *cpu_adam.moments[ours])
    assert len(arrays) == 3
    before = [array.detach().clone() for array in arrays]
    for _ in range(3):
        gradients_of(ours)[touched] = torch.randn(4, 2)
        cpu_adam.step()
    for array, kept in zip(arrays, before, strict=True):
        assert torch.equal(array[~touched], kept[~touched])
        assert (array[touched] != kept[touched]).all()


def test_a_parameter_without_any_gradient_is_left_alone():
    ours, _, cpu_adam, _ = parameter_and_twin(20)
    before = ours.detach().clone()
    cpu_adam.step()
    assert torch.equal(ours, before)


def test_sums_are_left_zero():
    ours, _, cpu_adam, _ = parameter_and_twin(ROWS)
    ours.gradient_sums[7:11] = 1e-30
    ours.gradient_sums[-1] = -3.0
    cpu_adam.step()
    assert (ours.gradient_sums == 0).all()


def test_same_bits_for_any_number_of_threads(threads):
    results = []
    gradients = [torch.randn(ROWS, 2) * (torch.rand(ROWS, 1) < 0.3) for _ in range(4)]
    for count in (1, 2, 3):
        threads(count)
        torch.manual_seed(0)
        ours, _, cpu_adam, _ = parameter_and_twin(ROWS)
        for gradient in gradients:
            ours.gradient_sums += gradient
            cpu_adam.step()
        results.append(ours.detach().clone())
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])


def test_rate_of_every_group():
    """With a gradient that never changes, Adam moves each number by its rate."""
    numbers = {rate: nn.Parameter(torch.zeros(3)) for rate in (1e-3, 1e-2, 5e-4)}
    optimizer = Optimizer([{"params": [number], "lr": rate} for rate, number in numbers.items()])
    for share in (1.0, 0.25):
        for number in numbers.values():
            number.grad = torch.full((3,), -0.7)
        optimizer.set_share(share)
        optimizer.step()
    for rate, number in numbers.items():
        torch.testing.assert_close(number.detach(), torch.full((3,), 1.25 * rate), rtol=1e-5, atol=0)
        assert number.grad is None
    optimizer.close()


def test_other_types_take_torchs_adam():
    table = nn.Parameter(torch.zeros(ROWS, 2, dtype=torch.float64))
    optimizer = Optimizer([{"params": [table], "lr": 1e-2}])
    assert not hasattr(table, "gradient_sums")
    table.grad = torch.ones(ROWS, 2, dtype=torch.float64)
    optimizer.step()
    optimizer.close()
    torch.testing.assert_close(table.detach(), torch.full_like(table, -1e-2))
