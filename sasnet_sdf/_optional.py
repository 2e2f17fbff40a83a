"""The one door through which optional libraries come in."""

from __future__ import annotations

import importlib
from types import ModuleType

from .errors import MissingBackend


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional module, or say in one line which command installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingBackend(
            f'{purpose} needs {module.partition(".")[0]}: pip install "sasnet-sdf[{extra}]" ({error})'
        ) from error
