"""Settings as frozen dataclasses, and the presets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any


@dataclass(frozen=True)
class GridConfig:
    """Multi-resolution hash grid (Mueller et al. 2022), in tiny-cuda-nn's convention.

    `coarsest` and `finest` count vertices along an axis; a level holds at most
    2**log2_table entries of `features` numbers.
    """

    levels: int = 8
    features: int = 2
    log2_table: int = 18
    coarsest: int = 16
    finest: int = 512
    interpolation: str = "linear"


@dataclass(frozen=True)
class ModelConfig:
    """SASNet (Feng et al. 2026): frozen frequencies, sine layers, masks from a hash grid.

    Frequencies are integer vectors k of h0 = sin(2 pi / period k.x + b); `low_share` of the
    `width` neurons have max|k| <= `low` and no mask, the rest reach up to `band` and are sorted
    into `bands`, one mask each. Every hidden layer has `groups` masks.
    """

    width: int = 64
    hidden_layers: int = 2
    omega0: float = 30.0
    period: float = 2 / 0.95
    low: int = 5
    band: int = 20
    low_share: float = 0.5
    bands: int = 4
    groups: int = 8
    decoder_width: int = 48
    mask_bias: float = 0.0
    grid: GridConfig = field(default_factory=GridConfig)


@dataclass(frozen=True)
class SupervisionConfig:
    """Targets drawn from a cloud or a mesh.

    `normals`: what says where outside is: auto, file, sensors or estimate.
    """

    targets: int = 1_000_000
    normals: str = "auto"


@dataclass(frozen=True)
class TrainingConfig:
    """The loop: batches of `batch` targets, Adam with warm-up and a cosine to `final_rate`."""

    steps: int = 2000
    batch: int = 4096
    rate: float = 2e-3
    grid_rate: float = 1e-2
    warmup: int = 20
    final_rate: float = 0.01
    time_limit: float | None = None
    eikonal_weight: float = 3e-4
    eikonal_batch: int = 256
    normal_weight: float = 0.0
    mask_sparsity_weight: float = 0.0


@dataclass(frozen=True)
class ExtractionConfig:
    """The lattice: `resolution` cells along the unit cube's side, or cells of `edge_length` world units.

    `trim`: auto, off, or the length in world units from the data beyond which no surface stays;
    `watertight` closes what is open instead. Components that fewer than `smallest_component` of the
    points support (200 are always enough) are dropped unless `keep_components`; where the points
    are not known, those of less than that share of the largest one's area. `faces`: decimate to
    this many triangles. `colors`: auto or off. `carry`: the input's scalars that the mesh is to have.
    """

    resolution: int = 512
    edge_length: float | None = None
    keep_components: bool = False
    smallest_component: float = 0.01
    faces: int | None = None
    trim: str | float = "auto"
    watertight: bool = False
    colors: str = "auto"
    carry: tuple[str, ...] = ()


@dataclass(frozen=True)
class Config:
    """Everything that decides a reconstruction, apart from its input."""

    preset: str = "balanced"
    seed: int = 0
    device: str = "auto"
    engine: str = "auto"
    max_memory: int | None = None
    max_points: int | None = None
    model: ModelConfig = field(default_factory=ModelConfig)
    supervision: SupervisionConfig = field(default_factory=SupervisionConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    extraction: ExtractionConfig = field(default_factory=ExtractionConfig)


PRESETS: dict[str, Config] = {
    "fast": Config(
        preset="fast",
        training=TrainingConfig(steps=450),
        supervision=SupervisionConfig(targets=400_000),
        extraction=ExtractionConfig(resolution=320),
    ),
    "balanced": Config(preset="balanced"),
    "fine": Config(
        preset="fine",
        training=TrainingConfig(steps=6000),
        supervision=SupervisionConfig(targets=2_000_000),
        extraction=ExtractionConfig(resolution=768),
    ),
}


def with_changes(config: Any, changes: dict[str, Any]) -> Any:
    """A copy of a settings dataclass with nested `changes`, as {"training": {"steps": 10}}."""
    known = {f.name for f in fields(config)}
    unknown = sorted(set(changes) - known)
    if unknown:
        raise ValueError(f"unknown setting {unknown[0]!r}; known: {', '.join(sorted(known))}")
    return replace(
        config,
        **{
            name: with_changes(getattr(config, name), value)
            if is_dataclass(getattr(config, name))
            else tuple(value)  # as JSON has no tuples
            if isinstance(value, list)
            else value
            for name, value in changes.items()
        },
    )


def to_dict(config: Any) -> dict[str, Any]:
    """The settings as plain JSON values; `with_changes(Config(), to_dict(config))` is the way back."""
    return asdict(config)
