"""`sasnet-sdf reconstruct` around its pipeline: files, exit codes, Ctrl-C, the report."""

from __future__ import annotations

import json
import sys

import pytest

from sasnet_sdf.cli.main import run
from sasnet_sdf.errors import NoSurface, UnreadableInput
from sasnet_sdf.geometry import TriangleMesh
from sasnet_sdf.runtime.progress import Progress

TRAINING = Progress("training", 0.4, "", 4, 10, 0.01)
EXTRACTION = Progress("extraction", 0.5)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Every run is in a folder of its own that holds only the input."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my scan.xyz").write_text("0 0 0\n")
    return tmp_path


def files(folder) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"my scan.xyz"}


def test_the_default_output_lies_beside_the_input(pipeline, folder, capsys):
    assert run(["reconstruct", "my scan.xyz"]) == 0
    assert files(folder) == {"my scan_surface.ply"}
    out, err = capsys.readouterr()
    assert out == ""
    assert "surface of 4 vertices and 4 faces, closed" in err
    assert "wrote my scan_surface.ply" in err


def test_every_option_reaches_the_settings(pipeline):
    words = "--preset fast --resolution 64 --steps 7 --time-limit 9.5 --seed 3 --device cpu --engine torch"
    more = "--max-memory 4G --keep-components --faces 100 --trim 0.5 --colors off --carry a --carry b -q"
    more += " --normals file --max-points 5000 --classes 2,6 --crop -1,-2,0,4.5,5,1e3"
    assert run(["reconstruct", "my scan.xyz", *words.split(), *more.split()]) == 0
    config = pipeline.config
    assert (config["preset"], config["seed"], config["device"], config["engine"]) == (
        "fast",
        3,
        "cpu",
        "torch",
    )
    assert config["max_memory"] == 4 * 2**30
    assert (config["training"]["steps"], config["training"]["time_limit"]) == (7, 9.5)
    extraction = config["extraction"]
    assert (extraction["resolution"], extraction["faces"], extraction["keep_components"]) == (64, 100, True)
    assert (extraction["trim"], extraction["colors"], extraction["carry"]) == (0.5, "off", ("a", "b"))
    assert (config["supervision"]["normals"], config["max_points"]) == ("file", 5000)
    assert config["input"] == {"classes": (2, 6), "crop": (-1.0, -2.0, 0.0, 4.5, 5.0, 1000.0)}


@pytest.mark.parametrize("word", ["auto", "off"])
def test_trim_without_a_length(pipeline, word):
    assert run(["reconstruct", "my scan.xyz", "--trim", word, "--watertight", "-q"]) == 0
    assert pipeline.config["extraction"]["trim"] == word
    assert pipeline.config["extraction"]["watertight"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--trim 0", "trim must be auto, off, or a positive length, found '0'"),
        ("--trim some", "trim must be auto, off, or a positive length, found 'some'"),
        ("--trim nan", "trim must be auto, off, or a positive length, found 'nan'"),
        ("--trim 0.1 --watertight", "watertight closes what trim would open: give one of them"),
        ("--max-points 3", "max-points must lie between 10 and"),
        ("--classes 2,x", "classes must be numbers from 0 to 255, as 2,6, found '2,x'"),
        ("--classes 2,256", "classes must be numbers from 0 to 255, as 2,6, found '2,256'"),
        ("--crop 0,0,1,1", "crop must be six numbers, X0,Y0,Z0,X1,Y1,Z1, found '0,0,1,1'"),
        ("--crop 0,0,0,1,1,inf", "crop must be six numbers, X0,Y0,Z0,X1,Y1,Z1, found"),
        ("--set classes=2,256", "--set classes: classes must be numbers from 0 to 255"),
    ],
)
def test_values_out_of_range_are_refused_in_a_line(pipeline, capsys, words, told):
    assert run(["reconstruct", "my scan.xyz", *words.split()]) == 2
    err = capsys.readouterr().err
    assert told in err and len(err.splitlines()) == 1
    assert not pipeline.seen


def test_model_and_report(pipeline, folder):
    words = [
        "reconstruct",
        "my scan.xyz",
        "-o",
        "out.obj",
        "--save-model",
        "m.sasnet",
        "--report",
        "r.json",
        "-q",
    ]
    assert run(words) == 0
    assert files(folder) == {"out.obj", "m.sasnet", "r.json"}
    report = json.loads((folder / "r.json").read_text())
    assert report["command"] == (
        "sasnet-sdf reconstruct 'my scan.xyz' -o out.obj --save-model m.sasnet --report r.json -q"
    )
    seconds = report["seconds"]
    assert set(seconds) == {"read", "supervision", "training", "extraction", "write", "total"}
    assert 0 < seconds["write"] <= seconds["total"]
    assert report["interrupted"] is False
    assert report["notes"] == []


