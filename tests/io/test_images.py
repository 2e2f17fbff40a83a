"""Images: every kind round trips bit for bit, and what cannot be read is refused in one line."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from sasnet_sdf.errors import UnreadableInput, UsageError
from sasnet_sdf.io import images, read_image, write_image

KINDS = [np.uint8, np.uint16, np.float32]


def picture(kind, channels, height=23, width=37):
    rng = np.random.default_rng(channels)
    if kind == np.float32:
        return rng.normal(size=(height, width, channels)).astype(kind)
    ramp = np.arange(height * width * channels).reshape(height, width, channels) * 13
    return (ramp + rng.integers(0, 9, ramp.shape)).astype(kind)


def chunk(name, content):
    body = name + content
    return len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def png(width, height, depth, kind, rows, interlace=0, extra=b""):
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace)
    parts = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return images._SIGNATURE + parts


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extension", [".png", ".tif", ".TIFF"])
def test_round_trips_keep_every_bit(tmp_path, extension, kind, channels):
    path, values = tmp_path / f"image{extension}", picture(kind, channels)
    if extension == ".png" and kind == np.float32:
        with pytest.raises(UsageError, match="PNG holds no float32; TIFF does"):
            write_image(path, values)
        return
    write_image(path, values)
    signal = read_image(path)
    notes = list(signal.notes)
    assert notes == [] and signal.values.dtype == kind and signal.grid.shape == (23, 37)
    np.testing.assert_array_equal(signal.values, values)
    assert list(tmp_path.iterdir()) == [path]


def test_jpeg_is_near_and_holds_no_more_than_it_can(tmp_path):
    ramp = np.linspace(0, 255, 40).astype(np.uint8)
    for channels in (1, 3):
        values = np.broadcast_to(ramp[:, None, None], (40, 30, channels))
        write_image(tmp_path / "image.jpg", values)
        found = read_image(tmp_path / "image.jpg").values
        assert found.shape == values.shape and np.abs(found - values.astype(int)).max() <= 4
    for kind, channels, words in ((np.uint16, 3, "8 bits"), (np.uint8, 4, "alpha"), (np.float32, 1, "TIFF")):
        with pytest.raises(UsageError, match=words):
            write_image(tmp_path / "none.jpg", picture(kind, channels))
    assert not (tmp_path / "none.jpg").exists()


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 5), (0, 4, 3)])
def test_what_is_no_image_is_not_written(tmp_path, shape):
    with pytest.raises(UsageError, match="1 to 4 channels"):
        write_image(tmp_path / "image.png", np.zeros(shape, np.uint8))
    with pytest.raises(UsageError, match="found float64"):
        write_image(tmp_path / "image.tif", np.zeros((4, 4, 3)))


def test_the_16_bit_writer_is_read_by_others(tmp_path):
    values = picture(np.uint16, 3)
    write_image(tmp_path / "image.png", values)
    with Image.open(tmp_path / "image.png") as image:
        image.load()
        np.testing.assert_array_equal(np.asarray(image), values >> 8)
    write_image(tmp_path / "gray.png", values[..., :1])
    with Image.open(tmp_path / "gray.png") as image:
        np.testing.assert_array_equal(np.asarray(image), values[..., 0])


def test_every_filter_of_png_is_undone(tmp_path):
    """Section 9 of the standard, written down in plain Python."""
    values = picture(np.uint16, 3, height=10)
    raw = values.astype(">u2").view(np.uint8).reshape(10, -1).astype(int)
    rows = b""
    for y in range(10):
        kind, line = y % 5, []
        for x in range(raw.shape[1]):
            a = raw[y, x - 6] if x >= 6 else 0
            b = raw[y - 1, x] if y else 0
            c = raw[y - 1, x - 6] if y and x >= 6 else 0
            paeth = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            line.append((raw[y, x] - [0, a, b, (a + b) // 2, paeth][kind]) & 255)
        rows += bytes([kind, *line])
    (tmp_path / "a.png").write_bytes(png(37, 10, 16, 2, rows))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").values, values)
    (tmp_path / "a.png").write_bytes(png(37, 10, 16, 2, b"\x05" + rows[1:]))
    with pytest.raises(UnreadableInput, match="row 0 has an unknown filter"):
        read_image(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(png(37, 10, 16, 2, rows, interlace=1))
    with pytest.raises(UnreadableInput, match=r"a\.png: is interlaced"):
        read_image(tmp_path / "a.png")


def test_what_counts_as_transparent_becomes_alpha(tmp_path):
    rows = b"\0" + np.array([7, 9], ">u2").tobytes()
    clear = chunk(b"tRNS", struct.pack(">H", 9))
    (tmp_path / "a.png").write_bytes(png(2, 1, 16, 0, rows, extra=clear))
    assert read_image(tmp_path / "a.png").values.tolist() == [[[7, 65535], [9, 0]]]
    (tmp_path / "a.png").write_bytes(png(2, 1, 8, 0, b"\0\7\11", extra=clear))
    assert read_image(tmp_path / "a.png").values.tolist() == [[[7, 255], [9, 0]]]


def test_palettes_and_bits_become_what_they_show(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    for name in ("a.png", "a.tif"):
        image.save(tmp_path / name)
        assert read_image(tmp_path / name).values.tolist() == [[[10, 20, 30], [200, 100, 50]]]
    image.save(tmp_path / "b.png", transparency=1)
    assert read_image(tmp_path / "b.png").values[..., 3].tolist() == [[255, 0]]
    bits = np.eye(9, dtype=bool)
    for name in ("c.png", "c.tif"):
        Image.fromarray(bits).save(tmp_path / name)
        np.testing.assert_array_equal(read_image(tmp_path / name).values[..., 0], bits * 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied(tmp_path, orientation):
    values = picture(np.uint8, 3)
    tags = Image.Exif()
    tags[0x0112] = orientation
    Image.fromarray(values).save(tmp_path / "a.png", exif=tags)
    seen = read_image(tmp_path / "a.png").values
    steps = [lambda v: v, lambda v: v[:, ::-1], lambda v: v[::-1, ::-1], lambda v: v[::-1]]
    steps += [lambda v: v.swapaxes(0, 1), lambda v: np.rot90(v, -1)]
    steps += [lambda v: v[::-1, ::-1].swapaxes(0, 1), lambda v: np.rot90(v)]
    np.testing.assert_array_equal(seen, steps[orientation - 1](values))
    for compression in ("zlib", None):
        tag = [(274, "H", 1, orientation, True)]
        tifffile.imwrite(tmp_path / "a.tif", values, compression=compression, extratags=tag)
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif").values, seen)
    Image.fromarray(values).save(tmp_path / "b.tif", compression="tiff_lzw", exif=tags)
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif").values, seen)
    deep = values.astype(np.uint16) * 257
    write_image(tmp_path / "c.png", deep)
    data = (tmp_path / "c.png").read_bytes()
    (tmp_path / "c.png").write_bytes(data[:33] + chunk(b"eXIf", tags.tobytes()[6:]) + data[33:])
    np.testing.assert_array_equal(read_image(tmp_path / "c.png").values, seen.astype(np.uint16) * 257)


def test_other_colors_and_further_pages_are_said(tmp_path):
    Image.new("CMYK", (4, 3), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    signal = read_image(tmp_path / "a.tif")
    notes = list(signal.notes)
    assert signal.values.shape == (3, 4, 3) and signal.values[0, 0].tolist() == [255, 0, 0]
    assert len(notes) == 1 and "CMYK" in notes[0]
    pages = [Image.new("RGB", (4, 3), color) for color in ("red", "blue")]
    for name in ("b.tif", "b.png"):
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
        signal = read_image(tmp_path / name)
        notes = list(signal.notes)
        assert signal.values[0, 0].tolist() == [255, 0, 0]
        assert len(notes) == 1 and "holds 2 p" in notes[0] and "first is read" in notes[0]


def test_tiff_of_other_programs(tmp_path):
    path, values = tmp_path / "a.tif", picture(np.uint16, 3)
    tifffile.imwrite(path, np.moveaxis(values, -1, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(path).values, values)
    tifffile.imwrite(path, values, photometric="rgb", byteorder=">", predictor=True, compression="zlib")
    np.testing.assert_array_equal(read_image(path).values, values)
    tifffile.imwrite(path, values[..., 0], photometric="miniswhite", tile=(16, 16))
    np.testing.assert_array_equal(read_image(path).values[..., 0], 65535 - values[..., 0])
    premultiplied = np.array([[[50, 25, 0, 100], [0, 0, 0, 0]]], np.uint16)
    tifffile.imwrite(path, premultiplied, photometric="rgb", extrasamples=["assocalpha"])
    assert read_image(path).values[0, 0].tolist() == [32768, 16384, 0, 100]
    tifffile.imwrite(path, values[..., 0].astype(np.float64))
    signal = read_image(path)
    notes = list(signal.notes)
    assert signal.values.dtype == np.float32 and "float64" in notes[0]
    tifffile.imwrite(path, np.zeros((8, 8, 4), np.uint16), photometric="separated")
    with pytest.raises(UnreadableInput, match=r"a\.tif: 16 bits per channel with SEPARATED colors"):
        read_image(path)
    Image.fromarray(values[..., 0]).save(path, compression="tiff_lzw")
    np.testing.assert_array_equal(read_image(path).values[..., 0], values[..., 0])
    Image.fromarray(np.array([[0.25, np.nan]], np.float32)).save(path, compression="tiff_lzw")
    signal = read_image(path)
    notes = list(signal.notes)
    assert signal.values[0, 0, 0] == 0.25 and "1 of 2 samples are not finite" in notes[0]


@pytest.mark.parametrize("depth, kind", [(8, 2), (16, 2), (1, 0), (8, 3)])
def test_a_header_that_claims_too_much_is_refused(tmp_path, depth, kind):
    (tmp_path / "a.png").write_bytes(png(50000, 40000, depth, kind, b"\0" * 50))
    with pytest.raises(UnreadableInput, match=r"a\.png: "):
        read_image(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(png(10000, 9500, depth, kind, b"\0" * 50))
    with pytest.raises(UnreadableInput, match=r"a\.png: "):
        read_image(tmp_path / "a.png")


def test_a_tiff_that_claims_too_much_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8), np.uint16), metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        for code in (256, 257, 278):
            at = tif.pages[0].tags[code].offset
            data[at + 2 : at + 12] = struct.pack("<HII", 4, 1, 40000)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(UnreadableInput, match=r"a\.tif: is damaged: \d+ bytes cannot hold"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("depth", [8, 16])
def test_an_image_of_64_million_pixels_is_read(tmp_path, depth):
    path = tmp_path / "a.png"
    row = b"\0" + bytes(8000 * depth // 8)
    path.write_bytes(png(8000, 8000, depth, 0, row * 8000))
    assert read_image(path).values.shape == (8000, 8000, 1)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("extension", ["png", "tif", "jpg"])
def test_a_file_that_ends_early_is_refused(tmp_path, extension, kind):
    if extension == "jpg" and kind == np.uint16:
        kind = np.uint8
    path = tmp_path / f"a.{extension}"
    write_image(path, picture(kind, 3))
    data = path.read_bytes()
    for size in (1, 5, 9, 30, 60, len(data) // 3, len(data) // 2, len(data) * 9 // 10):
        path.write_bytes(data[:size])
        with pytest.raises(UnreadableInput) as caught:
            read_image(path)
        assert path.name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_damage_is_an_error_of_ours_or_an_image(tmp_path, extension, kind):
    path = tmp_path / f"a.{extension}"
    write_image(path, picture(kind, 3, 6, 7))
    data = path.read_bytes()
    refused = 0
    for at in range(min(len(data), 400)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            values = read_image(path).values
            assert values.ndim == 3 and 1 <= values.shape[2] <= 4
        except UnreadableInput as error:
            refused += 1
            assert path.name in str(error) and "\n" not in str(error)
    assert refused > 30


def test_other_names_and_no_file(tmp_path):
    with pytest.raises(UnreadableInput, match=r"a\.bmp: is an image of another kind: save it as PNG"):
        read_image(tmp_path / "a.bmp")
    with pytest.raises(UnreadableInput, match=r"a\.png: no such file"):
        read_image(tmp_path / "a.png")
    write_image(tmp_path / "a.png", picture(np.uint8, 3))
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg").values.shape == (23, 37, 3)


def test_the_development_images(data_dir):
    for name, shape in (("kodak/kodim01", (512, 768, 3)), ("div2k/test_00", (512, 512, 3))):
        path = data_dir / "images" / f"{name}.png"
        signal = read_image(path)
        notes = list(signal.notes)
        assert notes == [] and signal.values.shape == shape and signal.values.dtype == np.uint8
        with Image.open(path) as image:
            np.testing.assert_array_equal(signal.values, np.asarray(image))


def test_the_awkward_images(data_dir):
    folder = data_dir / "broken"
    kinds = {"gray": (1, np.uint8), "rgba": (4, np.uint8), "palette": (3, np.uint8), "1bit": (1, np.uint8)}
    kinds |= {"gray16": (1, np.uint16), "constant": (3, np.uint8), "1x1": (3, np.uint8)}
    for name, (channels, kind) in kinds.items():
        signal = read_image(folder / f"ok_{name}.png")
        notes = list(signal.notes)
        assert (signal.channels, signal.values.dtype, notes) == (channels, kind, []), name
    assert set(np.unique(read_image(folder / "ok_1bit.png").values)) == {0, 255}
    signal = read_image(folder / "ok_cmyk.jpg")
    notes = list(signal.notes)
    assert signal.channels == 3 and len(notes) == 1
    for name in ("truncated", "empty", "text_named"):
        with pytest.raises(UnreadableInput, match=rf"bad_{name}\.png: "):
            read_image(folder / f"bad_{name}.png")
