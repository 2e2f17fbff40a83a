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
from PIL import Image

from sasnet_sdf.errors import MissingBackend, UnreadableInput, UsageError
from sasnet_sdf.io import check_writable, read_volume, write_volume
from sasnet_sdf.io.atomic import VOLUMES
from sasnet_sdf.signals import Grid, Signal

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
                write_volume(signal, path)
            continue
        notes = write_volume(signal, path)
        found, read_notes = read_volume(path)
        assert read_notes == [] and found.values.dtype == signal.values.dtype
        np.testing.assert_array_equal(found.values, signal.values)
        if extension == ".npy":
            assert "spacing" in notes[0] and found.grid.spacing.tolist() == [1, 1, 1]
        else:
            assert notes == []
            np.testing.assert_allclose(found.grid.affine, signal.grid.affine, rtol=1e-12)
        json.dumps(found.header)
        del found


@pytest.mark.parametrize("extension", VOLUMES)
def test_where_the_samples_lie(tmp_path, extension):
    needs(extension)
    signal, path = volume(affine=OBLIQUE), tmp_path / f"a{extension}"
    notes = write_volume(signal, path)
    grid = read_volume(path)[0].grid
    if extension in MEDICAL:
        assert notes == []
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
    write_volume(volume(), path)
    first = path.read_bytes()
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_volume(volume(), path)
    assert path.read_bytes() == first and list(tmp_path.iterdir()) == [path]


def test_single_files_are_memory_mapped(tmp_path):
    values = values_of("f4")[..., 0]
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", volume=np.asfortranarray(values), spacing=np.array([1, 2, 3], np.float32))
    names = ["a.npy", "a.npz"]
    if find_spec("nibabel") is not None:
        write_volume(volume(), tmp_path / "a.nii")
        names.append("a.nii")
    for name in names:
        found = read_volume(tmp_path / name)[0].values
        base = found
        while base is not None and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap), name
        np.testing.assert_array_equal(found[..., 0], values)


def test_kinds_of_numbers(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, values_of("u1")[..., 0] > 100)
    assert read_volume(path)[0].values.dtype == np.uint8
    np.save(path, values_of("f4").astype(">f4"))
    found = read_volume(path)[0].values
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, values_of("f4"))
    np.save(path, values_of("f8").astype(np.float16))
    assert read_volume(path)[0].values.dtype == np.float16
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
    signal, notes = read_volume(tmp_path / "a.npy")
    assert notes == ["2 of 210 values are not finite; a fit leaves them out"]
    np.testing.assert_array_equal(signal.values, values)


def test_stacks_of_other_programs(tmp_path):
    path, values = tmp_path / "a.tif", values_of("u2", 3)
    metadata = {"axes": "ZYX", "spacing": 3.5, "unit": "um"}
    tifffile.imwrite(
        path, values[..., 0], imagej=True, resolution=(1 / 0.5, 1 / 0.25), metadata=metadata, byteorder=">"
    )
    signal, notes = read_volume(path)
    np.testing.assert_array_equal(signal.values[..., 0], values[..., 0])
    assert signal.grid.spacing.tolist() == [3.5, 0.25, 0.5]
    assert notes == [f"{path}: lengths are in um, as ImageJ says"]
    tifffile.imwrite(path, np.moveaxis(values, -1, 1), imagej=True, metadata={"axes": "ZCYX"})
    np.testing.assert_array_equal(read_volume(path)[0].values, values)
    with tifffile.TiffWriter(path) as tif:
        for page in values[..., 0]:
            tif.write(page, metadata=None, contiguous=False)
    signal = read_volume(path)[0]
    np.testing.assert_array_equal(signal.values[..., 0], values[..., 0])
    assert signal.grid.spacing.tolist() == [1, 1, 1]
    tifffile.imwrite(path, np.zeros((2, 3, 4, 5, 6), np.uint8), metadata={"axes": "TZCYX"}, ome=True)
    with pytest.raises(UnreadableInput, match="its axes are TZCYX"):
        read_volume(path)


