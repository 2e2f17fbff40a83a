"""The filter of the desktop MeshLab: built, installed, and run by MeshLab itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from sasnet_sdf.cli.main import run
from sasnet_sdf.errors import MissingBackend, SasnetError, UnreadableInput, UsageError

native = pytest.importorskip("sasnet_meshlab.native", reason="the plugin packages: pip install .")

MESHLAB = "apt-get install meshlab xvfb xauth libgl1-mesa-dri"
WHEEL = "pymeshlab==2022.2.post4"
SETTINGS = {"preset": "fast", "resolution": "64", "seed": "3", "steps": "40", "trim": "12.5"}
MARK = b"\x7fELF sasnet-sdf plugin for MeshLab %s float\0"


# what needs no MeshLab


def fake_plugin(folder: Path, version: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "libfilter_sasnet.so"
    file.write_bytes(MARK % version)
    return file


@pytest.fixture
def distribution(tmp_path, monkeypatch) -> Path:
    """A MeshLab as Debian installs it, of empty files, and nothing else on the PATH."""
    for name in ("bin/meshlab", "bin/meshlabserver", "lib/any/meshlab/libmeshlab-common.so"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch(mode=0o755)
    (tmp_path / "lib/any/meshlab/plugins").mkdir()
    (tmp_path / "lib/any/meshlab/plugins/libfilter_other.so").touch()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def test_every_source_is_in_the_wheel(root):
    tomllib = pytest.importorskip("tomllib")
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["sasnet_meshlab.native"]
    folder = Path(native.__file__).parent
    packed = {file.name for pattern in patterns for file in folder.glob(pattern)}
    here = {file.name for file in folder.iterdir() if file.is_file() and file.suffix != ".py"}
    assert packed == here
    assert {"CMakeLists.txt", "reconstruct.cpp", "plugin_2020.h", "plugin_2021.h", "LICENSE.md"} <= here


def test_script_of_the_sample_names_every_parameter(root):
    script = (root / "samples" / "meshlab.mlx").read_text(encoding="utf-8")
    source = (Path(native.__file__).parent / "reconstruct.cpp").read_text(encoding="utf-8")
    declared = re.findall(r'addParam\((Rich\w+)\("(\w+)"', source.replace("(RichLength(", "(RichAbsPerc("))
    assert re.findall(r'type="(\w+)" name="(\w+)"', script) == declared
    assert len(declared) == 13


def test_building_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingBackend, match=r"needs cmake and c\+\+: apt-get install cmake g\+\+ qtbase5"):
        native.build_plugin(tmp_path, tmp_path)


def test_building_wants_a_source_of_meshlab(tmp_path, capsys):
    if not (shutil.which("cmake") and shutil.which("c++")):
        pytest.skip(native.APT_LINE)
    assert run(["meshlab", "build-plugin", "--meshlab-source", str(tmp_path)]) == 2
    assert "is not MeshLab's source" in capsys.readouterr().err


def test_newer_meshlab_looks_in_the_users_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    plugin = fake_plugin(tmp_path, b"2022.02")
    assert run(["meshlab", "install-plugin", str(plugin)]) == 0
    put = tmp_path / "data/VCG/MeshLab_64bit_fp/MeshLabExtraPlugins/2022.02/libfilter_sasnet.so"
    assert put.read_bytes() == plugin.read_bytes()
    assert f"undo: rm {put}" in capsys.readouterr().out


def test_old_meshlab_looks_in_its_own_folder(distribution):
    done = native.install_plugin(fake_plugin(distribution, b"2020.09"))
    assert done.plugin == distribution / "lib/any/meshlab/plugins/libfilter_sasnet.so"
    assert done.plugin.exists() and done.undo == done.plugin


def test_private_copy_leaves_the_installed_one_alone(distribution):
    plugin, folder = fake_plugin(distribution, b"2020.09"), distribution / "own"
    done = native.install_plugin(plugin, folder)
    assert done.program == str(folder / "bin" / "meshlab") and done.undo == folder
    # a link would lead back to the plugins of the installed one
    assert not (folder / "bin/meshlab").is_symlink()
    plugins = sorted(file.name for file in (folder / "lib/any/meshlab/plugins").iterdir())
    assert plugins == ["libfilter_other.so", "libfilter_sasnet.so"]
    assert [file.name for file in distribution.glob("lib/any/meshlab/plugins/*")] == ["libfilter_other.so"]
    with pytest.raises(UsageError, match="choose a new folder"):
        native.install_plugin(plugin, folder)


def test_files_that_are_not_plugins_are_refused(tmp_path):
    other = tmp_path / "other.so"
    with pytest.raises(UnreadableInput, match="build-plugin makes one"):
        native.install_plugin(other)
    other.write_bytes(b"\x7fELF")
    with pytest.raises(UnreadableInput, match="is not a plugin that"):
        native.install_plugin(other)


# what MeshLab makes of it


def build(folder: Path, suite: str | None, scalar: str) -> Path:
    try:
        (folder / "source").mkdir()
        return native.build_plugin(native.fetch_source(folder / "source", suite), folder, scalar)
    except MissingBackend as error:
        pytest.skip(str(error))
    except SasnetError as error:
        if "fetching" in str(error):
            pytest.skip(str(error))
        raise


@pytest.fixture(scope="module")
def command(root, tmp_path_factory) -> str:
    """A sasnet-sdf that is this source."""
    script = tmp_path_factory.mktemp("command") / "sasnet-sdf"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{root}" exec "{sys.executable}" -m sasnet_sdf "$@"\n')
    script.chmod(0o755)
    return str(script)


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> Path:
    """An ellipsoid of 3,000 points with normals and colors, in single precision as MeshLab keeps them."""
    directions = np.random.default_rng(0).normal(size=(3000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    axes = np.array([30.0, 20.0, 10.0])
    normals = directions / axes
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    columns = [(name, "f4") for name in ("x", "y", "z", "nx", "ny", "nz")]
    columns += [(name, "u1") for name in ("red", "green", "blue")]
    values = np.hstack([directions * axes + [5.0, 0.0, 0.0], normals, 127 + 120 * directions])
    rows = np.array([tuple(row) for row in values], dtype=columns)
    file = tmp_path_factory.mktemp("scan") / "scan.ply"
    PlyData([PlyElement.describe(rows, "vertex")]).write(str(file))
    return file


@pytest.fixture(scope="module")
def expected(scan, command, tmp_path_factory) -> tuple[np.ndarray, ...]:
    """What the command line makes of it."""
    file = tmp_path_factory.mktemp("expected") / "surface.ply"
    options = [word for name, value in SETTINGS.items() for word in (f"--{name}", value)]
    subprocess.run([command, "reconstruct", scan, "-o", file, "-q", *options], check=True)
    return read(file)


def read(file: Path) -> tuple[np.ndarray, ...]:
    """Vertices, colors and faces."""
    data = PlyData.read(str(file))
    vertex = data["vertex"]
    points = np.stack([np.asarray(vertex[name], float) for name in "xyz"], 1)
    colors = np.stack([vertex[name] for name in ("red", "green", "blue")], 1)
    return points, colors, np.stack([*data["face"]["vertex_indices"]])


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> list[str]:
    """The command that runs Debian's meshlabserver, with the plugin in a private copy of MeshLab."""
    if not (shutil.which("xvfb-run") and shutil.which("meshlabserver")):
        pytest.skip(MESHLAB)
    folder = tmp_path_factory.mktemp("meshlab")
    plugin = build(folder, None, "float")
    if native.install.built_for(plugin)[0] != native.install.OLD:
        pytest.skip("meshlabserver of MeshLab 2020.09 only (Debian 12)")
    done = native.install_plugin(plugin, folder / "own")
    return ["xvfb-run", "-a", str(Path(done.program).with_name("meshlabserver"))]


