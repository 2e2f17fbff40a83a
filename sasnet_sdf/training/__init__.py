"""Training: the loop, optimizers and their schedule, samplers, losses, checkpoints."""

from .loop import Task, train
from .optimizers import state_shapes
from .state import Checkpoints, History, State

__all__ = ["Checkpoints", "History", "State", "Task", "state_shapes", "train"]
