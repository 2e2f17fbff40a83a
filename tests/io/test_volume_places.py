"""Where volumes of other programs lie, in which unit, and how their axes and samples are stored."""

from __future__ import annotations

import struct
from importlib.util import find_spec

import numpy as np
import pytest
import tifffile
from PIL import Image

from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.io import read_volume, write_volume

SHAPE = (5, 6, 7)
OBLIQUE = np.array([[-1.5, 0.25, 0, 10], [0.5, 2, 0.125, -20], [0, 0.25, 3, 30.5], [0, 0, 0, 1]])


def values_of(kind, channels=1):
    return np.random.default_rng(channels).integers(0, 255, (*SHAPE, channels)).astype(kind)


def imagej(path, resolution=(2, 2), kind="u1", **metadata):
    values = values_of(kind)[..., 0]
    tifffile.imwrite(path, values, imagej=True, resolution=resolution, metadata={"axes": "ZYX", **metadata})
    return read_volume(path)


def test_lengths_that_imagej_writes(tmp_path):
    path = tmp_path / "a.tif"
    signal = imagej(path, spacing=-2, unit="\\u00B5m")
    notes = list(signal.notes)
    assert signal.grid.spacing.tolist() == [2, 0.5, 0.5]
    assert signal.header == {"space units": ["um"] * 3, "units": ["micron", "unknown"]}
    assert [note.removeprefix(f"{path}: ") for note in notes] == [
        "its spacing along z is negative, -2: read as 2",
        "lengths are in um, as ImageJ says",
    ]
    signal = imagej(path, spacing=0, resolution=((0, 1), (4, 1)), unit="pixel")
    notes = list(signal.notes)
    assert signal.grid.spacing.tolist() == [1, 0.25, 1] and signal.header == {}
    assert [note.split(": ", 1)[1] for note in notes] == [
        "has no spacing along z: taken as 1",
        "has no spacing along x: taken as 1",
    ]
    signal = imagej(path, spacing=0.5, unit="inch", zunit="cm")
    notes = list(signal.notes)
    np.testing.assert_allclose(signal.grid.spacing, [0.5 / 2.54, 0.5, 0.5])
    assert "(z cm, y inch, x inch): all become inch" in notes[0]
    signal = imagej(path, spacing=3, unit="um", zunit="furlong")
    notes = list(signal.notes)
    assert signal.grid.spacing.tolist() == [3, 0.5, 0.5] and signal.header == {}
    assert "z furlong, y um, x um): lengths are kept" in notes[0]
    assert imagej(path, unit="a\\u000Ab").header == {"space units": ["a b"] * 3}
    assert "steps in time" in imagej(path, axes="TYX").notes[0]


def test_lengths_that_ome_writes(tmp_path):
    path, sizes = tmp_path / "a.tif", {"PhysicalSizeX": 0.5, "PhysicalSizeY": 250, "PhysicalSizeZ": 2}
    units = {"PhysicalSizeXUnit": "\u00b5m", "PhysicalSizeYUnit": "nm", "PhysicalSizeZUnit": "\u00b5m"}
    metadata = {"axes": "ZYX", **sizes, **units}
    tifffile.imwrite(path, values_of("u1")[..., 0], ome=True, metadata=metadata)
    signal = read_volume(path)
    notes = list(signal.notes)
    np.testing.assert_allclose(signal.grid.spacing, [2, 0.25, 0.5], rtol=1e-12)
    assert "(z um, y nm, x um): all become um" in notes[0] and notes[1].endswith(
        "lengths are in um, as OME says"
    )
    for name in ("b.tif", "b.nii", "b.nrrd"):
        pytest.importorskip({"b.nii": "nibabel", "b.nrrd": "nrrd"}.get(name, "tifffile"))
        write_volume(tmp_path / name, signal)
        back = read_volume(tmp_path / name)
        np.testing.assert_allclose(back.grid.spacing, [2, 0.25, 0.5], rtol=1e-6)
        if name == "b.nii":
            assert back.header["units"] == ["micron", "unknown"]
            write_volume(tmp_path / "c.tif", back)
            assert read_volume(tmp_path / "c.tif").header == signal.header
        else:
            assert back.header["space units"] == ["um"] * 3


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_stacks(tmp_path, compression):
    path = tmp_path / "a.tif"
    for kind, channels in (("u1", 1), ("u2", 1), ("f4", 1), ("u1", 3), ("u1", 4)):
        values = values_of(kind, channels)
        first, *others = (Image.fromarray(page.squeeze()) for page in values)
        first.save(path, save_all=True, append_images=others, compression=compression)
        signal = read_volume(path)
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
        signal = saved(values[..., :axes].reshape(shape))
        notes = list(signal.notes)
        np.testing.assert_array_equal(signal.values, values[..., :axes])
        np.testing.assert_allclose(signal.grid.affine, OBLIQUE, rtol=1e-6)
        assert notes == []
    assert saved(values, "sec").notes == (
        f"{tmp_path / 'a.nii.gz'}: its 3 volumes in time are read as channels",
    )
    with pytest.raises(UnreadableInput, match="a series of 6 volumes"):
        saved(np.concatenate([values, values], -1), "sec")
    with pytest.raises(UnreadableInput, match=r"found \(5, 6, 7, 2, 3\)"):
        saved(np.stack([values, values], 3))
    colors = values_of("u1", 3)
    packed = np.ascontiguousarray(colors).view([(name, "u1") for name in "RGB"])[..., 0]
    np.testing.assert_array_equal(saved(packed).values, colors)


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
    signal = read_volume(path)
    notes = list(signal.notes)
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
    signal = read_volume(path)
    np.testing.assert_array_equal(signal.values, values)
    np.testing.assert_array_equal(signal.grid.affine[:3], [[2, 0, 0, 7], [0, 3, 0, 8], [0, 0, 4, 9]])
    bounds = "axis mins: nan 1 2 3\naxis maxs: nan 6 8 10\n\n"
    head = head.replace("space dimension: 4\n", "").replace("5 6 7 2", "2 5 6 7")
    path.write_bytes((head + bounds).encode() + np.moveaxis(values, -1, 0).tobytes("F"))
    signal = read_volume(path)
    np.testing.assert_array_equal(signal.values, values)
    np.testing.assert_array_equal(signal.grid.affine[:3], [[1, 0, 0, 1.5], [0, 1, 0, 2.5], [0, 0, 1, 3.5]])
