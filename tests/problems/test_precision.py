"""Networks are trained in single precision, whatever the precision of the input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import sasnet_sdf

BATCH = 256


class Doubles(TorchDispatchMode):
    """Notes every operation that gives a tensor of double precision as large as a batch, and counts all."""

    def __init__(self):
        super().__init__()
        self.found, self.single = set(), 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and tensor.numel() >= BATCH:
                self.single += tensor.dtype == torch.float32
                if tensor.dtype in (torch.float64, torch.complex128):
                    self.found.add(str(func))
        return out


def cloud():
    points = np.random.default_rng(0).normal(size=(1500, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    words = {"preset": "fast", "resolution": 32, "settings": ["targets=3000", "width=16", f"batch={BATCH}"]}
    return sasnet_sdf.reconstruct, sasnet_sdf.PointCloud(points, points), words


def image():
    values = np.random.default_rng(0).random((20, 24, 3))
    return sasnet_sdf.fit_image, values, {"parameters": 3000, "batch": BATCH}


def volume():
    values = np.random.default_rng(0).integers(-1000, 1000, (12, 11, 10), np.int64)
    return sasnet_sdf.fit_volume, values, {"parameters": 3000, "batch": BATCH}


@pytest.mark.parametrize("engine", ["numba", "torch"])
@pytest.mark.parametrize("given", [cloud, image, volume])
def test_a_step_is_in_single_precision(given, engine):
    fit, source, words = given()
    assert np.asarray(getattr(source, "points", source)).dtype.itemsize == 8
    with Doubles() as doubles:
        result = fit(source, steps=5, engine=engine, device="cpu", **words)
    assert not doubles.found and doubles.single > 50
    model = result.field.model if hasattr(result, "field") else result.model
    assert {tensor.dtype for tensor in model.state_dict().values()} == {torch.float32}
