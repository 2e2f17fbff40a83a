"""The multi-resolution hash grid behind one interface, one table and several engines."""

from .engines import ENGINES, Engine, available_engines, choose_engine
from .hash_grid import HashGrid
from .layout import GridLayout, grid_layout

__all__ = [
    "ENGINES",
    "Engine",
    "GridLayout",
    "HashGrid",
    "available_engines",
    "choose_engine",
    "grid_layout",
]
