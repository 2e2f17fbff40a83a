"""LAS and LAZ: coordinates, colors, scalars and the reference system of airborne scans."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from sasnet_sdf.errors import MissingBackend, UnreadableInput
from sasnet_sdf.io import read_cloud, read_geometry
from sasnet_sdf.io.las import system_of

laspy = pytest.importorskip("laspy", reason="laspy is not installed (the lidar extra)")

RNG = np.random.default_rng(0)
COUNT = 500
POINTS = np.round(RNG.random((COUNT, 3)) * 50, 3) + [512_700.0, 5_403_500.0, 300.0]
COLORS = RNG.integers(0, 256, (COUNT, 3))
WKT = (
    'PROJCS["WGS 84 / UTM zone 32N",GEOGCS["WGS 84",AUTHORITY["EPSG","4326"]],'
    'UNIT["metre",1,AUTHORITY["EPSG","9001"]],AUTHORITY["EPSG","32632"]]'
)


def write(path, point_format=3, colors=COLORS * 257, wkt=None, **extra):
    header = laspy.LasHeader(point_format=point_format, version="1.4" if point_format > 5 else "1.2")
    header.scales, header.offsets = np.full(3, 0.001), np.floor(POINTS.mean(0))
    for name, values in extra.items():
        header.add_extra_dim(laspy.ExtraBytesParams(name=name, type=values.dtype))
    if wkt:
        header.vlrs.append(laspy.vlrs.known.WktCoordinateSystemVlr(wkt))
    data = laspy.LasData(header)
    data.x, data.y, data.z = POINTS.T
    data.intensity, data.classification = np.arange(COUNT), np.arange(COUNT) % 7
    if colors is not None:
        data.red, data.green, data.blue = colors.T
    for name, values in extra.items():
        setattr(data, name, values)
    data.write(str(path))


@pytest.mark.parametrize("extension", [".las", ".laz"])
@pytest.mark.parametrize("point_format", [3, 7])
def test_what_is_written_is_read(tmp_path, extension, point_format):
    path = tmp_path / f"scan{extension}"
    write(path, point_format, Amplitude=np.arange(COUNT) / 8)
    cloud = read_cloud(path)
    np.testing.assert_allclose(cloud.points, POINTS, rtol=0, atol=1e-9)
    assert cloud.points.dtype == np.float64 and np.array_equal(cloud.colors, COLORS)
    assert np.array_equal(cloud.scalars["intensity"], np.arange(COUNT))
    assert np.array_equal(cloud.scalars["classification"], np.arange(COUNT) % 7)
    assert np.array_equal(cloud.scalars["Amplitude"], np.arange(COUNT) / 8)
    assert not {"x", "X", "red"} & set(cloud.scalars)
    assert cloud.sensors is None and cloud.normals is None and cloud.notes == ()


def test_colors_of_eight_bits_and_of_none(tmp_path):
    write(tmp_path / "eight.las", colors=COLORS)
    assert np.array_equal(read_cloud(tmp_path / "eight.las").colors, COLORS)
    write(tmp_path / "none.las", colors=0 * COLORS)
    none = read_cloud(tmp_path / "none.las")
    assert none.colors is None and "red" not in none.scalars
    write(tmp_path / "format0.las", point_format=0, colors=None)
    assert read_cloud(tmp_path / "format0.las").colors is None


def test_normals_in_extra_dimensions(tmp_path):
    write(tmp_path / "scan.laz", NormalX=np.zeros(COUNT), NormalY=np.zeros(COUNT), NormalZ=np.ones(COUNT))
    assert np.array_equal(read_cloud(tmp_path / "scan.laz").normals, np.tile([0.0, 0, 1], (COUNT, 1)))


def test_the_reference_system_is_a_note(tmp_path):
    write(tmp_path / "scan.las", point_format=7, wkt=WKT)
    assert read_cloud(tmp_path / "scan.las").notes == (
        "coordinate reference system: WGS 84 / UTM zone 32N (EPSG:32632)",
    )


class Record:
    user_id = "LASF_Projection"

    def __init__(self, record_id, data):
        self.record_id, self.data = record_id, data

    def record_data_bytes(self):
        return self.data


def geokeys(*keys):
    return Record(34735, np.array([1, 1, 0, len(keys), *np.ravel(keys)], "<u2").tobytes())


def test_geotiff_keys():
    projected = geokeys((1024, 0, 1, 1), (3072, 0, 1, 25832), (3073, 34737, 15, 0))
    text = Record(34737, b"ETRS89 / UTM 32|other|")
    assert system_of([projected, text]) == ("ETRS89 / UTM 32 (EPSG:25832)", False)
    assert system_of([projected]) == ("EPSG:25832", False)
    assert system_of([Record(34735, projected.data[:20])]) == (None, False) == system_of([])
    assert system_of([geokeys((1024, 0, 1, 2), (2048, 0, 1, 4326))]) == ("EPSG:4326", True)
    assert system_of([geokeys((2048, 0, 1, 4326))]) == ("EPSG:4326", True)
    assert system_of([geokeys((2048, 0, 1, 4326), (3072, 0, 1, 32632))]) == ("EPSG:32632", False)
    assert system_of([geokeys((1024, 0, 1, 1), (2048, 0, 1, 4326))]) == ("EPSG:4326", False)


@pytest.mark.parametrize(
    "text, name, geographic",
    [
        ('PROJCRS["Local",BASEGEOGCRS["WGS 84"],ID["EPSG",1234]]\0', "Local (EPSG:1234)", False),
        ('LOCAL_CS["Site"]', "Site", False),
        (WKT, "WGS 84 / UTM zone 32N (EPSG:32632)", False),
        ('GEOGCS["WGS 84",DATUM["WGS_1984"]]', "WGS 84", True),
        ('COMPD_CS["both",GEOGCS["WGS 84"],VERT_CS["height"]]', "both", True),
        ('GEOGCRS["WGS 84",CS[ellipsoidal,3]]', "WGS 84", True),
        ('GEODCRS["WGS 84",CS[Cartesian,3]]', "WGS 84", False),
        ('GEOCCS["WGS 84"]', "WGS 84", False),
    ],
)
def test_wkt(text, name, geographic):
    assert system_of([Record(2112, text.encode())]) == (name, geographic)


def test_degrees_are_told_of_the_cloud(tmp_path):
    write(tmp_path / "degrees.laz", 7, wkt='GEOGCS["WGS 84",AUTHORITY["EPSG","4326"]]')
    write(tmp_path / "metres.laz", 7, wkt=WKT)
    assert read_cloud(tmp_path / "degrees.laz").geographic
    assert read_geometry(tmp_path / "degrees.laz", max_points=50).geographic
    assert not read_cloud(tmp_path / "metres.laz").geographic


@pytest.mark.parametrize("extension", [".las", ".laz"])
def test_cut_short_anywhere_is_refused(tmp_path, extension):
    path = tmp_path / f"scan{extension}"
    write(path)
    data = path.read_bytes()
    for length in (*range(1, len(data) - 60, len(data) // 25), len(data) - 60):
        path.write_bytes(data[:length])
        with pytest.raises(UnreadableInput, match=r"scan\.la[sz]: ") as caught:
            read_geometry(path)
        assert "\n" not in str(caught.value)


def test_a_header_that_lies_takes_no_memory(tmp_path, capfd):
    for extension in (".las", ".laz"):
        path = tmp_path / f"scan{extension}"
        write(path)
        data = bytearray(path.read_bytes())
        data[107:111] = (4_000_000_000).to_bytes(4, "little")
        path.write_bytes(bytes(data))
        with pytest.raises(UnreadableInput, match=r"scan\.la[sz]: "):
            read_geometry(path)
    assert capfd.readouterr().err == ""


def test_without_the_library_the_command_that_installs_it(tmp_path, monkeypatch):
    write(tmp_path / "scan.las")
    monkeypatch.setitem(sys.modules, "laspy", None)
    with pytest.raises(MissingBackend, match=r'pip install "sasnet-sdf\[lidar\]"'):
        read_geometry(tmp_path / "scan.las")


def test_real_files(data_dir):
    autzen = read_cloud(data_dir / "lidar" / "autzen_trim_small.laz")
    assert len(autzen) == 110_000 and autzen.colors.std() > 10
    assert autzen.scalars["intensity"].max() == 254
    assert autzen.notes == ("coordinate reference system: NAD_1983_HARN_Lambert_Conformal_Conic",)
    assert len(read_cloud(data_dir / "lidar" / "simple.laz")) == 1065
