"""Compiles the plugin against a source tree of MeshLab."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from sasnet_sdf import MissingBackend, SasnetError, UsageError

from .tools import run

SOURCES = Path(__file__).resolve().parent
NAME = "libfilter_sasnet.so"
APT_LINE = "apt-get install cmake g++ qtbase5-dev libqt5opengl5-dev libeigen3-dev libglew-dev"


def build_plugin(meshlab: Path, output: Path, scalar: str = "float") -> Path:
    """Compile the plugin and return its file.

    meshlab: root of MeshLab's source, with vcglib; its version is the one that will load the plugin.
    output: folder for the file, made where it is missing.
    scalar: float, or double where that MeshLab was built so.

    Raises UsageError where `meshlab` is no source of MeshLab, MissingBackend with what is to be
    installed, SasnetError where compiling fails.
    """
    if not sys.platform.startswith("linux"):
        raise MissingBackend("the plugin of MeshLab is built on Linux only")
    missing = [name for name in ("cmake", "c++") if not shutil.which(name)]
    if missing:
        raise MissingBackend(f"building the plugin needs {' and '.join(missing)}: {APT_LINE}")
    if not (meshlab / "ML_VERSION").is_file():
        raise UsageError(f"{meshlab} is no source of MeshLab: it has no ML_VERSION")
    settings = {
        "MESHLAB_SOURCE": meshlab.resolve(),
        "MESHLAB_SCALAR": scalar,
        "SASNET_SDF_COMMAND": _command() or "",
    }
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "cmake",
            "-S",
            SOURCES,
            "-B",
            folder,
            *(f"-D{key}={value}" for key, value in settings.items()),
        ]
        try:
            run(words, "preparing the plugin")
        except SasnetError as error:
            raise _explained(error) from error
        jobs = min(3, os.cpu_count() or 1)
        run(["cmake", "--build", folder, "--parallel", str(jobs)], "compiling the plugin")
        output.mkdir(parents=True, exist_ok=True)
        # Copied beside and renamed: a MeshLab that runs keeps the file that it has mapped.
        partial = output / f".{NAME}.partial"
        shutil.copyfile(Path(folder) / NAME, partial)
        return partial.replace(output / NAME)


def _command() -> str | None:
    """The sasnet-sdf of this Python, which the plugin runs where no other is named or found."""
    return shutil.which("sasnet-sdf", path=str(Path(sys.executable).parent))


def _explained(error: SasnetError) -> SasnetError:
    """What CMakeLists.txt found missing, with the line that installs it."""
    missing = re.search(r"missing: ([\w. -]+)", str(error))
    if not missing:
        return error
    packages = missing[1].strip()
    return MissingBackend(f"building the plugin needs {packages}: apt-get install {packages}")
