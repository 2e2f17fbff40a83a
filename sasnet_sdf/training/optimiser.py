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
        parameters = [parameter for group in groups for parameter in group["params"]]
        self.on_cuda = all(parameter.device.type == "cuda" for parameter in parameters)
        settings: dict[str, Any] = {"betas": BETAS, "eps": EPSILON}
        every = [{**group, "base": group["lr"]} for group in groups]
        if self.on_cuda:
            # rates that a recorded step reads anew each time
            every = [{**g, "lr": torch.tensor(g["lr"], device=parameters[0].device)} for g in every]
            self._adam = torch.optim.Adam(every, fused=True, capturable=True, **settings)
        elif all(p.device.type == "cpu" and p.dtype == torch.float32 for p in parameters):
            self._adam = CPUAdam(every, **settings)
        else:
            self._adam = torch.optim.Adam(every, **settings)

    def set_share(self, share: float) -> None:
        """The next updates are at `share` of each group's base rate."""
        for group in self._adam.param_groups:
            if self.on_cuda:
                group["lr"].fill_(group["base"] * share)
            else:
                group["lr"] = group["base"] * share

    def step(self) -> None:
        """One update; gradients are cleared after it."""
        self._adam.step()
        self._adam.zero_grad()

    def close(self) -> None:
        """The parameters go their own way: nothing of this stays attached to them."""
        if isinstance(self._adam, CPUAdam):
            self._adam.close()
