"""`sasnet-sdf evaluate`: the table, the JSON, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sasnet_sdf.cli.main import run
from sasnet_sdf.cli.measure import table
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.io import write_cloud

CORNERS = np.array([[x, y, z] for x in (0.0, 1) for y in (0.0, 1) for z in (0.0, 1)])
SIDES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
CUBE = TriangleMesh(CORNERS, np.array([face for a, b, c, d in SIDES for face in ((a, b, c), (a, c, d))]))


@pytest.fixture
def folder(tmp_path):
    CUBE.save(tmp_path / "cube.ply")
    TriangleMesh(1.01 * CUBE.vertices, CUBE.faces).save(tmp_path / "large.ply")
    TriangleMesh(CUBE.vertices, CUBE.faces[2:]).save(tmp_path / "open.ply")
    write_cloud(tmp_path / "cloud.ply", PointCloud(np.random.default_rng(0).random((200, 3))))
    return tmp_path


def words(folder, mesh, reference, *others):
    names = [str(folder / mesh), "--reference", str(folder / reference)]
    return ["evaluate", *names, "--samples", "2000", *others]


def test_the_table_has_every_figure_in_80_columns(folder, capsys):
    assert run(words(folder, "large.ply", "cube.ply")) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "lengths in 1e-4 of the reference's diagonal, which is 1.73205"
    for label in ("accuracy", "completeness", "error", "Hausdorff", "normal", "IoU", "legacy Chamfer"):
        assert any(line.startswith(label) for line in lines), label
    assert "mesh of 8 vertices and 12 faces in 1 piece" in lines
    assert "  volume 1.0303, the reference's 1" in lines
    assert "near" not in out.splitlines()[2] and "error:" not in err


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("open.ply", ["the reference is open"]),
        ("cloud.ply", ["the reference is a cloud", "no normals"]),
    ],
)
def test_the_table_says_why_there_is_no_figure(folder, capsys, reference, why):
    assert run(words(folder, "open.ply", reference)) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert all(reason in out for reason in why)
    assert "  volume none, the reference's none" in out
    assert ("spacing of the cloud" in out) == (reference == "cloud.ply")


def test_json_goes_to_stdout_and_a_file(folder, capsys):
    output = folder / "figures.json"
    assert run(words(folder, "large.ply", "cube.ply", "--json", "-o", str(output))) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(output.read_text(encoding="utf-8"))
    assert printed["samples"] == 2000 and printed["command"].startswith("sasnet-sdf ")
    assert printed["volume"] == pytest.approx(1.01**3)
    assert printed["spacing"] is None


def test_quiet_prints_nothing(folder, capsys):
    output = folder / "figures.json"
    assert run(words(folder, "large.ply", "cube.ply", "-q", "-o", str(output))) == 0
    assert capsys.readouterr() == ("", "")
    assert output.exists()


@pytest.mark.parametrize(
    ("mesh", "reference", "others", "code", "says"),
    [
        ("cube.ply", "cube.ply", ["-o", "FOLDER/there.json"], 2, "exists; give --overwrite"),
        ("cube.ply", "cube.ply", ["-o", "FOLDER/figures.ply"], 2, "known: .json"),
        ("cube.ply", "cube.ply", ["--samples", "5"], 2, "samples must lie between"),
        ("cube.ply", "cube.ply", ["--resolution", "64"], 2, "for the surface of a model"),
        ("missing.ply", "cube.ply", [], 3, "missing.ply"),
        ("cube.ply", "missing.ply", [], 3, "missing.ply"),
        ("cloud.ply", "cube.ply", [], 4, "holds points without faces"),
    ],
)
def test_inputs_and_options_that_are_refused(folder, capsys, mesh, reference, others, code, says):
    (folder / "there.json").write_text("{}", encoding="utf-8")
    others = [word.replace("FOLDER", str(folder)) for word in others]
    before = set(folder.iterdir())
    assert run(words(folder, mesh, reference, "-q", *others)) == code
    out, err = capsys.readouterr()
    assert out == "" and says in err and len(err.splitlines()) == 1
    assert set(folder.iterdir()) == before


def test_a_reference_is_needed(capsys):
    assert run(["evaluate", "mesh.ply"]) == 2
    assert "--reference" in capsys.readouterr().err


@pytest.mark.parametrize("value", [0.25, None])
def test_the_errors_of_a_field_have_a_place(folder, capsys, value):
    assert run(words(folder, "cube.ply", "cube.ply", "--json")) == 0
    figures = json.loads(capsys.readouterr().out)
    errors = {
        f"{name}_error_{place}": value for name in ("sdf", "sign", "eikonal") for place in ("near", "far")
    }
    told = table({**figures, **errors, "reference_closed": value is not None})
    assert max(map(len, told.splitlines())) <= 80
    row = next(line for line in told.splitlines() if line.startswith("share of wrong signs"))
    assert row.split()[4:6] == (["0.25", "0.25"] if value else ["-", "-"])
