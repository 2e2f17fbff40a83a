"""Settings as frozen dataclasses, and the presets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from .engines import ENGINES, as_engine
from .errors import UsageError
from .model_config import GridConfig, ModelConfig, SASNetConfig
from .runtime.system import parse_memory
from .settings import Settings, as_classes, as_length, as_names, as_up, as_vector, setting
from .tiles_config import TilesConfig


@dataclass(frozen=True)
class InputConfig(Settings):
    """Which points of a cloud are used."""

    classes: tuple[int, ...] | None = setting(
        None,
        "Use points of these classifications only, such as 2,6 of LAS (ASPRS codes, 0 to 255).",
        option="classes",
        form="A,B",
        parse=as_classes,
        usual="all but noise",
    )
    crop: tuple[float, ...] | None = setting(
        None,
        "Use points inside this box only: two opposite corners, in the units of the scan.",
        option="crop",
        form="X0,Y0,Z0,X1,Y1,Z1",
        parse=partial(as_vector, 6, "crop must be six numbers, X0,Y0,Z0,X1,Y1,Z1"),
    )


@dataclass(frozen=True)
class SupervisionConfig(Settings):
    """Targets drawn from a cloud or a mesh, and how its outside is found."""

    targets: int = setting(400_000, "Points with signed distances that the network is trained on.", low=100)
    near_share: float = setting(0.7, "The share of the targets close to the surface.", low=0.0, high=1.0)
    near_spread: float = setting(
        0.5,
        "How close those targets are: the Laplace scale of their distance, in spacings of the data.",
        positive=True,
    )
    normals: str = setting(
        "auto",
        "How the outside is found. auto: by the file's normals, else by its sensors, else estimated.",
        option="normals",
        choices=("auto", "file", "sensors", "estimate"),
    )
    viewpoint: tuple[float, ...] | None = setting(
        None,
        "Position of the one sensor that saw all points, in the units of the scan; its side is outside.",
        option="viewpoint",
        form="X,Y,Z",
        parse=partial(as_vector, 3, "viewpoint must be three numbers, as in 1.5,0,-2"),
    )
    up: tuple[float, ...] | None = setting(
        None,
        "The direction that the surface was seen from, such as +z for terrain; that side is outside.",
        option="up",
        form="+z|-z|X,Y,Z",
        parse=as_up,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.viewpoint is not None and self.up is not None:
            raise UsageError("give the viewpoint or the side that is up, not both")

    def for_noisy_scan(self) -> SupervisionConfig:
        """These settings with the default near_share and near_spread."""
        usual = SupervisionConfig()
        return replace(self, near_share=usual.near_share, near_spread=usual.near_spread)


@dataclass(frozen=True)
class TrainingConfig(Settings):
    """The loop: batches of `batch` targets, a warm-up, and a cosine to `final_rate` of the rates.

    `noisy_steps`: steps for a noisy scan, whose noise the network averages; None: `steps` as well.
    """

    steps: int = setting(
        200,
        "Training steps, instead of the preset's.",
        option="steps",
        form="N",
        low=1,
        high=10_000_000,
    )
    noisy_steps: int | None = setting(None, "Training steps for a noisy scan.", low=1, high=10_000_000)
    batch: int = setting(
        4096, "Targets or samples per step.", option="batch", form="N", low=1, high=10_000_000
    )
    warmup: int = setting(20, "Steps in which the learning rates rise to their full value.", low=0)
    final_rate: float = setting(0.01, "The learning rates at the end, relative to the start.", low=0.0)
    time_limit: float | None = setting(
        None, "End training after S seconds.", option="time_limit", form="S", positive=True
    )
    eikonal_weight: float = setting(3e-4, "Weight of the eikonal term, (|grad f| - 1)^2.", low=0.0)
    eikonal_batch: int = setting(256, "Targets per step on which the eikonal term is evaluated.", low=1)
    normal_weight: float = setting(0.0, "Weight of the difference between gradients and normals.", low=0.0)
    mask_sparsity_weight: float = setting(0.0, "Weight of the masks' mean.", low=0.0)

    def for_noisy_scan(self) -> TrainingConfig:
        """These settings with the steps of a noisy scan."""
        return self if self.noisy_steps is None else replace(self, steps=self.noisy_steps, noisy_steps=None)


@dataclass(frozen=True)
class ExtractionConfig(Settings):
    """How finely the surface is sampled, and which parts of it are kept."""

    resolution: int = setting(
        448,
        "Lattice cells along the side of the cube around the input.",
        option="resolution",
        form="N",
        low=8,
        high=4096,
    )
    edge_length: float | None = setting(
        None,
        "Size of a lattice cell in the units of the input; sets the resolution.",
        option="edge_length",
        form="L",
        positive=True,
    )
    trim: str | float = setting(
        "auto",
        "Remove surface farther than LENGTH from the data, in the units of the input. "
        "auto: a length from the spacing of the points; no trimming where they surround a solid.",
        option="trim",
        form="auto|off|LENGTH",
        parse=partial(as_length, "trim"),
    )
    watertight: bool = setting(False, "Close what is open instead of trimming it.", option="watertight")
    faces: int | None = setting(None, "Decimate to N triangles.", option="faces", form="N", low=4, high=10**9)
    keep_components: bool = setting(
        False, "Keep separate pieces that few points support.", option="keep_components"
    )
    smallest_component: float = setting(
        0.01,
        "The share of the points that must support a piece (200 are always enough); for a model without "
        "points, the share of the area of the largest piece.",
        low=0.0,
        high=1.0,
    )
    refine: str = setting(
        "auto",
        "auto: the mesh follows the data where there are data, and the network across holes. "
        "off: it is the network's surface everywhere.",
        option="refine",
        choices=("auto", "off"),
    )
    colors: str = setting(
        "auto", "Carry the input's colors over to the vertices.", option="colors", choices=("auto", "off")
    )
    carry: tuple[str, ...] = setting(
        (),
        "Carry a scalar of the input, such as intensity, over to the vertices as well.",
        option="carry",
        form="NAME",
        parse=as_names,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.watertight and not isinstance(self.trim, str):
            raise UsageError("watertight closes what trim would open: give one of them")


@dataclass(frozen=True)
class CheckpointConfig(Settings):
    """A training run's checkpoints."""

    folder: str | None = setting(
        None,
        "Keep the last two states of the training in DIR, whatever happens to the run.",
        option="checkpoint",
        form="DIR",
        parse=str,
    )
    every: float = setting(60.0, "Seconds between checkpoints.", option="checkpoint_every", form="S", low=0.0)
    resume: bool = setting(
        False,
        "Go on from the checkpoint of the same input and settings, if there is one; the result has the "
        "bytes of a run that was never stopped.",
        option="resume",
    )

    def check_resume(self) -> None:
        """Raise UsageError if one training is to be resumed, and its folder is not known."""
        if self.resume and self.folder is None:
            raise UsageError("resume needs the folder of the checkpoints: name it with checkpoint")


