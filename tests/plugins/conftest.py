"""What the tests of the plugins share."""

from __future__ import annotations

import warnings
from types import ModuleType

import numpy as np
import pytest

from sasnet_sdf import MissingBackend, PointCloud
from sasnet_sdf.runtime.system import require


@pytest.fixture(scope="session")
def o3d() -> ModuleType:
    """Open3D, or a skip with what brings it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return require("open3d", "open3d", "this test")
    except MissingBackend as error:
        pytest.skip(str(error))


@pytest.fixture
def quiet(o3d):
    """Open3D's verbosity level is Error in the test, and what it was after it."""
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        yield


@pytest.fixture(scope="session")
def small_cloud() -> PointCloud:
    """A sphere of radius 2 around the origin, colored by its normals; float32 holds it exactly."""
    normals = np.random.default_rng(0).normal(size=(1500, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points, normals = np.float32(2 * normals), np.float32(normals)
    colors = np.rint(255 * np.abs(normals)).astype(np.uint8)
    height = points[:, 2].astype(np.float64)
    return PointCloud(
        points.astype(np.float64), normals.astype(np.float64), colors, scalars={"height": height}
    )
