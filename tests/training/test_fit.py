"""A small network learns the distance to a sphere; the same seed learns the same bytes."""

from __future__ import annotations

import pytest
import torch

from sasnet_sdf.config import TrainingConfig
from sasnet_sdf.model_config import GridConfig, SASNetConfig
from sasnet_sdf.networks.registry import build_model
from sasnet_sdf.training import train
from sasnet_sdf.training.losses import eikonal

RADIUS = 0.6
MODEL = SASNetConfig(
    width=32, hidden_layers=2, low=4, band=8, grid=GridConfig(log2_table=10, coarsest=8, finest=32)
)


def sphere(points):
    return points.norm(dim=1) - RADIUS


def fit(steps, seed=0, engine="numba", batch=1024):
    """The network and its history after so many steps on random points of the cube."""
    model = build_model(MODEL, engine=engine, seed=seed)
    generator = torch.Generator().manual_seed(seed)

    class Task:
        recordable = False

        def draw(self, step):
            return (torch.rand(batch, 3, generator=generator) * 2 - 1,)

        def loss(self, points):
            error = (model(points)[:, 0] - sphere(points)).abs().mean()
            _, slopes = model.value_and_gradient(points[:128])
            return error + 1e-3 * eikonal(slopes).mean()

    history = train(Task(), model.parameter_groups(), TrainingConfig(steps=steps, warmup=20))
    return model, history


def test_sphere():
    model, history = fit(200)
    points = torch.rand(4000, 3, generator=torch.Generator().manual_seed(99)) * 2 - 1
    with torch.no_grad():
        values, slopes = model.value_and_gradient(points)
    error = (values - sphere(points)).abs()
    assert error.mean() < 0.01
    assert history.losses[-1] < 0.05 * history.losses[0]
    near = (sphere(points).abs() < 0.3) & (points.abs().amax(1) < 0.9)
    outward = (slopes * points / points.norm(dim=1, keepdim=True)).sum(1)[near]
    assert outward.mean().item() == pytest.approx(1, abs=0.05)
    assert ((values > 0) == (sphere(points) > 0))[sphere(points).abs() > 0.05].all()


def test_the_same_seed_gives_the_same_bytes():
    one, again, other = (fit(25, seed, batch=300)[0].state_dict() for seed in (1, 1, 2))
    for name in one:
        assert torch.equal(one[name], again[name]), name
    assert not torch.equal(one["weights"], other["weights"])


def test_the_number_of_threads_changes_no_byte(threads):
    threads(1)
    alone = fit(25)[0].state_dict()
    threads(2)
    together = fit(25)[0].state_dict()
    for name in alone:
        assert torch.equal(alone[name], together[name]), name


def test_both_engines_give_the_same_losses(threads):
    """Float32 drifts apart slowly: the first steps agree."""
    threads(1)
    fast, reference = (fit(6, engine=engine, batch=200)[1] for engine in ("numba", "torch"))
    assert fast.losses[0] == pytest.approx(reference.losses[0], rel=1e-4)
