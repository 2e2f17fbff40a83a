"""The one door through which optional libraries come in."""

from __future__ import annotations

import importlib
from types import ModuleType

from ..errors import MissingBackend

SYSTEM = {"open3d": "apt-get install libusb-1.0-0 libgl1 libgomp1"}
"""What brings the libraries that a wheel expects of the system, on Debian and Ubuntu."""


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional module, or say in one line which command installs it, or what it misses."""
    name = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        remedy = f'pip install "sasnet-sdf[{extra}]"'
        if name in SYSTEM and not isinstance(error, ModuleNotFoundError):
            remedy = f"it is installed and does not load; on Debian and Ubuntu: {SYSTEM[name]}"
        reason = " ".join(str(error).split())
        raise MissingBackend(f"{purpose} needs {name}: {remedy} ({reason})") from error
