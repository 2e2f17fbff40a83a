"""Training: the loop, the optimiser and its schedule."""

from .loop import History, train

__all__ = ["History", "train"]
