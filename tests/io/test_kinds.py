"""Which files hold an image, a volume, or neither."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from sasnet_sdf.io.formats import signal_kind


def test_by_extension_and_by_content(tmp_path):
    Image.new("L", (3, 3)).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "one.tif", np.zeros((4, 5), np.uint8))
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((3, 4, 5), np.uint8), photometric="minisblack")
    np.save(tmp_path / "cloud.npy", np.zeros((9, 3)))
    np.save(tmp_path / "volume.npy", np.zeros((3, 4, 5)))
    np.savez(tmp_path / "volume.npz", volume=np.zeros((3, 4, 5)))
    np.savez(tmp_path / "cloud.npz", points=np.zeros((9, 3)))
    found = {path.name: signal_kind(path) for path in tmp_path.iterdir()}
    assert found == {
        "a.png": "image",
        "one.tif": "image",
        "stack.tif": "volume",
        "cloud.npy": None,
        "volume.npy": "volume",
        "volume.npz": "volume",
        "cloud.npz": None,
    }
    assert signal_kind("scan.nii.gz") == "volume" and signal_kind("scan.ply") is None


@pytest.mark.parametrize("name", ["e.npy", "e.npz", "e.tif"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"II*\x00"])
def test_what_is_damaged_is_nothing(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert signal_kind(tmp_path / name) in (None, "image")
