"""The frame between world and unit cube, and points kept with what belongs to them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sasnet_sdf.geometry import Frame, PointCloud

EPSILON = np.finfo(np.float64).eps
OFFSETS = st.floats(-5e6, 5e6) | st.sampled_from([5e6, -5e6, 0.0])
SCALES = st.floats(-6, 6).map(lambda power: 10.0**power)
CENTERS = arrays(np.float64, 3, elements=OFFSETS)
UNIT_POINTS = arrays(np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=st.floats(-1.5, 1.5))
fixed = settings(derandomize=True, deadline=None)


@fixed
@given(CENTERS, SCALES, UNIT_POINTS)
def test_round_trip(center, scale, unit):
    """To the precision of float64 at the coordinates' size: an offset costs digits, nothing else does."""
    frame = Frame(center, scale)
    world = frame.to_world(unit)
    rounding = 4 * EPSILON * (np.abs(center) + 1.5 * scale)
    assert (np.abs(frame.to_unit(world) - unit) <= rounding / scale + 4 * EPSILON).all()
    assert (np.abs(frame.to_world(frame.to_unit(world)) - world) <= rounding).all()


@fixed
@given(CENTERS, SCALES, UNIT_POINTS)
def test_lengths_scale(center, scale, unit):
    world = Frame(center, scale).to_world(unit)
    lengths, expected = (np.linalg.norm(p - p[:1], axis=1) for p in (world, unit * scale))
    assert np.allclose(lengths, expected, rtol=1e-12, atol=8 * EPSILON * (np.abs(center).max() + scale))


@fixed
@given(CENTERS, SCALES, UNIT_POINTS.filter(lambda p: np.ptp(p, axis=0).max() > 0.01))
def test_around(center, scale, unit):
    scale *= 1e3
    points = center + scale * unit
    frame = Frame.around(points)
    boxed = frame.to_unit(points)
    low, high = boxed.min(0), boxed.max(0)
    slack = 1e-12 + 10 * EPSILON * np.abs(points).max() / frame.scale
    assert (high - low).max() == pytest.approx(1.9, abs=slack)
    assert np.allclose(low, -high, rtol=0, atol=slack)
    assert np.allclose(frame.to_world(boxed), points, rtol=4 * EPSILON, atol=4 * EPSILON * scale)


def test_around_by_hand():
    frame = Frame.around(np.array([[10.0, 0.0, -1.0], [14.0, 1.0, 1.0]]))
    assert np.array_equal(frame.center, [12.0, 0.5, 0.0]) and frame.scale == pytest.approx(2 / 0.95)
    assert np.allclose(frame.to_unit(np.array([[14.0, 0.5, 0.0]])), [[0.95, 0, 0]], atol=1e-15)
    assert Frame.around(np.array([[0.0, 0, 0], [4.0, 1, 1]]), extent=0.5).scale == 4
    assert frame.center.dtype == np.float64


def test_points_of_single_precision_are_not_rounded_again():
    points = np.array([[5e6 + 0.5, 1, 2], [5e6 + 2, 3, 4]], np.float32)
    frame = Frame.around(points)
    assert frame.to_unit(points).dtype == np.float64
    assert np.array_equal(frame.to_world(frame.to_unit(points)), points.astype(np.float64))


@fixed
@given(CENTERS, SCALES)
def test_plain_values_and_back(center, scale):
    back = Frame.from_dict(json.loads(json.dumps(Frame(center, scale).to_dict())))
    assert np.array_equal(back.center, center) and back.scale == scale


def cloud(**attributes):
    points = np.arange(15, dtype=np.float64).reshape(5, 3)
    return PointCloud(points, **attributes)


@pytest.mark.parametrize(
    "keep, expected",
    [
        (np.array([True, False, False, True, False]), [0, 3]),
        (np.array([4, 0, 0]), [4, 0, 0]),
        (np.zeros(5, bool), []),
    ],
)
def test_select_keeps_what_belongs_to_the_points(keep, expected):
    whole = cloud(
        normals=np.random.default_rng(0).normal(size=(5, 3)),
        colors=np.arange(15, dtype=np.uint8).reshape(5, 3),
        sensors=-np.arange(15.0).reshape(5, 3),
    )
    part = whole.select(keep)
    assert len(part) == len(expected) and len(whole) == 5
    for name in ("points", "normals", "colors", "sensors"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[expected])
        assert getattr(part, name).dtype == getattr(whole, name).dtype


def test_select_leaves_what_is_not_there():
    part = cloud(colors=np.zeros((5, 3), np.uint8)).select(np.array([1, 2]))
    assert part.normals is None and part.sensors is None and part.colors.shape == (2, 3)
