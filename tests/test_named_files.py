"""Files that pages, docstrings and comments name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (*(p.name for p in (ROOT / "sasnet_sdf").iterdir() if p.is_dir()), "tests", "docs", "samples")
NAMED = re.compile(
    rf"(?<![\w/.])((?:sasnet_sdf/|benchmarks/)?(?:{'|'.join(FOLDERS)})/[\w/]+\.(?:py|md|ply))\b"
)
SOURCES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("sasnet_sdf/**/*.py"),
    *ROOT.glob("plugins/*/*/*.py"),
    *ROOT.glob("benchmarks/*.py"),
]


def missing(text: str) -> list[str]:
    """The files that a text names and that are not there."""
    places = (ROOT, ROOT / "sasnet_sdf")
    return [name for name in NAMED.findall(text) if not any((place / name).exists() for place in places)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_files_exist(path):
    assert not missing(path.read_text(encoding="utf-8"))


def test_a_file_that_is_not_there_is_found():
    assert missing("see io/ply.py and training/cpu_adam.py") == ["training/cpu_adam.py"]
