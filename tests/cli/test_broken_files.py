"""Malformed and awkward files through the commands: a result, or one line that says what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from sasnet_sdf.cli.main import run
from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.io import read_geometry
from sasnet_sdf.io.formats import extensions, suffix_of

READABLE = extensions("cloud", "mesh")
IMAGES, VOLUMES = extensions("image"), extensions("volume")

TINY = ["--steps", "5", "--engine", "torch", "--device", "cpu", "--overwrite", "-q"]
SMALL = ["--preset", "fast", "--resolution", "24", "--set", "targets=2000", "--set", "training.batch=256"]
SECONDS = 60


@pytest.fixture(scope="module")
def folder(data_dir):
    return data_dir / "broken"


@pytest.fixture(scope="module")
def files(folder):
    found = [path for path in sorted(folder.iterdir()) if path.suffix != ".tsv"]
    assert len(found) > 90
    return found


@pytest.fixture(scope="module")
def expected(folder):
    lines = (folder / "EXPECT_public.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return dict(line.split("\t") for line in lines)


@pytest.fixture
def command(capsys):
    """Runs a command line: its exit code, its output, and its error where it has one."""

    def called(*words):
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        errors = [line for line in err.splitlines() if line.startswith("error: ")]
        told = f"{words}: {code}\n{err}"
        assert code in (0, 2, 3, 4, 5, 6) and len(errors) == (code != 0), told
        assert "Traceback" not in err and "Warning" not in err and "bug" not in err, told
        return code, out, errors[0] if errors else ""

    return called


def finite(word):
    raise AssertionError(f"{word} in JSON")


def test_info(command, files):
    codes = set()
    for path in files:
        code, out, error = command("info", path, "--json")
        codes.add(code)
        if code == 0:
            assert json.loads(out, parse_constant=finite)["file"] == str(path)
        else:
            assert path.name in error or code == 6
    assert {0, 3, 4} <= codes


def test_evaluate(command, files, folder):
    sphere, measured = folder / "trimesh_sphere.ply", 0
    for path in files:
        for pair in ((path, sphere), (sphere, path)):
            code, out, error = command(
                "evaluate", pair[0], "--reference", pair[1], "--samples", 200, "--json"
            )
            assert code == 0 or path.name in error or code == 6, path
            if code == 0:
                measured += 1
                json.loads(out, parse_constant=finite)
    assert measured > 40


def test_images_and_volumes(command, files, expected, tmp_path):
    fitted = 0
    for path in files:
        for kind, suffixes in (("image", IMAGES), ("volume", VOLUMES)):
            if suffix_of(path) not in suffixes:
                continue
            model = tmp_path / "model.sasnet"
            code, _, error = command(f"fit-{kind}", path, "-o", model, *TINY)
            assert code == 0 or path.name in error or code == 4, path
            told = expected.get(path.name, "")
            assert code in (3, 4) or not told.startswith("fail"), path
            assert code == 0 or "points" in told or not told.startswith(("load;", "fit")), path
            if code == 0:
                fitted += 1
                output = tmp_path / ("out.npy" if kind == "volume" else "out.tif")
                assert command("render", model, "-o", output, "--overwrite", "-q")[0] == 0
    assert fitted >= 9


def _reconstructed(command, path, tmp_path):
    output = tmp_path / "surface.ply"
    output.unlink(missing_ok=True)
    code, _, error = command("reconstruct", path, "-o", output, "--max-memory", "4G", *SMALL, *TINY)
    assert output.exists() == (code == 0)
    assert code in (0, 5, 6) or path.name in error, path
    if code == 0:
        mesh = read_geometry(output)
        assert not isinstance(mesh, PointCloud) and np.isfinite(mesh.vertices).all()
    return code


def test_what_cannot_be_reconstructed(command, folder, expected, tmp_path):
    failing = [name for name, told in expected.items() if told.startswith(("fail", "clear failure"))]
    failing = [name for name in failing if name.endswith(READABLE)]
    assert len(failing) >= 14
    for name in failing:
        assert _reconstructed(command, folder / name, tmp_path) in (3, 4), name


def test_what_cannot_be_compared(command, folder, expected, tmp_path):
    """As input, and beside an input that is whole."""
    words = ["--models", "siren", "--budget", "parameters=500,steps=1,batch=64", "--device", "cpu", "-q"]
    surfaces = ["--preset", "fast", "--resolution", "16", "--set", "targets=500"]
    failing = [name for name, told in expected.items() if told == "clear failure" or told.startswith("fail")]
    failing = [name for name in failing if suffix_of(name) in (*READABLE, *IMAGES, *VOLUMES)]
    assert len(failing) >= 18
    for name in failing:
        more = surfaces if name.endswith(READABLE) and "volume" not in name else []
        code, _, error = command("compare", folder / name, "-o", tmp_path / "results", *words, *more)
        assert code in (3, 4) and name in error, name
    code, _, error = command(
        *("compare", folder / "ok_plain.ply", "--reference", folder / "bad_count_2e9.ply"),
        *("-o", tmp_path / "results", *words),
    )
    assert code == 3 and "bad_count_2e9.ply" in error
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.slow
def test_reconstruct(command, files, tmp_path):
    codes = [_reconstructed(command, path, tmp_path) for path in files if path.suffix.lower() in READABLE]
    assert codes.count(0) > 25


def test_models_and_other_files_are_not_taken_for_each_other(command, files, tmp_path):
    for path in files:
        for words in (
            ("render", path, "-o", tmp_path / "a.png"),
            ("extract", path, "-o", tmp_path / "a.ply"),
            ("query", path, path, "-o", tmp_path / "a.csv"),
        ):
            code, _, error = command(*words)
            assert code == 3 and path.name in error


@pytest.mark.parametrize(
    "words, name, code, told",
    [
        (["reconstruct"], "bad_truncated_binary.ply", 3, "holds 826 of the 2000 vertices"),
        (["fit-image"], "bad_truncated.png", 3, "truncated"),
    ],
)
def test_processes(folder, tmp_path, words, name, code, told):
    output = (
        []
        if words == ["info"]
        else ["-o", str(tmp_path / ("a.ply" if words == ["reconstruct"] else "a.sasnet"))]
    )
    done = subprocess.run(
        [sys.executable, "-m", "sasnet_sdf", *words, str(folder / name), *output],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == code and told in done.stderr
    assert done.stderr.count("\n") <= 2 and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
