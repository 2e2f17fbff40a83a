"""`sasnet-sdf doctor`: what this machine can run, and what would bring the rest."""

from __future__ import annotations

import importlib
import platform
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from textwrap import fill
from typing import NamedTuple

import click

from .options import verbose_option

CORE = (
    "torch",
    "numpy",
    "scipy",
    "numba",
    "scikit-image",
    "trimesh",
    "libigl",
    "safetensors",
    "plyfile",
    "mapbox-earcut",
    "rich",
)


class Part(NamedTuple):
    """An optional library: its module, what it is for, and the command that brings it."""

    module: str
    purpose: str
    install: str


PARTS = (
    Part("open3d", "the Open3D plugin", 'pip install "sasnet-sdf[open3d]"'),
    Part("pymeshlab", "the MeshLab plugin", 'pip install "sasnet-sdf[meshlab]"'),
    Part("laspy", "LAS and LAZ scans", 'pip install "sasnet-sdf[lidar]"'),
    Part("pye57", "E57 scans", 'pip install "sasnet-sdf[lidar]"'),
    Part("nibabel", "NIfTI volumes", 'pip install "sasnet-sdf[volumes]"'),
    Part("nrrd", "NRRD volumes", 'pip install "sasnet-sdf[volumes]"'),
    Part("matplotlib", "plots", 'pip install "sasnet-sdf[viz]"'),
    Part("pyvista", "renders", 'pip install "sasnet-sdf[viz]"'),
)


@click.command("doctor", short_help="Say what this machine can run.")
@verbose_option
def command() -> None:
    """Show versions, the device, the engines, and optional parts with the command that brings each."""
    for title, rows in (
        ("machine", _machine()),
        ("libraries", [(name, _version(name)) for name in CORE]),
        ("engines", _engines()),
        ("optional parts", [(part.module, _state(part)) for part in PARTS]),
    ):
        click.echo(title)
        for name, state in rows:
            click.echo(fill(state, 80, initial_indent=f"  {name:<20} ", subsequent_indent=" " * 23))


def _machine() -> list[tuple[str, str]]:
    from .. import __version__
    from ..runtime.system import hardware
    from .summary import human_bytes

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

    from .summary import human_bytes

    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        return f"{gpu.name}, {human_bytes(gpu.total_memory)}"
    if torch.version.cuda is None:
        return "not used: this torch is built for the CPU only (https://pytorch.org/get-started)"
    return "none that torch can use"


def _kernel_cache() -> str:
    """Where numba keeps compiled kernels; without a folder they are compiled in every run."""
    from ..networks import grid_kernels

    folder = grid_kernels.scatter.stats.cache_path
    if folder is None:
        return "nowhere, kernels compile in every run: set NUMBA_CACHE_DIR to a folder that can be written"
    return f"{folder} (writable)"


def _engines() -> list[tuple[str, str]]:
    """Each engine, and which one `auto` takes on the device that `auto` takes."""
    from ..engines import available_engines
    from ..networks.trained import choose

    device, default = choose("auto", "auto")
    states = {name: f"missing: {why}" if why else "ready" for name, why in available_engines().items()}
    states[default] += f", the default on {device}"
    return list(states.items())


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "missing: pip install sasnet-sdf"


def _state(part: Part) -> str:
    """Imported for real: a library can be installed and still miss a system package."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module(part.module)
    except ModuleNotFoundError as error:
        if error.name == part.module:
            return f"missing, for {part.purpose}: {part.install}"
        return f"broken: {error}"
    except Exception as error:  # noqa: BLE001 - a foreign library may raise anything while it is imported
        return f"broken: {' '.join(str(error).split())}"
    return f"{getattr(module, '__version__', 'ready')}, for {part.purpose}"
