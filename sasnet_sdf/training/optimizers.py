"""Adam and Muon, with a rate for each group of parameters, and the schedule of the rates."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .cpu_adam import CPUAdam
from .state import History, State

BETAS, EPSILON = (0.9, 0.99), 1e-15  # of Adam
MOMENTUM = 0.95  # of Muon
_COEFFICIENTS, _ITERATIONS = (3.4445, -4.7750, 2.0315), 5


class Muon:
    """Muon (Jordan et al. 2024) for parameters (..., width, width) in float32.

    The update is the rate times approximately the orthogonal matrix closest to the momentum, so that all
    directions are learned at the same rate, where Adam's updates follow the few strongest. torch.optim.Muon
    takes one matrix at a time and computes in bfloat16, which is slow on CPUs. param_groups: dicts of
    `params` and `lr`, which may be a tensor. moments: of each parameter the momentum.
    """

    moments: dict[Tensor, tuple[Tensor, ...]]

    def __init__(self, param_groups: list[dict[str, Any]]):
        self.param_groups: list[dict[str, Any]] = param_groups
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
    """Matrices (..., n, n) with the same singular vectors, and singular values of about 0.7 to 1.2.

    A Newton-Schulz iteration of fifth order with Jordan's coefficients, which let singular values of a
    thousandth of the largest grow to about one, rather than converge to one exactly.
    """
    a, b, c = _COEFFICIENTS
    x = matrices / matrices.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-30)
    for _ in range(_ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x


def schedule(fraction: float, warmup: float, final_rate: float) -> float:
    """The share of the base rate at a fraction of the run: linear warm-up, then a cosine to `final_rate`."""
    if fraction < warmup:
        return (fraction + 1e-3) / (warmup + 1e-3)
    done = (fraction - warmup) / max(1 - warmup, 1e-9)
    return final_rate + (1 - final_rate) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def state_shapes(groups: list[dict[str, Any]]) -> list[tuple[int, ...]]:
    """The shapes of a State's tensors, in order: of each parameter the value and its moments.

    Adam's parameters, with two moments, come first, then Muon's with one.
    """
    groups = sorted(groups, key=lambda group: bool(group.get("muon")))
    return [
        tuple(part.shape)
        for group in groups
        for part in group["params"]
        for _ in range(2 if group.get("muon") else 3)
    ]


class Optimizer:
    """Adam and Muon over a model's parameter groups: dicts of `params` and `lr`, and `muon` for Muon.

    on_cuda: whether all parameters are on a GPU.
    """

    on_cuda: bool

    def __init__(self, groups: list[dict[str, Any]]):
        parameters = [part for group in groups for part in group["params"]]
        self.on_cuda = all(parameter.device.type == "cuda" for parameter in parameters)
        settings: dict[str, Any] = {"betas": BETAS, "eps": EPSILON}
        every = [{**group, "base": group["lr"]} for group in groups]
        if self.on_cuda:
            # as tensors, which a recorded step reads each time
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
        """Set the rates to `share` of each group's base rate."""
        for group in (*self._adam.param_groups, *self._muon.param_groups):
            if self.on_cuda:
                group["lr"].fill_(group["base"] * share)
            else:
                group["lr"] = group["base"] * share

    def step(self) -> None:
        """Update the parameters and clear the gradients."""
        for part in (self._adam, self._muon):
            part.step()
            part.zero_grad()

    def state(self, history: History) -> State:
        """A copy of the parameters and of their moments, with the history so far."""
        tensors = [tensor.clone() for tensor in self._places()]
        updates = (
            self._adam.updates
            if isinstance(self._adam, CPUAdam)
            else max(int(self._adam.state[part]["step"]) for part in self._parameters)
        )
        return State(history.until(history.steps_done), updates, tensors)

    @torch.no_grad()
    def restore(self, state: State) -> None:
        """Set the parameters and their moments to those of a state, in place."""
        for place, tensor in zip(self._places(), state.tensors, strict=True):
            place.copy_(tensor)
        if isinstance(self._adam, CPUAdam):
            self._adam.updates = state.updates
        else:
            for part in self._parameters:
                self._adam.state[part]["step"].fill_(state.updates)
        for optimizer in (self._adam, self._muon):
            optimizer.zero_grad()
        for part in self._parameters:
            if hasattr(part, "gradient_sums"):  # those of the step that went wrong
                part.gradient_sums.zero_()

    def _places(self) -> list[Tensor]:
        """The tensors that a State copies, in the order of state_shapes."""
        every = {part: self._moments(part) for part in self._parameters} | self._muon.moments
        return [tensor for part, moments in every.items() for tensor in (part.detach(), *moments)]

    def _moments(self, parameter: Tensor) -> tuple[Tensor, ...]:
        if isinstance(self._adam, CPUAdam):
            return self._adam.moments[parameter]
        known = self._adam.state[parameter]
        if not known:  # PyTorch allocates them at the first step
            device = parameter.device if self.on_cuda else "cpu"
            known["step"] = torch.zeros((), dtype=torch.float32, device=device)
            known["exp_avg"], known["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        return known["exp_avg"], known["exp_avg_sq"]

    def close(self) -> None:
        """Detach everything from the parameters that was attached to them."""
        if isinstance(self._adam, CPUAdam):
            self._adam.close()
