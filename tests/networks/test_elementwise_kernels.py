"""Sines, cosines and sigmoids of float32 numbers against float64."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.networks.kernels import sigmoids_of, sines_of

LARGEST = 2**11 * np.pi
"""The largest angle that is promised."""


@pytest.fixture
def sines_and_cosines(compiled):
    def run(z, omega):
        sines, cosines = np.empty_like(z), np.empty_like(z)
        compiled(sines_of)(z, np.float32(omega), sines, cosines)
        return sines, cosines

    return run


def angles():
    """Small and large, close to the multiples of pi / 2, and zero; (4, ...) float32."""
    rng = np.random.default_rng(0)
    quarter_turns = rng.integers(-4095, 4095, 20_000) * np.pi / 2
    parts = (
        rng.uniform(-10, 10, 20_000),
        rng.uniform(-LARGEST, LARGEST, 20_000),
        quarter_turns,
        quarter_turns + rng.normal(0, 1e-4, 20_000),
        10.0 ** rng.uniform(-30, 0, 20_000),
        [0.0, -0.0, LARGEST * (1 - 1e-7), -LARGEST * (1 - 1e-7)],
    )
    return np.concatenate(parts).astype(np.float32).reshape(4, -1)


def test_sines(sines_and_cosines):
    z = angles()
    sines, cosines = sines_and_cosines(z, 1)
    exact = z.astype(np.float64)
    assert np.abs(sines - np.sin(exact)).max() < 2e-7
    assert np.abs(cosines - np.cos(exact)).max() < 2.5e-7
    assert np.abs(sines).max() <= 1 + 2e-7 and np.abs(cosines).max() <= 1 + 2e-7


@pytest.mark.parametrize("omega", [15.0, 30.0, 42.5])
def test_sines_of_multiples(sines_and_cosines, omega):
    z = angles() / np.float32(omega)
    sines, cosines = sines_and_cosines(z, omega)
    exact = z.astype(np.float64) * omega
    rounding = np.spacing(np.abs(exact).astype(np.float32)) / 2  # the angle is a float32
    assert (np.abs(sines - np.sin(exact)) < 2e-7 + rounding).all()
    assert (np.abs(cosines / omega - np.cos(exact)) < 2.5e-7 + rounding).all()


def test_small_angles_keep_their_digits(sines_and_cosines):
    z = (10.0 ** np.random.default_rng(0).uniform(-30, -2, (2, 500))).astype(np.float32)
    sines, _ = sines_and_cosines(z, 1)
    assert np.abs(sines / np.sin(z.astype(np.float64)) - 1).max() < 2e-7


def test_sigmoids(compiled):
    x = np.linspace(-100, 100, 40_001).astype(np.float32)[None]
    values = x.copy()
    compiled(sigmoids_of)(values)
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    near = np.abs(x) <= 30
    assert np.abs(values / exact - 1)[near].max() < 2e-6
    assert np.abs(values - exact).max() < 5e-7
    assert np.abs(values - exact)[x < -30].max() < 1e-13
    assert values.min() > 0 and values.max() <= 1
    assert values[0, x[0] == 0] == np.float32(0.5)


def test_sigmoids_rise(compiled):
    values = np.linspace(-12, 8, 3001).astype(np.float32)[None]
    compiled(sigmoids_of)(values)
    assert (np.diff(values[0]) > 0).all()
