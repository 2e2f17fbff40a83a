"""The interface of all networks that the rest of the package uses, and layers to build networks from.

Initial values come from a generator, so that the seed determines the whole network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from ..engines import ENGINES
from ..errors import UsageError
from ..model_config import PUBLISHED, ModelConfig

C = TypeVar("C", bound=ModelConfig)


class Network(nn.Module, Generic[C]):
    """A network that maps points (N, dim) in [-1, 1] to values (N, outputs).

    A new network has a `Config`, its settings, and two methods, `build` and `forward`. The other methods suit
    a plain PyTorch network and may be overridden. docs/extending.md has an example. engine: "torch", or the
    engine of its hash grid. compiled: whether its passes are compiled loops instead of PyTorch operations.
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
        """Register the network under the name of its settings, for `--model`, Python and model files.

        presets: names for other values of its settings. Raises ValueError for a name that the package itself
        uses.
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
        """f (N,) and df/dx (N, dim) of a network with one output, both differentiable if autograd is on."""
        return value_and_gradient(self, points, torch.is_grad_enabled())

    def every_scale(self, points: Tensor) -> list[Tensor]:
        """The values (N, outputs) that the loss is computed from: those of every scale, if several."""
        return [self(points)]

    def with_masks(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Values (N, outputs), and the masks (M, N) in [0, 1] that `mask_names` lists."""
        return self(points), points.new_empty(0, len(points))

    @property
    def mask_names(self) -> list[str]:
        """The names of the masks; empty where there are none."""
        return []

    @property
    def twice_differentiable(self) -> bool:
        """Whether a loss that contains the gradient can be minimized."""
        return ENGINES[self.engine].twice_differentiable

    @property
    def recordable(self) -> bool:
        """Whether a step on a GPU can be recorded and replayed: its control flow ignores the values."""
        return self.engine == "torch"  # tiny-cuda-nn has its own memory and streams

    @property
    def bytes_per_sample(self) -> int:
        """Bytes that a training step takes per point, in addition to what PyTorch's autograd keeps."""
        return 0

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The hidden layers' square matrices, (..., n, n) or complex (n, n, 2), that Muon can train."""
        return []

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The trainable parameters and their rates: dicts of `params` and `lr`.

        A group with `muon` is trained by Muon instead of Adam. Raises UsageError if the settings ask for Muon
        and the network has no hidden matrices.
        """
        return self.with_muon({"params": list(self.parameters()), "lr": self.config.rate})

    def with_muon(self, *of_adam: dict[str, Any]) -> list[dict[str, Any]]:
        """The groups; with `optimizer="muon"` the hidden matrices are moved to a last group of their own.

        Raises UsageError if there are no such matrices.
        """
        matrices = self.hidden_matrices() if self.config.optimizer == "muon" else []
        if self.config.optimizer == "muon" and not matrices:
            raise UsageError(f"model {self.config.name}: it has no hidden matrices that Muon could train")
        theirs = {id(matrix) for matrix in matrices}
        groups = [{**g, "params": [p for p in g["params"] if id(p) not in theirs]} for g in of_adam]
        groups.append({"params": matrices, "lr": self.config.matrix_rate, "muon": True})
        return [group for group in groups if group["params"]]

    def architecture(self) -> dict[str, Any]:
        """What a model file needs, in addition to the settings, to rebuild this network."""
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
"""The exponent below which exp is set to zero. exp(-60) is 10^-26: smaller numbers do not change sums of
floats, but their products, above all in gradients, are denormal, and processors take many times as long for
denormal numbers."""


def decay(exponent: Tensor) -> Tensor:
    """exp(exponent), or zero where that is below 10^-26."""
    return torch.where(exponent > _LEAST, torch.exp(exponent.clamp(min=_LEAST)), 0.0)


def uniform(bound: float, *shape: int, generator: torch.Generator) -> nn.Parameter:
    """A parameter drawn uniformly from [-bound, bound]."""
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))


class Linear(nn.Module):
    """y = W x + b over the last axis, with weights (outputs, inputs) from U(-bound, bound).

    The biases, and the weights if no bound is given, are from U(-1 / sqrt(inputs), 1 / sqrt(inputs)), which
    is PyTorch's default.
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
    """y = W x + b in complex numbers; real and imaginary parts are drawn from the same distribution.

    They are stored as real parameters (..., 2), so that optimizers and files need no complex numbers.
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
    """`count` Linear layers with `width` inputs and outputs."""
    return nn.ModuleList([Linear(width, width, generator, bound) for _ in range(count)])
