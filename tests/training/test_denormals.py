"""Numbers too small for full precision are zero in compiled loops, whoever runs them, and nowhere else."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch import nn

from sasnet_sdf.config import TrainingConfig
from sasnet_sdf.model_config import GridConfig, SASNetConfig
from sasnet_sdf.networks.sasnet import SASNet
from sasnet_sdf.runtime.compiled import denormals_are_zero, over_ranges
from sasnet_sdf.training.loop import step_of
from sasnet_sdf.training.losses import DistanceTask
from sasnet_sdf.training.optimizers import BETAS, EPSILON, LARGE, CPUAdam, Optimizer

pytestmark = pytest.mark.skipif(
    not torch.set_flush_denormal(False), reason="PyTorch knows no way to do it on this processor"
)
SMALLEST = float(np.finfo(np.float32).tiny)
GRID = GridConfig(levels=4, features=2, log2_table=10, coarsest=4, finest=64)


def denormals(*tensors):
    """How many numbers of some tensors are denormal, by their bits: a comparison may take them for zero."""
    bits = [tensor.detach().numpy().view(np.uint32) for tensor in tensors]
    return sum(int(((b & 0x7F800000 == 0) & (b & 0x007FFFFF != 0)).sum()) for b in bits)


def test_the_count_counts():
    assert denormals(torch.tensor([0.0, 1e-39, -1e-45, SMALLEST, -1.0]), torch.tensor([-0.0])) == 2


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("before", [False, True])
def test_every_thread_of_a_loop_takes_them_for_zero_and_the_caller_is_as_before(threads, number, before):
    threads(number)
    tiny, halves = np.full(96, 1e-39, np.float32), np.full(96, 7, np.float32)
    together = threading.Barrier(number, timeout=20)

    def halve(first, end):
        together.wait()
        np.multiply(tiny[first:end], np.float32(0.5), out=halves[first:end])

    try:
        torch.set_flush_denormal(before)
        over_ranges(halve, 3 * number)
        after = tiny * np.float32(0.5)
    finally:
        torch.set_flush_denormal(False)
    done = halves != 7
    assert done.sum() >= number and not halves[done].any()
    assert (after == 0).all() == before


def test_an_error_leaves_the_thread_as_it_was():
    with pytest.raises(ZeroDivisionError), denormals_are_zero():
        raise ZeroDivisionError
    assert (np.full(2, 1e-39, np.float32) * np.float32(0.5) > 0).all()


@pytest.mark.parametrize("rows", [70, LARGE // 2 + 5])
def test_moments_fade_to_zero(rows):
    """Gradients of 1e-22 have squares of 1e-44, and moments that were tiny fade through what is denormal."""
    parameter = nn.Parameter(torch.randn(rows, 2))
    adam = CPUAdam([{"params": [parameter], "lr": 1e-3}], BETAS, EPSILON)
    first, second = adam.moments[parameter]
    first.fill_(2 * SMALLEST)
    second.fill_(2 * SMALLEST)
    for _ in range(150):
        parameter.grad = torch.full_like(parameter, 1e-40) * (torch.arange(rows)[:, None] % 2)
        parameter.grad[::7] = 1e-22
        adam.step()
        adam.zero_grad()
    assert denormals(parameter, first, second) == 0
    assert second[7].abs().max() == 0 and first[7].abs().max() > SMALLEST
    assert (first[1] == 2 * SMALLEST).all()  # a gradient that is denormal is none


@pytest.mark.parametrize("number", [1, 3])
def test_a_step_of_a_network_whose_features_are_tiny(threads, number):
    threads(number)
    model = SASNet(SASNetConfig(width=16, grid=GRID), engine="numba")
    points = torch.rand(700, 3) * 2 - 1
    task = DistanceTask(
        model,
        lambda step: (points, points.norm(dim=1) - 0.5, nn.functional.normalize(points, dim=1)),
        TrainingConfig(batch=700, eikonal_batch=300),
    )
    optimizer = Optimizer(model.parameter_groups())
    with torch.no_grad():
        model.masks.grid.table.mul_(1e-36)
        model.masks.hidden_bias.fill_(0.0)
        model.masks.mask_bias.fill_(-86.0)  # whose sigmoid would be denormal
        model.output_weight.mul_(1e-30)
    take = step_of(task, optimizer)
    for step in range(3):
        assert np.isfinite(float(take(step, 1e-3)))
    moments = [moment for part in model.parameters() for moment in optimizer._moments(part)]
    assert sum(int((moment != 0).sum()) for moment in moments) > 1000
    assert denormals(*moments) == 0
    with torch.no_grad():
        assert denormals(model(points)) == 0
    optimizer.close()
