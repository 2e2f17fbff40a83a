"""Volumes: values and places round trip, and what cannot be read is refused in one line."""

from __future__ import annotations

import gzip
import json
import struct
import zipfile
from importlib.util import find_spec

import numpy as np
import pytest
import tifffile

from sasnet_sdf.errors import MissingBackend, UnreadableInput, UsageError
from sasnet_sdf.io import check_writable, read_volume, write_volume
from sasnet_sdf.io.formats import extensions
from sasnet_sdf.signals import Grid, Signal

VOLUMES = extensions("volume")

SHAPE = (5, 6, 7)
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
MEDICAL = (".nii", ".nii.gz", ".nrrd")
OBLIQUE = np.array([[-1.5, 0.25, 0, 10], [0.5, 2, 0.125, -20], [0, 0.25, 3, 30.5], [0, 0, 0, 1]])


def needs(extension):
    if extension in MEDICAL:
        pytest.importorskip("nrrd" if extension == ".nrrd" else "nibabel")


def values_of(kind, channels=1, shape=SHAPE):
    rng = np.random.default_rng(channels)
    if np.dtype(kind).kind == "f":
        return rng.normal(size=(*shape, channels)).astype(kind)
    limits = np.iinfo(kind)
    return rng.integers(limits.min, limits.max, (*shape, channels), kind, endpoint=True)


def volume(kind="f4", channels=1, affine=None):
    grid = Grid.of_volume(SHAPE, (1.5, 2.25, 3)) if affine is None else Grid(SHAPE, affine)
    return Signal(values_of(kind, channels), grid)


def as_a_stack(spacing):
    """The affine of pages, rows and columns along z, y and x."""
    affine = np.diag([*spacing, 1.0])
    return affine[[2, 1, 0, 3]]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("extension", VOLUMES)
def test_values_and_spacing_round_trip(tmp_path, extension, kind):
    needs(extension)
    path = tmp_path / f"a{extension}"
    # pages of a stack lie along z
    affine = as_a_stack((1.5, 2.25, 3)) if extension.startswith(".tif") else None
    for channels in (1, 2, 3, 4):
        signal = volume(kind, channels, affine)
        if extension.startswith(".tif") and kind in ("u8", "i8"):
            with pytest.raises(UsageError, match=rf"a\{extension}: TIFF stacks hold no u?int64; NPY"):
                write_volume(path, signal)
            continue
        notes = write_volume(path, signal)
        found = read_volume(path)
        read_notes = list(found.notes)
        assert read_notes == [] and found.values.dtype == signal.values.dtype
        np.testing.assert_array_equal(found.values, signal.values)
        if extension == ".npy":
            assert "spacing" in notes[0] and found.grid.spacing.tolist() == [1, 1, 1]
        else:
            assert notes == ()
            np.testing.assert_allclose(found.grid.affine, signal.grid.affine, rtol=1e-12)
        json.dumps(found.header)
        del found


@pytest.mark.parametrize("extension", VOLUMES)
def test_where_the_samples_lie(tmp_path, extension):
    needs(extension)
    signal, path = volume(affine=OBLIQUE), tmp_path / f"a{extension}"
    notes = write_volume(path, signal)
    grid = read_volume(path).grid
    if extension in MEDICAL:
        assert notes == ()
        np.testing.assert_allclose(grid.affine, OBLIQUE, rtol=1e-6)
    else:
        assert "NIfTI and NRRD keep them" in notes[0]
        spacing = np.ones(3) if extension == ".npy" else signal.grid.spacing
        straight = as_a_stack(spacing) if extension.startswith(".tif") else np.diag([*spacing, 1])
        np.testing.assert_allclose(grid.affine, straight, rtol=1e-12)


@pytest.mark.parametrize("extension", VOLUMES)
def test_the_same_volume_gives_the_same_bytes(tmp_path, extension, monkeypatch):
    needs(extension)
    path = tmp_path / f"a{extension}"
    write_volume(path, volume())
    first = path.read_bytes()
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_volume(path, volume())
    assert path.read_bytes() == first and list(tmp_path.iterdir()) == [path]


def test_single_files_are_memory_mapped(tmp_path):
    values = values_of("f4")[..., 0]
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", volume=np.asfortranarray(values), spacing=np.array([1, 2, 3], np.float32))
    names = ["a.npy", "a.npz"]
    if find_spec("nibabel") is not None:
        write_volume(tmp_path / "a.nii", volume())
        names.append("a.nii")
    for name in names:
        found = read_volume(tmp_path / name).values
        base = found
        while base is not None and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap), name
        np.testing.assert_array_equal(found[..., 0], values)


