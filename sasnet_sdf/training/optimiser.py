"""Adam with a rate for each part of the network, warm-up, and a cosine to a fraction of the rate."""

from __future__ import annotations

import math
from typing import Any

import torch

from .cpu_adam import CPUAdam

BETAS, EPSILON = (0.9, 0.99), 1e-15


def schedule(fraction: float, warmup: float, final_rate: float) -> float:
    """The share of the base rate at `fraction` of the run: linear warm-up, then half a cosine."""
    if fraction < warmup:
        return (fraction + 1e-3) / (warmup + 1e-3)
    done = (fraction - warmup) / max(1 - warmup, 1e-9)
    return final_rate + (1 - final_rate) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


class Optimiser:
    """Adam over a model's parameter groups, each at a rate of its own: dicts of `params` and `lr`."""

    def __init__(self, groups: list[dict[str, Any]]):
        every = [{**group, "base": group["lr"]} for group in groups]
        on_cpu = all(p.device.type == "cpu" and p.dtype == torch.float32 for g in groups for p in g["params"])
        self._adam = (
            CPUAdam(every, BETAS, EPSILON) if on_cpu else torch.optim.Adam(every, betas=BETAS, eps=EPSILON)
        )

    def step(self, share: float) -> None:
        """One update at `share` of each group's base rate; gradients are cleared after it."""
        for group in self._adam.param_groups:
            group["lr"] = group["base"] * share
        self._adam.step()
        self._adam.zero_grad()

    def close(self) -> None:
        """The parameters go their own way: nothing of this stays attached to them."""
        if isinstance(self._adam, CPUAdam):
            self._adam.close()
