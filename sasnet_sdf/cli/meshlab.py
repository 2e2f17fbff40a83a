"""`sasnet-sdf meshlab`: the filter of the desktop MeshLab, built and installed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from .options import FILE, verbose_option

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group("meshlab", short_help="Build and install the filter of the desktop MeshLab.")
def command() -> None:
    """Build and install "Surface Reconstruction: SASNet", a filter of the desktop MeshLab on Linux.

    \b
    sasnet-sdf meshlab build-plugin
    sasnet-sdf meshlab install-plugin

    docs/meshlab-plugin.md says more. PyMeshLab needs neither: see docs/meshlab.md.
    """


@command.command("build-plugin", short_help="Compile the filter.")
@click.option(
    "-o",
    "--output",
    type=FOLDER,
    default=Path(),
    metavar="FOLDER",
    help="Where to put libfilter_sasnet.so. [default: this folder]",
)
@click.option(
    "--meshlab-source",
    type=FOLDER,
    metavar="FOLDER",
    help="Source of the MeshLab that will load it, with vcglib. "
    "[default: fetched by apt-get, that of this system's MeshLab]",
)
@click.option("--suite", metavar="NAME", help="Fetch the source of another release, such as trixie.")
@click.option("--double", is_flag=True, help="For a MeshLab that was built in double precision.")
@verbose_option
def build(output: Path, meshlab_source: Path | None, suite: str | None, double: bool) -> None:
    """Compile the filter against MeshLab's source, with CMake.

    The source comes from --meshlab-source, such as a checkout of the tag of your MeshLab's version
    with its submodules; else it is fetched by apt-get into a temporary folder, through a list of
    sources of its own, so that the system's stays as it is.
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


@command.command("install-plugin", short_help="Put the filter where MeshLab looks.")
@click.argument("plugin", type=FILE, default=Path("libfilter_sasnet.so"), metavar="[PLUGIN]")
@click.option(
    "--private-copy",
    type=FOLDER,
    metavar="FOLDER",
    help="Make a copy of the installed MeshLab in FOLDER and put the filter there; needs no root.",
)
@verbose_option
def install(plugin: Path, private_copy: Path | None) -> None:
    """Put PLUGIN, by default ./libfilter_sasnet.so, where the MeshLab that it was built for looks.

    That is your own folder of plugins, or for MeshLab 2020.09 the folder of the distribution, which
    needs root.
    """
    from sasnet_meshlab.native import install_plugin

    done = install_plugin(plugin, private_copy)
    click.echo(f"put {done.plugin}")
    click.echo(f"start {done.program} and find Filters > Point Set > Surface Reconstruction: SASNet")
    click.echo(f"undo: rm {'-r ' if done.undo.is_dir() else ''}{done.undo}")