def test_kinds_of_numbers(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, values_of("u1")[..., 0] > 100)
    assert read_volume(path).values.dtype == np.uint8
    np.save(path, values_of("f4").astype(">f4"))
    found = read_volume(path).values
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, values_of("f4"))
    np.save(path, values_of("f8").astype(np.float16))
    assert read_volume(path).values.dtype == np.float16
    structured = np.zeros(SHAPE, [("r", "u1"), ("g", "u1")])
    for bad in (np.zeros(SHAPE, complex), structured, np.full(SHAPE, "x"), np.empty(SHAPE, object)):
        np.save(path, bad)
        with pytest.raises(UnreadableInput, match=r"a\.npy: "):
            read_volume(path)
        np.savez(tmp_path / "a.npz", volume=bad)
        with pytest.raises(UnreadableInput, match=r"a\.npz: "):
            read_volume(tmp_path / "a.npz")


@pytest.mark.parametrize("shape", [(4,), (4, 5), (4, 5, 6, 1, 1), (4, 0, 6), (4, 5, 6, 0)])
def test_shapes_that_are_no_volume(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(UnreadableInput, match="3 axes, or 4"):
        read_volume(tmp_path / "a.npy")


@pytest.mark.parametrize("spacing", [[1, 2], [1, 0, 2], [1, -1, 2], [1, np.nan, 1]])
def test_spacing_that_cannot_be(tmp_path, spacing):
    np.savez(tmp_path / "a.npz", volume=np.zeros(SHAPE), spacing=spacing)
    with pytest.raises(UnreadableInput, match="spacing must be three lengths above 0"):
        read_volume(tmp_path / "a.npz")


def test_values_that_are_not_finite_stay_and_are_counted(tmp_path):
    values = values_of("f4")
    values[1, 2, 3], values[4, 0, 0] = np.nan, np.inf
    np.save(tmp_path / "a.npy", values)
    signal = read_volume(tmp_path / "a.npy")
    notes = list(signal.notes)
    assert notes == ["2 of 210 values are not finite; a fit leaves them out"]
    np.testing.assert_array_equal(signal.values, values)


def test_stacks_of_other_programs(tmp_path):
    path, values = tmp_path / "a.tif", values_of("u2", 3)
    metadata = {"axes": "ZYX", "spacing": 3.5, "unit": "um"}
    tifffile.imwrite(
        path, values[..., 0], imagej=True, resolution=(1 / 0.5, 1 / 0.25), metadata=metadata, byteorder=">"
    )
    signal = read_volume(path)
    notes = list(signal.notes)
    np.testing.assert_array_equal(signal.values[..., 0], values[..., 0])
    assert signal.grid.spacing.tolist() == [3.5, 0.25, 0.5]
    assert notes == [f"{path}: lengths are in um, as ImageJ says"]
    tifffile.imwrite(path, np.moveaxis(values, -1, 1), imagej=True, metadata={"axes": "ZCYX"})
    np.testing.assert_array_equal(read_volume(path).values, values)
    with tifffile.TiffWriter(path) as tif:
        for page in values[..., 0]:
            tif.write(page, metadata=None, contiguous=False)
    signal = read_volume(path)
    np.testing.assert_array_equal(signal.values[..., 0], values[..., 0])
    assert signal.grid.spacing.tolist() == [1, 1, 1]
    tifffile.imwrite(path, np.zeros((2, 3, 4, 5, 6), np.uint8), metadata={"axes": "TZCYX"}, ome=True)
    with pytest.raises(UnreadableInput, match="its axes are TZCYX"):
        read_volume(path)


def test_a_series_of_volumes_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 5, 6, 7)))
    with pytest.raises(UnreadableInput, match=r"a series of 7 volumes, .*; save one volume of it"):
        read_volume(tmp_path / "a.npy")


def test_nifti_scale_header_and_codes(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    path = tmp_path / "a.nii.gz"
    raw = values_of("i2")[..., 0]
    image = nibabel.Nifti1Image(raw, OBLIQUE)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"a head"
    image.set_qform(None, 0)
    image.set_sform(OBLIQUE, 4)
    nibabel.save(image, path)
    signal = read_volume(path)
    notes = list(signal.notes)
    assert notes == [] and signal.values.dtype == np.int16
    assert signal.header["units"] == ["mm", "sec"] and signal.header["codes"] == [0, 4]
    write_volume(tmp_path / "b.nii", signal)
    assert read_volume(tmp_path / "b.nii").header == signal.header
    data = bytearray((tmp_path / "b.nii").read_bytes())
    data[112:120] = struct.pack("<ff", 0.5, -3)
    (tmp_path / "b.nii").write_bytes(data)
    scaled = read_volume(tmp_path / "b.nii").values
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled[..., 0], raw * np.float32(0.5) - 3)


