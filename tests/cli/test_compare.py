"""`sasnet-sdf compare` and `reconstruct --model`, as a user types them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sasnet_sdf.cli.main import run
from sasnet_sdf.cli.measure import comparison
from sasnet_sdf.field import Field
from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.io import write_cloud

TINY = ["--budget", "parameters=20000,steps=8,batch=128", "--resolution", "24", "--set", "targets=3000"]


@pytest.fixture
def folder(tmp_path):
    points = np.random.default_rng(0).normal(size=(800, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    write_cloud(tmp_path / "sphere.ply", PointCloud(points, points))
    return tmp_path


def test_a_table_of_80_columns_and_a_folder(folder, capsys):
    words = ["compare", str(folder / "sphere.ply"), "-o", str(folder / "out"), *TINY, "--progress", "none"]
    assert run([*words, "--models", "sasnet:no-masks,siren:omega0=10"]) == 0
    table = capsys.readouterr().err.splitlines()
    assert max(map(len, table[:-1])) <= 80
    assert [line.split()[0] for line in table[:3]] == ["model", "sasnet:no-masks", "siren:omega0=10"]
    assert table[-1] == f"wrote {folder / 'out'}"
    rows = json.loads((folder / "out" / "results.json").read_text())["rows"]
    assert {"model", "error", "normal_consistency", "parameters", "steps", "ms_per_step", "seconds"} <= set(
        rows[1]
    )


@pytest.mark.parametrize(
    "words, code, reason",
    [
        (["--models", "sirene"], 2, "unknown model 'sirene'"),
        (["--budget", "hours=3"], 2, "unknown part 'hours=3'"),
        (["--set", "widht=3"], 2, "unknown setting 'widht'"),
    ],
)
def test_usage_errors_are_one_line(folder, capsys, words, code, reason):
    assert run(["compare", str(folder / "sphere.ply"), "-o", str(folder / "out"), *words]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and reason in line


def test_a_missing_surface_says_why():
    failure = "the loss is not a number after 40 steps"
    text = comparison([{"model": "wire", "failure": failure}, {"model": "ngp"}])
    assert f"wire  {failure}" in text and "ngp   no surface" in text


def test_reconstruct_trains_another_model_and_keeps_it(folder, capsys):
    source, mesh, model, report = (
        str(folder / name) for name in ("sphere.ply", "s.ply", "m.sasnet", "r.json")
    )
    words = ["reconstruct", source, "-o", mesh, "--save-model", model, "--report", report, "-q"]
    words += ["--steps", "60", "--resolution", "32", "--preset", "fast"]
    assert run([*words, "--model", "siren:omega0=10", "--set", "width=48", "--set", "rate=1e-3"]) == 0
    found = json.loads((folder / "r.json").read_text())
    assert found["model"] == "siren" and found["engine"] == "torch"
    settings = {"width": 48, "hidden_layers": 2, "rate": 1e-3, "omega0": 10.0}
    settings |= {"optimizer": "adam", "muon_rate": 0.1}
    assert found["settings"]["model"] == {"name": "siren", **settings}
    field = Field.load(model)
    assert type(field.model).__name__ == "Siren"
    inside, outside = field.distance(np.array([[0.0, 0, 0], [2, 0, 0]]))
    assert inside < -0.1 and outside == pytest.approx(1, abs=0.2)
    assert run(["info", model]) == 0
    assert "siren" in capsys.readouterr().out
