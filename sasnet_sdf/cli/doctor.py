"""`sasnet-sdf doctor`: what this machine can run, and how to install the rest."""

from __future__ import annotations

import importlib
import platform
import re
import sys
import warnings
from importlib.metadata import PackageNotFoundError, requires, version
from textwrap import fill

import click

from . import options
from .summary import human_bytes

PARTS = {
    "open3d": ("open3d", "the Open3D plugin"),
    "pymeshlab": ("meshlab", "the MeshLab plugin"),
    "laspy": ("lidar", "LAS and LAZ scans"),
    "pye57": ("lidar", "E57 scans"),
    "nibabel": ("volumes", "NIfTI volumes"),
    "nrrd": ("volumes", "NRRD volumes"),
    "matplotlib": ("viz", "plots"),
    "pyvista": ("viz", "renders"),
}
"""Optional libraries by module: the extra that installs each, and what it is for."""


@click.command("doctor")
@options.verbose
def command() -> None:
    """Show versions, the device, the engines, and optional parts with the command that installs each."""
    for title, rows in (
        ("machine", _machine()),
        ("libraries", _libraries()),
        ("engines", _engines()),
        ("optional parts", [(module, _state(module)) for module in PARTS]),
    ):
        click.echo(title)
        for name, state in rows:
            click.echo(fill(state, 80, initial_indent=f"  {name:<20} ", subsequent_indent=" " * 23))


def _machine() -> list[tuple[str, str]]:
    from .. import __version__
    from ..runtime.system import hardware

    facts = hardware()
    return [
        ("sasnet-sdf", __version__),
        ("python", f"{platform.python_version()}, {sys.executable}"),
        ("system", str(facts["system"])),
        ("processor", f"{facts['cpu']}, {facts['cores']} cores"),
        ("memory", human_bytes(float(facts["memory_bytes"]))),
        ("gpu", _gpu()),
        ("kernel cache", _kernel_cache()),
    ]


def _gpu() -> str:
    import torch

    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        return f"{gpu.name}, {human_bytes(gpu.total_memory)}"
    if torch.version.cuda is None:
        return "not used: this torch is built for the CPU only (https://pytorch.org/get-started)"
    return "none that torch can use"


def _kernel_cache() -> str:
    """The folder where numba caches compiled kernels; without it they are compiled in every run."""
    from ..networks import grid_kernels

    folder = grid_kernels.scatter.stats.cache_path
    if folder is None:
        return "none, kernels compile in every run: set NUMBA_CACHE_DIR to a folder that can be written"
    return f"{folder} (writable)"


def _libraries() -> list[tuple[str, str]]:
    """The required libraries, from the metadata of the installed distribution, and their versions."""
    try:
        lines = requires("sasnet-sdf") or []
    except PackageNotFoundError:
        return [("sasnet-sdf", "not installed: pip install sasnet-sdf")]
    names = [re.split(r"[^\w.-]", line)[0] for line in lines if "extra ==" not in line]
    return [(name, _version(name)) for name in names]


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return f"missing: pip install {distribution}"


def _engines() -> list[tuple[str, str]]:
    """Each engine, and which one `auto` chooses on the device that `auto` chooses."""
    from ..engines import available_engines
    from ..networks.registry import choose

    device, default = choose("auto", "auto")
    states = {name: f"missing: {why}" if why else "ready" for name, why in available_engines().items()}
    states[default] += f", the default on {device}"
    return list(states.items())


def _state(module: str) -> str:
    """The state of an optional library. It is imported, since an installed one may lack a system library."""
    extra, purpose = PARTS[module]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module:
            return f'missing, for {purpose}: pip install "sasnet-sdf[{extra}]"'
        return f"broken: {error}"
    except Exception as error:  # noqa: BLE001 - a third-party library may raise anything on import
        return f"broken: {' '.join(str(error).split())}"
    number = getattr(found, "__version__", "")
    # in some libraries, `__version__` is a module that holds the version
    number = getattr(number, "__version__", number)
    return f"{number if isinstance(number, str) and number else 'ready'}, for {purpose}"
