"""Batches of (points, targets) for training."""

from .signal import SignalBatches
from .surface import Batches, Pool, draw_pool

__all__ = ["Batches", "Pool", "SignalBatches", "draw_pool"]