@dataclass(frozen=True)
class RunConfig(Settings):
    """Settings of every run, on a surface or a signal."""

    preset: str = "balanced"
    seed: int = setting(
        0, "The same seed gives the same bytes.", option="seed", form="N", low=0, high=2**63 - 1
    )
    device: str = setting("auto", "Where the network runs.", option="device", choices=("auto", "cpu", "cuda"))
    engine: str = setting(
        "auto",
        f"What computes the hash grid: {', '.join(ENGINES.own)}, or one that a package adds.",
        option="engine",
        form="NAME",
        parse=as_engine,
    )
    max_memory: int | None = setting(
        None,
        "Memory limit, such as 4G: scans are thinned to fit, and work that would need more is refused.",
        option="max_memory",
        form="SIZE",
        parse=parse_memory,
    )


@dataclass(frozen=True)
class Config(RunConfig):
    """Everything that decides a reconstruction, apart from its input."""

    max_points: int | None = setting(
        None,
        "Use N points at most, thinned evenly.",
        option="max_points",
        form="N",
        low=10,
        high=10**12,
        usual="as many as fit into memory, up to 5,000,000",
    )
    strict: bool = setting(False, "Treat warnings as errors.", option="strict")
    input: InputConfig = field(default_factory=InputConfig)
    model: ModelConfig = field(default_factory=SASNetConfig)
    supervision: SupervisionConfig = field(default_factory=SupervisionConfig)
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(noisy_steps=400))
    extraction: ExtractionConfig = field(default_factory=ExtractionConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    tiles: TilesConfig = field(default_factory=TilesConfig)


PRESETS: dict[str, Config] = {
    "fast": Config(
        preset="fast",
        training=TrainingConfig(steps=200, noisy_steps=350),
        model=SASNetConfig(grid=GridConfig(levels=6, log2_table=16, finest=256)),
        extraction=ExtractionConfig(resolution=320),
    ),
    "balanced": Config(preset="balanced", training=TrainingConfig(steps=200, noisy_steps=400)),
    "fine": Config(
        preset="fine",
        training=TrainingConfig(steps=900, batch=8192),
        supervision=SupervisionConfig(targets=1_000_000, near_share=0.85, near_spread=0.15),
        model=SASNetConfig(grid=GridConfig(log2_table=19)),
        extraction=ExtractionConfig(resolution=640),
    ),
}
