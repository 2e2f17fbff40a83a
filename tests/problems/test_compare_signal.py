"""Comparisons on an image and on a volume, stopped and gone on with."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from sasnet_sdf import FittedSignal, compare
from sasnet_sdf.errors import Interrupted, UsageError
from sasnet_sdf.metrics.signals import signal_figures

SMALL = {"budget": "parameters=3000,steps=30,batch=512", "device": "cpu"}
WORDS = ("sasnet", "siren:omega0=10:rate=1e-3", "tuner:rate=1e-3")


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("picture") / "picture.png"
    y, x = np.mgrid[:40, :56]
    values = np.stack([4 * x, 6 * y, 127 + 100 * np.sin(x / 5)], -1).astype(np.uint8)
    Image.fromarray(values).save(path)
    return path


@pytest.fixture(scope="module")
def compared(picture, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    return folder, compare(picture, folder, models=WORDS, **SMALL)


def test_every_model_has_its_figures(compared, picture):
    folder, numbers = compared
    assert numbers["run"]["kind"] == "image" and [row["model"] for row in numbers["rows"]] == list(WORDS)
    with Image.open(picture) as image:
        original = np.asarray(image)
    for row in numbers["rows"]:
        assert row["parameters"] == pytest.approx(3000, rel=0.05) and row["steps"] == 30
        fitted = FittedSignal.load(folder / row["field"], device="cpu")
        fit = fitted.at_samples((0, 0), original.shape[:2])
        found = signal_figures(fit, original.astype(np.float32), 255.0)
        assert row["psnr"] == pytest.approx(found["psnr"]) and row["noisiness"] == found["noisiness"]
    assert numbers["rows"][0]["engine"] == "compiled"


def test_tables_and_pictures(compared):
    folder, numbers = compared
    for name in ("renders", "errors", "masks"):
        assert (folder / f"{name}.png").stat().st_size > 1000
    text = (folder / "results.md").read_text()
    assert "| PSNR |" in text and "error" not in text.splitlines()[0] and "PSNR in dB" in text
    best = max(row["psnr"] for row in numbers["rows"])
    assert f"**{best:.2f}**" in text


def test_it_goes_on_where_it_stopped(picture, tmp_path):
    def stop(progress):
        return not (progress.label == WORDS[1] and progress.step)

    with pytest.raises(Interrupted, match="keeps the finished models"):
        compare(picture, tmp_path, models=WORDS, on_progress=stop, **SMALL)
    before = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert [row["model"] for row in before] == ["sasnet"]
    rows = compare(picture, tmp_path, models=WORDS, **SMALL)["rows"]
    assert [row["model"] for row in rows] == list(WORDS) and rows[0] == before[0]


def test_a_volume_and_what_is_of_surfaces(tmp_path):
    index = np.stack(np.mgrid[:12, :14, :16], -1)
    volume = np.exp(-(((index - 6) / 4) ** 2).sum(-1)).astype(np.float32)
    np.savez(tmp_path / "v.npz", volume=volume, spacing=np.ones(3))
    words = ["sasnet", "supervision", "poisson"]
    numbers = compare(tmp_path / "v.npz", tmp_path / "out", models=words, **SMALL)
    (row,) = numbers["rows"]
    assert row["psnr"] > 10 and numbers["run"]["kind"] == "volume"
    assert "left out: supervision, poisson (for surfaces only, and the input is a volume)" in numbers["notes"]


@pytest.mark.parametrize("word", [{"reference": "x.png"}, {"resolution": 64}, {"settings": ["targets=9999"]}])
def test_what_only_surfaces_have_is_refused(picture, tmp_path, word):
    with pytest.raises(UsageError, match=f"image or a volume has no {next(iter(word))}"):
        compare(picture, tmp_path, models=["sasnet"], **SMALL, **word)
