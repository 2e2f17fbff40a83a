"""What each term of the loss does to a trained network: each test fails without the term."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from sasnet_sdf import PRESETS, PointCloud
from sasnet_sdf.config import SupervisionConfig
from sasnet_sdf.field import Field
from sasnet_sdf.geometry import Frame
from sasnet_sdf.problems.problem import fit, new_network
from sasnet_sdf.problems.surface import SurfaceProblem, framed
from sasnet_sdf.runtime.progress import silent
from sasnet_sdf.training.losses import DistanceTask, distance_error, eikonal, normal_error

FAST = PRESETS["fast"]
NONE = {"eikonal_weight": 0.0, "normal_weight": 0.0, "mask_sparsity_weight": 0.0}


def torus(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances (N,) of points (N, 3) from a torus of radii 1 and 0.4, and their gradients (N, 3)."""
    ring = np.hypot(points[:, 0], points[:, 1])
    across = np.stack([(ring - 1) * points[:, 0] / ring, (ring - 1) * points[:, 1] / ring, points[:, 2]], 1)
    length = np.linalg.norm(across, axis=1)
    return length - 0.4, across / length[:, None]


def on_torus(count: int, seed: int) -> np.ndarray:
    """Points (count, 3) on the torus."""
    u, v = np.random.default_rng(seed).uniform(0, 2 * np.pi, (2, count))
    ring = 1 + 0.4 * np.cos(v)
    return np.stack([ring * np.cos(u), ring * np.sin(u), 0.4 * np.sin(v)], 1)


@cache
def trained(**changes: Any) -> tuple[Field, Frame]:
    """A field of the torus trained as by the preset fast, with other settings of the training."""
    points = on_torus(8000, 0)
    geometry, frame, _ = framed(PointCloud(points, torus(points)[1]))
    config = replace(FAST, training=replace(FAST.training, **changes))
    problem = SurfaceProblem.of(geometry, frame, SupervisionConfig(targets=100_000), 0)
    field, _ = fit(problem, new_network(config.model, 3, 1, "numba", 0), config, "cpu", silent)
    return field, frame


def slope_error(field: Field, frame: Frame, low: float, high: float) -> float:
    """The mean error of |grad f| of the network at points whose distance in the cube is in a range."""
    unit = np.random.default_rng(1).uniform(-0.9, 0.9, (40_000, 3))
    away = np.abs(torus(frame.to_world(unit))[0]) / frame.scale
    some = torch.from_numpy(unit[(low < away) & (away < high)]).float()
    with torch.no_grad():
        _, gradient = field.model.value_and_gradient(some)
    return float((gradient.norm(dim=1) - 1).abs().mean())


def test_the_eikonal_term_keeps_the_slope_far_from_the_surface():
    assert FAST.training.eikonal_weight > 0
    on, off = (slope_error(*trained(**terms), 0.2, 2.0) for terms in ({}, {"eikonal_weight": 0.0}))
    assert on < 0.88 * off


def test_the_loss_is_the_weighted_sum_of_its_terms():
    model = new_network(replace(FAST.model, width=16), 3, 1, "torch", 0)
    points = torch.rand(64, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1
    target = torch.linspace(-0.02, 0.05, 64)
    normals = torch.nn.functional.normalize(points, dim=1)

    def loss(**weights: float) -> float:
        config = replace(FAST.training, eikonal_batch=16, **{**NONE, **weights})
        task = DistanceTask(model, lambda step: (points, target, normals), config)
        with torch.no_grad():
            return float(task.loss(*task.draw(0)))

    some = slice(0, None, 4)
    with torch.no_grad():
        values, masks = model.with_masks(points)
        _, gradient = model.value_and_gradient(points[some])
    near = target[some].abs() < 0.01
    assert 0 < near.sum() < 16
    data = float(distance_error(values[:, 0], target).mean())
    assert loss() == pytest.approx(data)
    assert loss(eikonal_weight=0.5) - data == pytest.approx(0.5 * float(eikonal(gradient).mean()), rel=1e-4)
    turned = float(normal_error(gradient[near], normals[some][near]).mean())
    assert loss(normal_weight=0.5) - data == pytest.approx(0.5 * turned, rel=1e-4)
    assert loss(mask_sparsity_weight=0.5) - data == pytest.approx(0.5 * float(masks.mean()), rel=1e-4)


def test_the_sparsity_term_closes_masks():
    def mean_mask(field: Field, frame: Frame) -> float:
        unit = np.random.default_rng(3).uniform(-0.9, 0.9, (20_000, 3))
        with torch.no_grad():
            return float(field.model.with_masks(torch.from_numpy(unit).float())[1].mean())

    sparse = trained(steps=60, batch=1024, mask_sparsity_weight=0.03)
    assert mean_mask(*sparse) < 0.9 * mean_mask(*trained(steps=60, batch=1024))
