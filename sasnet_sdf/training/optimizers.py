"""Adam (compiled on the CPU), Muon, and the schedule of their learning rates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..runtime.compiled import denormals_are_zero, kept, over_ranges
from .checkpoints import History, State

BETAS, EPSILON = (0.9, 0.99), 1e-15  # of Adam
MOMENTUM = 0.95  # of Muon
_COEFFICIENTS, _ITERATIONS = (3.4445, -4.7750, 2.0315), 5


class Muon:
    """Muon (Jordan et al. 2024) for float32 parameters (..., width, width), or (width, width, 2) if complex.

    The update is the rate times an approximation of the orthogonal matrix closest to the momentum. So all
    directions are learned at the same rate, whereas Adam's updates follow the few strongest. torch.optim.Muon
    takes one matrix at a time and computes in bfloat16, which is slow on CPUs. param_groups: dicts of
    `params` and `lr`, which may be a tensor, and `complex` where the last axis is the real and the imaginary
    part. moments: the momentum of each parameter.
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
                update = parameter.grad + MOMENTUM * momentum  # Nesterov momentum
                if group.get("complex"):
                    update = torch.view_as_real(orthogonal(torch.view_as_complex(update)))
                else:
                    update = orthogonal(update)
                parameter.sub_(update * group["lr"])

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for parameter in self.moments:
            parameter.grad = None


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices (..., n, n) with the same singular vectors, and singular values of about 0.7 to 1.2.

    They are real or complex. This is a fifth-order Newton-Schulz iteration with Jordan's coefficients. It
    does not make singular values converge to one exactly, but raises even those of a thousandth of the
    largest to about one.
    """
    a, b, c = _COEFFICIENTS
    x = matrices / matrices.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-30)
    for _ in range(_ITERATIONS):
        square = x @ x.mH
        x = a * x + (b * square + c * square @ square) @ x
    return x


def schedule(fraction: float, warmup: float, final_rate: float) -> float:
    """The factor of the base rate at a fraction of the run: linear warm-up, then a cosine to `final_rate`."""
    if fraction < warmup:
        return (fraction + 1e-3) / (warmup + 1e-3)
    done = (fraction - warmup) / max(1 - warmup, 1e-9)
    return final_rate + (1 - final_rate) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def state_shapes(groups: list[dict[str, Any]]) -> list[tuple[int, ...]]:
    """The shapes of a State's tensors, in order: the value and the moments of each parameter.

    Parameters of Adam, with two moments, come first, then those of Muon, with one.
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
            # as tensors, which a recorded step reads at each replay
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
            if hasattr(part, "gradient_sums"):  # left over from the failed step
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
        """Remove everything that was attached to the parameters."""
        if isinstance(self._adam, CPUAdam):
            self._adam.close()


_BLOCK = 64
LARGE = 1 << 16
"""Size of a parameter from which on its gradient buffer is kept between steps, and threads share the work."""


class CPUAdam:
    """Adam (Kingma & Ba 2015) that skips numbers whose gradient is zero, as tiny-cuda-nn does.

    A batch uses few rows of a hash grid's table; the other rows and their moments do not change. The compiled
    network adds its gradients directly to the `gradient_sums` that this optimizer attaches to a large
    parameter. The update resets them to zero, so that no gradient is allocated, filled or copied. Only for
    float32 on the CPU. PyTorch's fused Adam would wake all threads for every small matrix, and its base class
    takes more than a second to load a compiler. param_groups: dicts of `params` and `lr`. updates: the number
    of updates so far.
    """

    param_groups: list[dict[str, Any]]
    updates: int

    def __init__(self, param_groups: list[dict[str, Any]], betas: tuple[float, float], eps: float):
        self.param_groups, self._betas, self._eps, self.updates = param_groups, betas, eps, 0
        self.moments: dict[Any, tuple[Tensor, Tensor]] = {}
        for parameter in self._parameters():
            self.moments[parameter] = torch.zeros_like(parameter), torch.zeros_like(parameter)
            if parameter.numel() >= LARGE:
                parameter.gradient_sums = torch.zeros_like(parameter)

    def _parameters(self) -> list[Any]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def close(self) -> None:
        """Remove the sums, so that gradients come from autograd again."""
        for parameter in self._parameters():
            if hasattr(parameter, "gradient_sums"):
                del parameter.gradient_sums

    @torch.no_grad()
    def step(self) -> None:
        """One update from the gradients that the parameters have."""
        self.updates += 1
        beta1, beta2 = self._betas
        for group in self.param_groups:
            numbers = (
                group["lr"] / (1 - beta1**self.updates),
                *(beta1, beta2, 1 / math.sqrt(1 - beta2**self.updates), self._eps),
            )
            for parameter in group["params"]:
                gradient = self._gradient(parameter)
                if gradient is None:
                    continue
                tensors = (parameter, gradient, *self.moments[parameter])
                arguments = (*(t.numpy().reshape(-1) for t in tensors), *map(np.float32, numbers))
                blocks = -(-parameter.numel() // _BLOCK)
                if parameter.numel() >= LARGE:
                    over_ranges(_update, blocks, *arguments)
                else:
                    with denormals_are_zero():
                        _update(0, blocks, *arguments)

    def zero_grad(self) -> None:
        """Discard the gradients; the sums are zero after a step."""
        for parameter in self._parameters():
            parameter.grad = None

    def _gradient(self, parameter: Any) -> Tensor | None:
        sums, gradient = getattr(parameter, "gradient_sums", None), parameter.grad
        if sums is None:
            return None if gradient is None else gradient.contiguous()
        return sums if gradient is None else sums.add_(gradient)


@kept(nogil=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def _update(
    first_block, end_block, values, gradient, first, second, rate, beta1, beta2, root_correction, eps
):
    """Update some blocks of numbers and set their gradients to zero."""
    one, zero = np.float32(1), np.float32(0)
    for block in range(first_block, end_block):
        # slices: their indices start at 0, so the compiler knows that none is negative, and vectorizes
        some = slice(block * _BLOCK, (block + 1) * _BLOCK)
        x, g, m, v = values[some], gradient[some], first[some], second[some]
        largest = zero
        for i in range(len(g)):
            largest = max(largest, abs(g[i]))
        if largest == zero:
            continue
        for i in range(len(g)):
            touched = np.float32(g[i] != zero)
            m[i] += touched * (one - beta1) * (g[i] - m[i])
            v[i] += touched * (one - beta2) * (g[i] * g[i] - v[i])
            x[i] -= touched * rate * m[i] / (np.sqrt(v[i]) * root_correction + eps)
            g[i] = zero
