"""The scratch folder: what it keeps, and when it is deleted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sasnet_sdf.errors import Interrupted, NoSurface, UsageError
from sasnet_sdf.tiles.scratch import Scratch, of_run, scratch_folder


def test_a_result_is_worked_out_once(tmp_path: Path):
    calls: list[int] = []

    def work() -> dict[str, int]:
        calls.append(1)
        return {"points": 3}

    scratch = Scratch(tmp_path)
    facts = scratch.once("clean", 5, work)
    assert facts["points"] == 3 and facts["peak_memory_bytes"] > 1 << 20
    assert scratch.once("clean", 5, work) == facts
    assert len(calls) == 1
    assert [path.name for path in (tmp_path / "clean").iterdir()] == ["000005.json"]


def test_a_lost_result_is_worked_out_again(tmp_path: Path):
    scratch, calls = Scratch(tmp_path), []

    def work() -> dict[str, int]:
        calls.append(1)
        for kind in ("mesh", "seam"):
            scratch.save(kind, 2, rows=np.arange(3))
        return {"faces": 1}

    for kind in ("mesh", "seam", "mesh"):
        assert scratch.once("mesh", 2, work, also=["seam"])["faces"] == 1
        scratch.path(kind, 2, "npz").unlink()
    scratch.once("mesh", 2, work, also=["seam"])
    scratch.once("mesh", 2, work, also=["seam"])
    assert len(calls) == 4


def test_arrays_come_back_and_missing_ones_are_named(tmp_path: Path):
    scratch = Scratch(tmp_path)
    scratch.save("mesh", 1, vertices=np.arange(6.0).reshape(2, 3))
    assert list(scratch.load("mesh", 1)) == ["vertices"]
    np.testing.assert_array_equal(scratch.load("mesh", 1)["vertices"], [[0, 1, 2], [3, 4, 5]])
    with pytest.raises(UsageError, match=r"000002\.npz: a scratch file is missing or damaged .*: delete it"):
        scratch.load("mesh", 2)


@pytest.mark.parametrize("there", [False, True])
def test_the_folder_is_deleted_at_the_end(tmp_path: Path, there: bool):
    """One that a run only filled stays, empty."""
    folder = tmp_path / "scratch"
    if there:
        folder.mkdir()
    with scratch_folder(folder, resume=False, keep=False) as (scratch, _):
        scratch.save("clean", 0, points=np.zeros(3))
    assert folder.exists() == there
    assert not there or not list(folder.iterdir())


def test_a_temporary_folder_is_deleted():
    with scratch_folder(None, resume=False, keep=False) as (scratch, _):
        assert scratch.folder.is_dir()
    assert not scratch.folder.exists()


def test_a_resumed_run_that_fails_keeps_what_an_earlier_one_did(tmp_path: Path):
    with scratch_folder(tmp_path / "scratch", resume=False, keep=True) as (scratch, _):
        of_run(scratch, {"steps": 1}).save("field", 0, points=np.zeros(3))
    with (
        pytest.raises(UsageError, match=r"^no scheduler; .*scratch keeps the finished work: run again"),
        scratch_folder(tmp_path / "scratch", resume=True, keep=False),
    ):
        raise UsageError("no scheduler")
    # without a surface, the same again would fail the same way
    with (
        pytest.raises(NoSurface, match=r"^nothing there$"),
        scratch_folder(tmp_path / "scratch", resume=True, keep=False),
    ):
        raise NoSurface("nothing there")
    assert not (tmp_path / "scratch").exists()


def test_facts_that_were_cut_off_are_worked_out_again(tmp_path: Path):
    scratch = Scratch(tmp_path)
    scratch.once("clean", 0, lambda: {"points": 3})
    scratch.path("clean", 0, "json").write_text("")
    assert scratch.once("clean", 0, lambda: {"points": 4})["points"] == 4


@pytest.mark.parametrize("worth", [False, True])
def test_an_error_leaves_only_what_is_worth_keeping(tmp_path: Path, worth: bool):
    folder = tmp_path / "scratch"
    with (
        pytest.raises(UsageError) as caught,
        scratch_folder(folder, resume=False, keep=False) as (scratch, kept),
    ):
        scratch.save("field", 0, points=np.zeros(3))
        kept.worth = worth
        raise UsageError("the disk is full")
    assert ("run again with --resume" in str(caught.value)) == folder.exists() == worth


def test_ctrl_c_says_how_to_go_on_and_a_resumed_run_deletes_the_folder(tmp_path: Path):
    folder = tmp_path / "scratch"
    with (
        pytest.raises(Interrupted, match=r"keeps the finished work: run again with --resume"),
        scratch_folder(folder, resume=False, keep=False) as (scratch, kept),
    ):
        scratch.save("field", 0, points=np.zeros(3))
        kept.worth = True
        raise KeyboardInterrupt
    with scratch_folder(folder, resume=True, keep=False) as (scratch, _):
        assert list(scratch.load("field", 0)) == ["points"]
    assert not folder.exists()


def test_without_resume_what_an_earlier_run_left_is_deleted(tmp_path: Path):
    folder = tmp_path / "scratch"
    with scratch_folder(folder, resume=False, keep=True) as (scratch, _):
        scratch.save("field", 0, points=np.zeros(3))
    with scratch_folder(folder, resume=False, keep=True) as (scratch, _):
        assert not scratch.path("field", 0, "npz").exists()


def test_a_folder_with_other_files_is_refused(tmp_path: Path):
    (tmp_path / "letter.txt").write_text("dear")
    with (
        pytest.raises(UsageError, match=r"is not empty and is not a scratch folder"),
        scratch_folder(tmp_path, resume=False, keep=False),
    ):
        pass
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UsageError, match=r"cannot be used as a scratch folder .*--scratch"),
        scratch_folder(tmp_path / "file" / "scratch", resume=False, keep=False),
    ):
        pass
