"""Models from strangers: nothing of a model file is taken at its word, and nothing of it is run."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from sasnet_sdf.api import load_model
from sasnet_sdf.cli.info import _lines
from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.io.models import read_model, write_model
from sasnet_sdf.runtime.system import peak_memory_bytes

NAN, INF = float("nan"), float("inf")


def _settings(name, value):
    return lambda arrays, document: document["architecture"]["config"].update({name: value})


def _grid(name, value):
    return lambda arrays, document: document["architecture"]["config"]["grid"].update({name: value})


def _at(*path):
    """Puts the last word of the path where the others lead to."""

    def change(arrays, document):
        for word in path[:-2]:
            document = document[word]
        document[path[-2]] = path[-1]

    return change


def _array(name, change):
    return lambda arrays, document: arrays.update({name: change(arrays.get(name))})


SURFACE = {
    "width": _settings("width", 10**9),
    "no width": _settings("width", -3),
    "true width": _settings("width", True),
    "real width": _settings("width", 8.0),
    "layers": _settings("hidden_layers", 10**9),
    "wide and deep": lambda arrays, document: document["architecture"]["config"].update(
        width=60_000, hidden_layers=200
    ),
    "band": _settings("band", 10**6),
    "bands": _settings("bands", 10**6),
    "bands of none": _settings("bands", 60),
    "groups": _settings("groups", 10**9),
    "decoder": _settings("decoder_width", 60_000),
    "share": _settings("low_share", 1e308),
    "omega": _settings("omega0", NAN),
    "period": _settings("period", 0),
    "text": _settings("omega0", "30"),
    "digits": _settings("omega0", 10**400),
    "list": _settings("grid", [1, 2]),
    "levels": _grid("levels", 10**6),
    "no levels": _grid("levels", -1),
    "table": _grid("log2_table", 60),
    "large table": _grid("log2_table", 21),
    "features": _grid("features", 10**9),
    "finest": _grid("finest", 10**9),
    "interpolation": _grid("interpolation", "__import__('os')"),
    "unknown setting": _settings("__class__", "x"),
    "name": _settings("name", "bacon"),
    "model": _at("architecture", "model", "os.system"),
    "model list": _at("architecture", "model", ["sasnet"]),
    "dim": _at("architecture", "dim", 10**9),
    "plane": _at("architecture", "dim", 2),
    "outputs": _at("architecture", "outputs", 10**9),
    "two outputs": _at("architecture", "outputs", 2),
    "architecture": _at("architecture", None),
    "config": _at("architecture", "config", "config"),
    "frame": _at("frame", "scale", NAN),
    "flat": _at("frame", "scale", 0),
    "inside out": _at("frame", "scale", -1),
    "centre": _at("frame", "centre", [0, INF, 0]),
    "two centers": _at("frame", "centre", [0, 0]),
    "frame text": _at("frame", "scale", "1e999"),
    "bounds": _at("bounds", "low", [-1e9, -1e9, -1e9]),
    "no box": _at("bounds", "high", [NAN, 1, 1]),
    "bounds text": _at("bounds", "far away"),
    "gap": _at("support", "gap", NAN),
    "training": _at("training", 7),
    "support": _array("support.points", lambda a: np.full_like(a, NAN)),
    "support that signals": _array(
        "support.points", lambda a: np.full(a.shape, 0x7F800001, np.uint32).view(np.float32)
    ),
    "spacing": _array("support.spacing", lambda a: -a),
    "spacings": _array("support.spacing", lambda a: np.zeros((3, 3), np.float32)),
    "nan": _array("weights", lambda a: np.full_like(a, NAN)),
    "infinite": _array("masks.grid.table", lambda a: np.full_like(a, INF)),
    "double": _array("weights", lambda a: a.astype(np.float64)),
    "whole": _array("phases", lambda a: a.astype(np.int32)),
    "shape": _array("biases", lambda a: a.T.copy()),
    "scalar": _array("output_bias", lambda a: np.array(1.0, np.float32)),
    "extra": _array("more", lambda a: np.zeros(3, np.float32)),
    "missing": lambda arrays, document: arrays.pop("frequencies"),
    "none": lambda arrays, document: arrays.clear(),
}
IMAGE = {
    "kind": _at("signal", 3),
    "grid": _at("signal", "grid", "shape", [10**12, 4]),
    "one axis": _at("signal", "grid", "shape", [4]),
    "infinite axis": _at("signal", "grid", "shape", [INF, 4]),
    "affine": _at("signal", "grid", "affine", [[NAN] * 3] * 3),
    "flat affine": _at("signal", "grid", "affine", [[0.0] * 3] * 3),
    "low": _at("signal", "low", [NAN] * 3),
    "ranges": _at("signal", "high", [-1.0] * 3),
    "channels": _at("signal", "low", [0.0]),
    "huge range": lambda arrays, document: document["signal"].update(low=[-1e308] * 3, high=[1e308] * 3),
    "objects": _at("signal", "dtype", "|O"),
    "dates": _at("signal", "dtype", "<M8[s]"),
    "dtype": _at("signal", "dtype", "0"),
    "dtypes": _at("signal", "dtype", [["a", "<f4"]]),
    "peak": _at("signal", "peak", NAN),
    "header": _at("signal", "header", {"content": {"a": 1}}),
    "unknown header": _at("signal", "header", {"data file": "/etc/passwd"}),
    "codes": _at("signal", "header", {"codes": [10**9, -1]}),
}


def _changed(path: Path, folder: Path, change) -> Path:
    arrays, document = read_model(path)
    arrays = {name: array.copy() for name, array in arrays.items()}
    change(arrays, document)
    other = folder / f"other{path.suffix}"
    write_model(other, arrays, document)
    return other


def _check_refused(path: Path) -> str:
    before = peak_memory_bytes()
    with pytest.raises(UnreadableInput, match=r"other\.sasnet: ") as caught:
        load_model(path, device="cpu", engine="torch")
    assert peak_memory_bytes() - before < 200 << 20
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    return str(caught.value)


@pytest.mark.parametrize("change", SURFACE.values(), ids=SURFACE)
def test_a_surface_that_does_not_fit_together(whole, tmp_path, change):
    _check_refused(_changed(whole / "field.sasnet", tmp_path, change))


@pytest.mark.parametrize("change", IMAGE.values(), ids=IMAGE)
def test_an_image_that_does_not_fit_together(whole, tmp_path, change):
    _check_refused(_changed(whole / "image.sasnet", tmp_path, change))


def _with_header(header: bytes, content: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + content


@pytest.mark.parametrize(
    "header",
    [
        {"__metadata__": {"sasnet-sdf": '{"format": ' * 100_000}},
        {"__metadata__": {"sasnet-sdf": "[" * 100_000 + "]" * 100_000}},
        {"__metadata__": {"sasnet-sdf": '{"format": "sasnet-sdf model", "format_version": true}'}},
        {"__metadata__": {"sasnet-sdf": '{"format": "sasnet-sdf model", "format_version": -1e999}'}},
        {"__metadata__": {"sasnet-sdf": "null"}},
        {"a": {"dtype": "F32", "shape": [2**63, 2**63], "data_offsets": [0, 0]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}},
        {"a": {"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 4]}},
    ],
)
def test_headers(tmp_path, header):
    content = bytes(4) if "a" in header else b""
    (tmp_path / "other.sasnet").write_bytes(_with_header(json.dumps(header).encode(), content))
    _check_refused(tmp_path / "other.sasnet")


@pytest.mark.parametrize(
    "kind, size", [("BF16", 2), ("F8_E4M3", 1), ("BOOL", 1), ("F16", 2), ("C64", 8), ("U64", 8)]
)
def test_numbers_of_other_kinds(whole, tmp_path, kind, size):
    """In place of the phases (8,)."""
    data = (whole / "field.sasnet").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header = {"__metadata__": header["__metadata__"]}
    header["phases"] = {"dtype": kind, "shape": [8], "data_offsets": [0, 8 * size]}
    (tmp_path / "other.sasnet").write_bytes(_with_header(json.dumps(header).encode(), bytes(8 * size)))
    _check_refused(tmp_path / "other.sasnet")


class _Runs:
    def __reduce__(self):
        return Path.touch, (Path("ran"),)


def test_no_pickle_is_loaded(tmp_path, monkeypatch, fuzz):
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(_Runs())
    np.save("points.npy", np.array([_Runs()] * 3), allow_pickle=True)
    np.savez("points.npz", points=np.array([_Runs()] * 3), volume=np.array([_Runs()] * 3))
    for name in ("raw.npy", "raw.npz", "raw.sasnet", "raw.ply"):
        Path(name).write_bytes(pickled)
    names = ("points.npy", "points.npz", "raw.npy", "raw.npz", "raw.sasnet", "raw.ply")
    assert [fuzz.check.check(tmp_path / name)[0] for name in names] == [0] * len(names)
    assert not Path("ran").exists()
    pickle.loads(pickled)
    assert Path("ran").exists()  # as it does where a pickle is loaded


def test_words_of_a_file_do_not_steer_the_terminal():
    lines = _lines({"training": {"lo\x1bss": "\x1b[2J\x07"}, "notes": ["\x1b]0;title\x07"]})
    assert lines == ["training", "  lo ss   [2J ", "note:  ]0;title "]


def test_what_a_header_may_say_is_kept(whole, tmp_path):
    header = {"space": "right-anterior\nencoding: raw", "units": ["mm", "sec"], "codes": [1, 2], "nifti": 2}
    path = _changed(whole / "image.sasnet", tmp_path, _at("signal", "header", header))
    assert load_model(path, device="cpu").header == header | {"space": "right-anterior encoding: raw"}
