"""What the misses of points tell of their noise."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.supervision.noise import AngularNoise

COUNT = 20_000


def _misses(variances, seed=0):
    return np.abs(np.random.default_rng(seed).normal(size=len(variances)) * np.sqrt(variances))


@pytest.fixture
def cosines():
    return np.sqrt(np.random.default_rng(1).random(COUNT))


def test_noise_along_rays_hardly_moves_points_off_a_surface_that_they_graze(cosines):
    # 0.1 is what fits to some sixty points each err by
    angular = AngularNoise.of(cosines, _misses(cosines**2 + 0.1))
    grazing, straight = angular.deviations(np.array([0.1, 0.9]))
    assert grazing < 0.3 * straight


def test_noise_that_does_not_depend_on_the_angle_weighs_all_points_alike(cosines):
    angular = AngularNoise.of(cosines, _misses(np.ones(COUNT)))
    assert np.abs(angular.deviations(np.linspace(0, 1, 11)) - 1).max() < 0.1


def test_noise_that_grows_towards_grazing_rays_is_seen_too(cosines):
    angular = AngularNoise.of(cosines, _misses(1.2 - cosines**2))
    grazing, straight = angular.deviations(np.array([0.1, 0.9]))
    assert grazing > 1.5 * straight


def test_the_mean_variance_is_one(cosines):
    angular = AngularNoise.of(cosines, _misses(3 + 5 * cosines**2))
    assert (angular.deviations(cosines) ** 2).mean() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    "count, lowest", [(100, 0.0), (COUNT, 0.95)], ids=["few points", "all seen straight on"]
)
def test_too_little_data_gives_equal_weights(count, lowest):
    cosines = np.linspace(lowest, 1, count)
    assert AngularNoise.of(cosines, _misses(cosines**2)) == AngularNoise()


def test_points_without_a_fit_are_ignored(cosines):
    misses = _misses(cosines**2 + 0.1)
    with_gaps = np.append(misses, np.full(500, np.inf))
    found = AngularNoise.of(np.append(cosines, np.full(500, 0.5)), with_gaps)
    assert found == AngularNoise.of(cosines, misses)
