"""An input of another kind is refused in one line that says what to do with it."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from sasnet_sdf.cli.main import run
from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.io import read_geometry, read_image, read_volume

READERS = {"geometry": read_geometry, "image": read_image, "volume": read_volume}


def message(reader, path):
    with pytest.raises(UnreadableInput) as caught:
        READERS[reader](path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "picture.png")
    tifffile.imwrite(tmp_path / "picture.tif", np.zeros((5, 6), np.uint8))
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((4, 5, 6), np.uint8), photometric="minisblack")
    np.save(tmp_path / "volume.npy", np.zeros((4, 5, 6)))
    np.savez(tmp_path / "volume.npz", volume=np.zeros((4, 5, 6)))
    np.save(tmp_path / "cloud.npy", np.zeros((40, 3)))
    np.savez(tmp_path / "cloud.npz", points=np.zeros((40, 3)))
    return tmp_path


@pytest.mark.parametrize(
    ("reader", "name", "command"),
    [
        *[("geometry", name, "fit-image") for name in ("picture.png", "picture.tif", "picture.JPG")],
        *[("geometry", f"volume.{end}", "fit-volume") for end in ("npy", "npz", "nii", "nii.gz", "nrrd")],
        ("geometry", "stack.tif", "fit-volume"),
        ("geometry", "model.sasnet", "extract"),
        ("image", "volume.npy", "fit-volume"),
        ("image", "brain.nii.gz", "fit-volume"),
        ("image", "model.sasnet", "render"),
        *[
            (reader, f"scan.{end}", "reconstruct")
            for reader in ("image", "volume")
            for end in ("ply", "xyz", "laz")
        ],
        *[(reader, "cloud.npy", "reconstruct") for reader in ("image", "volume")],
        ("volume", "cloud.npz", "reconstruct"),
        ("volume", "picture.png", "fit-image"),
    ],
)
def test_the_command_that_reads_it_is_named(folder, reader, name, command):
    assert command in message(reader, folder / name)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("a.gltf", "export it as GLB, which is one file"),
        ("a.fbx", "export it as GLB, OBJ or PLY"),
        ("a.BLEND", "export it as GLB, OBJ or PLY"),
        ("a.rcp", "export it as E57, LAS or LAZ"),
        ("a.zip", "is packed: unpack it first"),
        ("a.laz.gz", "is packed: unpack it first"),
        ("a.dcm", "save it as NRRD, NIfTI or a TIFF stack"),
        ("a.bmp", "save it as PNG, JPEG or TIFF"),
        ("a.step", "export a triangle mesh"),
    ],
)
def test_formats_of_other_programs(tmp_path, name, advice):
    for reader in READERS:
        assert message(reader, tmp_path / name).startswith(f"{tmp_path / name}: ")
        assert advice in message(reader, tmp_path / name)


def test_folders(tmp_path):
    for name in ("e.ply", "b.laz", "a.xyz", "c.csv", "d.tif", "f.md"):
        (tmp_path / name).write_text("")
    assert message("geometry", tmp_path).endswith(
        "is a folder; name files in it, such as a.xyz, b.laz, c.csv and 1 more"
    )
    assert message("image", tmp_path).endswith("is a folder; name files in it, such as d.tif")
    (tmp_path / "slices").mkdir()
    assert "has no file in it that is read (.npy .npz" in message("volume", tmp_path / "slices")
    (tmp_path / "slices" / "1.dcm").write_text("")
    assert "and 1.dcm in it is a volume of another kind: save it as NRRD" in message(
        "volume", tmp_path / "slices"
    )


@pytest.mark.parametrize(
    "address", ["http://example.org/a/scan.ply", "https://example.org/v.nrrd", "S3://b/a"]
)
def test_addresses(address, capsys):
    for reader in READERS:
        assert message(reader, address).startswith(f"{address}: is an address; download it first")
    for command in ("reconstruct", "fit-image", "fit-volume", "info"):
        assert run([command, address]) == 3
        assert f"error: {address}: is an address; download it first" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x.fbx", "x.csv", "x.sasnet"])
def test_outputs_that_are_no_mesh(tmp_path, name, capsys):
    scan = tmp_path / "scan.xyz"
    np.savetxt(scan, np.random.default_rng(0).normal(size=(40, 3)))
    assert run(["reconstruct", str(scan), "-o", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.endswith("; known: .ply .obj .stl .off .glb\n")


def test_a_model_is_no_input_of_a_fit(capsys):
    assert run(["fit-volume", "model.sasnet"]) == 3
    assert "is a trained model: `sasnet-sdf extract`" in capsys.readouterr().err
