"""Scans in, clean surfaces out: trains a SASNet signed distance field and extracts its zero level set.

Lengths are in the units of the input, distances are negative inside. Names load on first use, so
that importing the package costs nothing until something is computed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import extract, fit_image, fit_volume, load_model, reconstruct
    from .comparison.compare import Comparison, compare
    from .comparison.results import Budget
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
    from .io import (
        read_cloud,
        read_geometry,
        read_image,
        read_mesh,
        read_volume,
        write_cloud,
        write_image,
        write_mesh,
        write_volume,
    )
    from .problems.evaluate import Evaluation
    from .problems.extract import Extraction
    from .problems.isosurface import isosurface
    from .problems.reconstruct import Reconstruction
    from .problems.settings import make_config
    from .runtime.progress import Progress
    from .signal_config import SIGNAL_PRESETS, SignalConfig
    from .signals import Grid, Signal
    from .tiles.evaluate import evaluate
    from .tiles.field import TiledField
    from .tiles.result import TiledReconstruction

    __version__: str

_HOME = {
    ".api": "extract fit_image fit_volume load_model reconstruct",
    ".comparison.compare": "Comparison compare",
    ".comparison.results": "Budget",
    ".config": "PRESETS Config",
    ".signal_config": "SIGNAL_PRESETS SignalConfig",
    ".errors": "Interrupted MissingBackend NoSurface SasnetError UnreadableInput UnusableGeometry UsageError",
    ".field": "Field",
    ".fitted": "FittedSignal",
    ".geometry": "Frame PointCloud TriangleMesh",
    ".io": "read_cloud read_geometry read_image read_mesh read_volume "
    "write_cloud write_image write_mesh write_volume",
    ".problems.evaluate": "Evaluation",
    ".problems.extract": "Extraction",
    ".problems.isosurface": "isosurface",
    ".problems.reconstruct": "Reconstruction",
    ".problems.settings": "make_config",
    ".runtime.progress": "Progress",
    ".signals": "Grid Signal",
    ".tiles.evaluate": "evaluate",
    ".tiles.field": "TiledField",
    ".tiles.result": "TiledReconstruction",
}
"""The public names of each module."""

_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "PRESETS",
    "SIGNAL_PRESETS",
    "Budget",
    "Comparison",
    "Config",
    "Evaluation",
    "Extraction",
    "Field",
    "FittedSignal",
    "Frame",
    "Grid",
    "Interrupted",
    "MissingBackend",
    "NoSurface",
    "PointCloud",
    "Progress",
    "Reconstruction",
    "SasnetError",
    "Signal",
    "SignalConfig",
    "TiledField",
    "TiledReconstruction",
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
    "isosurface",
    "load_model",
    "make_config",
    "read_cloud",
    "read_geometry",
    "read_image",
    "read_mesh",
    "read_volume",
    "reconstruct",
    "write_cloud",
    "write_image",
    "write_mesh",
    "write_volume",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = _installed_version()
    elif name in _MODULE_OF:
        value = getattr(importlib.import_module(_MODULE_OF[name], __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _installed_version() -> str:
    """The version that pyproject.toml gave to the installed distribution."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("sasnet-sdf")
    except PackageNotFoundError:
        return "0+not-installed"
