"""The schedule's shape, Adam for tables against torch's, and what each part of a network learns at."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from sasnet_sdf.config import TrainingConfig
from sasnet_sdf.training.optimiser import BETAS, EPSILON, Optimiser, schedule
from sasnet_sdf.training.table_adam import TableAdam


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


def table_and_twin(rows=70, features=2):
    """Two parameters of the same numbers, and an optimiser of each kind at a rate of 1e-2."""
    start = torch.randn(rows, features)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    adam = torch.optim.Adam([theirs], lr=1e-2, betas=BETAS, eps=EPSILON)
    table_adam = TableAdam([{"params": [ours], "lr": 1e-2}], betas=BETAS, eps=EPSILON)
    return ours, theirs, table_adam, adam


@pytest.mark.parametrize("by_sums", [True, False])
@pytest.mark.parametrize("rows", [1, 31, 70])
def test_like_adam_where_every_entry_has_a_gradient(rows, by_sums):
    ours, theirs, table_adam, adam = table_and_twin(rows)
    start = theirs.detach().clone()
    for step in range(30):
        gradient = torch.randn(rows, 2) * 10.0 ** (step % 7 - 5)
        theirs.grad = gradient.clone()
        if by_sums:
            ours.gradient_sums += gradient
        else:
            ours.grad = gradient.clone()
        rate = 1e-2 / (1 + step)
        for optimiser in (table_adam, adam):
            optimiser.param_groups[0]["lr"] = rate
            optimiser.step()
            optimiser.zero_grad()
    moved = (theirs.detach() - start).abs().max().item()
    assert moved > 1e-2
    torch.testing.assert_close(ours.detach(), theirs.detach(), rtol=0, atol=1e-5 * moved + 2e-7)


def test_first_step_is_the_rate_whatever_the_gradient():
    ours, _, table_adam, _ = table_and_twin()
    start, gradient = ours.detach().clone(), torch.randn(70, 2) * 1e-6
    ours.gradient_sums += gradient
    table_adam.step()
    torch.testing.assert_close(ours.detach(), start - 1e-2 * gradient.sign(), rtol=0, atol=5e-7)


def test_gradients_from_both_ways_are_added():
    ours, theirs, table_adam, adam = table_and_twin()
    for _ in range(3):
        one, other = torch.randn(2, 70, 2)
        ours.gradient_sums += one
        ours.grad, theirs.grad = other, one + other
        table_adam.step()
        adam.step()
    torch.testing.assert_close(ours.detach(), theirs.detach(), rtol=0, atol=1e-6)


def test_entries_without_a_gradient_stay_as_they_are():
    ours, _, table_adam, _ = table_and_twin(400)
    touched = torch.zeros(400, dtype=torch.bool)
    touched[[0, 5, 130, 399]] = True
    for _ in range(4):
        ours.gradient_sums[:] = torch.randn(400, 2)
        table_adam.step()
    state = table_adam.state[ours]
    before = [array.detach().clone() for array in (ours, state["first"], state["second"])]
    for _ in range(3):
        ours.gradient_sums[touched] = torch.randn(4, 2)
        table_adam.step()
    for array, kept in zip((ours, state["first"], state["second"]), before, strict=True):
        assert torch.equal(array[~touched], kept[~touched])
        assert (array[touched] != kept[touched]).all()


def test_sums_are_left_zero():
    ours, _, table_adam, _ = table_and_twin(300)
    ours.gradient_sums[7:11] = 1e-30
    ours.gradient_sums[299] = -3.0
    table_adam.step()
    assert (ours.gradient_sums == 0).all()


def test_same_bits_for_any_number_of_threads():
    threads, results = torch.get_num_threads(), []
    gradients = [torch.randn(1000, 2) * (torch.rand(1000, 1) < 0.3) for _ in range(5)]
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            torch.manual_seed(0)
            ours, _, table_adam, _ = table_and_twin(1000)
            for gradient in gradients:
                ours.gradient_sums += gradient
                table_adam.step()
            results.append(ours.detach().clone())
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])


def test_close_takes_the_sums_away():
    ours, _, table_adam, _ = table_and_twin()
    assert ours.gradient_sums.shape == ours.shape
    table_adam.close()
    assert not hasattr(ours, "gradient_sums")


def test_rate_of_every_group():
    """With a gradient that never changes, Adam moves each number by its rate."""
    numbers = {name: [nn.Parameter(torch.zeros(3))] for name in ("backbone", "decoder", "table")}
    optimiser = Optimiser(numbers, TrainingConfig(rate=1e-3, grid_rate=1e-2))
    for share in (1.0, 0.25):
        for (number,) in numbers.values():
            number.grad = torch.full((3,), -0.7)
        optimiser.step(share)
    for name, rate in (("backbone", 1e-3), ("decoder", 1e-2), ("table", 1e-2)):
        (number,) = numbers[name]
        torch.testing.assert_close(number.detach(), torch.full((3,), 1.25 * rate), rtol=1e-5, atol=0)
        assert number.grad is None
    optimiser.close()


def test_tables_of_other_types_take_torchs_adam():
    table = nn.Parameter(torch.zeros(4, 2, dtype=torch.float64))
    optimiser = Optimiser({"table": [table]}, TrainingConfig(grid_rate=1e-2))
    assert not hasattr(table, "gradient_sums")
    table.grad = torch.ones(4, 2, dtype=torch.float64)
    optimiser.step(1.0)
    optimiser.close()
    torch.testing.assert_close(table.detach(), torch.full_like(table, -1e-2))
