"""Training: the loop, optimizers and their schedule, samplers, losses, checkpoints."""

from .checkpoints import History, State
from .loop import Task, train, train_and_keep

__all__ = ["History", "State", "Task", "train", "train_and_keep"]
