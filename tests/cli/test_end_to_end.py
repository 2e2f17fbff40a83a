"""The whole program on a small torus: scan to surface, model, query, another resolution."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

import sasnet_sdf
from sasnet_sdf.cli.main import run

LARGE, SMALL = 2.0, 0.7  # the radii of a torus about the z axis, in the units of the scan
CENTER = np.array([5e5, -300.0, 12.0])
WORDS = ["--preset", "fast", "--steps", "150", "--resolution", "64", "--device", "cpu", "-q"]


def torus_distance(points: np.ndarray) -> np.ndarray:
    x, y, z = (points - CENTER).T
    return np.hypot(np.hypot(x, y) - LARGE, z) - SMALL


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A scan of 5,000 points with normals, and what `reconstruct` made of it."""
    folder = tmp_path_factory.mktemp("torus")
    u, v = np.random.default_rng(0).uniform(0, 2 * np.pi, (2, 5000))
    normals = np.stack([np.cos(u) * np.cos(v), np.sin(u) * np.cos(v), np.sin(v)], axis=1)
    ring = np.stack([np.cos(u), np.sin(u), np.zeros_like(u)], axis=1)
    np.savez(folder / "scan.npz", points=CENTER + LARGE * ring + SMALL * normals, normals=normals)
    outputs = ["--save-model", str(folder / "field.sasnet"), "--report", str(folder / "report.json")]
    assert run(["reconstruct", str(folder / "scan.npz"), *WORDS, *outputs]) == 0
    return folder


@pytest.fixture(scope="module")
def mesh(folder):
    return sasnet_sdf.read_geometry(folder / "scan_surface.ply")


def test_the_surface_is_the_torus_in_world_units(mesh):
    errors = np.abs(torus_distance(mesh.vertices))
    assert errors.mean() < 0.01
    assert errors.max() < 0.05


def test_the_surface_is_closed_of_genus_one_and_faces_outward(mesh):
    from sasnet_sdf.mesh import Edges

    assert Edges.of(mesh.faces) == Edges(0, 0, 0)
    assert len(mesh.vertices) - len(mesh.faces) / 2 == 0  # the Euler characteristic of a torus
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] - CENTER for corner in range(3))
    volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6
    assert volume == pytest.approx(2 * np.pi**2 * LARGE * SMALL**2, rel=0.02)


def test_the_same_seed_gives_the_same_bytes(folder):
    again = folder / "again.ply"
    assert run(["reconstruct", str(folder / "scan.npz"), "-o", str(again), *WORDS]) == 0
    assert again.read_bytes() == (folder / "scan_surface.ply").read_bytes()


def test_the_report_has_the_documented_keys(folder):
    report = json.loads((folder / "report.json").read_text())
    assert report["input"]["points"] == 5000
    assert report["input"]["had_normals"] is True
    assert report["input"]["had_sensors"] is False
    assert report["training"]["steps"] == 150
    assert (report["device"], report["seed"], report["interrupted"]) == ("cpu", 0, False)
    assert report["extraction"]["resolution"] == 64
    assert report["settings"]["training"]["steps"] == 150
    assert report["command"].startswith("sasnet-sdf reconstruct ")
    seconds = dict(report["seconds"])
    assert seconds.pop("total") > sum(seconds.values())
    assert report["peak_memory_bytes"] > 1e8
    assert {"version", "engine", "threads", "frame"} <= set(report)


