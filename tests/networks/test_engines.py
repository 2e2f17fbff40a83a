"""The table of engines: what is chosen, what is refused, and that one table fits them all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sasnet_sdf.errors import MissingBackend, UsageError
from sasnet_sdf.model_config import GridConfig
from sasnet_sdf.networks.hash_grid import ENGINES, HashGrid, available_engines, choose_engine

GRID = GridConfig(levels=3, log2_table=8, coarsest=4, finest=20)


@pytest.fixture
def only(monkeypatch):
    """Makes all engines' libraries but the named ones fail to import."""
    real = __import__("importlib").import_module

    def hide(*present: str) -> None:
        libraries = {e.library: e.name for e in ENGINES.values()}

        def import_module(name, *rest):
            if name in libraries:
                if libraries[name] not in present:
                    raise ImportError(f"No module named {name!r}")
                return None
            return real(name, *rest)

        monkeypatch.setattr("sasnet_sdf.networks.hash_grid.importlib.import_module", import_module)

    return hide


@pytest.mark.parametrize(
    ("present", "device", "chosen"),
    [
        (("torch", "numba", "tinycudann"), "cpu", "numba"),
        (("torch",), "cpu", "torch"),
        (("torch", "numba", "tinycudann"), "cuda", "tinycudann"),
        (("torch", "numba", "tinycudann"), "cuda:1", "tinycudann"),
        (("torch", "numba"), "cuda", "torch"),
        (("torch", "numba", "tinycudann"), "mps", "torch"),
    ],
)
def test_auto_takes_the_fastest_that_is_there(only, present, device, chosen):
    only(*present)
    assert choose_engine("auto", device) == chosen
    assert choose_engine("auto", torch.device(device)) == chosen


def test_a_name_is_taken_at_its_word(only):
    only("torch", "numba", "tinycudann")
    assert choose_engine("torch", "cpu") == "torch"
    assert choose_engine("torch", "cuda") == "torch"
    with pytest.raises(UsageError, match="numba runs on cpu, not on cuda"):
        choose_engine("numba", "cuda")
    with pytest.raises(UsageError, match="tinycudann runs on cuda, not on cpu"):
        choose_engine("tinycudann", "cpu")
    with pytest.raises(UsageError, match="unknown engine 'warp'"):
        choose_engine("warp", "cpu")


def test_a_missing_library_is_named_with_what_brings_it(only):
    only("torch")
    with pytest.raises(MissingBackend, match="numba is not installed: pip install numba"):
        choose_engine("numba", "cpu")
    with pytest.raises(MissingBackend, match=r"bindings/torch.*docs/engines\.md"):
        HashGrid(GRID, 3, "tinycudann", torch.Generator())
    reasons = available_engines()
    assert set(reasons) == {"torch", "numba", "tinycudann"}
    assert reasons["torch"] is None and reasons["numba"] and reasons["tinycudann"]


def test_the_table_is_drawn_from_the_generator_alone():
    first, second = (HashGrid(GRID, 3, "torch", torch.Generator().manual_seed(5)) for _ in range(2))
    torch.testing.assert_close(first.table, second.table, rtol=0, atol=0)
    assert first.table.std().item() == pytest.approx(0.01, rel=0.1)
    assert abs(first.table.mean().item()) < 1e-3


def test_a_trained_table_moves_between_engines():
    numba = HashGrid(GRID, 3, "numba", torch.Generator().manual_seed(1))
    reference = HashGrid(GRID, 3, "torch", torch.Generator().manual_seed(2))
    reference.load_state_dict(numba.state_dict())
    points = torch.rand(100, 3) * 2 - 1
    assert list(numba.state_dict()) == ["table"]
    np.testing.assert_allclose(numba(points).detach(), reference(points).detach(), atol=1e-6)
