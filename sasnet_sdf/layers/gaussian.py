"""The exponential of what is hardly ever near zero."""

from __future__ import annotations

import torch
from torch import Tensor

LEAST = -60.0
"""exp(-60) is 10^-26: what is less changes no sum of floats, but its products, gradients above all, fall
below the smallest float of full precision, and processors take many times as long for those."""


def decay(exponent: Tensor) -> Tensor:
    """exp(exponent), and zero below LEAST."""
    return torch.where(exponent > LEAST, torch.exp(exponent.clamp(min=LEAST)), 0.0)