def script(root: Path, folder: Path, changes: dict[str, str]) -> Path:
    """The sample's script with other values; 2020.09 wants the index of an enum's value."""
    text = (root / "samples" / "meshlab.mlx").read_text(encoding="utf-8")
    for name, value in {**changes, "preset": "0"}.items():
        text, count = re.subn(rf'(name="{name}" value=)"[^"]*"', rf'\1"{value}"', text)
        assert count == 1
    file = folder / "filter.mlx"
    file.write_text(text, encoding="utf-8")
    return file


def serve(server, scan, mlx, output) -> subprocess.CompletedProcess[str]:
    words = [*server, "-i", scan, "-s", mlx, "-o", output, "-m", "vc", "vn"]
    return subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=False, timeout=900)


@pytest.mark.slow
def test_meshlabserver_gives_the_command_lines_surface(root, server, scan, expected, command, tmp_path):
    output = tmp_path / "surface.ply"
    done = serve(server, scan, script(root, tmp_path, {**SETTINGS, "command": command}), output)
    assert done.returncode == 0, done.stdout
    points, colors, faces = read(output)
    np.testing.assert_array_equal(faces, expected[2])
    np.testing.assert_array_equal(points, expected[0].astype(np.float32))
    np.testing.assert_array_equal(colors, expected[1])
    # words of the progress bar, which shows the last of several, and the summary in the log
    assert re.search(r"SASNet: (supervision|training step \d+/40|extraction)", done.stdout)
    assert f"surface of {len(points):,} vertices" in done.stdout