def test_nrrd_of_other_programs(tmp_path):
    nrrd = pytest.importorskip("nrrd")
    path, values = tmp_path / "a.nrrd", values_of("i2", 3)
    header = {
        "space": "left-posterior-superior",
        "space directions": OBLIQUE[:3, :3].T,
        "space origin": OBLIQUE[:3, 3],
        "encoding": "raw",
    }
    for encoding in ("raw", "gzip", "bzip2", "ascii"):
        nrrd.write(str(path), values[..., 0], {**header, "encoding": encoding})
        signal = read_volume(path)
        notes = list(signal.notes)
        assert notes == [] and signal.header["space"] == "left-posterior-superior"
        np.testing.assert_array_equal(signal.values[..., 0], values[..., 0])
        np.testing.assert_array_equal(signal.grid.affine, OBLIQUE)
    write_volume(tmp_path / "b.nrrd", signal)
    again, read_header = nrrd.read(str(tmp_path / "b.nrrd"))
    np.testing.assert_array_equal(again, values[..., 0])
    np.testing.assert_array_equal(read_header["space directions"], header["space directions"])
    directions = np.vstack([np.full(3, np.nan), header["space directions"]])
    colors = {**header, "space directions": directions, "kinds": ["RGB-color", *["domain"] * 3]}
    nrrd.write(str(path), np.moveaxis(values, -1, 0), colors)
    signal = read_volume(path)
    np.testing.assert_array_equal(signal.values, values)
    np.testing.assert_array_equal(signal.grid.affine, OBLIQUE)
    nrrd.write(str(path), values[..., 0], {"spacings": [1.0, 2.0, 3.0]})
    assert read_volume(path).grid.spacing.tolist() == [1, 2, 3]
    text = path.read_bytes().replace(b"encoding:", b"data file: other.raw\nencoding:")
    path.write_bytes(text)
    with pytest.raises(UnreadableInput, match="another file"):
        read_volume(path)


def test_from_nrrd_to_nifti_the_world_stays(tmp_path):
    """The first two axes of the world change their signs between the two."""
    pytest.importorskip("nibabel")
    signal = volume(affine=OBLIQUE)
    signal.header["space"] = "left-posterior-superior"
    write_volume(tmp_path / "a.nii", signal)
    found = read_volume(tmp_path / "a.nii")
    np.testing.assert_allclose(found.grid.affine, np.diag([-1, -1, 1, 1]) @ OBLIQUE)
    assert found.header["space"] == "right-anterior-superior"


def claiming(path, extension):
    """A small file whose header claims 10¹² values."""
    huge = (10_000,) * 3
    if extension in (".npy", ".npz"):
        head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {huge}, }}".ljust(117) + "\n"
        data = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head.encode() + bytes(400)
        if extension == ".npy":
            path.write_bytes(data)
        else:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("volume.npy", data)
    elif extension in (".nii", ".nii.gz"):
        write_volume(path, volume())
        data = path.read_bytes() if extension == ".nii" else gzip.decompress(path.read_bytes())
        data = data[:40] + struct.pack("<4h", 3, *huge) + data[48:]
        path.write_bytes(data if extension == ".nii" else gzip.compress(data))
    else:
        head = "NRRD0004\ntype: float\ndimension: 3\nsizes: 10000 10000 10000\nendian: little\n"
        head += "encoding: gzip\n\n"
        path.write_bytes(head.encode() + gzip.compress(bytes(400)))


@pytest.mark.parametrize("extension", [".npy", ".npz", *MEDICAL])
def test_a_header_that_claims_too_much_is_refused(tmp_path, extension):
    needs(extension)
    path = tmp_path / f"a{extension}"
    claiming(path, extension)
    with pytest.raises(UnreadableInput, match=rf"a\{extension}: .*(cut short|cannot hold)"):
        read_volume(path)


