"""Batches of (points, targets) for training."""

from .surface import Batches, Pool, draw_pool

__all__ = ["Batches", "Pool", "draw_pool"]
