"""The public names: all there, loaded late."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import sasnet_sdf


@pytest.mark.parametrize("name", sasnet_sdf.__all__)
def test_every_public_name_is_there(name):
    assert getattr(sasnet_sdf, name) is not None
    assert name in dir(sasnet_sdf)


def test_editors_see_the_same_names():
    tree = ast.parse(Path(sasnet_sdf.__file__).read_text(encoding="utf-8"))
    seen = {
        (alias.name, f".{node.module}")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert seen == set(sasnet_sdf._MODULE_OF.items())
    assert {name for name, _ in seen} | {"__version__"} == set(sasnet_sdf.__all__)


def test_the_version_is_the_distributions():
    assert sasnet_sdf.__version__ == importlib.metadata.version("sasnet-sdf")


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'reconstrcut'"):
        sasnet_sdf.reconstrcut  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, sasnet_sdf; print([n for n in ('torch', 'numpy', 'numba', 'click') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
