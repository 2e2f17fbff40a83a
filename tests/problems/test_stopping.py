"""A run tells where it is in every stage, and stops where its callback says so."""

from __future__ import annotations

import signal
import threading

import numpy as np
import pytest

import sasnet_sdf
from sasnet_sdf import Interrupted, PointCloud, Progress
from sasnet_sdf.cli.main import run
from sasnet_sdf.cli.progress import StopRequest

WORDS = {"preset": "fast", "steps": 60, "resolution": 32, "device": "cpu"}

MESSAGES = {
    "read": ["reading", "checking"],
    "supervision": [
        "merging equal points",
        "finding neighbors",
        "finding outliers",
        "measuring the noise",
        "denoising",
        "orienting normals",
        "separating inside from outside",
        "drawing targets",
    ],
    "training": ["compiling kernels, once a machine", ""],
    "extraction": [
        "sampling the field",
        "sampling the field near its surface",
        "marching cubes",
        "moving vertices onto the surface",
        "trimming",
        "counting edges",
        "carrying colors over",
    ],
}
"""What a run of a noisy cloud says, stage by stage, in the order in which it begins."""

PLACES = [(stage, message) for stage, messages in MESSAGES.items() for message in messages]


@pytest.fixture(scope="module")
def cloud():
    """A noisy torus without normals, some points far off."""
    rng = np.random.default_rng(0)
    u, v = rng.uniform(0, 2 * np.pi, (2, 3000))
    ring = np.stack([np.cos(u), np.sin(u), np.zeros_like(u)], 1)
    points = ring + 0.4 * (ring * np.cos(v)[:, None] + np.sin(v)[:, None] * [0, 0, 1])
    points += rng.normal(0, 0.02, points.shape)
    points[:20] = rng.uniform(-1.5, 1.5, (20, 3))
    return PointCloud(points, colors=np.full((3000, 3), 90, np.uint8))


@pytest.fixture(scope="module")
def whole(cloud):
    reports: list[Progress] = []
    return sasnet_sdf.reconstruct(cloud, **WORDS, on_progress=reports.append), reports


def test_every_stage_tells_where_it_is(whole):
    _, reports = whole
    stages = [report.stage for report in reports]
    assert list(dict.fromkeys(stages)) == list(MESSAGES)
    assert stages == sorted(stages, key=list(MESSAGES).index)
    for name, messages in MESSAGES.items():
        own = [report for report in reports if report.stage == name]
        fractions = [report.fraction for report in own]
        assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
        begun = list(dict.fromkeys(report.message for report in own))
        assert [message for message in begun if message in messages] == messages
    totals = [report.total for report in reports]
    assert totals == sorted(totals) and 0.9 < totals[-1] < 1


@pytest.mark.parametrize("place", [place for place in PLACES if place[0] != "training"])
def test_false_stops_it_at_once_and_leaves_nothing(cloud, place):
    threads, asked = set(threading.enumerate()), []

    def stop(report: Progress) -> bool:
        if (report.stage, report.message) == place:
            asked.append(report)
        return not asked

    with pytest.raises(Interrupted) as raised:
        sasnet_sdf.reconstruct(cloud, **WORDS, on_progress=stop)
    assert len(asked) == 1  # it is not asked again
    assert raised.value.exit_code == 130
    left = set(threading.enumerate()) - threads
    assert not [thread for thread in left if not thread.name.startswith("sasnet-sdf")]


def test_a_run_after_one_that_was_stopped_is_as_any(cloud, whole):
    with pytest.raises(Interrupted):
        sasnet_sdf.reconstruct(cloud, **WORDS, on_progress=lambda report: report.message != "denoising")
    mesh = sasnet_sdf.reconstruct(cloud, **WORDS).mesh
    np.testing.assert_array_equal(mesh.vertices, whole[0].mesh.vertices)
    np.testing.assert_array_equal(mesh.faces, whole[0].mesh.faces)


def test_false_in_training_alone_gives_the_surface_so_far(cloud):
    result = sasnet_sdf.reconstruct(
        cloud, **WORDS, on_progress=lambda report: report.stage != "training" or report.step != 40
    )
    assert result.report["interrupted"] and result.report["training"]["steps"] == 40
    assert len(result.mesh.faces) > 100


def test_false_from_training_on_stops_the_run(cloud):
    """Who wants no surface goes on saying no."""
    stages = []

    def stop(report: Progress) -> bool:
        stages.append(report.stage)
        return report.stage in ("read", "supervision")

    with pytest.raises(Interrupted):
        sasnet_sdf.reconstruct(cloud, **WORDS, on_progress=stop)
    assert stages.count("extraction") == 1


@pytest.mark.parametrize(
    "place", [("supervision", "denoising"), ("training", ""), ("extraction", "trimming")]
)
def test_what_the_callback_raises_ends_the_run(cloud, place):
    def fails(report: Progress) -> None:
        if (report.stage, report.message) == place:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sasnet_sdf.reconstruct(cloud, **WORDS, on_progress=fails)


@pytest.mark.parametrize("place", [*PLACES, ("write", "")])
def test_ctrl_c_on_the_command_line(cloud, tmp_path, monkeypatch, capsys, place):
    """In training it ends the training; anywhere else nothing is written."""
    np.savez(tmp_path / "cloud.npz", points=cloud.points, colors=cloud.colors)
    pressed, goes_on = [], StopRequest.goes_on

    def watched(self: StopRequest, report: Progress) -> bool:
        answer = goes_on(self, report)
        if (report.stage, report.message) == place and not pressed:
            pressed.append(report)
            signal.raise_signal(signal.SIGINT)
        return answer

    monkeypatch.setattr(StopRequest, "goes_on", watched)
    words = ["reconstruct", str(tmp_path / "cloud.npz"), "-o", str(tmp_path / "out.ply"), "--preset", "fast"]
    assert run([*words, "--steps", "60", "--resolution", "32", "--device", "cpu"]) == 130
    assert pressed
    written = {path.name for path in tmp_path.iterdir()} - {"cloud.npz"}
    assert written == ({"out.ply"} if place[0] == "training" else set())
    assert "interrupted" in capsys.readouterr().err


def test_a_surface_that_is_extracted_again(whole):
    field, reports = whole[0].field, []
    sasnet_sdf.extract(field, resolution=48, on_progress=reports.append)
    assert {report.stage for report in reports} == {"extraction"} and reports[-1].fraction == 1
    with pytest.raises(Interrupted):
        sasnet_sdf.extract(field, resolution=48, on_progress=lambda report: report.fraction < 0.5)
    with pytest.raises(Interrupted):
        sasnet_sdf.extract(field, faces=300, on_progress=lambda report: report.message != "decimating")


def test_an_image():
    picture = np.random.default_rng(0).integers(0, 255, (24, 32), np.uint8)
    reports: list[Progress] = []
    fitted = sasnet_sdf.fit_image(picture, steps=40, on_progress=reports.append)
    assert list(dict.fromkeys(report.stage for report in reports)) == ["read", "training", "evaluation"]
    with pytest.raises(Interrupted):
        sasnet_sdf.fit_image(picture, steps=40, on_progress=lambda report: report.stage != "evaluation")
    with pytest.raises(Interrupted):
        fitted.render(scale=2, on_progress=lambda report: False)