def test_a_series_of_volumes_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 5, 6, 7)))
    with pytest.raises(UnreadableInput, match=r"a series of 7 volumes, .*; save one volume of it"):
        read_volume(tmp_path / "a.npy")


def imagej(path, resolution=(2, 2), kind="u1", **metadata):
    values = values_of(kind)[..., 0]
    tifffile.imwrite(path, values, imagej=True, resolution=resolution, metadata={"axes": "ZYX", **metadata})
    return read_volume(path)


def test_lengths_that_imagej_writes(tmp_path):
    path = tmp_path / "a.tif"
    signal, notes = imagej(path, spacing=-2, unit="\\u00B5m")
    assert signal.grid.spacing.tolist() == [2, 0.5, 0.5]
    assert signal.header == {"space units": ["um"] * 3, "units": ["micron", "unknown"]}
    assert [note.removeprefix(f"{path}: ") for note in notes] == [
        "its spacing along z is negative, -2: read as 2",
        "lengths are in um, as ImageJ says",
    ]
    signal, notes = imagej(path, spacing=0, resolution=((0, 1), (4, 1)), unit="pixel")
    assert signal.grid.spacing.tolist() == [1, 0.25, 1] and signal.header == {}
    assert [note.split(": ", 1)[1] for note in notes] == [
        "has no spacing along z: taken as 1",
        "has no spacing along x: taken as 1",
    ]
    signal, notes = imagej(path, spacing=0.5, unit="inch", zunit="cm")
    np.testing.assert_allclose(signal.grid.spacing, [0.5 / 2.54, 0.5, 0.5])
    assert "(z cm, y inch, x inch): all become inch" in notes[0]
    signal, notes = imagej(path, spacing=3, unit="um", zunit="furlong")
    assert signal.grid.spacing.tolist() == [3, 0.5, 0.5] and signal.header == {}
    assert "z furlong, y um, x um): lengths are kept" in notes[0]
    assert imagej(path, unit="a\\u000Ab")[0].header == {"space units": ["a b"] * 3}
    assert "steps in time" in imagej(path, axes="TYX")[1][0]


def test_lengths_that_ome_writes(tmp_path):
    path, sizes = tmp_path / "a.tif", {"PhysicalSizeX": 0.5, "PhysicalSizeY": 250, "PhysicalSizeZ": 2}
    units = {"PhysicalSizeXUnit": "\u00b5m", "PhysicalSizeYUnit": "nm", "PhysicalSizeZUnit": "\u00b5m"}
    metadata = {"axes": "ZYX", **sizes, **units}
    tifffile.imwrite(path, values_of("u1")[..., 0], ome=True, metadata=metadata)
    signal, notes = read_volume(path)
    np.testing.assert_allclose(signal.grid.spacing, [2, 0.25, 0.5], rtol=1e-12)
    assert "(z um, y nm, x um): all become um" in notes[0] and notes[1].endswith(
        "lengths are in um, as OME says"
    )
    for name in ("b.tif", "b.nii", "b.nrrd"):
        needs(name[1:])
        write_volume(signal, tmp_path / name)
        back = read_volume(tmp_path / name)[0]
        np.testing.assert_allclose(back.grid.spacing, [2, 0.25, 0.5], rtol=1e-6)
        if name == "b.nii":
            assert back.header["units"] == ["micron", "unknown"]
            write_volume(back, tmp_path / "c.tif")
            assert read_volume(tmp_path / "c.tif")[0].header == signal.header
        else:
            assert back.header["space units"] == ["um"] * 3


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_stacks(tmp_path, compression):
    path = tmp_path / "a.tif"
    for kind, channels in (("u1", 1), ("u2", 1), ("f4", 1), ("u1", 3), ("u1", 4)):
        values = values_of(kind, channels)
        first, *others = (Image.fromarray(page.squeeze()) for page in values)
        first.save(path, save_all=True, append_images=others, compression=compression)
        signal = read_volume(path)[0]
        assert signal.values.dtype == np.dtype(kind)
        np.testing.assert_array_equal(signal.values, values)