def test_threads_are_what_was_asked_for(folder):
    report = folder / "one.json"
    words = [str(folder / "scan.npz"), "-o", str(folder / "one.ply"), *WORDS[:2], "--steps", "60", *WORDS[4:]]
    command = [sys.executable, "-m", "sasnet_sdf", "reconstruct", *words, "--threads", "1"]
    done = subprocess.run([*command, "--report", str(report)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(report.read_text())["threads"] == 1


def test_query_gives_distances_and_gradients_in_world_units(folder):
    points = CENTER + np.array(
        [[LARGE, 0, 0.2 - SMALL], [LARGE + SMALL + 0.2, 0, 0], [0, LARGE, SMALL + 0.1]]
    )
    np.savez(folder / "asked.npz", points=points)
    table = folder / "answers.csv"
    words = [str(folder / "field.sasnet"), str(folder / "asked.npz"), "-o", str(table), "-q"]
    assert run(["query", *words]) == 0
    rows = np.loadtxt(table, delimiter=",", skiprows=1)
    np.testing.assert_allclose(rows[:, :3], points, rtol=0, atol=1e-9)
    np.testing.assert_allclose(rows[:, 3], [-0.2, 0.2, 0.1], atol=0.04)
    outward = [[0, 0, -1], [1, 0, 0], [0, 0, 1]]
    assert np.all(np.einsum("ij,ij->i", rows[:, 4:7], outward) > 0.4)  # few steps: rough, but outward
    field = sasnet_sdf.Field.load(folder / "field.sasnet", device="cpu")
    np.testing.assert_allclose(rows[:, 3], field.distance(points), rtol=1e-6)
    np.testing.assert_allclose(rows[:, 4:7], field.gradient(points), rtol=1e-6)


def test_extract_at_another_edge_length(folder):
    coarse = folder / "coarse.ply"
    assert (
        run(["extract", str(folder / "field.sasnet"), "-o", str(coarse), "--edge-length", "0.2", "-q"]) == 0
    )
    mesh = sasnet_sdf.read_geometry(coarse)
    edges = np.linalg.norm(mesh.vertices[mesh.faces[:, 0]] - mesh.vertices[mesh.faces[:, 1]], axis=1)
    assert 0.1 < np.median(edges) < 0.25
    assert np.abs(torus_distance(mesh.vertices)).mean() < 0.02


def info(path, capsys) -> dict:
    """What `info --json` says, after a look at what `info` says."""
    assert run(["info", str(path)]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines()[1:])) <= 80
    assert run(["info", str(path), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_info_about_a_cloud(folder, capsys):
    facts = info(folder / "scan.npz", capsys)
    assert (facts["kind"], facts["points"], facts["attributes"]) == ("point cloud", 5000, ["normals"])
    assert facts["diagonal"] == pytest.approx(2 * (2 * (LARGE + SMALL) ** 2 + SMALL**2) ** 0.5, rel=0.01)
    # the mean distance to the nearest of n random points on an area a is sqrt(a / n) / 2
    assert facts["spacing"] == pytest.approx((4 * np.pi**2 * LARGE * SMALL / 5000) ** 0.5 / 2, rel=0.2)


def test_info_about_a_mesh(folder, capsys):
    facts = info(folder / "scan_surface.ply", capsys)
    assert (facts["kind"], facts["closed"], facts["boundary_edges"]) == ("mesh", True, 0)


def test_the_model_of_a_surface_is_not_rendered(folder, capsys):
    assert run(["render", str(folder / "field.sasnet"), "-o", str(folder / "picture.png")]) == 3
    assert "field.sasnet: the model of a surface: use sasnet-sdf extract or query" in capsys.readouterr().err


def test_info_about_a_model(folder, capsys):
    facts = info(folder / "field.sasnet", capsys)
    assert facts["kind"] == "model"
    assert facts["parameters"] > 10_000
    assert facts["training"]["steps"] == 150
    np.testing.assert_allclose(facts["frame"]["center"], CENTER, atol=0.1)


def test_bad_inputs_leave_no_file(tmp_path, capsys):
    (tmp_path / "empty.ply").write_bytes(b"")
    np.savez(tmp_path / "few.npz", points=np.eye(3))
    np.savez(tmp_path / "same.npz", points=np.ones((100, 3)))
    before = set(tmp_path.iterdir())
    for name, code in (("missing.ply", 3), ("empty.ply", 3), ("few.npz", 4), ("same.npz", 4)):
        assert run(["reconstruct", str(tmp_path / name), *WORDS]) == code, name
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1
        assert name in err
    assert set(tmp_path.iterdir()) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to whole consoles only")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_real_signal_during_training_keeps_the_surface(folder, number):
    output = folder / f"stopped_by_{number}.ply"
    words = [
        "reconstruct",
        str(folder / "scan.npz"),
        "-o",
        str(output),
        "--resolution",
        "64",
        "--device",
        "cpu",
    ]
    program = subprocess.Popen(
        [sys.executable, "-m", "sasnet_sdf", *words, "--steps", "1000000", "--progress", "plain"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout
    for line in program.stdout:
        if " training step " in line:
            program.send_signal(number)
            break
    _, told = program.communicate()
    assert program.returncode == 130
    assert "note: interrupted: training ended early" in told
    assert len(sasnet_sdf.read_geometry(output).faces) > 100


def test_doctor(capsys):
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert sasnet_sdf.__version__ in out
    for name in ("torch", "numba", "tinycudann", "open3d", "pymeshlab", "kernel cache"):
        assert name in out
    assert "<module" not in out
