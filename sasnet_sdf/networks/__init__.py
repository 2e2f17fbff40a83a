"""Networks: the interface, layers, hash-grid engines, SASNet and its compiled passes, and its baselines.

Everything that another network or engine needs can be imported from here (docs/extending.md).
"""

from ..engines import Engine
from ..model_config import GridConfig, ModelConfig
from ..settings import setting
from .hash_grid import GridLayout, HashGrid
from .network import Linear, Network

__all__ = ["Engine", "GridConfig", "GridLayout", "HashGrid", "Linear", "ModelConfig", "Network", "setting"]
