"""The multi-resolution hash grid: one interface, one table of parameters, several engines."""

from .engines import ENGINES, Encode, Engine, available_engines, choose_engine
from .hash_grid import HashGrid
from .layout import GridLayout, grid_layout

__all__ = [
    "ENGINES",
    "Encode",
    "Engine",
    "GridLayout",
    "HashGrid",
    "available_engines",
    "choose_engine",
    "grid_layout",
]
