"""Which side of an open surface is outside: what the user says, what the file says, what is found."""

import numpy as np
import pytest

from sasnet_sdf import PointCloud, reconstruct
from sasnet_sdf.errors import NoSurface, UnusableGeometry, UsageError
from sasnet_sdf.extraction import Support
from sasnet_sdf.geometry import Frame
from sasnet_sdf.problems.reconstruct import check_coverage, covered_share
from sasnet_sdf.problems.settings import make_config
from sasnet_sdf.supervision import prepare

QUICK = {"preset": "fast", "steps": 60, "resolution": 64}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def box(count, rng):
    """Points on the surface of a box of 1 x 0.8 x 0.6."""
    points = rng.uniform(-1, 1, (count, 3))
    face = rng.integers(0, 3, count)
    points[np.arange(count), face] = np.sign(points[np.arange(count), face])
    return points * [0.5, 0.4, 0.3]


def terrain(count, rng):
    """A hilly height field of 100 x 100 x 10 units, far from the origin."""
    flat = rng.uniform(0, 100, (count, 2))
    height = 5 * np.sin(flat[:, :1] / 17) * np.cos(flat[:, 1:] / 23)
    return np.concatenate([flat, height], 1) + [500_000, 5_400_000, 300]


def share_up(mesh, axis=2):
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    area = np.linalg.norm(normals, axis=1)
    return area[normals[:, axis] > 0].sum() / area.sum()


def test_terrain_faces_up_unless_told_otherwise(rng):
    points = terrain(4000, rng)
    found = reconstruct(points, **QUICK)
    assert share_up(found.mesh) > 0.95
    assert found.report["input"]["normals_from"] == "up"
    assert any("taken from above" in note for note in found.report["notes"])
    down = reconstruct(points, up="-z", **QUICK)
    assert share_up(down.mesh) < 0.05
    assert not any("taken from above" in note for note in down.report["notes"])
    above = reconstruct(points, viewpoint=tuple(points.mean(0) + [0, 0, 500]), **QUICK)
    assert share_up(above.mesh) > 0.95 and above.report["input"]["normals_from"] == "viewpoint"


def test_a_guess_is_a_warning_and_strictness_makes_it_an_error(rng):
    wall = rng.uniform(0, 1, (3000, 3)) * [1, 0, 1]
    wall[:, 1] = 0.02 * np.sin(9 * wall[:, 0])
    found = reconstruct(wall, **QUICK)
    assert any("which side is outside is a guess" in text for text in found.report["warnings"])
    with pytest.raises(UnusableGeometry, match=r"a guess.*strict"):
        reconstruct(wall, strict=True, **QUICK)


@pytest.mark.parametrize(
    ("word", "value", "kept"),
    [
        ("up", "+z", (0, 0, 1)),
        ("up", "-Y", (0, -1, 0)),
        ("up", "x", (1, 0, 0)),
        ("up", "0,0.5,0.5", (0, 0.5, 0.5)),
        ("viewpoint", "1.5, 0,-2", (1.5, 0, -2)),
        ("viewpoint", [1, 2, 3], (1, 2, 3)),
    ],
)
def test_words_for_a_side(word, value, kept):
    assert getattr(make_config(**{word: value}).supervision, word) == kept


@pytest.mark.parametrize(
    "words",
    [
        {"up": "0,0,0"},
        {"up": "north"},
        {"viewpoint": "1,2"},
        {"viewpoint": "1,2,nan"},
        {"viewpoint": 7},
        {"up": "z", "viewpoint": "1,2,3"},
    ],
)
def test_words_that_say_no_side(words):
    with pytest.raises(UsageError):
        make_config(**words)


def test_a_surface_must_pass_by_the_points(rng):
    points = box(5000, rng)
    frame = Frame.around(points)
    target, _ = prepare(PointCloud(points), frame)
    support = Support.of(target, scanned=True)
    whole = reconstruct(points, **QUICK).mesh
    assert covered_share(whole, support, frame) > 0.99
    low, high = points.min(0), points.max(0)
    corner = whole.vertices[whole.faces].mean(1)
    part = corner[:, 0] < low[0] + 0.02 * (high - low)[0]
    one_face = type(whole)(whole.vertices, whole.faces[part])
    share = covered_share(one_face, support, frame)
    assert 0.05 < share < 0.35
    (finding,) = check_coverage(share)
    assert finding.severity == "warning"
    assert check_coverage(0.9) == []
    with pytest.raises(NoSurface, match="2% of the points"):
        check_coverage(0.02)


@pytest.mark.parametrize("apart", [1.2, 3.0])
def test_two_floors_have_nothing_between_them(rng, apart):
    floors = np.concatenate([rng.uniform(0, 6, (500, 2)), np.zeros((500, 1))], 1)
    floors[250:, 2] = apart
    up = np.tile([0.0, 0.0, 1.0], (500, 1))
    found = reconstruct(PointCloud(floors, up), **QUICK)
    height = found.mesh.vertices[:, 2]
    assert np.minimum(np.abs(height), np.abs(height - apart)).max() < 0.25
    assert share_up(found.mesh) > 0.99
    assert found.report["warnings"] == [] and found.report["trim"]["closed"] is False