@pytest.mark.slow
def test_meshlabserver_shows_what_the_command_says(root, server, scan, command, tmp_path):
    mlx = script(root, tmp_path, {"resolution": "3", "command": command})
    done = serve(server, scan, mlx, tmp_path / "surface.ply")
    assert done.returncode != 0
    assert "error: resolution must lie between 8 and 4096, found 3" in done.stdout
    done = serve(
        server, scan, script(root, tmp_path, {"command": "no-such-command"}), tmp_path / "surface.ply"
    )
    assert done.returncode != 0 and "no-such-command cannot be started" in done.stdout
    assert not (tmp_path / "surface.ply").exists()


NEWER = """
import sys, pymeshlab
plugin, scan, output, command = sys.argv[1:]
pymeshlab.load_plugin(plugin)
scans = pymeshlab.MeshSet()
scans.load_new_mesh(scan)
name, settings = "generate_surface_reconstruction_sasnet", {settings!r}
settings["trim"] = pymeshlab.AbsoluteValue(settings["trim"])
scans.apply_filter(name, **settings, command=command)
print("LAYER", scans.current_mesh().label(), scans.number_meshes())
scans.save_current_mesh(output, save_vertex_color=True)
scans.set_current_mesh(0)
scans.apply_filter("compute_matrix_from_translation", axisx=100.0, freeze=False)
scans.apply_filter(name, **settings, command=command)
print("MOVED", *scans.current_mesh().vertex_matrix().mean(0))
# spelt so in this version
print("TRANSFORM", *scans.current_mesh().trasform_matrix().ravel())
try:
    scans.apply_filter(name, resolution=3, command=command)
except pymeshlab.PyMeshLabException as error:
    print("FAILED", error, scans.number_meshes())
"""


@pytest.mark.slow
def test_newer_interface_gives_the_command_lines_surface(scan, expected, command, tmp_path):
    """MeshLab 2022.02 as a library: the wheel of that version loads the plugin for its source."""
    wheel = tmp_path / "wheel"
    line = ["pip", "install", "-q", "--no-deps", "--target", str(wheel), WHEEL]
    got = subprocess.run([sys.executable, "-m", *line], capture_output=True, text=True, check=False)
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    probe = [sys.executable, "-c", "import pymeshlab"]
    seen = subprocess.run(probe, env=environment, capture_output=True, text=True, check=False)
    if got.returncode or seen.returncode:
        pytest.skip(f"{' '.join(line)}; apt-get install libgl1 libopengl0 ({seen.stderr[-200:]})")
    plugin, output = build(tmp_path, "trixie", "double"), tmp_path / "surface.ply"
    settings = {"preset": "fast", "resolution": 64, "seed": 3, "steps": 40, "trim": 12.5}
    done = subprocess.run(
        [sys.executable, "-c", NEWER.format(settings=settings), plugin, scan, output, command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines() if line.split(" ")[0].isupper())
    assert said["LAYER"] == "SASNet surface 2"
    for value, wanted in zip(read(output), expected, strict=True):
        np.testing.assert_array_equal(value, wanted)
    # the layer's transform is taken with the points, and the surface has none
    center = np.array(said["MOVED"].split(), float)
    np.testing.assert_allclose(center, expected[0].mean(0) + [100, 0, 0], atol=0.1)
    np.testing.assert_array_equal(np.array(said["TRANSFORM"].split(), float).reshape(4, 4), np.eye(4))
    assert "resolution must lie between 8 and 4096, found 3" in done.stdout
