"""Scans in, clean surfaces out: trains a SASNet signed distance field and extracts its zero level set.

Lengths are in the units of the input, distances are negative inside. Names load on first use, so
that importing the package costs nothing until something is computed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import fit_image, fit_volume, reconstruct
    from .comparison.compare import compare
    from .config import PRESETS, Config
    from .errors import (
        Interrupted,
        MissingBackend,
        NoSurface,
        SasnetError,
        UnreadableInput,
        UnusableGeometry,
        UsageError,
    )
    from .field import Field
    from .fitted import FittedSignal
    from .geometry import Frame, PointCloud, TriangleMesh
    from .io import read_geometry, write_mesh
    from .problems.evaluate import evaluate
    from .problems.extract import extract
    from .problems.reconstruct import Reconstruction
    from .runtime.progress import Progress

    __version__: str

_HOME = {
    "PRESETS": ".config",
    "Config": ".config",
    "Interrupted": ".errors",
    "MissingBackend": ".errors",
    "NoSurface": ".errors",
    "SasnetError": ".errors",
    "UnreadableInput": ".errors",
    "UnusableGeometry": ".errors",
    "UsageError": ".errors",
    "Field": ".field",
    "FittedSignal": ".fitted",
    "Frame": ".geometry",
    "PointCloud": ".geometry",
    "TriangleMesh": ".geometry",
    "read_geometry": ".io",
    "write_mesh": ".io",
    "compare": ".comparison.compare",
    "evaluate": ".problems.evaluate",
    "extract": ".problems.extract",
    "fit_image": ".api",
    "fit_volume": ".api",
    "Reconstruction": ".problems.reconstruct",
    "reconstruct": ".api",
    "Progress": ".runtime.progress",
}

__all__ = [
    "PRESETS",
    "Config",
    "Field",
    "FittedSignal",
    "Frame",
    "Interrupted",
    "MissingBackend",
    "NoSurface",
    "PointCloud",
    "Progress",
    "Reconstruction",
    "SasnetError",
    "TriangleMesh",
    "UnreadableInput",
    "UnusableGeometry",
    "UsageError",
    "__version__",
    "compare",
    "evaluate",
    "extract",
    "fit_image",
    "fit_volume",
    "read_geometry",
    "reconstruct",
    "write_mesh",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = _installed_version()
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name], __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))


def _installed_version() -> str:
    """The version that pyproject.toml gave to the installed distribution."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("sasnet-sdf")
    except PackageNotFoundError:
        return "0+not-installed"
