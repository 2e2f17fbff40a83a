"""The modules beside this file, which are scripts as well, and what they write."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def fuzz() -> SimpleNamespace:
    """The modules corpus, claims and check."""
    sys.path.insert(0, str(HERE))
    try:
        import check
        import claims
        import corpus
    finally:
        sys.path.remove(str(HERE))
    return SimpleNamespace(corpus=corpus, claims=claims, check=check)


@pytest.fixture(scope="session")
def whole(fuzz, tmp_path_factory) -> Path:
    """A folder with small whole files of every format."""
    folder = tmp_path_factory.mktemp("whole")
    fuzz.corpus.write_all(folder)
    return folder
