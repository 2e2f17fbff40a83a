"""Batches of a signal's samples: each is one of the signal, at its place, scaled to its range."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.signals import Grid, Signal
from sasnet_sdf.training.samplers import SignalBatches


@pytest.fixture
def image():
    rows, columns = np.mgrid[:12, :20]
    values = np.stack([rows, columns, rows * 20 + columns], -1).astype(np.uint16)
    return Signal(values, Grid.of_image(12, 20))


RANGES = np.zeros(3), np.array([11.0, 19.0, 239.0])


def test_points_and_values_belong_together(image):
    points, values = SignalBatches(image, *RANGES, 50, seed=0)(0)
    index = image.grid.from_unit(points.numpy())
    assert np.allclose(index, index.round(), atol=1e-4)
    expected = image.values[tuple(index.round().astype(int).T)] / RANGES[1] * 2 - 1
    assert np.allclose(values.numpy(), expected, atol=1e-6)


def test_a_batch_has_one_sample_from_each_stretch(image):
    _, values = SignalBatches(image, *RANGES, 60, seed=0)(0)
    place = ((values[:, 2].numpy() + 1) / 2 * 239).round().astype(int)
    assert (place // 4 == np.arange(60)).all()


def test_a_batch_as_large_as_the_signal_is_the_signal(image):
    _, values = SignalBatches(image, *RANGES, 10**6, seed=0)(0)
    assert np.allclose((values[:, 2].numpy() + 1) / 2 * 239, np.arange(240), atol=1e-3)


def test_the_seed_decides(image):
    one, same, other = (SignalBatches(image, *RANGES, 30, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one(7)[0], same(7)[0])
    assert not np.array_equal(one(7)[0], other(7)[0])


def test_a_file_that_is_mapped_is_not_read_whole(tmp_path):
    shape = (300, 400, 500)
    mapped = np.lib.format.open_memmap(tmp_path / "v.npy", "w+", np.float32, shape)
    mapped[150, 200, 250] = 1
    signal = Signal(mapped[..., None], Grid.of_volume(shape))
    batches = SignalBatches(signal, np.zeros(1), np.ones(1), 1000, seed=0)
    points, values = batches(0)
    assert points.shape == (1000, 3) and values.shape == (1000, 1)
    # an index of every sample would be 480 MB
    held = sum(getattr(value, "nbytes", 0) for value in vars(batches).values())
    assert held < 1e5


def test_a_channel_of_one_value_does_not_divide_by_zero():
    signal = Signal(np.full((4, 4, 1), 7, np.uint8), Grid.of_image(4, 4))
    _, values = SignalBatches(signal, np.array([7.0]), np.array([7.0]), 16, seed=0)(0)
    assert (values == -1).all()
