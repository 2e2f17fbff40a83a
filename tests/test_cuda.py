"""What a GPU does is what the CPU does, to rounding, and its recorded steps are those of plain PyTorch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import sasnet_sdf
from sasnet_sdf.config import TrainingConfig
from sasnet_sdf.model_config import PUBLISHED, GridConfig, SASNetConfig
from sasnet_sdf.networks.registry import build_model
from sasnet_sdf.training import train
from sasnet_sdf.training.losses import DistanceTask
from sasnet_sdf.training.samplers import Batches, Pool

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA device")

SMALL = SASNetConfig(width=32, grid=GridConfig(levels=4, log2_table=12, coarsest=8, finest=64))
RADIUS = 0.6


@pytest.fixture(scope="module")
def pool():
    points = torch.rand(20_000, 3, generator=torch.Generator().manual_seed(3)) * 2 - 1
    return Pool(points, points.norm(dim=1) - RADIUS, torch.nn.functional.normalize(points, dim=1))


def trained(config, pool, device, recorded=True, steps=60):
    """A network after so many steps, and the losses on the way."""
    training = TrainingConfig(steps=steps, batch=1000, eikonal_batch=60)
    model = build_model(config, engine="torch").to(device)
    task = DistanceTask(model, Batches(pool, training.batch, 0, device), training)
    task.recordable = recorded
    return model, train(task, model.parameter_groups(), training).losses


def test_recorded_steps_are_those_of_pytorch(pool):
    _, recorded = trained(SMALL, pool, "cuda")
    _, plain = trained(SMALL, pool, "cuda", recorded=False)
    # sums by atomic additions: not to the last bit
    assert recorded == pytest.approx(plain, rel=1e-3)


def test_the_loss_falls_as_on_the_cpu(pool):
    _, here = trained(SMALL, pool, "cuda", steps=200)
    _, there = trained(SMALL, pool, "cpu", steps=200)
    assert here[-1] < 0.1 * here[0]
    assert here[-1] == pytest.approx(there[-1], rel=0.3)  # other batches


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_network_trains(name, pool):
    _, losses = trained(replace(PUBLISHED[name], rate=1e-3), pool, "cuda", steps=80)
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


def test_values_and_gradients_are_the_cpus():
    model = build_model(SASNetConfig(), engine="torch")
    points = torch.rand(5000, 3) * 2 - 1
    expected = [part.detach() for part in model.value_and_gradient(points)]
    found = [part.detach().cpu() for part in model.to("cuda").value_and_gradient(points.to("cuda"))]
    assert torch.allclose(found[0], expected[0], atol=1e-5)
    assert torch.allclose(found[1], expected[1], atol=2e-3, rtol=1e-3)


def test_reconstruct_and_a_model_that_moves_to_the_cpu(tmp_path):
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(20_000, 3))
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    result = sasnet_sdf.reconstruct(
        sasnet_sdf.PointCloud(normals * RADIUS, normals), device="cuda", preset="fast", resolution=128
    )
    assert result.report["device"] == "cuda"
    off = np.abs(np.linalg.norm(result.mesh.vertices, axis=1) - RADIUS)
    assert off.mean() < 1e-3 * RADIUS
    result.field.save(tmp_path / "sphere.sasnet")
    here = sasnet_sdf.Field.load(tmp_path / "sphere.sasnet", device="cpu")
    points = rng.uniform(-0.6, 0.6, (1000, 3))
    assert np.allclose(here.distance(points), result.field.distance(points), atol=1e-5)


def test_an_image_is_fitted_and_rendered_as_on_the_cpu(tmp_path):
    y, x = np.mgrid[:48, :64]
    image = np.stack([3 * x, 5 * y, 127 + 100 * np.sin(x / 6)], -1).astype(np.uint8)
    fitted = sasnet_sdf.fit_image(
        image, device="cuda", engine="torch", steps=300, batch=1024, parameters=6000
    )
    assert fitted.report["device"] == "cuda" and fitted.report["metrics"]["psnr"] > 30
    fitted.save(tmp_path / "image.sasnet")
    here = sasnet_sdf.FittedSignal.load(tmp_path / "image.sasnet", device="cpu")
    off = here.render(scale=2).values.astype(int) - fitted.render(scale=2).values
    assert np.abs(off).max() <= 1
    places = np.random.default_rng(0).uniform(1, 47, (500, 2))
    assert np.allclose(here.gradient(places), fitted.gradient(places), atol=0.5, rtol=1e-2)
