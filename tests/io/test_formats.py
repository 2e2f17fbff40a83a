"""One table holds the file formats: lists, messages and pages follow it, and other packages add to it."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

from sasnet_sdf.cli.main import run
from sasnet_sdf.cli.outputs import MeshFormat
from sasnet_sdf.errors import UnreadableInput, UsageError
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.io import Format, check_writable, formats, read_cloud, read_geometry, read_mesh, write_mesh

TETRAHEDRON = TriangleMesh(
    np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]),
)


@pytest.fixture(autouse=True)
def own_table(monkeypatch):
    """What a test adds is gone after it."""
    monkeypatch.setattr(formats, "_ROWS", list(formats.OWN))
    formats._installed.cache_clear()
    yield
    formats._installed.cache_clear()


@pytest.fixture
def page(root):
    return (root / "docs" / "extending.md").read_text(encoding="utf-8")


@pytest.fixture
def example(page):
    """The format of the page, as its own code makes it."""
    code = re.search(r"## A format.*?```python\n(.*?)```", page, re.DOTALL)
    assert code and code[1].count("\n") < 20
    exec(code[1], names := {})
    return names["RAW"]


def test_the_example_of_the_page_reads_and_writes(tmp_path, example):
    assert example in formats._ROWS
    assert write_mesh(tmp_path / "mesh.f8", TETRAHEDRON) == ()
    np.testing.assert_array_equal(
        read_cloud(tmp_path / "mesh.f8").points, TETRAHEDRON.vertices[TETRAHEDRON.faces].reshape(-1, 3)
    )
    (tmp_path / "cut.f8").write_bytes(bytes(32))
    with pytest.raises(UnreadableInput, match=r"cut\.f8: cut short: 4 numbers are no whole points"):
        read_geometry(tmp_path / "cut.f8")
    (tmp_path / "odd.f8").write_bytes(b"")
    with pytest.raises(UnreadableInput, match=r"odd\.f8: the file is empty"):
        read_geometry(tmp_path / "odd.f8")


def test_a_writer_leaves_notes_that_name_the_file(tmp_path, example):
    colored = TriangleMesh(TETRAHEDRON.vertices, TETRAHEDRON.faces, colors=np.zeros((4, 3), np.uint8))
    assert colored.save(tmp_path / "a.f8") == (f"{tmp_path / 'a.f8'}: triangles are written without colors",)


def test_the_commands_know_the_example(tmp_path, example, capsys):
    sphere = np.random.default_rng(0).normal(size=(300, 3))
    (sphere / np.linalg.norm(sphere, axis=1, keepdims=True)).astype("<f8").tofile(tmp_path / "scan.f8")
    assert run(["info", str(tmp_path / "scan.f8")]) == 0
    assert "300" in capsys.readouterr().out
    words = ["--preset", "fast", "--steps", "2", "--resolution", "24", "--set", "width=8", "-q"]
    assert run(["reconstruct", str(tmp_path / "scan.f8"), "-o", str(tmp_path), "--format", "F8", *words]) == 0
    assert len(read_cloud(tmp_path / "scan_surface.f8")) > 100
    check_writable(tmp_path / "named.f8", overwrite=False, kinds=("mesh",))


def test_a_valueerror_of_another_package_is_one_line(tmp_path):
    def read(path):
        raise ValueError("no magic\nnumber")

    formats.register(Format("odd", (".odd",), read={"cloud": read}, memory=2.0**40))
    (tmp_path / "a.odd").write_text("x")
    with pytest.raises(
        UnreadableInput, match=r"a\.odd: not a odd file that can be read \(no magic number\)$"
    ):
        read_geometry(tmp_path / "a.odd")
    with pytest.raises(UsageError, match="max-memory"):
        read_geometry(tmp_path / "a.odd", max_memory=1 << 30)


@pytest.mark.parametrize("extensions", [(), ("ply",), (".PLY",)])
def test_extensions_are_checked(extensions):
    with pytest.raises(UsageError, match=r"extensions must be like '\.ply'"):
        Format("odd", extensions)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Two packages whose formats are entry points: one good, one that cannot be imported."""
    folder = tmp_path / "site"
    for name, target in (("good", "other_formats:ROW"), ("broken", "no_such_module:ROW")):
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[sasnet_sdf.formats]\n{name} = {target}\n")
    (folder / "other_formats.py").write_text(
        "from sasnet_sdf import PointCloud\nfrom sasnet_sdf.io import Format\nimport numpy\n"
        "def read(path): return PointCloud(numpy.loadtxt(path)[:, ::-1])\n"
        "ROW = Format('backwards', ('.zyx',), read={'cloud': read})\n"
    )
    monkeypatch.syspath_prepend(folder)
    yield
    sys.modules.pop("other_formats", None)