def test_quiet_is_silent(pipeline, capsys):
    assert run(["reconstruct", "my scan.xyz", "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_verbose_logs_what_was_chosen(pipeline, capsys):
    assert run(["reconstruct", "my scan.xyz", "-v", "--progress", "none"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[:4] == [
        "device cpu, engine numba, 2 threads, seed 0",
        "preset fast, model sasnet of 54,321 parameters, 10 steps on batches of 4,096",
        "1,000 of 1,200 points used, noise 0.0123, outside from sensors",
        "lattice of 64 x 32 x 16 cells of 0.25, resolution 64",
    ]
    assert lines[4].startswith("memory limit 4.0 GB, peak ")
    assert run(["reconstruct", "my scan.xyz", "--overwrite", "--progress", "none"]) == 0
    assert capsys.readouterr().err.startswith("surface of")  # -v is for one run


def test_plain_progress_is_alone_on_stdout(pipeline, capsys):
    assert run(["reconstruct", "my scan.xyz", "--progress", "plain"]) == 0
    out, err = capsys.readouterr()
    percents = [int(line.split(" ", 1)[0]) for line in out.splitlines()]
    assert percents == sorted(percents)
    assert out.splitlines()[-1] == "100 write my scan_surface.ply"
    assert err.startswith("surface of")


@pytest.mark.parametrize("name", ["out.ply", "m.sasnet", "r.json"])
def test_a_file_that_exists_is_kept_and_the_work_not_begun(pipeline, folder, capsys, name):
    (folder / name).write_text("mine")
    words = ["reconstruct", "my scan.xyz", "-o", "out.ply", "--save-model", "m.sasnet", "--report", "r.json"]
    assert run(words) == 2
    assert (folder / name).read_text() == "mine"
    assert files(folder) == {name}
    assert pipeline.seen == []
    err = capsys.readouterr().err
    assert name in err
    assert "--overwrite" in err
    assert len(err.splitlines()) == 1
    assert run([*words, "--overwrite", "-q"]) == 0
    assert (folder / name).read_bytes() != b"mine"


@pytest.mark.parametrize(
    "words",
    [
        ["-o", "no/such/folder/out.ply"],
        ["-o", "out.ply", "--report", "no/such/folder/r.json"],
        ["-o", "out.docx"],
        ["-o", "out"],
        ["-o", "my scan.xyz", "--overwrite"],
        ["-o", "out.ply", "--report", "out.ply"],
    ],
)
def test_outputs_that_cannot_be_written_are_refused_before_the_work(pipeline, folder, capsys, words):
    assert run(["reconstruct", "my scan.xyz", *words]) == 2
    assert files(folder) == set()
    assert pipeline.seen == []
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(("error", "code"), [(UnreadableInput("it is empty"), 3), (NoSurface("none"), 5)])
def test_a_failure_leaves_no_file(pipeline, folder, capsys, error, code):
    pipeline.error = error
    assert run(["reconstruct", "my scan.xyz", "--report", "r.json", "--progress", "none"]) == code
    assert files(folder) == set()
    assert capsys.readouterr().err == f"error: {error}\n"


def test_ctrl_c_during_training_writes_the_surface_so_far(pipeline, folder, capsys):
    pipeline.ctrl_c_after = [TRAINING]
    assert run(["reconstruct", "my scan.xyz", "--report", "r.json"]) == 130
    assert files(folder) == {"my scan_surface.ply", "r.json"}
    assert pipeline.seen[-2].step == 5  # the next report ended the training
    report = json.loads((folder / "r.json").read_text())
    assert report["interrupted"] is True
    assert "training ended early" in report["notes"][0]
    err = capsys.readouterr().err
    assert "stopping: the surface so far will be written" in err
    assert "note: interrupted: training ended early" in err


@pytest.mark.parametrize("when", [[Progress("supervision", 0.0)], [EXTRACTION], [TRAINING, EXTRACTION]])
def test_any_other_ctrl_c_writes_nothing(pipeline, folder, capsys, when):
    pipeline.ctrl_c_after = when
    assert run(["reconstruct", "my scan.xyz", "--progress", "none"]) == 130
    assert files(folder) == set()
    assert capsys.readouterr().err == "error: interrupted; nothing was written\n"


def test_ctrl_c_before_there_is_a_surface_is_an_interruption(pipeline, folder, capsys):
    pipeline.ctrl_c_after = [TRAINING]
    pipeline.error = NoSurface("no zero level set")
    assert run(["reconstruct", "my scan.xyz", "--progress", "none"]) == 130
    assert files(folder) == set()
    assert capsys.readouterr().err.startswith("error: interrupted before")


def test_ctrl_c_while_a_file_is_written_leaves_no_half_file(pipeline, folder, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    monkeypatch.setattr("pathlib.Path.replace", interrupted)
    assert run(["reconstruct", "my scan.xyz", "-q"]) == 130
    assert files(folder) == set()


def test_what_the_format_cannot_store_is_a_note(pipeline, folder, capsys, monkeypatch):
    save = TriangleMesh.save
    monkeypatch.setattr(TriangleMesh, "save", lambda *words: (*save(*words), "OUT cannot keep colors"))
    assert run(["reconstruct", "my scan.xyz", "--report", "r.json"]) == 0
    assert json.loads((folder / "r.json").read_text())["notes"] == ["OUT cannot keep colors"]
    assert "note: OUT cannot keep colors\n" in capsys.readouterr().err


@pytest.fixture
def several(folder, pipeline, monkeypatch):
    """Three more scans; the one named bad cannot be read."""
    for name in ("a.ply", "bad.ply", "c.ply"):
        (folder / name).touch()
    one = pipeline.surface_of_any

    def surface_of_any(source, *words):
        if source.stem == "bad":
            raise UnreadableInput(f"{source}: ends after 3 of 9 points")
        return one(source, *words)

    monkeypatch.setattr(sys.modules["sasnet_sdf.tiles.choice"], "surface_of_any", surface_of_any)
    return folder


def test_several_inputs_go_on_past_one_that_fails(several, capsys):
    words = ["a.ply", "bad.ply", "c.ply", "-o", "out", "--report", "out", "--save-model", "models"]
    assert run(["reconstruct", *words, "--progress", "none"]) == 3
    assert files(several / "out") == {"a_surface.ply", "a.json", "c_surface.ply", "c.json"}
    assert files(several / "models") == {"a.sasnet", "c.sasnet"}
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("a.ply  ") and lines[0].endswith("out/a_surface.ply")
    assert lines[1] == "bad.ply  failed: ends after 3 of 9 points"
    assert lines[-1] == "2 of 3 done, 1 failed"


def test_several_inputs_lie_beside_their_surfaces(several, capsys):
    assert run(["reconstruct", "a.ply", "c.ply", "--progress", "plain"]) == 0
    assert {"a_surface.ply", "c_surface.ply"} < files(several)
    percents = [int(line.split()[0]) for line in capsys.readouterr().out.splitlines()]
    assert percents == sorted(percents) and percents[-1] == 100


def test_several_inputs_are_checked_before_the_work(several, pipeline, capsys):
    (several / "c_surface.ply").touch()
    assert run(["reconstruct", "a.ply", "c.ply"]) == 2
    (several / "sub").mkdir()
    (several / "sub" / "a.ply").touch()
    assert run(["reconstruct", "a.ply", "sub/a.ply", "-o", "out"]) == 2
    assert "a.ply and sub/a.ply would both be written to out/a_surface.ply" in capsys.readouterr().err
    assert pipeline.seen == []


def test_ctrl_c_ends_several_inputs_at_the_one_that_was_trained(several, pipeline, capsys):
    pipeline.ctrl_c_after = [TRAINING]
    assert run(["reconstruct", "a.ply", "c.ply", "--progress", "none"]) == 130
    assert "c_surface.ply" not in files(several) and "a_surface.ply" in files(several)


def test_inputs_that_are_merged_are_one_job(several, pipeline, monkeypatch, capsys):
    given = []
    one = pipeline.surface_of_any
    module = sys.modules["sasnet_sdf.tiles.choice"]
    monkeypatch.setattr(
        module, "surface_of_any", lambda source, *words: given.append(source) or one(None, *words)
    )
    assert run(["reconstruct", "a.ply", "c.ply", "--merge", "--report", "r.json", "--progress", "none"]) == 0
    assert [[path.name for path in source] for source in given] == [["a.ply", "c.ply"]]
    assert files(several) == {"a.ply", "bad.ply", "c.ply", "a_merged_surface.ply", "r.json"}
    assert "wrote a_merged_surface.ply" in capsys.readouterr().err
    assert run(["reconstruct", "a.ply", "c.ply", "--merge", "-o", "c.ply", "--overwrite"]) == 2
    assert "c.ply is the input as well" in capsys.readouterr().err
    assert run(["reconstruct", "a.ply", "--merge", "-q"]) == 0
    assert given[-1].name == "a.ply" and "a_surface.ply" in files(several)


def test_the_output_taken_for_an_input(pipeline, capsys):
    assert run(["reconstruct", "my scan.xyz", "surface.ply"]) == 2
    assert (
        "surface.ply: no such file; if it is the mesh to write, put -o before it" in capsys.readouterr().err
    )
    assert not pipeline.seen


def test_missing_inputs_are_an_error_before_the_work(several, pipeline, capsys):
    assert run(["reconstruct", "a.ply", "b.ply", "c.ply", "d.ply"]) == 3
    assert "b.ply, d.ply: no such file" in capsys.readouterr().err
    assert not pipeline.seen


def test_one_input_into_a_folder(folder, pipeline):
    (folder / "out").mkdir()
    assert run(["reconstruct", "my scan.xyz", "-o", "out", "--format", "obj", "--report", "out", "-q"]) == 0
    assert files(folder / "out") == {"my scan_surface.obj", "my scan.json"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("a.ply c.ply -o out.ply", "out.ply: several inputs need a folder"),
        ("a.ply -o out.ply --format obj", "the extension of out.ply decides its format"),
    ],
)
def test_outputs_that_contradict_the_inputs(several, pipeline, words, told, capsys):
    assert run(["reconstruct", *words.split()]) == 2
    assert told in capsys.readouterr().err and not (several / "out.ply").exists()
