"""Training: the loop, the optimiser and its schedule."""

from .loop import train
from .state import Checkpoints, History, State

__all__ = ["Checkpoints", "History", "State", "train"]
