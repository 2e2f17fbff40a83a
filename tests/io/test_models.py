"""The model file: what was saved is what is loaded, and anything else is refused by name."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.io.models import read_model, write_model

ARRAYS = {
    "masks.table": np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32),
    "weight": np.arange(12, dtype=np.float32).reshape(3, 4).T,
    "omega": np.array(30.0, np.float32),
    "none": np.empty((0, 3), np.float32),
}
METADATA = {
    "architecture": {"model": "sasnet", "dim": 3},
    "frame": {"scale": 0.1},
    "training": {"loss": 1e-9},
}


@pytest.fixture
def model(tmp_path):
    write_model(tmp_path / "scan.sasnet", ARRAYS, METADATA)
    return tmp_path / "scan.sasnet"


def test_round_trip(model):
    arrays, metadata = read_model(model)
    assert metadata == METADATA and set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype and arrays[name].shape == array.shape
        assert np.array_equal(arrays[name], array), name


def test_the_same_model_gives_the_same_bytes(model):
    before = model.read_bytes()
    write_model(model, dict(reversed(ARRAYS.items())), METADATA)
    assert model.read_bytes() == before


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX systems")
def test_a_model_can_be_read_by_whom_other_files_can(model, tmp_path):
    (tmp_path / "other").touch()
    assert model.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_cut_short_anywhere_is_refused(model):
    data = model.read_bytes()
    for length in range(0, len(data), 5):
        model.write_bytes(data[:length])
        with pytest.raises(UnreadableInput, match=r"scan\.sasnet: ") as caught:
            read_model(model)
        assert "\n" not in str(caught.value)


def test_damaged_bytes_never_crash(model):
    data = bytearray(model.read_bytes())
    for place in range(0, 600, 3):
        damaged = data.copy()
        damaged[place] ^= 0x15
        model.write_bytes(damaged)
        try:
            read_model(model)  # a digit of a number in the metadata may change unseen
        except UnreadableInput as error:
            assert "scan.sasnet" in str(error)


@pytest.mark.parametrize(
    "entries, message",
    [
        (None, "not a sasnet-sdf model"),
        ({"other": "1"}, "not a sasnet-sdf model"),
        ({"sasnet-sdf": "{"}, "not a sasnet-sdf model"),
        ({"sasnet-sdf": "[]"}, "not a sasnet-sdf model"),
        ({"sasnet-sdf": json.dumps({"format": "else", "format_version": 1})}, "found 'else'"),
        (
            {"sasnet-sdf": json.dumps({"format": "sasnet-sdf model", "format_version": 2})},
            "expected format version 1 or older, found 2; update",
        ),
        ({"sasnet-sdf": json.dumps({"format": "sasnet-sdf model", "format_version": "1"})}, "version '1'"),
    ],
)
def test_other_files_of_the_kind(tmp_path, entries, message):
    path = tmp_path / "scan.sasnet"
    save_file({"a": np.zeros(3, np.float32)}, path, metadata=entries)
    with pytest.raises(UnreadableInput, match=rf"scan\.sasnet: .*{message}"):
        read_model(path)


@pytest.mark.parametrize("data", [b"", b"ply\nformat ascii 1.0\n", b"\xff" * 7 + b"\x7f{", b"\0" * 100])
def test_files_of_another_kind(tmp_path, data):
    path = tmp_path / "scan.sasnet"
    path.write_bytes(data)
    with pytest.raises(UnreadableInput, match=r"scan\.sasnet: "):
        read_model(path)
    with pytest.raises(UnreadableInput, match="no such file"):
        read_model(tmp_path / "none.sasnet")
