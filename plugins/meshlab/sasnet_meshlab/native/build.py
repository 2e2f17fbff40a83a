"""Downloads MeshLab's source package from Debian or a derivative, and compiles the plugin against it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sasnet_sdf import MissingBackend, SasnetError, UsageError

SOURCES = Path(__file__).resolve().parent
NAME = "libfilter_sasnet.so"
APT_LINE = "apt-get install cmake g++ qtbase5-dev libqt5opengl5-dev libeigen3-dev libglew-dev"


def build_plugin(meshlab: Path, output: Path, scalar: str = "float") -> Path:
    """Compile the plugin and return the path of its file.

    meshlab: root of MeshLab's source, with vcglib, in the version that will load the plugin.
    output: folder for the file; it is created if it does not exist.
    scalar: float, or double for a MeshLab that was built in double precision.

    Raises UsageError where `meshlab` is not MeshLab's source, MissingBackend naming what to install,
    SasnetError where compiling fails.
    """
    if not sys.platform.startswith("linux"):
        raise MissingBackend("the plugin of MeshLab is built on Linux only")
    missing = [name for name in ("cmake", "c++") if not shutil.which(name)]
    if missing:
        raise MissingBackend(f"building the plugin needs {' and '.join(missing)}: {APT_LINE}")
    if not (meshlab / "ML_VERSION").is_file():
        raise UsageError(f"{meshlab} is not MeshLab's source: it has no ML_VERSION")
    settings = {
        "MESHLAB_SOURCE": meshlab.resolve(),
        "MESHLAB_SCALAR": scalar,
        # this Python's sasnet-sdf, which the plugin runs unless another one is specified or found
        "SASNET_SDF_COMMAND": shutil.which("sasnet-sdf", path=str(Path(sys.executable).parent)) or "",
    }
    with tempfile.TemporaryDirectory() as folder:
        definitions = [f"-D{key}={value}" for key, value in settings.items()]
        try:
            _run(["cmake", "-S", SOURCES, "-B", folder, *definitions], "preparing the plugin")
        except SasnetError as error:
            raise _explained(error) from error
        jobs = min(3, os.cpu_count() or 1)
        _run(["cmake", "--build", folder, "--parallel", str(jobs)], "compiling the plugin")
        output.mkdir(parents=True, exist_ok=True)
        # Copied into the same folder and renamed: a running MeshLab keeps the file that it has mapped.
        partial = output / f".{NAME}.partial"
        shutil.copyfile(Path(folder) / NAME, partial)
        return partial.replace(output / NAME)


def _explained(error: SasnetError) -> SasnetError:
    """The error, or the command that installs the packages that CMakeLists.txt reported missing."""
    missing = re.search(r"missing: ([\w. -]+)", str(error))
    if not missing:
        return error
    packages = missing[1].strip()
    return MissingBackend(f"building the plugin needs {packages}: apt-get install {packages}")


def fetch_source(folder: Path, suite: str | None = None) -> Path:
    """Download MeshLab's source package with apt-get, without root, and return the folder of the source.

    folder: an empty folder for the source and for a private list of package sources; the system's list is
        not changed.
    suite: a release of the distribution, such as trixie; by default that of this system.

    Raises MissingBackend where apt-get is missing or provides no sources.
    """
    folder = folder.resolve()
    for name in ("lists/partial", "cache/archives/partial", "parts", "meshlab"):
        (folder / name).mkdir(parents=True)
    (folder / "sources.list").write_text("\n".join(_source_lines(suite)) + "\n", encoding="utf-8")
    private = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": folder / "parts",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        # the user account of apt cannot write to the folder
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-qq", *(word for key, value in private.items() for word in ("-o", f"{key}={value}"))]
    _run([*apt, "update"], "fetching MeshLab's source", folder)
    _run([*apt, "source", "--tar-only", "--download-only", "meshlab"], "fetching MeshLab's source", folder)
    archive = next(folder.glob("meshlab_*.orig.tar.*"))
    root = folder / "meshlab"
    _run(["tar", "-xf", archive, "-C", root, "--strip-components=1"], "unpacking MeshLab's source")
    return root


def _source_lines(suite: str | None) -> list[str]:
    """The package sources of this system's distribution, as lines of sources.list."""
    try:
        distribution = platform.freedesktop_os_release()["ID"]
    except OSError as error:
        raise MissingBackend(
            "MeshLab's source is downloaded on Debian and Ubuntu only: give its folder with --meshlab-source"
        ) from error
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    words = ["apt-get", "indextargets", "--format", form]
    listed = _run([*words, f"Origin: {distribution.capitalize()}", "Created-By: Packages"], "listing sources")
    targets = [line.split() for line in listed.splitlines()]
    if not targets:
        raise MissingBackend("apt-get knows no packages of this system: run apt-get update first")
    if suite:
        targets = [[targets[0][0], suite, component] for component in {target[2] for target in targets}]
    keyring = Path(f"/usr/share/keyrings/{distribution}-archive-keyring.gpg")
    signed = f"[signed-by={keyring}] " if keyring.exists() else ""
    return [f"deb-src {signed}{' '.join(target)}" for target in targets]


def _run(words: Sequence[str | Path], purpose: str, folder: Path | None = None) -> str:
    """Run a program in a folder and return its output.

    Raises MissingBackend where the program is missing, SasnetError with its messages where it fails.
    """
    try:
        done = subprocess.run(
            [str(word) for word in words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise MissingBackend(f"{purpose} needs {words[0]}, which was not found") from error
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if "rror" in line or line.startswith("E:")]
        raise SasnetError(f"{purpose} failed: {' '.join(errors[:5]) or done.stdout[-500:]}")
    return done.stdout
