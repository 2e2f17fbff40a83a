"""A run that was stopped goes on to the bytes of one that was not; whatever happens to its folder."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

import sasnet_sdf
from sasnet_sdf.errors import UsageError
from sasnet_sdf.runtime.system import held_bytes

WORDS = {
    "preset": "fast",
    "steps": 120,
    "resolution": 48,
    "settings": ["targets=5000", "batch=500", "width=16"],
}


@pytest.fixture(scope="module")
def cloud():
    points = np.random.default_rng(0).normal(size=(2000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return sasnet_sdf.PointCloud(points, points)


@pytest.fixture(scope="module")
def whole(cloud):
    return sasnet_sdf.reconstruct(cloud, **WORDS)


def stopped_at(step):
    def on_progress(progress):
        return not (progress.step and progress.step >= step)

    return on_progress


def same(result, other):
    weights = [part.model.state_dict() for part in (result.field, other.field)]
    return all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0]) and np.array_equal(
        result.mesh.vertices, other.mesh.vertices
    )


def test_a_resumed_run_gives_the_same_bytes(cloud, whole, tmp_path):
    keep = {"checkpoint": tmp_path, "checkpoint_every": 0}
    first = sasnet_sdf.reconstruct(cloud, **WORDS, **keep, on_progress=stopped_at(60))
    assert first.report["interrupted"] and not same(first, whole)
    assert sorted(path.name[-12:] for path in tmp_path.iterdir()) == ["00040.sasnet", "00060.sasnet"]
    messages = []
    result = sasnet_sdf.reconstruct(
        cloud, **WORDS, **keep, resume=True, on_progress=lambda p: messages.append(p.message)
    )
    assert same(result, whole)
    note = f"resumed after step 60, from {tmp_path}"
    assert any(text.startswith(note) for text in result.report["notes"])
    assert any(text.startswith(note) for text in messages)
    assert result.report["training"]["steps"] == 120
    again = sasnet_sdf.reconstruct(cloud, **WORDS, **keep, resume=True)  # of a run that was done
    assert same(again, whole) and "resumed after step 120" in " ".join(again.report["notes"])


def test_where_the_surface_is_refused_the_training_is_kept_for_another_resolution(
    cloud, whole, tmp_path, monkeypatch
):
    """The trained surface is larger than the data told: here by a limit that comes down meanwhile."""
    keep = {"checkpoint": tmp_path, "checkpoint_every": 0, "max_memory": 8 << 30}
    module = "sasnet_sdf.problems.reconstruct"
    surface_of = sys.modules[module].surface_of

    def within_less(field, config, memory, data):
        return surface_of(field, config, replace(memory, limit=held_bytes() + (36 << 20)), data)

    monkeypatch.setattr(f"{module}.surface_of", within_less)
    with pytest.raises(UsageError, match=r"extraction at resolution 256 .* resolution [0-9]+ would fit"):
        sasnet_sdf.reconstruct(cloud, **{**WORDS, "resolution": 256}, **keep)
    monkeypatch.undo()
    result = sasnet_sdf.reconstruct(cloud, **WORDS, **keep, resume=True)
    assert same(result, whole)
    assert any("resumed after step 120" in text for text in result.report["notes"])


def test_a_run_that_cannot_be_resumed_starts_again_and_says_so(cloud, whole, tmp_path):
    keep = {"checkpoint": tmp_path / "new", "resume": True, "checkpoint_every": 0}
    result = sasnet_sdf.reconstruct(cloud, **WORDS, **keep)
    assert same(result, whole)
    assert result.report["notes"][-1].startswith("nothing of this run to resume in ")
    # another seed is another run, and leaves the first one's files alone
    names = {path.name for path in (tmp_path / "new").iterdir()}
    other = sasnet_sdf.reconstruct(cloud, **WORDS, seed=1, **keep)
    assert other.report["notes"][-1].startswith("nothing of this run to resume in ")
    moved = replace(cloud, points=cloud.points * [1, 1, 1.01])
    other = sasnet_sdf.reconstruct(moved, **WORDS, **keep)
    assert other.report["notes"][-1].startswith("nothing of this run to resume in ")
    assert names < {path.name for path in (tmp_path / "new").iterdir()}


@pytest.mark.parametrize("harm", ["cut", "empty", "text", "other run", "not a number"])
def test_a_damaged_checkpoint_is_passed_over(cloud, whole, tmp_path, harm):
    keep = {"checkpoint": tmp_path, "checkpoint_every": 0}
    sasnet_sdf.reconstruct(cloud, **WORDS, **keep, on_progress=stopped_at(60))
    before, last = sorted(tmp_path.iterdir())
    content = last.read_bytes()
    if harm == "cut":
        last.write_bytes(content[: len(content) // 2])
    elif harm == "empty":
        last.write_bytes(b"")
    elif harm == "text":
        last.write_text("no checkpoint")
    elif harm == "other run":
        last.write_bytes(content.replace(last.name[:16].encode(), b"0" * 16))
    else:
        last.write_bytes(content[:-4] + np.float32(np.nan).tobytes())
    result = sasnet_sdf.reconstruct(cloud, **WORDS, **keep, resume=True)
    notes = result.report["notes"]
    assert any("a checkpoint cannot be used" in note and str(last) in note for note in notes)
    assert any(str(before) in note and "resumed after step 40" in note for note in notes)
    assert same(result, whole)


def test_a_full_disk_does_not_end_the_training(cloud, whole, tmp_path, monkeypatch):
    from sasnet_sdf.training import checkpoints

    def full(path, *_):
        raise sasnet_sdf.SasnetError(f"{path}: cannot be written (No space left on device)")

    monkeypatch.setattr(checkpoints, "write_model", full)
    result = sasnet_sdf.reconstruct(cloud, **WORDS, checkpoint=tmp_path, checkpoint_every=0)
    assert same(result, whole)
    assert sum("No space left on device" in note for note in result.report["notes"]) == 1


def test_fits_of_images_are_resumed_too(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (24, 20, 3), np.uint8)
    words = {"parameters": 3000, "steps": 100, "batch": 200}
    whole = sasnet_sdf.fit_image(image, **words)
    keep = {"checkpoint": tmp_path, "checkpoint_every": 0}
    sasnet_sdf.fit_image(image, **words, **keep, on_progress=stopped_at(60))
    resumed = sasnet_sdf.fit_image(image, **words, **keep, resume=True)
    assert np.array_equal(resumed.render().values, whole.render().values)
    assert any(note.startswith("resumed after step 60") for note in resumed.report["notes"])


def test_settings_are_checked(cloud, tmp_path):
    with pytest.raises(UsageError, match="name it with checkpoint"):
        sasnet_sdf.reconstruct(cloud, resume=True)
    with pytest.raises(UsageError, match="checkpoint-every must be at least 0, found -1"):
        sasnet_sdf.reconstruct(cloud, checkpoint=tmp_path, checkpoint_every=-1)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be made"):
        sasnet_sdf.reconstruct(cloud, **WORDS, checkpoint=tmp_path / "file" / "folder")
