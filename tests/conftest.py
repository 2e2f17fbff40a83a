"""What tests share: the development data where there is some, and fixed seeds."""

from __future__ import annotations

import importlib
import importlib.util
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


def _folder(variable: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set")
    folder = Path(value)
    if not folder.is_dir():
        pytest.fail(f"{variable} names no folder: {value}")
    return folder


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The development data: clouds, scans, meshes."""
    return _folder("SASNET_SDF_DATA")


@pytest.fixture(scope="session")
def judge_dir() -> Path:
    """The scripts that score a mesh against its ground truth."""
    return _folder("SASNET_SDF_JUDGE")


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def sculpture() -> ModuleType:
    """samples/make_sample.py: the bundled sample's true surface, as `distance(points)`."""
    spec = importlib.util.spec_from_file_location("make_sample", ROOT / "samples" / "make_sample.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def benchmarks() -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module of benchmarks/ by its name."""
    before = set(sys.modules)
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield importlib.import_module
    sys.path.remove(str(ROOT / "benchmarks"))
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(ROOT / "benchmarks")):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Global generators start every test from the same state."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries draw from it
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture
def threads():
    """torch.set_num_threads, by which all compiled loops go too; undone after the test."""
    import torch

    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
