"""fit-image, fit-volume and render as a user runs them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import sasnet_sdf
from sasnet_sdf.cli.main import run

FIT = ["--steps", "60", "--batch", "1024", "--parameters", "3000", "--device", "cpu", "-q"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An image and a volume, and the models of them."""
    folder = tmp_path_factory.mktemp("signals")
    y, x = np.mgrid[:32, :40]
    picture = np.stack([6 * x, 7 * y, 127 + 100 * np.sin(x / 5)], -1).astype(np.uint8)
    Image.fromarray(picture).save(folder / "picture.png")
    index = np.stack(np.mgrid[:16, :18, :20], -1)
    volume = np.exp(-(((index - [7.5, 8.5, 9.5]) / 6) ** 2).sum(-1)).astype(np.float32)
    np.savez(folder / "volume.npz", volume=volume, spacing=np.array([2.0, 1.0, 1.5]))
    words = ["--report", str(folder / "picture.json"), "--pictures", str(folder / "pictures")]
    assert run(["fit-image", str(folder / "picture.png"), *FIT, *words]) == 0
    fine = [*FIT, "--steps", "300"]
    model = str(folder / "model.sasnet")
    assert run(["fit-volume", str(folder / "volume.npz"), "-o", model, *fine]) == 0
    return folder


def test_the_report(folder):
    report = json.loads((folder / "picture.json").read_text())
    assert report["metrics"]["psnr"] > 20 and set(report["metrics"]) == {
        *("psnr", "ssim", "psnr_edge", "noisiness")
    }
    assert report["bits_per_sample"]["model"] == pytest.approx(
        8 * (folder / "picture.sasnet").stat().st_size / (32 * 40)
    )
    assert report["bits_per_sample"]["png"] > 1 and report["training"]["steps"] == 60
    assert report["command"].startswith("sasnet-sdf fit-image") and not report["interrupted"]
    assert report["settings"]["model"]["name"] == "sasnet"
    for name in ("error", "masks"):
        assert (folder / "pictures" / f"{name}.png").stat().st_size > 1000


def opened(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_rendered_images(folder, tmp_path):
    model = str(folder / "picture.sasnet")
    assert run(["render", model, "-o", str(tmp_path / "same.png"), "-q"]) == 0
    again = sasnet_sdf.FittedSignal.load(model, device="cpu").render()
    assert np.array_equal(opened(tmp_path / "same.png"), again.values)
    words = ["--scale", "16", "--region", "10,4,20,12", "-q"]
    assert run(["render", model, "-o", str(tmp_path / "large.tif"), *words]) == 0
    assert opened(tmp_path / "large.tif").shape == (128, 160, 3)
    words = ["--size", "100x50", "--shift", "0.5,-0.25", "-q"]
    assert run(["render", model, "-o", str(tmp_path / "wide.jpg"), *words]) == 0
    # shifted by half a pixel of 40, of 100 samples the last one's center leaves the domain
    assert opened(tmp_path / "wide.jpg").shape == (50, 99, 3)


def test_rendered_volumes_keep_their_spacing(folder, tmp_path):
    words = ["--scale", "2", "-q"]
    assert run(["render", str(folder / "model.sasnet"), "-o", str(tmp_path / "v.npz"), *words]) == 0
    with np.load(tmp_path / "v.npz") as found:
        assert found["volume"].shape == (32, 36, 40) and found["volume"].dtype == np.float32
        assert np.allclose(found["spacing"], [1.0, 0.5, 0.75])


def test_an_isosurface_is_a_mesh_in_the_volumes_world(folder, tmp_path):
    words = ["--isosurface", "0.5", "-q"]
    assert run(["render", str(folder / "model.sasnet"), "-o", str(tmp_path / "s.ply"), *words]) == 0
    mesh = sasnet_sdf.read_geometry(tmp_path / "s.ply")
    out = (mesh.vertices - [15.0, 8.5, 14.25]) / [2.0, 1.0, 1.5]
    assert np.linalg.norm(out, axis=1).mean() == pytest.approx(6 * np.sqrt(np.log(2)), rel=0.05)


def test_the_summary_of_a_fit(folder, tmp_path, capsys):
    words = [word for word in FIT if word != "-q"]
    output = str(tmp_path / "m.sasnet")
    assert run(["fit-image", str(folder / "picture.png"), "-o", output, *words, "--progress", "none"]) == 0
    said = capsys.readouterr().err
    assert "image of 40 x 32, 3 channels, uint8" in said and "PSNR" in said and "bits per pixel" in said
    assert "wrote" in said and max(map(len, said.splitlines())) <= max(80, len(output) + 20)


def test_info_knows_images_volumes_and_their_models(folder, capsys):
    assert run(["info", str(folder / "picture.png"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == "image" and facts["shape"] == [32, 40] and facts["channels"] == 3
    assert run(["info", str(folder / "volume.npz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["spacing"] == [2.0, 1.0, 1.5]
    assert run(["info", str(folder / "model.sasnet"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "model of a volume"


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["fit-image", "missing.png"], 3, "no such file"),
        (["fit-image", "{picture}"], 2, "exists; give --overwrite"),
        (["fit-image", "{picture}", "-o", "{out}.png"], 2, "ends in .sasnet"),
        (["fit-volume", "{picture}", "-o", "{out}.sasnet"], 3, "is an image: `sasnet-sdf fit-image`"),
        (["render", "{picture_model}", "-o", "{out}.png", "--size", "3"], 2, "2 numbers"),
        (["render", "{picture_model}", "-o", "{out}.png", "--size", "a,b"], 2, "must be WxH or IxJxK"),
        (["render", "{picture_model}", "-o", "{out}.ply", "--isosurface", "3"], 2, "only a volume has"),
        (["render", "{volume_model}", "-o", "{out}.ply", "--isosurface", "9"], 2, "must lie between"),
        (["render", "{picture_model}", "-o", "{out}.png", "--resolution", "9"], 2, "for an isosurface"),
        (["render", "{picture_model}", "-o", "{out}.npz"], 2, "known: .png"),
        (
            ["extract", "{picture_model}", "-o", "{out}.ply"],
            3,
            "the model of an image or a volume: use sasnet-sdf render",
        ),
    ],
)
def test_errors_say_what_is_wrong(folder, tmp_path, capsys, words, code, reason):
    places = {
        "picture": folder / "picture.png",
        "picture_model": folder / "picture.sasnet",
        "volume_model": folder / "model.sasnet",
        "out": tmp_path / "out",
    }
    assert run([word.format(**places) for word in words]) == code
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: ") and reason in said
    assert not list(tmp_path.iterdir())
