"""Adam and Muon with a rate for each part of the network, warm-up, and a cosine to a fraction of the rate.

Muon is momentum whose update is made orthogonal, for the matrices of hidden layers.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .cpu_adam import CPUAdam
from .state import History, State

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon:
    """Muon (Jordan et al. 2024) over parameters (..., width, width), in float32.

    An update is the rate times nearly the orthogonal matrix that is closest to the momentum: all of
    its directions are learnt at one pace, where Adam's updates follow the few strongest. PyTorch's
    own (torch.optim.Muon) takes one matrix at a time and computes in bfloat16, which CPUs are slow
    at. `param_groups` are dicts of `params`, `lr`, which may be a tensor.
    """

    def __init__(self, param_groups: list[dict[str, Any]]):
        self.param_groups = param_groups
        self.moments = {p: (torch.zeros_like(p),) for group in param_groups for p in group["params"]}

    @torch.no_grad()
    def step(self) -> None:
        """One update from the gradients that the parameters have."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                momentum = self.moments[parameter][0].mul_(MOMENTUM).add_(parameter.grad)
                update = orthogonal(parameter.grad + MOMENTUM * momentum)  # Nesterov's
                parameter.sub_(update * group["lr"])

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for parameter in self.moments:
            parameter.grad = None


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices (..., n, n) with the same singular vectors, and singular values of .7 to 1.2 or nearly so.

    A Newton-Schulz iteration of fifth order, by Jordan's coefficients: they let singular values that
    are a thousandth of the largest grow to about one, rather than come to one exactly.
    """
    a, b, c = COEFFICIENTS
    x = matrices / matrices.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-30)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x


BETAS, EPSILON = (0.9, 0.99), 1e-15


def schedule(fraction: float, warmup: float, final_rate: float) -> float:
    """The share of the base rate at `fraction` of the run: linear warm-up, then half a cosine."""
    if fraction < warmup:
        return (fraction + 1e-3) / (warmup + 1e-3)
    done = (fraction - warmup) / max(1 - warmup, 1e-9)
    return final_rate + (1 - final_rate) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def state_shapes(groups: list[dict[str, Any]]) -> list[tuple[int, ...]]:
    """The shapes of a State's tensors, in order: of every parameter the value and its moments.

    Adam has two and comes first, Muon one.
    """
    groups = sorted(groups, key=lambda group: bool(group.get("muon")))
    return [
        tuple(part.shape)
        for group in groups
        for part in group["params"]
        for _ in range(2 if group.get("muon") else 3)
    ]


class Optimiser:
    """Over a model's parameter groups, each at a rate of its own: dicts of `params` and `lr`.

    Groups with `muon` set learn by Muon, the others by Adam.
    """

    def __init__(self, groups: list[dict[str, Any]]):
        parameters = [part for group in groups for part in group["params"]]
        self.on_cuda = all(parameter.device.type == "cuda" for parameter in parameters)
        settings: dict[str, Any] = {"betas": BETAS, "eps": EPSILON}
        every = [{**group, "base": group["lr"]} for group in groups]
        if self.on_cuda:
            # rates that a recorded step reads anew each time
            every = [{**g, "lr": torch.tensor(g["lr"], device=parameters[0].device)} for g in every]
        self._muon = Muon([group for group in every if group.get("muon")])
        of_adam = [group for group in every if not group.get("muon")]
        self._parameters = [part for group in of_adam for part in group["params"]]
        if self.on_cuda:
            self._adam = torch.optim.Adam(of_adam, fused=True, capturable=True, **settings)
        elif all(p.device.type == "cpu" and p.dtype == torch.float32 for p in parameters):
            self._adam = CPUAdam(of_adam, **settings)
        else:
            self._adam = torch.optim.Adam(of_adam, **settings)

    def set_share(self, share: float) -> None:
        """The next updates are at `share` of each group's base rate."""
        for group in (*self._adam.param_groups, *self._muon.param_groups):
            if self.on_cuda:
                group["lr"].fill_(group["base"] * share)
            else:
                group["lr"] = group["base"] * share

    def step(self) -> None:
        """One update; gradients are cleared after it."""
        for part in (self._adam, self._muon):
            part.step()
            part.zero_grad()

    def state(self, history: History) -> State:
        """A copy of the parameters and of their moments, after what has happened."""
        tensors = [tensor.clone() for tensor in self._places()]
        updates = (
            self._adam.updates
            if isinstance(self._adam, CPUAdam)
            else max(int(self._adam.state[part]["step"]) for part in self._parameters)
        )
        return State(history.until(history.steps_done), updates, tensors)

    @torch.no_grad()
    def restore(self, state: State) -> None:
        """Go back, or on, to a state; what is in memory stays at its place there."""
        for place, tensor in zip(self._places(), state.tensors, strict=True):
            place.copy_(tensor)
        if isinstance(self._adam, CPUAdam):
            self._adam.updates = state.updates
        else:
            for part in self._parameters:
                self._adam.state[part]["step"].fill_(state.updates)
        for optimiser in (self._adam, self._muon):
            optimiser.zero_grad()
        for part in self._parameters:
            if hasattr(part, "gradient_sums"):  # those of the step that went wrong
                part.gradient_sums.zero_()

    def _places(self) -> list[Tensor]:
        """What a State has, of state_shapes."""
        every = {part: self._moments(part) for part in self._parameters} | self._muon.moments
        return [tensor for part, moments in every.items() for tensor in (part.detach(), *moments)]

    def _moments(self, parameter: Tensor) -> tuple[Tensor, ...]:
        if isinstance(self._adam, CPUAdam):
            return self._adam.moments[parameter]
        known = self._adam.state[parameter]
        if not known:  # PyTorch lays them out at the first step
            device = parameter.device if self.on_cuda else "cpu"
            known["step"] = torch.zeros((), dtype=torch.float32, device=device)
            known["exp_avg"], known["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        return known["exp_avg"], known["exp_avg_sq"]

    def close(self) -> None:
        """The parameters go their own way: nothing of this stays attached to them."""
        if isinstance(self._adam, CPUAdam):
            self._adam.close()
