"""What the columns of a table without names are taken for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.io.names import named, unnamed, unnamed_columns

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(200, 3))
NORMALS = POINTS / np.linalg.norm(POINTS, axis=1, keepdims=True)
COLORS = RNG.integers(0, 256, (200, 3))
SHARE = RNG.random(200)
CLASS = RNG.integers(2, 7, 200)
LETTERS = {"x": "x", "y": "y", "z": "z", "intensity": "i", "alpha": "a"}
LETTERS |= {**dict.fromkeys(("nx", "ny", "nz"), "N"), **dict.fromkeys(("red", "green", "blue"), "C")}


def meaning(*columns, path="table.txt"):
    """A letter a column, 0 for those that keep their number."""
    names = unnamed_columns(np.column_stack([POINTS, *columns]), Path(path))
    assert all(name in LETTERS or name == str(k + 1) for k, name in enumerate(names))
    return "".join(LETTERS.get(name, "0") for name in names[3:])


@pytest.mark.parametrize(
    "columns, expected",
    [
        ((COLORS * 257,), "CCC"),
        ((COLORS / 255,), "CCC"),
        ((COLORS + 0.25,), "CCC"),
        ((NORMALS.round(2),), "NNN"),
        ((np.abs(NORMALS).round(2),), "NNN"),
        ((np.where(np.arange(200)[:, None] % 20, NORMALS, 0),), "NNN"),
        ((3 * NORMALS,), "NNN"),
        ((np.tile([0, 1, 0], (200, 1)),), "NNN"),
        ((SHARE, COLORS), "iCCC"),
        ((SHARE, COLORS / 255), "iCCC"),
        ((CLASS, COLORS), "iCCC"),
        ((100 * COLORS[:, :1], COLORS), "iCCC"),
        ((COLORS[:, :1], COLORS * 257), "iCCC"),
        ((COLORS[:, :1], COLORS * 0), "iCCC"),
        ((COLORS, SHARE), "CCC0"),
        ((COLORS, -SHARE), "CCC0"),
        ((COLORS, CLASS), "CCC0"),
        ((COLORS * 257, COLORS[:, 0]), "CCC0"),
        ((COLORS, np.full(200, 255)), "CCCa"),
        ((NORMALS, SHARE), "NNNi"),
        ((CLASS, NORMALS), "iNNN"),
        ((NORMALS, COLORS * 257), "NNNCCC"),
        ((3 * NORMALS, COLORS), "NNNCCC"),
        ((COLORS, 3 * NORMALS), "CCCNNN"),
        ((COLORS / 255, NORMALS), "CCCNNN"),
        ((CLASS, COLORS, NORMALS), "iCCCNNN"),
        ((COLORS, SHARE, NORMALS), "CCC0NNN"),
        ((COLORS, SHARE, CLASS, NORMALS), "CCC00NNN"),
        ((NORMALS, COLORS, SHARE), "NNNCCC0"),
        ((NORMALS, SHARE, CLASS), "NNN00"),
    ],
)
def test_length_and_scale_tell_normals_from_colors(columns, expected):
    assert meaning(*columns) == expected


def test_pts_has_its_intensity_first():
    assert meaning(COLORS, CLASS, path="scan.PTS") == "iCCC"
    assert meaning(COLORS[:, :1], np.full((200, 3), 128), path="scan.pts") == "iCCC"


def test_rows_that_are_not_finite_do_not_count():
    broken = np.vstack([[[np.nan] * 3, [-np.inf] * 3], COLORS[2:]])
    assert meaning(broken) == "CCC"


@pytest.mark.parametrize("columns", [(SHARE, CLASS), (COLORS, SHARE, CLASS)])
def test_what_cannot_be_told_is_refused(columns):
    with pytest.raises(UnreadableInput, match=r"table\.txt: what its \d columns mean is not clear"):
        meaning(*columns)


def test_black_is_no_color():
    notes: list[str] = []
    columns = unnamed(np.column_stack([POINTS, SHARE, COLORS * 0]))
    assert list(named(columns, Path("a.pts"), notes)) == ["x", "y", "z", "intensity"]
    assert notes == ["its colors are all black and were left out"]