@pytest.mark.parametrize("extension", VOLUMES)
def test_a_file_that_ends_early_is_refused(tmp_path, extension):
    needs(extension)
    path = tmp_path / f"a{extension}"
    write_volume(path, volume())
    data = path.read_bytes()
    for size in (0, 1, 5, 100, 360, len(data) // 2, len(data) * 9 // 10, len(data) - 1):
        path.write_bytes(data[:size])
        if extension in (".nii.gz", ".nrrd") and size == len(data) - 1:
            continue  # all of the data are there, only the end of the checksum is not
        with pytest.raises(UnreadableInput) as caught:
            read_volume(path)
        assert path.name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("extension", VOLUMES)
def test_damage_is_an_error_of_ours_or_a_volume(tmp_path, extension):
    needs(extension)
    path = tmp_path / f"a{extension}"
    write_volume(path, volume())
    data = path.read_bytes()
    for at in range(min(len(data), 360)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            assert read_volume(path).values.ndim == 4
        except UnreadableInput as error:
            assert path.name in str(error) and "\n" not in str(error)


def test_names_and_missing_libraries(tmp_path, monkeypatch):
    for name in ("a.gzip", "a.unknown", "a"):
        with pytest.raises(UnreadableInput, match="of a volume; known: "):
            read_volume(tmp_path / name)
        with pytest.raises(UsageError, match="of a volume; known: "):
            write_volume(tmp_path / name, volume())
    check_writable(tmp_path / "a.nii.gz", overwrite=False)
    with pytest.raises(UsageError, match=r"unknown extension \.gz"):
        check_writable(tmp_path / "a.gz", overwrite=False)
    monkeypatch.setitem(__import__("sys").modules, "nibabel", None)
    with pytest.raises(MissingBackend, match=r'pip install "sasnet-sdf\[volumes\]"'):
        write_volume(tmp_path / "a.nii.gz", volume())
    assert list(tmp_path.iterdir()) == []


def test_the_development_volumes(data_dir):
    shapes = {"bolt": (70, 123, 66), "carotid": (76, 49, 45), "inia19_t1_brain": (168, 206, 128)}
    for name, shape in shapes.items():
        signal = read_volume(data_dir / "volumes" / f"{name}.npz")
        notes = list(signal.notes)
        assert notes == [] and signal.grid.shape == shape and signal.channels == 1
    assert signal.grid.spacing.tolist() == [0.5, 0.5, 0.5]


def test_the_awkward_volumes(data_dir):
    folder = data_dir / "broken"
    signal = read_volume(folder / "ok_small_volume.npz")
    notes = list(signal.notes)
    assert signal.grid.spacing.tolist() == [1, 2, 3] and signal.values.shape == (8, 9, 10, 1) and notes == []
    signal = read_volume(folder / "bad_nan_volume.npz")
    notes = list(signal.notes)
    missing = int(np.isnan(signal.values).sum())
    assert missing > 0 and notes == [f"{missing} of 720 values are not finite; a fit leaves them out"]
    with pytest.raises(UnreadableInput, match=r"bad_truncated_volume\.npz: "):
        read_volume(folder / "bad_truncated_volume.npz")


def test_nifti_whose_forms_are_in_doubt(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    path, sform, qform = tmp_path / "a.nii", np.diag([0.5, 1, 2, 1]), np.diag([3.0, 3, 3, 1])
    image = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.float32), sform)
    image.set_sform(sform, 1)
    image.set_qform(sform, 1)
    nibabel.save(image, path)
    assert read_volume(path).notes == ()
    image.set_qform(qform, 1)
    nibabel.save(image, path)
    signal = read_volume(path)
    notes = list(signal.notes)
    np.testing.assert_allclose(signal.grid.spacing, [0.5, 1, 2])
    assert notes == [f"{path}: its qform and its sform are 10 apart: the sform is read"]
    data = bytearray(path.read_bytes())
    data[280:328] = bytes(48)
    path.write_bytes(data)
    signal = read_volume(path)
    notes = list(signal.notes)
    np.testing.assert_allclose(signal.grid.affine, qform)
    assert notes == [f"{path}: its sform spans no space: its qform is read instead"]
    data[252:254] = bytes(2)
    path.write_bytes(data)
    signal = read_volume(path)
    notes = list(signal.notes)
    np.testing.assert_allclose(signal.grid.spacing, [3, 3, 3])
    assert notes == [f"{path}: its sform spans no space: its sizes of voxels are read instead"]


def test_lengths_that_are_not_told_are_named(tmp_path):
    import tifffile

    path = tmp_path / "a.ome.tif"
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "mm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "mm"}
    tifffile.imwrite(path, np.zeros((3, 4, 5), np.uint8), metadata={"axes": "ZYX", **sizes})
    signal = read_volume(path)
    notes = list(signal.notes)
    assert signal.grid.spacing.tolist() == [1, 0.5, 0.5] and signal.header["space units"] == ["mm"] * 3
    assert f"{path}: has no spacing along z: taken as 1" in notes
    path = tmp_path / "a.nrrd"
    head = "NRRD0005\ntype: uchar\ndimension: 3\nsizes: 1 1 1\nencoding: raw\nspacings: 1 1 1\n"
    path.write_bytes(head.encode() + b'units: "mm" "mm" "um"\n\n\0')
    pytest.importorskip("nrrd")
    assert read_volume(path).notes == (
        f"{path}: its axes have different units (mm, mm, um): lengths are kept",
    )