def test_formats_of_installed_packages_are_found_when_they_are_needed(tmp_path, installed, caplog):
    (tmp_path / "a.xyz").write_text("1 2 3\n4 5 6\n")
    (tmp_path / "a.zyx").write_text("3 2 1\n6 5 4\n")
    own = read_cloud(tmp_path / "a.xyz")
    assert "other_formats" not in sys.modules
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.zyx").points, own.points)
    assert ".zyx" in formats.extensions("cloud") and ".zyx" not in formats.extensions("mesh")
    assert "the file format no_such_module:ROW cannot be used: No module named" in caplog.text


def test_an_unknown_extension_lists_those_of_installed_packages(tmp_path, installed):
    with pytest.raises(UnreadableInput, match=r"unknown extension \.abc1; known: \.ply .* \.e57 \.zyx$"):
        read_geometry(tmp_path / "a.abc1")


def test_every_function_of_the_table_is_there():
    for row in formats.OWN:
        for function in (*row.read.values(), *row.write.values(), row.content):
            assert function is None or callable(formats.function_of(function))


def test_no_extension_has_two_readers_or_writers_of_a_kind():
    for writing in (False, True):
        held = [
            (extension, kind)
            for row in formats.OWN
            for extension in row.extensions
            for kind in (row.write if writing else row.read)
        ]
        assert len(held) == len(set(held))


def test_the_choices_of_format_are_those_of_the_table():
    assert MeshFormat.name == f"[{'|'.join(e[1:] for e in formats.extensions('mesh', writing=True))}]"


def test_an_unknown_format_names_the_known_ones(tmp_path, capsys):
    assert run(["reconstruct", str(tmp_path / "a.ply"), "-o", str(tmp_path), "--format", "objj"]) == 2
    assert "did you mean obj?" in capsys.readouterr().err


def _table(rows):
    """The table of a page: what a format holds, reads and writes."""
    kinds = ("cloud", "mesh", "image", "volume")
    lines = ["| format | extensions | read | written | extra |", "|---|---|---|---|---|"]
    for row in rows:
        does = [", ".join(k for k in kinds if k in held) for held in (row.read, row.write)]
        if any(does):
            lines.append(f"| {row.name} | {' '.join(row.extensions)} | {does[0]} | {does[1]} | {row.extra} |")
    return "\n".join(lines)


def test_the_page_of_formats_has_the_table(root):
    assert _table(formats.OWN) in (root / "docs" / "scans.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [b"II*\x00", b"II*\x00\x08\x00\x00\x00", b"MM\x00*" + bytes(60)])
def test_a_damaged_tiff_is_damaged_and_not_unknown(tmp_path, content, capsys):
    path = tmp_path / "scan.tif"
    path.write_bytes(content)
    for command in ("info", "fit-image", "fit-volume"):
        assert run([command, str(path)]) == 3
        message = capsys.readouterr().err
        assert "scan.tif" in message and "unknown extension" not in message and "can" in message
    with pytest.raises(UnreadableInput, match="is an image: `sasnet-sdf fit-image`"):
        read_geometry(path)


def test_a_mesh_is_read_as_one(tmp_path):
    write_mesh(tmp_path / "a.ply", TETRAHEDRON)
    assert read_mesh(tmp_path / "a.ply").faces.shape == (4, 3)
    assert len(read_cloud(tmp_path / "a.ply")) == 4
    (tmp_path / "a.xyz").write_text("1 2 3\n4 5 6\n")
    assert isinstance(read_geometry(tmp_path / "a.xyz"), PointCloud)
    with pytest.raises(Exception, match=r"a\.xyz: holds 2 points and no faces; a mesh was expected"):
        read_mesh(tmp_path / "a.xyz")
