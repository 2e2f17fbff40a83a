"""y = M(x) * sin(omega z): the neuron of SASNet (Feng et al. 2026), twice differentiable.

On the CPU in float32 each direction is one fused numba loop; everywhere else it is plain torch,
which is also the reference that the loops are tested against. Feature-major: (channels, N).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from . import sine_kernels as kernels


def masked_sine(z: Tensor, masks: Tensor, mask_of: np.ndarray, omega: float) -> Tensor:
    """sin(omega z) (C, N), each neuron c times the row mask_of[c] of masks (M, N); -1: no mask."""
    if z.device.type == "cpu" and z.dtype == torch.float32:
        return _MaskedSine.apply(z.contiguous(), masks.contiguous(), mask_of, np.float32(omega))
    return masked_sine_reference(z, masks, mask_of, omega)


def masked_sine_reference(z: Tensor, masks: Tensor, mask_of: np.ndarray, omega: float) -> Tensor:
    """The same in plain torch: any device and dtype."""
    with_unmasked = torch.cat([masks, torch.ones_like(z[:1])])
    rows = torch.as_tensor(mask_of, device=z.device)
    return with_unmasked[rows] * torch.sin(omega * z)


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [t.detach().contiguous().numpy() for t in tensors]


class _MaskedSine(Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, masks: Tensor, mask_of: np.ndarray, omega: np.float32) -> Tensor:
        ctx.save_for_backward(z, masks)
        ctx.mask_of, ctx.omega = mask_of, omega
        y = torch.empty_like(z)
        kernels.forward(*_arrays(z, masks), mask_of, omega, y.numpy())
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple:
        z, masks = ctx.saved_tensors
        by_z, by_masks = _MaskedSineBackward.apply(g, z, masks, ctx.mask_of, ctx.omega)
        return by_z, by_masks, None, None


class _MaskedSineBackward(Function):
    @staticmethod
    def forward(ctx: Any, g: Tensor, z: Tensor, masks: Tensor, mask_of: np.ndarray, omega: np.float32):
        ctx.save_for_backward(g, z, masks)
        ctx.mask_of, ctx.omega = mask_of, omega
        by_z, by_masks = torch.empty_like(z), torch.empty_like(masks)
        kernels.backward(*_arrays(g, z, masks), mask_of, omega, by_z.numpy(), by_masks.numpy())
        return by_z, by_masks

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v: Tensor, u: Tensor) -> tuple:
        g, z, masks = ctx.saved_tensors
        by_g, by_z, by_masks = torch.empty_like(z), torch.empty_like(z), torch.empty_like(masks)
        kernels.second(
            *_arrays(v, u, g, z, masks), ctx.mask_of, ctx.omega, by_g.numpy(), by_z.numpy(), by_masks.numpy()
        )
        return by_g, by_z, by_masks, None, None
