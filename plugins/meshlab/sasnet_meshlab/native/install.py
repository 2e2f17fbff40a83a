"""Copies a built plugin to where MeshLab looks for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sasnet_sdf import MissingBackend, SasnetError, UnreadableInput, UsageError

OLD = "2020.09"
"""The last version of MeshLab without a per-user plugin folder."""


@dataclass(frozen=True)
class Installed:
    """An installation. plugin: the copied file. program: the program to start. undo: what to delete."""

    plugin: Path
    program: str
    undo: Path


def install_plugin(plugin: Path, private_copy: Path | None = None) -> Installed:
    """Copy a plugin to the folder where the MeshLab that it was built for looks for plugins.

    This is the user's own folder since MeshLab 2021.05, and the distribution's folder in earlier versions.
    private_copy: a new folder for a private copy of MeshLab, with links to the installed one; for users
        who may not write to the distribution's folder.

    Raises UnreadableInput for a file that is not a plugin, UsageError where it does not fit the
    installed MeshLab, MissingBackend without MeshLab.
    """
    version, scalar = built_for(plugin)
    if private_copy:
        program = _copy_meshlab(private_copy, version)
        return Installed(_put(plugin, _plugins_beside(program)), str(program), private_copy)
    if version == OLD:
        program = _meshlab()
        _check(version)
        file = _put(plugin, _plugins_beside(program))
    else:
        file = _put(plugin, user_folder(version, scalar))
    return Installed(file, "meshlab", file)


def built_for(plugin: Path) -> tuple[str, str]:
    """Return the version of MeshLab and the scalar, float or double, that a plugin was built for."""
    try:
        held = re.search(rb"sasnet-sdf plugin for MeshLab ([\w.]+) (float|double)\0", plugin.read_bytes())
    except OSError as error:
        raise UnreadableInput(
            f"{plugin}: {error.strerror}; sasnet-sdf meshlab build-plugin makes one"
        ) from error
    if not held:
        raise UnreadableInput(f"{plugin} is not a plugin that sasnet-sdf meshlab build-plugin made")
    return held[1].decode(), held[2].decode()


def user_folder(version: str, scalar: str) -> Path:
    """Return the folder where MeshLab 2021.05 and later look for a user's plugins, on Linux."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    precision = {"float": "fp", "double": "dp"}[scalar]
    return data / "VCG" / f"MeshLab_64bit_{precision}" / "MeshLabExtraPlugins" / version


def _meshlab() -> Path:
    found = shutil.which("meshlab")
    if not found:
        raise MissingBackend("there is no meshlab on the PATH: apt-get install meshlab")
    return Path(found).resolve()


def _check(version: str) -> None:
    """Refuse an installed MeshLab of another version, if dpkg knows the version."""
    if not shutil.which("dpkg-query"):
        return
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "meshlab"], capture_output=True, text=True, check=False
    )
    if done.returncode == 0 and not done.stdout.startswith(version):
        raise UsageError(f"the plugin is for MeshLab {version}, this one is {done.stdout}: build it again")


def _plugins_beside(program: Path) -> Path:
    """The folder of plugins of a MeshLab that is installed as bin/meshlab."""
    folders = sorted((program.parent.parent / "lib").glob("*/meshlab/plugins"))
    folders += sorted((program.parent.parent / "lib").glob("meshlab/plugins"))
    if not folders:
        raise MissingBackend(f"{program} has no folder lib/meshlab/plugins beside its own")
    return folders[0]


def _copy_meshlab(folder: Path, version: str) -> Path:
    """Make a MeshLab in `folder` that finds its plugins there: a copy of its programs, links to the rest."""
    program = _meshlab()
    _check(version)
    if folder.exists():
        raise UsageError(f"{folder} exists: choose a new folder")
    library = _plugins_beside(program).parent
    place = folder / library.relative_to(program.parent.parent)
    (folder / "bin").mkdir(parents=True)
    (place / "plugins").mkdir(parents=True)
    # MeshLab asks the system for the path of its own file; a link would lead to the original folder.
    for name in ("meshlab", "meshlabserver"):
        if (program.parent / name).exists():
            shutil.copy2(program.parent / name, folder / "bin" / name)
    for file in [*library.glob("*.so*"), *library.glob("plugins/*")]:
        (place / file.relative_to(library)).symlink_to(file)
    share = program.parent.parent / "share"
    if share.is_dir():
        (folder / "share").symlink_to(share)
    return folder.resolve() / "bin" / program.name


def _put(plugin: Path, folder: Path) -> Path:
    target = folder / plugin.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        shutil.copyfile(plugin, partial)
        return partial.replace(target)
    except OSError as error:
        raise SasnetError(
            f"{folder}: {error.strerror}; run it as root (sudo $(command -v sasnet-sdf) meshlab "
            "install-plugin), or give it --private-copy FOLDER"
        ) from error
