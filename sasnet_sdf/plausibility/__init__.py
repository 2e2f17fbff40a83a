"""What was read, looked at before work starts: does what the file claims fit its points?"""

from __future__ import annotations

from .examine import Examined, examined

__all__ = ["Examined", "examined"]
