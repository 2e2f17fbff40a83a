"""What every network is: the interface that the rest of the package uses, and layers to build one from.

Initial values come from a generator, so that the seed determines all of a network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from ..engines import ENGINES
from ..model_config import PUBLISHED, ModelConfig

C = TypeVar("C", bound=ModelConfig)


class Network(nn.Module, Generic[C]):
    """A network that takes points (N, dim) in [-1, 1] to values (N, outputs).

    A new one has a `Config`, its settings, and two methods, `build` and `forward`; the others do what is
    right for a plain PyTorch network, and may be replaced. docs/extending.md has an example.

    engine: what computes it: "torch", or the engine of its hash grid. compiled: its passes are compiled
    loops, not PyTorch's.
    """

    Config: ClassVar[type[ModelConfig]]
    engine: str = "torch"
    compiled: bool = False

    def __init__(self, config: C, dim: int = 3, outputs: int = 1, engine: str = "torch", seed: int = 0):
        super().__init__()
        self.config: C = config
        self.dim: int = dim
        self.outputs: int = outputs
        self.build(torch.Generator().manual_seed(seed), engine)

    @classmethod
    def register(cls, presets: Mapping[str, ModelConfig] | None = None) -> None:
        """Make the network known by the name of its settings: to `--model`, to Python, to model files.

        presets: names for other values of its settings. Raises ValueError for a name of the package itself.
        """
        cls.Config.network = cls
        for name, config in {cls.Config.name: cls.Config(), **(presets or {})}.items():
            PUBLISHED.add(name, config)

    def build(self, generator: torch.Generator, engine: str) -> None:
        """Make the layers, with initial values from the generator; `engine` is for a HashGrid."""
        raise NotImplementedError

    def forward(self, points: Tensor) -> Tensor:
        """Values (N, outputs) at points (N, dim)."""
        raise NotImplementedError

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """f (N,) and df/dx (N, dim) of a network of one output; both to train on, where gradients are on."""
        return value_and_gradient(self, points, torch.is_grad_enabled())

    def every_scale(self, points: Tensor) -> list[Tensor]:
        """The values (N, outputs) that are trained on: those of each scale, where there are several."""
        return [self(points)]

    def with_masks(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Values (N, outputs) and masks (M, N) in [0, 1], those of `mask_names`."""
        return self(points), points.new_empty(0, len(points))

    @property
    def mask_names(self) -> list[str]:
        """The names of the masks; empty where there are none."""
        return []

    @property
    def twice_differentiable(self) -> bool:
        """Whether a loss on the gradient can be trained on."""
        return ENGINES[self.engine].twice_differentiable

    @property
    def recordable(self) -> bool:
        """Whether a step on a GPU can be recorded and replayed: its control flow ignores the values."""
        return self.engine == "torch"  # tiny-cuda-nn takes memory and streams of its own

    @property
    def bytes_per_sample(self) -> int:
        """Memory that a training step takes for each point beside what PyTorch's autograd keeps."""
        return 0

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The trainable parameters and their rates: dicts of `params` and `lr`.

        With `muon` set, a group's matrices (..., n, n) learn by Muon, not by Adam.
        """
        return [{"params": list(self.parameters()), "lr": self.config.rate}]

    def architecture(self) -> dict[str, Any]:
        """What a model file needs, beside the settings, to build this network again."""
        return {"model": self.config.name, "dim": self.dim, "outputs": self.outputs}


def value_and_gradient(
    field: Callable[[Tensor], Tensor], points: Tensor, create_graph: bool = False
) -> tuple[Tensor, Tensor]:
    """f (N,) and df/dx (N, d) of a scalar field at points (N, d), by autograd.

    create_graph: keep what is needed to train on the gradient.
    """
    with torch.enable_grad():
        points = points.detach().requires_grad_(True)
        values = field(points).reshape(-1)
        (gradient,) = torch.autograd.grad(values.sum(), points, create_graph=create_graph)
    return (values if create_graph else values.detach()), gradient


_LEAST = -60.0
"""exp(-60) is 10^-26: what is less changes no sum of floats, but its products, gradients above all, fall
below the smallest float of full precision, and processors take many times as long for those."""


def decay(exponent: Tensor) -> Tensor:
    """exp(exponent), and zero where that is below 10^-26."""
    return torch.where(exponent > _LEAST, torch.exp(exponent.clamp(min=_LEAST)), 0.0)


def uniform(bound: float, *shape: int, generator: torch.Generator) -> nn.Parameter:
    """Numbers drawn evenly from [-bound, bound]."""
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))


class Linear(nn.Module):
    """y = W x + b over the last axis, weight (outputs, inputs) from U(-bound, bound).

    The biases are from U(-1 / sqrt(inputs), 1 / sqrt(inputs)), PyTorch's default, which is also the
    weights' where no bound is given.
    """

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator, bound: float | None = None):
        super().__init__()
        default = inputs**-0.5
        self.weight: nn.Parameter = uniform(
            default if bound is None else bound, outputs, inputs, generator=generator
        )
        self.bias: nn.Parameter = uniform(default, outputs, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """y (..., outputs) of x (..., inputs)."""
        return nn.functional.linear(x, self.weight, self.bias)


class ComplexLinear(nn.Module):
    """y = W x + b of complex numbers, whose real and imaginary parts are drawn alike.

    They are kept side by side in real parameters (..., 2), so that optimizers and files need not know.
    """

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator):
        super().__init__()
        default = inputs**-0.5
        self.weight: nn.Parameter = uniform(default, outputs, inputs, 2, generator=generator)
        self.bias: nn.Parameter = uniform(default, outputs, 2, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """y (..., outputs) of x (..., inputs), both complex."""
        weight, bias = torch.view_as_complex(self.weight), torch.view_as_complex(self.bias)
        return nn.functional.linear(x, weight, bias)


def hidden_layers(
    width: int, count: int, generator: torch.Generator, bound: float | None = None
) -> nn.ModuleList:
    """`count` Linear layers from `width` numbers to as many."""
    return nn.ModuleList([Linear(width, width, generator, bound) for _ in range(count)])
