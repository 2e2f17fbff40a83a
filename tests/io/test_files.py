"""Files appear whole or not at all, and what cannot be written is said before the work."""

from __future__ import annotations

import errno

import pytest

from sasnet_sdf.errors import SasnetError, UsageError
from sasnet_sdf.io import atomic_write, check_writable


def test_the_file_takes_its_place_at_the_end(tmp_path):
    path = tmp_path / "out.ply"
    path.write_text("old")
    with atomic_write(path) as partial:
        assert partial.parent == path.resolve().parent and partial.suffix == ".ply"
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_nothing_behind(tmp_path, error):
    path = tmp_path / "out.ply"
    with pytest.raises(error), atomic_write(path) as partial:
        partial.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link(tmp_path):
    path, link = tmp_path / "out.ply", tmp_path / "link.ply"
    path.write_text("old")
    try:
        link.symlink_to(path)
    except OSError:
        pytest.skip("links need a privilege here")
    with atomic_write(link) as partial:
        partial.write_text("new")
    assert link.is_symlink() and path.read_text() == "new"


@pytest.mark.parametrize(
    "code, kind", [(errno.EACCES, UsageError), (errno.EROFS, UsageError), (errno.ENOSPC, SasnetError)]
)
def test_what_the_system_refuses_is_one_line(tmp_path, code, kind):
    refused = pytest.raises(SasnetError, match=r"out\.ply: cannot be written \(why\)")
    with refused as caught, atomic_write(tmp_path / "out.ply") as partial:
        partial.write_text("half")
        raise OSError(code, "why")
    assert type(caught.value) is kind and list(tmp_path.iterdir()) == []


def test_places_where_nothing_can_be_written(tmp_path):
    (tmp_path / "folder.ply").mkdir()
    for name, message in (("folder.ply", "is a folder"), ("none/out.ply", "there is no folder")):
        with pytest.raises(UsageError, match=message):
            check_writable(tmp_path / name, overwrite=True)
        with pytest.raises(UsageError, match=message), atomic_write(tmp_path / name):
            pass


def test_a_folder_that_refuses_is_found_before_the_work(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.touch", refuse)
    with pytest.raises(UsageError, match=r"out\.ply: cannot be written \(Permission denied\)"):
        check_writable(tmp_path / "out.ply", overwrite=False)


def test_what_exists_is_kept_unless_told_otherwise(tmp_path):
    path = tmp_path / "out.ply"
    check_writable(path, overwrite=False)
    assert list(tmp_path.iterdir()) == []
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists; give --overwrite or another name"):
        check_writable(path, overwrite=False)
    check_writable(path, overwrite=True)
    assert path.read_text() == "mine"


def test_formats(tmp_path):
    for name in ("out.xyz", "out"):
        with pytest.raises(UsageError, match=r"known: \.ply \.obj \.stl \.off \.glb \.csv"):
            check_writable(tmp_path / name, overwrite=False)
    with pytest.raises(UsageError, match=r"out\.csv: unknown extension \.csv; known: \.ply$"):
        check_writable(tmp_path / "out.csv", overwrite=False, kinds=["cloud"])
    check_writable(tmp_path / "OUT.PLY", overwrite=False)
