"""Training: the loop, the optimiser and its schedule."""

from .loop import train
from .optimizers import state_shapes
from .state import Checkpoints, History, State
from .step import Task

__all__ = ["Checkpoints", "History", "State", "Task", "state_shapes", "train"]
