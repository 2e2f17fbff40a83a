"""Masks learn where detail is: those of the highest frequencies open beside the surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sasnet_sdf import PRESETS, PointCloud
from sasnet_sdf.config import SupervisionConfig
from sasnet_sdf.problems.problem import fit, new_network
from sasnet_sdf.problems.surface import SurfaceProblem, framed
from sasnet_sdf.runtime.progress import silent

FAR = 0.15


def bumpy_sphere(count: int, seed: int) -> np.ndarray:
    """Points (count, 3) on a sphere with bumps of 1/25 of its radius, some 8 around it."""
    directions = np.random.default_rng(seed).normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return directions * (1 + 0.04 * np.sin(24 * directions).prod(1, keepdims=True))


@pytest.mark.slow
def test_the_top_band_opens_beside_the_surface():
    geometry, frame, _ = framed(PointCloud(bumpy_sphere(60_000, 0)))
    config = PRESETS["fast"]
    config = replace(config, training=replace(config.training, steps=600))
    problem = SurfaceProblem.of(geometry, frame, SupervisionConfig(targets=200_000), 0)
    field, _ = fit(problem, new_network(config.model, 3, 1, "numba", 0), config, "cpu", silent)

    def mean_masks(points: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return field.model.with_masks(torch.from_numpy(points).float())[1].mean(1).numpy()

    near = mean_masks(frame.to_unit(bumpy_sphere(20_000, 1)))
    anywhere = np.random.default_rng(2).uniform(-1, 1, (40_000, 3))
    far = mean_masks(anywhere[np.abs(field.unit_distance(anywhere)) > FAR])
    bands = field.model.config.bands
    assert near[bands - 1] >= 1.5 * far[bands - 1]
    assert (near[:bands] >= 1.5 * far[:bands]).all()  # the lower bands too: far away the low group is enough
