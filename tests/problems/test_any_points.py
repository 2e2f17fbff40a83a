"""Any points and triangles at all, prepared for training: finite, or refused in one line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sasnet_sdf.config import SupervisionConfig
from sasnet_sdf.errors import SasnetError
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.problems.loading import load
from sasnet_sdf.problems.settings import make_config
from sasnet_sdf.problems.surface import SurfaceProblem, framed, with_normals

EXTREME = [np.nan, np.inf, -np.inf, 0.0, 5e-324, 1e-310, 1e-160, 1e99, 1e160, 1.7e308]
SHAPES = {
    "sphere": lambda x: x / np.linalg.norm(x, axis=1, keepdims=True),
    "cloud": lambda x: x,
    "line": lambda x: x * [1, 0, 0],
    "plane": lambda x: x * [1, 1, 0],
    "nearly a plane": lambda x: x * [1, 1, 1e-9],
    "nearly a line": lambda x: x * [1, 1e-5, 1e-5],
    "lattice": np.round,
    "one place": lambda x: x * 0 + 3,
    "two places": lambda x: np.where(np.arange(len(x))[:, None] % 2, x[:1], x[-1:]),
    "far": lambda x: np.vstack([x[:-1], [[1e12, 0, 0]]]),
    "farther": lambda x: np.vstack([x[:-1], [[0, -1e80, 0]]]),
}
placed = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "count": st.sampled_from([120, 60, 40, 30, 16, 12, 11, 10, 9, 3, 2, 1]),
        "shape": st.sampled_from(list(SHAPES)),
        "copies": st.sampled_from([1, 1, 3]),
        "power": st.sampled_from([0, 0, 0, -310, -150, -90, -9, 9, 90, 150, 300]),
        "shift": st.sampled_from([0, 0, 0, 1e3, 5e6, 1e15, 1e40]),
        "extreme": st.lists(st.tuples(st.integers(0, 300), st.sampled_from(EXTREME)), max_size=3),
        "normals": st.sampled_from([None, None, "right", "zero", "one", "extreme"]),
        "sensors": st.booleans(),
    }
)
held = settings(
    max_examples=150,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def points_of(given):
    rng = np.random.default_rng(given["seed"])
    with np.errstate(all="ignore"):
        points = SHAPES[given["shape"]](rng.normal(size=(given["count"], 3)))
        points = np.tile(points, (given["copies"], 1)) * 10.0 ** given["power"] + given["shift"]
    for place, value in given["extreme"]:
        points.flat[place % points.size] = value
    return points


def check(geometry):
    """The geometry on its way to training: all that comes out is finite, in a unit cube."""
    try:
        loaded, _ = load(geometry, make_config("fast"))
        near, frame, _ = framed(with_normals(loaded, "auto", "the input"))
        problem = SurfaceProblem.of(near, frame, SupervisionConfig(targets=200), 0)
    except SasnetError as error:
        assert "\n" not in str(error) and len(str(error)) < 300
        return False
    assert np.isfinite(frame.center).all() and 0 < frame.scale < np.inf
    arrays = [a.numpy() for a in vars(problem.pool).values() if isinstance(a, torch.Tensor)]
    assert arrays and all(np.isfinite(a).all() for a in arrays)
    low, high = problem.target.bounds
    # what takes noise off moves points, a little out of the cube too
    assert (np.abs(low) <= 2).all() and (np.abs(high) <= 2).all()
    return True


def test_clouds():
    outcomes = []

    @held
    @given(given=placed)
    def holds(given):
        points = points_of(given)
        normals = {None: None, "right": points, "zero": points * 0}.get(given["normals"], points + 1)
        if given["normals"] == "extreme":
            normals = np.resize(EXTREME, points.shape)
        sensors = points * 0 + 9 if given["sensors"] else None
        outcomes.append(check(PointCloud(points, normals, None, sensors)))

    with np.errstate(invalid="ignore"):
        holds()
    assert 10 <= sum(outcomes) < len(outcomes)


@pytest.mark.slow
def test_meshes():
    @held
    @given(given=placed, faces=st.lists(st.tuples(*[st.integers(0, 10**6)] * 3), min_size=1, max_size=30))
    def holds(given, faces):
        points = points_of(given)
        check(TriangleMesh(points, np.array(faces, np.int64) % len(points)))

    holds()