@pytest.mark.skipif(find_spec("imagecodecs") is not None, reason="every codec is there")
def test_a_stack_that_nothing_decodes_names_the_library(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values_of("u1"), compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(path) as tif:
        places = [page.tags["Compression"].valueoffset for page in tif.pages]
    data = bytearray(path.read_bytes())
    for place in places:
        data[place : place + 2] = struct.pack("<H", 34887)
    path.write_bytes(data)
    with pytest.raises(
        UnreadableInput, match=r"a\.tif: uint8 samples with LERC compression are not read; pip"
    ):
        read_volume(path)


def test_axes_of_nifti_beyond_the_third(tmp_path):
    nibabel = pytest.importorskip("nibabel")

    def saved(values, time="unknown"):
        image = nibabel.Nifti1Image(values, OBLIQUE)
        image.header.set_xyzt_units("mm", time)
        nibabel.save(image, tmp_path / "a.nii.gz")
        return read_volume(tmp_path / "a.nii.gz")

    values = values_of("f4", 3)
    for shape, axes in (((*SHAPE, 1, 1), 1), ((*SHAPE, 1), 1), ((*SHAPE, 1, 3), 3), ((*SHAPE, 1, 1, 3), 3)):
        signal, notes = saved(values[..., :axes].reshape(shape))
        np.testing.assert_array_equal(signal.values, values[..., :axes])
        np.testing.assert_allclose(signal.grid.affine, OBLIQUE, rtol=1e-6)
        assert notes == []
    assert saved(values, "sec")[1] == [f"{tmp_path / 'a.nii.gz'}: its 3 volumes in time are read as channels"]
    with pytest.raises(UnreadableInput, match="a series of 6 volumes"):
        saved(np.concatenate([values, values], -1), "sec")
    with pytest.raises(UnreadableInput, match=r"found \(5, 6, 7, 2, 3\)"):
        saved(np.stack([values, values], 3))
    colors = values_of("u1", 3)
    packed = np.ascontiguousarray(colors).view([(name, "u1") for name in "RGB"])[..., 0]
    np.testing.assert_array_equal(saved(packed)[0].values, colors)


PLACES = {
    "node": (
        "axis mins: 10 20 30\naxis maxs: 12 25 36\ncenterings: node node node",
        [0.5, 1, 1],
        [10, 20, 30],
    ),
    "cell": (
        "axismins: 10 20 30\naxismaxs: 15 26 37\ncenters: cell cell cell",
        [1, 1, 1],
        [10.5, 20.5, 30.5],
    ),
    "unsaid": ("axis mins: 0 0 0\naxis maxs: 5 6 14", [1, 1, 2], [0.5, 0.5, 1]),
    "falling": ("axis mins: 2 0 0\naxis maxs: 0 5 6\ncenterings: node node node", [0.5, 1, 1], [2, 0, 0]),
    "partly": ("spacings: 2 nan 3\naxis mins: 1 nan nan\ncenterings: node node node", [2, 1, 3], [1, 0, 0]),
    "thick": ("spacings: 2 2 nan\nthicknesses: nan nan 5", [2, 2, 5], [0, 0, 0]),
    "no space": (
        "space dimension: 3\nspace directions: none none none\nspacings: 2 3 4",
        [2, 3, 4],
        [0, 0, 0],
    ),
}


@pytest.mark.parametrize("case", PLACES)
def test_places_along_the_axes_of_nrrd(tmp_path, case):
    pytest.importorskip("nrrd")
    fields, spacing, origin = PLACES[case]
    path, values = tmp_path / "a.nrrd", values_of("u1")[..., 0]
    head = f"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 5 6 7\nencoding: raw\n{fields}\n\n"
    if case == "node":
        head = head.replace("36\n", "36\nunits: um um um\n")
    path.write_bytes(head.encode() + values.tobytes("F"))
    signal, notes = read_volume(path)
    np.testing.assert_array_equal(signal.values[..., 0], values)
    np.testing.assert_allclose(signal.grid.spacing, spacing, rtol=1e-12)
    np.testing.assert_allclose(signal.grid.affine[:3, 3], origin, rtol=1e-12)
    assert signal.grid.affine[0, 0] == (-0.5 if case == "falling" else spacing[0])
    said = {
        "partly": ["has no spacing along axis 2: taken as 1"],
        "thick": ["has no spacing along axis 3: taken as its thickness 5"],
    }
    assert notes == [f"{path}: {note}" for note in said.get(case, [])]
    assert signal.header == ({"space units": ["um"] * 3} if case == "node" else {})


def test_nrrd_of_space_and_time(tmp_path):
    pytest.importorskip("nrrd")
    path, values = tmp_path / "a.nrrd", values_of("u1", 2)
    head = "NRRD0004\ntype: uchar\ndimension: 4\nspace dimension: 4\nsizes: 5 6 7 2\nencoding: raw\n"
    place = "space directions: (2,0,0,0) (0,3,0,0) (0,0,4,0) (0,0,0,1)\nspace origin: (7,8,9,0)\n\n"
    path.write_bytes((head + place).encode() + values.tobytes("F"))
    signal = read_volume(path)[0]
    np.testing.assert_array_equal(signal.values, values)
    np.testing.assert_array_equal(signal.grid.affine[:3], [[2, 0, 0, 7], [0, 3, 0, 8], [0, 0, 4, 9]])
    bounds = "axis mins: nan 1 2 3\naxis maxs: nan 6 8 10\n\n"
    head = head.replace("space dimension: 4\n", "").replace("5 6 7 2", "2 5 6 7")
    path.write_bytes((head + bounds).encode() + np.moveaxis(values, -1, 0).tobytes("F"))
    signal = read_volume(path)[0]
    np.testing.assert_array_equal(signal.values, values)
    np.testing.assert_array_equal(signal.grid.affine[:3], [[1, 0, 0, 1.5], [0, 1, 0, 2.5], [0, 0, 1, 3.5]])


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
    signal, notes = read_volume(path)
    assert notes == [] and signal.values.dtype == np.int16
    assert signal.header["units"] == ["mm", "sec"] and signal.header["codes"] == [0, 4]
    write_volume(signal, tmp_path / "b.nii")
    assert read_volume(tmp_path / "b.nii")[0].header == signal.header
    data = bytearray((tmp_path / "b.nii").read_bytes())
    data[112:120] = struct.pack("<ff", 0.5, -3)
    (tmp_path / "b.nii").write_bytes(data)
    scaled = read_volume(tmp_path / "b.nii")[0].values
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
        signal, notes = read_volume(path)
        assert notes == [] and signal.header["space"] == "left-posterior-superior"
        np.testing.assert_array_equal(signal.values[..., 0], values[..., 0])
        np.testing.assert_array_equal(signal.grid.affine, OBLIQUE)
    write_volume(signal, tmp_path / "b.nrrd")
    again, read_header = nrrd.read(str(tmp_path / "b.nrrd"))
    np.testing.assert_array_equal(again, values[..., 0])
    np.testing.assert_array_equal(read_header["space directions"], header["space directions"])
    directions = np.vstack([np.full(3, np.nan), header["space directions"]])
    colours = {**header, "space directions": directions, "kinds": ["RGB-color", *["domain"] * 3]}
    nrrd.write(str(path), np.moveaxis(values, -1, 0), colours)
    signal = read_volume(path)[0]
    np.testing.assert_array_equal(signal.values, values)
    np.testing.assert_array_equal(signal.grid.affine, OBLIQUE)
    nrrd.write(str(path), values[..., 0], {"spacings": [1.0, 2.0, 3.0]})
    assert read_volume(path)[0].grid.spacing.tolist() == [1, 2, 3]
    text = path.read_bytes().replace(b"encoding:", b"data file: other.raw\nencoding:")
    path.write_bytes(text)
    with pytest.raises(UnreadableInput, match="another file"):
        read_volume(path)


def test_from_nrrd_to_nifti_the_world_stays(tmp_path):
    """The first two axes of the world change their signs between the two."""
    pytest.importorskip("nibabel")
    signal = volume(affine=OBLIQUE)
    signal.header["space"] = "left-posterior-superior"
    write_volume(signal, tmp_path / "a.nii")
    found = read_volume(tmp_path / "a.nii")[0]
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
        write_volume(volume(), path)
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
    write_volume(volume(), path)
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
    write_volume(volume(), path)
    data = path.read_bytes()
    for at in range(min(len(data), 360)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            assert read_volume(path)[0].values.ndim == 4
        except UnreadableInput as error:
            assert path.name in str(error) and "\n" not in str(error)


def test_names_and_missing_libraries(tmp_path, monkeypatch):
    for name in ("a.gzip", "a.unknown", "a"):
        with pytest.raises(UnreadableInput, match="of a volume; known: "):
            read_volume(tmp_path / name)
        with pytest.raises(UsageError, match="of a volume; known: "):
            write_volume(volume(), tmp_path / name)
    check_writable(tmp_path / "a.nii.gz", overwrite=False)
    with pytest.raises(UsageError, match=r"unknown extension \.gz"):
        check_writable(tmp_path / "a.gz", overwrite=False)
    monkeypatch.setitem(__import__("sys").modules, "nibabel", None)
    with pytest.raises(MissingBackend, match=r'pip install "sasnet-sdf\[volumes\]"'):
        write_volume(volume(), tmp_path / "a.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_the_development_volumes(data_dir):
    shapes = {"bolt": (70, 123, 66), "carotid": (76, 49, 45), "inia19_t1_brain": (168, 206, 128)}
    for name, shape in shapes.items():
        signal, notes = read_volume(data_dir / "volumes" / f"{name}.npz")
        assert notes == [] and signal.grid.shape == shape and signal.channels == 1
    assert signal.grid.spacing.tolist() == [0.5, 0.5, 0.5]


def test_the_awkward_volumes(data_dir):
    folder = data_dir / "broken"
    signal, notes = read_volume(folder / "ok_small_volume.npz")
    assert signal.grid.spacing.tolist() == [1, 2, 3] and signal.values.shape == (8, 9, 10, 1) and notes == []
    signal, notes = read_volume(folder / "bad_nan_volume.npz")
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
    assert read_volume(path)[1] == []
    image.set_qform(qform, 1)
    nibabel.save(image, path)
    signal, notes = read_volume(path)
    np.testing.assert_allclose(signal.grid.spacing, [0.5, 1, 2])
    assert notes == [f"{path}: its qform and its sform are 10 apart: the sform is read"]
    data = bytearray(path.read_bytes())
    data[280:328] = bytes(48)
    path.write_bytes(data)
    signal, notes = read_volume(path)
    np.testing.assert_allclose(signal.grid.affine, qform)
    assert notes == [f"{path}: its sform spans no space: its qform is read instead"]
    data[252:254] = bytes(2)
    path.write_bytes(data)
    signal, notes = read_volume(path)
    np.testing.assert_allclose(signal.grid.spacing, [3, 3, 3])
    assert notes == [f"{path}: its sform spans no space: its sizes of voxels are read instead"]


def test_lengths_that_are_not_told_are_named(tmp_path):
    import tifffile

    path = tmp_path / "a.ome.tif"
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "mm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "mm"}
    tifffile.imwrite(path, np.zeros((3, 4, 5), np.uint8), metadata={"axes": "ZYX", **sizes})
    signal, notes = read_volume(path)
    assert signal.grid.spacing.tolist() == [1, 0.5, 0.5] and signal.header["space units"] == ["mm"] * 3
    assert f"{path}: has no spacing along z: taken as 1" in notes
    path = tmp_path / "a.nrrd"
    head = "NRRD0005\ntype: uchar\ndimension: 3\nsizes: 1 1 1\nencoding: raw\nspacings: 1 1 1\n"
    path.write_bytes(head.encode() + b'units: "mm" "mm" "um"\n\n\0')
    pytest.importorskip("nrrd")
    assert read_volume(path)[1] == [f"{path}: its axes have different units (mm, mm, um): lengths are kept"]
