"""Places that fail: folders that refuse or vanish, disks that are full, inputs that are gone."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import sasnet_sdf
from sasnet_sdf.cli.main import run
from sasnet_sdf.cli.progress import StopRequest

FIT = ["--preset", "fast", "--steps", "20", "--device", "cpu", "-q"]
SCAN = [*FIT, "--resolution", "32", "--set", "targets=2000", "--set", "width=16"]
SIGNAL = [*FIT, "--parameters", "3000"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A scan, an image, a volume, a surface, and models."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(0)
    points = rng.normal(size=(1500, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    np.savez(folder / "scan.npz", points=points, normals=points)
    np.save(folder / "volume.npy", rng.random((12, 11, 10)).astype(np.float32))
    x, y = np.mgrid[:20, :24]
    image = sasnet_sdf.fit_image(np.stack([x, y, x + y], 2).astype(np.uint8), parameters=3000, steps=5)
    image.save(folder / "image.sasnet")
    words = [str(folder / "image.sasnet"), "-o", str(folder / "image.png"), "-q"]
    assert run(["render", *words]) == 0
    made = ["-o", str(folder / "surface.ply"), "--save-model", str(folder / "scan.sasnet")]
    assert run(["reconstruct", str(folder / "scan.npz"), *made, *SCAN, "--steps", "100"]) == 0
    return folder


COMMANDS = {
    "reconstruct": ("scan.npz", "out.ply", SCAN),
    "fit-image": ("image.png", "out.sasnet", SIGNAL),
    "fit-volume": ("volume.npy", "out.sasnet", SIGNAL),
    "extract": ("scan.sasnet", "out.ply", ["--resolution", "24", "-q"]),
    "render": ("image.sasnet", "out.png", ["--scale", "8", "-q"]),
    "query": ("scan.sasnet", "out.csv", ["-q"]),
    "evaluate": ("surface.ply", "out.json", ["--samples", "300", "-q"]),
    "compare": ("scan.npz", "out", ["--models", "siren", "--budget", "parameters=2000,steps=20", "-q"]),
}
TRAINED = ("reconstruct", "fit-image", "fit-volume")


def command_line(name, inputs, folder):
    source, output, words = COMMANDS[name]
    more = {
        "query": [str(inputs / "scan.npz")],
        "evaluate": ["--reference", str(inputs / "surface.ply")],
        "compare": ["--preset", "fast", "--resolution", "24", "--set", "targets=2000"],
    }
    output = folder / output
    return [name, str(inputs / source), *more.get(name, []), "-o", str(output), *words], output


@pytest.fixture
def told(capsys):
    """Runs a command line that has to fail in one line, which it gives, with the exit code."""

    def called(words):
        capsys.readouterr()
        code = run(words)
        err = capsys.readouterr().err
        assert code and err.startswith("error: ") and len(err.splitlines()) == 1 and "bug" not in err, err
        return code, err

    return called


def _mounted(folder, options):
    if not sys.platform.startswith("linux") or not shutil.which("mount"):
        return False
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def full(tmp_path):
    """A disk that has no room for what a file holds, only for its name."""
    folder = tmp_path / "full"
    folder.mkdir()
    if not _mounted(folder, "size=64k"):
        pytest.skip("a small disk can be mounted by root on Linux only: sudo python -m pytest " + __file__)
    (folder / "earlier").write_bytes(b"whole" * 4000)
    with pytest.raises(OSError, match="No space"), (folder / "filler").open("wb", 0) as file:
        while file.write(bytes(4096)):
            pass
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def read_only(tmp_path):
    folder = tmp_path / "read only"
    folder.mkdir()
    folder.chmod(0o555)
    mounted = False
    try:
        (folder / "probe").touch()
        (folder / "probe").unlink()
        mounted = _mounted(folder, "ro")
        if not mounted:
            pytest.skip("this user may write everywhere: run the tests as another, without sudo")
    except PermissionError:
        pass
    yield folder
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)
    folder.chmod(0o755)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_read_only_folder_is_refused_before_the_work(name, inputs, read_only, told, at_training):
    at_training(lambda: pytest.fail("the work began"))
    words, output = command_line(name, inputs, read_only)
    code, line = told(words)
    assert code == 2 and str(output) in line and ("Read-only" in line or "denied" in line)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_an_error_and_harms_nothing(name, inputs, full, told, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    words, output = command_line(name, inputs, full)
    if name != "compare":
        (full / "earlier").rename(output)
        words.append("--overwrite")
    before = sorted(path for path in full.rglob("*") if path.is_file())
    code, line = told(words)
    assert code == (2 if name == "compare" and "cannot be made" in line else 1)
    assert str(output) in line and "No space left on device" in line
    assert sorted(path for path in full.rglob("*") if path.is_file()) == before
    if name != "compare":
        assert output.read_bytes() == b"whole" * 4000
    if name in TRAINED:
        elsewhere = Path(line.split("; it is in ")[1].removesuffix(" instead\n"))
        assert elsewhere.parent.parent == tmp_path and elsewhere.name == output.name
        if name == "reconstruct":
            assert len(sasnet_sdf.read_geometry(elsewhere).faces) > 100
        else:
            assert sasnet_sdf.FittedSignal.load(elsewhere).metadata["steps"] == 20


@pytest.mark.parametrize("place", ["read_only", "full"])
def test_checkpoints_that_cannot_be_kept_are_a_note(place, inputs, request, tmp_path):
    words, output = command_line("reconstruct", inputs, tmp_path)
    kept, report = request.getfixturevalue(place), tmp_path / "report.json"
    words += ["--checkpoint", str(kept), "--checkpoint-every", "0", "--report", str(report)]
    assert run(words) == 0 and output.exists()
    (note,) = [note for note in json.loads(report.read_text())["notes"] if "could not be kept" in note]
    assert str(kept) in note and any(word in note for word in ("Read-only", "denied", "No space left"))


@pytest.fixture
def at_training(monkeypatch):
    """Does something once the training has begun."""
    goes_on = StopRequest.goes_on

    def set_up(action):
        todo = [action]

        def watched(self, progress):
            if progress.stage == "training" and progress.step and todo:
                todo.pop()()
            return goes_on(self, progress)

        monkeypatch.setattr(StopRequest, "goes_on", watched)
        return todo

    return set_up


@pytest.mark.parametrize("name", TRAINED)
def test_results_whose_folder_vanished_are_written_elsewhere(
    name, inputs, tmp_path, told, at_training, monkeypatch
):
    temporary, folder = tmp_path / "temporary", tmp_path / "folder"
    temporary.mkdir()
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    words, output = command_line(name, inputs, folder)
    keep = ["--checkpoint", str(tmp_path / "kept"), "--report", str(folder / "report.json")]
    todo = at_training(lambda: folder.rmdir())
    code, line = told([*words, *keep])
    assert code == 2 and not todo
    assert f"{output}: there is no folder {folder}" in line
    assert f"{tmp_path / 'kept'} has the training: the same command with --resume" in line
    assert sorted(path.name for path in temporary.rglob("*.*")) == sorted([output.name, "report.json"])
    folder.mkdir()
    assert run([*words, *keep, "--resume"]) == 0
    notes = json.loads((folder / "report.json").read_text())["notes"]
    assert any(note.startswith("resumed after step 20") for note in notes)


@pytest.mark.parametrize("name", TRAINED)
def test_an_input_that_vanishes_once_it_was_read_does_not_matter(name, inputs, tmp_path, at_training):
    words, output = command_line(name, inputs, tmp_path)
    source = tmp_path / Path(words[1]).name
    shutil.copy(words[1], source)
    todo = at_training(source.unlink)
    assert run([name, str(source), *words[2:], "--report", str(tmp_path / "report.json")]) == 0
    assert output.exists() and not source.exists() and not todo


@pytest.mark.parametrize("name", COMMANDS)
def test_a_missing_input_is_an_error_of_one_line(name, inputs, tmp_path, told):
    words, output = command_line(name, inputs, tmp_path)
    words[1] = str(tmp_path / f"gone{Path(words[1]).suffix}")
    code, line = told(words)
    assert code == 3 and "gone" in line and not output.is_file()


def test_saving_that_fails_twice_is_an_error(tmp_path, monkeypatch):
    from sasnet_sdf.cli.outputs import Saver
    from sasnet_sdf.errors import SasnetError

    def write(path):
        raise SasnetError(f"{path}: cannot be written ({errno.ENOSPC})")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    saver, report = Saver(0.0), {"seconds": {"training": 1.0}, "peak_memory_bytes": 1}
    assert saver.save(write, tmp_path / "a.ply") is None
    assert saver.save(lambda path: 7, tmp_path / "b.ply") == 7
    with pytest.raises(SasnetError, match=r"a\.ply: cannot be written \(28\)$"):
        saver.finish(report, ["a.ply"], None, None)
    with pytest.raises(SasnetError, match="; here has the training: the same command with --resume"):
        saver.finish(report, ["a.ply"], None, "here")
    done = Saver(0.0).finish(report, ["info", "my scan.ply"], tmp_path / "r.json", "here")
    assert done == json.loads((tmp_path / "r.json").read_text())
    assert done["command"] == "sasnet-sdf info 'my scan.ply'"
    assert 0 <= done["seconds"]["write"] < done["seconds"]["total"]
