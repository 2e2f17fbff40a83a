"""`sasnet-sdf meshlab`: building and installing the filter for the desktop MeshLab."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from . import options


@click.group("meshlab")
def command() -> None:
    """Build and install "Surface Reconstruction: SASNet", a filter of the desktop MeshLab on Linux.

    \b
    sasnet-sdf meshlab build-plugin
    sasnet-sdf meshlab install-plugin

    See docs/meshlab-plugin.md. PyMeshLab needs neither: see docs/meshlab.md.
    """


@command.command("build-plugin", short_help="Compile the filter.")
@options.option(
    "-o, --output FOLDER",
    "Folder for libfilter_sasnet.so. [default: this folder]",
    type=options.FOLDER,
    default=Path(),
)
@options.option(
    "--meshlab-source FOLDER",
    "Source of the MeshLab that will load the filter, with vcglib. [default: the source package of this "
    "system's MeshLab, downloaded with apt-get]",
    type=options.FOLDER,
)
@options.option("--suite NAME", "Download the source of another release, such as trixie.")
@options.option("--double", "Build for a MeshLab in double precision.")
@options.verbose
def build(output: Path, meshlab_source: Path | None, suite: str | None, double: bool) -> None:
    """Compile the filter against MeshLab's source, with CMake.

    The source is --meshlab-source, such as a checkout of the tag of your MeshLab's version with its
    submodules. Without it, apt-get downloads the source into a temporary folder, with a list of
    sources of its own; the system's list is not changed.
    """
    from ..errors import UsageError

    if meshlab_source and suite:
        raise UsageError("give --meshlab-source or --suite, not both")
    from sasnet_meshlab.native import build_plugin, fetch_source

    with tempfile.TemporaryDirectory() as folder:
        source = meshlab_source or fetch_source(Path(folder), suite)
        plugin = build_plugin(source, output, "double" if double else "float")
        version = (source / "ML_VERSION").read_text(encoding="utf-8").strip()
    click.echo(f"built {plugin} for MeshLab {version}; next: sasnet-sdf meshlab install-plugin {plugin}")


@command.command("install-plugin", short_help="Copy the filter to where MeshLab finds it.")
@click.argument("plugin", type=options.FILE, default=Path("libfilter_sasnet.so"), metavar="[PLUGIN]")
@options.option(
    "--private-copy FOLDER",
    "Copy the installed MeshLab into FOLDER and put the filter there; needs no root.",
    type=options.FOLDER,
)
@options.verbose
def install(plugin: Path, private_copy: Path | None) -> None:
    """Copy PLUGIN, by default ./libfilter_sasnet.so, to where the MeshLab that it was built for finds it.

    That is your own folder of plugins; for MeshLab 2020.09 the folder of the distribution, which
    needs root.
    """
    from sasnet_meshlab.native import install_plugin

    done = install_plugin(plugin, private_copy)
    click.echo(f"put {done.plugin}")
    click.echo(f"start {done.program} and find Filters > Point Set > Surface Reconstruction: SASNet")
    click.echo(f"undo: rm {'-r ' if done.undo.is_dir() else ''}{done.undo}")
