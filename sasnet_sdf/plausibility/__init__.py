"""Checks of input data before work starts: do units, normals and sensors fit the points?"""

from __future__ import annotations

from .examine import Examined, examined

__all__ = ["Examined", "examined"]
