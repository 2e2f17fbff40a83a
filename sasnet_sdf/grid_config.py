"""Settings of the hash grid, and the bounds of all settings that a model file may have."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UsageError
from .settings import Settings, setting

MOST = 1 << 16
"""The largest number that a setting of a network may be: a model file may be anybody's."""


class BoundedSettings(Settings):
    """Settings without numbers beyond MOST. Raises UsageError."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in vars(self).items():
            if type(value) in (int, float) and not abs(value) <= MOST:
                raise UsageError(f"{name} must be {MOST} at most, found {value}")


@dataclass(frozen=True)
class GridConfig(BoundedSettings):
    """Multi-resolution hash grid (Mueller et al. 2022), in tiny-cuda-nn's convention."""

    levels: int = setting(8, "Levels, from coarse to fine.", low=1, high=32)
    features: int = setting(2, "Numbers of an entry of the table: 1, 2, 4 or 8.", low=1, high=8)
    # within these bounds no engine's 32-bit index overflows
    log2_table: int = setting(18, "A level holds at most 2^N entries.", low=3, high=21)
    coarsest: int = setting(16, "Vertices along an axis of the coarsest level.", low=2, high=32_768)
    finest: int = setting(512, "Vertices along an axis of the finest level.", low=2, high=32_768)
    interpolation: str = setting(
        "linear", "How features are interpolated between vertices.", choices=("linear", "smoothstep")
    )
