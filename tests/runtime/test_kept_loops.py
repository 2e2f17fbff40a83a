"""The kernels' cache: whatever is wrong with its folder or its files, the right code runs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import sasnet_sdf

SOURCE = """
from numba import njit
from sasnet_sdf.runtime.compiled import kept

@njit
def part(x):
    return x + 1

@kept()
def double(x):
    return 2 * part(x)
"""


@pytest.fixture
def loaded(tmp_path):
    """The function `double` as a new process would find it."""
    path = tmp_path / "loops.py"
    path.write_text(SOURCE)

    def load():
        spec = importlib.util.spec_from_file_location("loops", path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.double

    load.path = path
    return load


def files(folder, suffix):
    return sorted((folder / "__pycache__").glob(f"*{suffix}"))


def test_what_was_compiled_is_found_again(loaded):
    first, second = loaded(), loaded()
    assert first(3) == second(3) == 8
    assert (sum(first.stats.cache_hits.values()), sum(second.stats.cache_hits.values())) == (0, 1)


def test_a_change_in_a_function_that_is_called_is_seen(loaded):
    assert loaded()(3) == 8
    (loaded.path.parent / "parts.py").write_text(
        "from numba import njit\n\n@njit\ndef part(x):\n    return x\n"
    )
    spec = importlib.util.spec_from_file_location("parts", loaded.path.parent / "parts.py")
    assert spec and spec.loader
    parts = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(parts)
    other = loaded()
    other.py_func.__globals__["part"] = parts.part  # as an import of it from another file would
    assert other(3) == 6


@pytest.mark.parametrize("harmed", [".nbi", ".nbc"])
@pytest.mark.parametrize("content", [b"", b"no cache at all", None])
def test_a_damaged_file_is_passed_over_and_mended(loaded, tmp_path, harmed, content):
    assert loaded()(3) == 8
    (path,) = files(tmp_path, harmed)
    path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    assert loaded()(3) == 8
    assert loaded()(4) == 10
    again = loaded()
    assert again(4) == 10 and sum(again.stats.cache_hits.values()) == 1


def test_a_full_disk_costs_the_cache_alone(loaded, tmp_path, monkeypatch):
    from numba.core.caching import IndexDataCacheFile

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(IndexDataCacheFile, "_save_data", full)
        assert loaded()(3) == 8
    again = loaded()
    assert again(3) == 8 and not sum(again.stats.cache_hits.values())
    assert files(tmp_path, ".nbc")


def test_two_processes_that_keep_other_code_at_once(loaded, monkeypatch):
    """Both found nothing, so that numba would give both their code the same name."""
    from sasnet_sdf.runtime import compiled as kernels

    first = loaded()
    second = loaded()
    index = second._cache._cache_file
    found = index._load_index
    assert first(3) == 8
    with monkeypatch.context() as patch:
        patch.setattr(kernels, "_PROCESS", "another")
        patch.setattr(index, "_load_index", dict)  # it had looked before
        assert second(2.5) == 7.0
    index._load_index = found
    again = loaded()
    assert (again(3), again(2.5)) == (8, 7.0)
    assert sum(again.stats.cache_hits.values()) == 1  # of two entries one is lost, and compiled again


RUNS = """
import numpy as np
from sasnet_sdf.cli.doctor import _kernel_cache
from sasnet_sdf.extraction import lattice
from sasnet_sdf.networks import grid_kernels, sasnet_reverse_kernels
from sasnet_sdf.runtime import compiled
from sasnet_sdf.training import optimizers
from sasnet_sdf.io.pcd import decompress
out = np.zeros(3, np.uint8)
assert decompress(np.array([2, 7, 8, 9], np.uint8), out) == 3 and list(out) == [7, 8, 9]
print(_kernel_cache())
"""


@pytest.fixture
def barred(tmp_path):
    """The environment of a user who may write nowhere: a copy of the package, files for folders."""
    package = tmp_path / "site" / "sasnet_sdf"
    shutil.copytree(Path(sasnet_sdf.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in {path.parent for path in package.rglob("*.py")}:
        (folder / "__pycache__").touch()
    (tmp_path / "file").touch()
    nowhere = str(tmp_path / "file" / "cache")
    names = ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR")
    return {**os.environ, **dict.fromkeys(names, nowhere), "PYTHONPATH": str(tmp_path / "site")}


@pytest.mark.skipif(sys.platform == "win32", reason="the folder of a user's caches is asked of Windows")
def test_where_nothing_can_be_written_kernels_run_all_the_same(barred, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RUNS], env=barred, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "kernels compile in every run: set NUMBA_CACHE_DIR" in done.stdout and not done.stderr


def test_processes_at_once_come_to_the_same(tmp_path):
    """Real ones, into one empty folder."""
    code = (
        "import numpy as np; from sasnet_sdf.io.pcd import decompress; out = np.zeros(3, np.uint8); "
        "print(decompress(np.array([2, 7, 8, 9], np.uint8), out), *out)"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def one(_):
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )

    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(one, range(3)))
    assert [(each.stdout, each.stderr) for each in done] == [("3 7 8 9\n", "")] * 3
    assert not list(tmp_path.rglob("*.tmp.*"))
