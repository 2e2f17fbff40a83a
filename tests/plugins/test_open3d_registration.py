"""The method on Open3D's meshes comes and goes; what is missing is said with the line that brings it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sasnet_open3d
import sasnet_sdf

NAME = "create_from_point_cloud_sasnet"


@pytest.fixture
def meshes(o3d):
    yield o3d.geometry.TriangleMesh, o3d.t.geometry.TriangleMesh
    sasnet_open3d.unregister()


def test_register_puts_it_beside_poisson_and_unregister_takes_it_away(meshes):
    before = [set(dir(mesh)) for mesh in meshes]
    sasnet_open3d.register()
    sasnet_open3d.register()
    for mesh, names in zip(meshes, before, strict=True):
        assert set(dir(mesh)) - names == {NAME}
        assert getattr(mesh, NAME) is sasnet_open3d.create_from_point_cloud_sasnet
        assert getattr(mesh(), NAME) is sasnet_open3d.create_from_point_cloud_sasnet  # as static methods are
    sasnet_open3d.unregister()
    sasnet_open3d.unregister()
    assert [set(dir(mesh)) for mesh in meshes] == before


def test_a_method_of_open3d_itself_stays(meshes, monkeypatch):
    native = staticmethod(lambda pcd: "native")
    monkeypatch.setattr(meshes[0], NAME, native, raising=False)
    sasnet_open3d.register()
    assert getattr(meshes[0], NAME)(None) == "native"
    assert getattr(meshes[1], NAME) is sasnet_open3d.create_from_point_cloud_sasnet
    sasnet_open3d.unregister()
    assert getattr(meshes[0], NAME)(None) == "native" and not hasattr(meshes[1], NAME)


LOADER = "libusb-1.0.so.0: cannot open shared object file: No such file or directory"


@pytest.mark.parametrize(
    ("raised", "remedy"),
    [
        ("ModuleNotFoundError(\"No module named 'open3d'\")", 'pip install "sasnet-sdf[open3d]"'),
        ("ModuleNotFoundError(\"No module named 'sklearn'\")", 'pip install "sasnet-sdf[open3d]"'),
        (f"ImportError({LOADER!r})", f"apt-get install libusb-1.0-0 libgl1 libgomp1 ({LOADER})"),
        (f"OSError({LOADER!r})", f"apt-get install libusb-1.0-0 libgl1 libgomp1 ({LOADER})"),
    ],
)
@pytest.mark.parametrize("use", [sasnet_open3d.register, lambda: sasnet_open3d.reconstruct(None)])
def test_a_missing_or_broken_open3d_is_an_error_with_the_remedy(tmp_path, monkeypatch, use, raised, remedy):
    (tmp_path / "open3d").mkdir()
    (tmp_path / "open3d" / "__init__.py").write_text(f"raise {raised}", encoding="utf-8")
    for name in [name for name in sys.modules if name.partition(".")[0] == "open3d"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(sasnet_sdf.MissingBackend) as raising:
        use()
    message = str(raising.value)
    assert message.startswith("sasnet_open3d needs open3d: ") and remedy in message
    assert "\n" not in message


def test_importing_the_package_imports_neither_open3d_nor_torch():
    code = "import sys, sasnet_open3d; print(sorted({'open3d', 'torch', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
