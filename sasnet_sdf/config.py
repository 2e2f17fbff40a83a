"""Settings as frozen dataclasses, and the presets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from .model_config import CLASSES, GridConfig, ModelConfig, SASNetConfig


@dataclass(frozen=True)
class InputConfig:
    """Which points of a cloud are used.

    `classes`: those of these classifications (ASPRS codes, 0 to 255); None: all but noise. `crop`: those
    inside the box between two opposite corners x0, y0, z0, x1, y1, z1, in world units.
    """

    classes: tuple[int, ...] | None = None
    crop: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.classes is not None and not (self.classes and all(0 <= c <= 255 for c in self.classes)):
            raise ValueError(f"classes must be numbers from 0 to 255, as 2,6, found {self.classes}")
        if self.crop is not None and not (len(self.crop) == 6 and all(map(math.isfinite, self.crop))):
            raise ValueError(f"crop must be six finite numbers, x0,y0,z0,x1,y1,z1, found {self.crop}")


@dataclass(frozen=True)
class SupervisionConfig:
    """Targets drawn from a cloud or a mesh.

    `near_share` of them lie close to the surface; `near_spread` is the Laplace scale of their distance
    from it, in spacings of the data. A noisy scan gets the defaults of these two. `normals`: what says
    where outside is: auto, file, sensors or estimate. `viewpoint`: where the sensor stood, in world
    units, and `up`: a direction that the surface was seen from; either is used instead of what the file
    has.
    """

    targets: int = 400_000
    near_share: float = 0.7
    near_spread: float = 0.5
    normals: str = "auto"
    viewpoint: tuple[float, float, float] | None = None
    up: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.targets < 100:
            raise ValueError("training needs at least 100 targets")
        if not 0 <= self.near_share <= 1:
            raise ValueError(f"near_share must be a share from 0 to 1, found {self.near_share}")
        if not 0 < self.near_spread < math.inf:
            raise ValueError(f"near_spread must be positive, found {self.near_spread}")

    def for_noisy_scan(self) -> SupervisionConfig:
        """These settings with as many targets close to the surface, and as close, as by default."""
        usual = SupervisionConfig()
        return replace(self, near_share=usual.near_share, near_spread=usual.near_spread)


@dataclass(frozen=True)
class TrainingConfig:
    """The loop: batches of `batch` targets, Adam with warm-up and a cosine to `final_rate` of the rates.

    `noisy_steps`: steps for a noisy scan, whose noise the network averages; None: `steps` as well.
    """

    steps: int = 200
    noisy_steps: int | None = None
    batch: int = 4096
    warmup: int = 20
    final_rate: float = 0.01
    time_limit: float | None = None
    eikonal_weight: float = 3e-4
    eikonal_batch: int = 256
    normal_weight: float = 0.0
    mask_sparsity_weight: float = 0.0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.eikonal_batch) < 1:
            raise ValueError("training needs steps, and batches, of at least 1")

    def for_noisy_scan(self) -> TrainingConfig:
        """These settings with the steps of a noisy scan."""
        return self if self.noisy_steps is None else replace(self, steps=self.noisy_steps, noisy_steps=None)


@dataclass(frozen=True)
class ExtractionConfig:
    """The lattice: `resolution` cells along the unit cube's side, or cells of `edge_length` world units.

    `trim`: auto, off, or the length in world units from the data beyond which no surface stays;
    `watertight` closes what is open instead. Components that fewer than `smallest_component` of the
    points support (200 are always enough) are dropped unless `keep_components`; where the points
    are not known, those of less than that share of the largest one's area. `faces`: decimate to
    this many triangles. `colors`: auto or off. `carry`: the input's scalars that the mesh is to have.
    `refine`: auto (the mesh follows the data where there are data) or off (it is the network's surface).
    """

    resolution: int = 448
    edge_length: float | None = None
    keep_components: bool = False
    smallest_component: float = 0.01
    faces: int | None = None
    trim: str | float = "auto"
    watertight: bool = False
    colors: str = "auto"
    refine: str = "auto"
    carry: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckpointConfig:
    """A training run's checkpoints: in `folder`, if any, one `every` so many seconds.

    `resume`: go on from the last one there is of the same run.
    """

    folder: str | None = None
    every: float = 60.0
    resume: bool = False

    def __post_init__(self) -> None:
        if self.resume and self.folder is None:
            raise ValueError("resume goes on from a folder of checkpoints: name it with checkpoint")


@dataclass(frozen=True)
class Config:
    """Everything that decides a reconstruction, apart from its input.

    `strict`: what would be a warning ends the run.
    """

    preset: str = "balanced"
    seed: int = 0
    device: str = "auto"
    engine: str = "auto"
    max_memory: int | None = None
    max_points: int | None = None
    strict: bool = False
    input: InputConfig = field(default_factory=InputConfig)
    model: ModelConfig = field(default_factory=SASNetConfig)
    supervision: SupervisionConfig = field(default_factory=SupervisionConfig)
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(noisy_steps=400))
    extraction: ExtractionConfig = field(default_factory=ExtractionConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)


@dataclass(frozen=True)
class SignalConfig:
    """Everything that decides the fit of an image or a volume, apart from its input.

    `parameters`: trainable numbers; None: `ratio` for each number of the signal; None: RATIO for each,
    but FEWEST_PARAMETERS at least and MOST_PARAMETERS at most. `model`: None is a SASNet chosen
    from the signal, of that size.
    """

    preset: str = "balanced"
    seed: int = 0
    device: str = "auto"
    engine: str = "auto"
    max_memory: int | None = None
    parameters: int | None = None
    ratio: float | None = None
    model: ModelConfig | None = None
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(steps=1500, batch=16_384, warmup=50)
    )
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)


RATIO, FEWEST_PARAMETERS, MOST_PARAMETERS = 0.3, 2000, 300_000
"""Of a fit, unless more are asked for: the time of a step grows with them."""

SIGNAL_STEPS = {"fast": 500, "balanced": 1500, "fine": 6000}
"""Training steps of the presets for images and volumes."""

PRESETS: dict[str, Config] = {
    "fast": Config(
        preset="fast",
        training=TrainingConfig(noisy_steps=350),
        model=SASNetConfig(grid=GridConfig(levels=6, log2_table=16, finest=256)),
        extraction=ExtractionConfig(resolution=320),
    ),
    "balanced": Config(preset="balanced"),
    "fine": Config(
        preset="fine",
        training=TrainingConfig(steps=900, batch=8192),
        supervision=SupervisionConfig(targets=1_000_000, near_share=0.85, near_spread=0.15),
        model=SASNetConfig(grid=GridConfig(log2_table=19)),
        extraction=ExtractionConfig(resolution=640),
    ),
}


def with_changes(config: Any, changes: dict[str, Any]) -> Any:
    """A copy of a settings dataclass with nested `changes`, as {"training": {"steps": 10}}.

    A `name` among the changes of a model's settings starts from the defaults of that model.
    Raises ValueError for a setting that there is not.
    """
    if isinstance(config, ModelConfig) and "name" in changes:
        changes = dict(changes)
        name = changes.pop("name")
        if name not in CLASSES:
            raise ValueError(f"unknown model {name!r}; known: {', '.join(CLASSES)}")
        config = config if name == config.name else CLASSES[name]()
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
    name = {"name": config.name} if isinstance(config, ModelConfig) else {}
    values = {f.name: getattr(config, f.name) for f in fields(config)}
    return name | {key: to_dict(value) if is_dataclass(value) else value for key, value in values.items()}
