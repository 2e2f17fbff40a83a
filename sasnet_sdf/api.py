"""The public functions that train networks. `help` describes every argument of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from .config import Config, ExtractionConfig
from .errors import UsageError
from .field import Field
from .fitted import FittedSignal
from .geometry import PointCloud, TriangleMesh
from .io import check_writable
from .problems.extract import Extraction, surface_of
from .problems.problem import surface_memory
from .problems.reconstruct import Reconstruction
from .problems.settings import make_config
from .problems.signal import fit_signal
from .runtime.progress import OnProgress, silent, stage
from .settings import Settings, documented, options_of
from .signal_config import SignalConfig
from .signals import Signal
from .tiles.choice import surface_of_any
from .tiles.extract import surface_of_model
from .tiles.field import TiledField, load_field
from .tiles.result import TiledReconstruction


@documented(Config)
def reconstruct(
    source: str | Path | PointCloud | TriangleMesh | ArrayLike | Sequence[str | Path | PointCloud] | Any,
    *,
    preset: str = "balanced",
    normals: str | None = None,
    viewpoint: str | Sequence[float] | None = None,
    up: str | Sequence[float] | None = None,
    classes: str | Sequence[int] | None = None,
    crop: str | Sequence[float] | None = None,
    max_points: int | None = None,
    resolution: int | None = None,
    edge_length: float | None = None,
    trim: str | float | None = None,
    watertight: bool | None = None,
    faces: int | None = None,
    keep_components: bool | None = None,
    refine: str | None = None,
    colors: str | None = None,
    carry: str | Sequence[str] | None = None,
    model: str | None = None,
    settings: Iterable[str] = (),
    steps: int | None = None,
    batch: int | None = None,
    time_limit: float | None = None,
    seed: int | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: float | None = None,
    resume: bool | None = None,
    device: str | None = None,
    engine: str | None = None,
    max_memory: int | str | None = None,
    strict: bool | None = None,
    tiles: str | float | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    scratch: str | Path | None = None,
    keep_scratch: bool | None = None,
    split: bool | None = None,
    output: str | Path | None = None,
    config: Config | None = None,
    on_progress: OnProgress = silent,
) -> Reconstruction | TiledReconstruction:
    """Train a signed distance field on a scan and extract its surface, in the scan's world units.

    source: a path, a PointCloud, a TriangleMesh, a cloud or mesh of trimesh, Open3D or PyVista, or an
    array of points (N, 3), or of points and unit normals (N, 6), in world units. Several paths or
    clouds, in a list or tuple, are merged into one scan. A scan that is larger than memory may be a function
    without arguments that returns an iterator of PointCloud pieces, the same ones at each call.

    preset: "fast", "balanced" or "fine": how much work to spend.

    model: NAME[:KEY=VALUE]..., such as "siren:omega0=10"; SASNet without it.

    settings: other settings as "KEY=VALUE", such as "supervision.targets=200000".

    output: the mesh file to write. A mesh in tiles (docs/scale.md) is written while it is joined, so that it
    may be larger than memory. None: the mesh is not written.

    config: all settings as one object, instead of preset, model, settings and the keyword settings below.

    on_progress: called several times a second with a Progress. If it returns False during training,
    training ends, and the surface is that of the field so far; if it returns False in any other stage,
    the run stops and raises Interrupted. An exception that it raises ends the run too.

    Returns a Reconstruction, or a TiledReconstruction where the scan was cut into tiles.

    Raises a SasnetError: UnreadableInput, UnusableGeometry, NoSurface, UsageError, MissingBackend,
    Interrupted.

        result = sasnet_sdf.reconstruct("scan.ply", preset="fast", trim=0.05)
        result.mesh.save("surface.ply")
    """
    options = _options(locals(), Config)
    if config is None:
        config = make_config(preset, model=model, settings=settings, **options)
    elif preset != "balanced" or model or settings or any(value is not None for value in options.values()):
        raise UsageError("give a config, or single settings, not both")
    place = None if output is None else Path(output)
    if place is not None:
        check_writable(place, True, ("mesh",))
    result = surface_of_any(source, config, on_progress, place)
    if place is not None and isinstance(result, Reconstruction):
        result.mesh.save(place)
    return result


@documented(Config)
def extract(
    field: Field | TiledField | str | Path,
    *,
    resolution: int | None = None,
    edge_length: float | None = None,
    trim: str | float | None = None,
    watertight: bool = False,
    keep_components: bool = False,
    faces: int | None = None,
    max_memory: int | str | None = None,
    on_progress: OnProgress = silent,
) -> Extraction:
    """Extract the surface of a trained field again, in world units, at any resolution.

    field: of a reconstruction, or a path to a model file or to the folder of a tiled model. It stores the
    data points, so the surface can be trimmed as `reconstruct` does. It has no colors.

    on_progress: called several times a second with a Progress; returning False raises Interrupted.

    Raises NoSurface; UsageError, such as where the lattice would need more than max_memory; Interrupted.

        mesh, report = sasnet_sdf.extract("scan.sasnet", resolution=64)
    """
    config = make_config(**_options(locals(), ExtractionConfig, "max_memory"))
    if isinstance(field, (str, Path)):
        field = load_field(field)
    if isinstance(field, TiledField):
        with stage("extraction", on_progress):
            return surface_of_model(field, config)
    memory = surface_memory(config.max_memory, field.unit_gradient, config.extraction.faces)
    with stage("extraction", on_progress):
        return Extraction(*surface_of(field, config.extraction, memory))


@documented(SignalConfig)
def fit_image(
    source: str | Path | ArrayLike | Signal,
    *,
    preset: str = "balanced",
    parameters: int | None = None,
    ratio: float | None = None,
    model: str | None = None,
    settings: Iterable[str] = (),
    steps: int | None = None,
    batch: int | None = None,
    time_limit: float | None = None,
    seed: int | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: float | None = None,
    resume: bool | None = None,
    device: str | None = None,
    engine: str | None = None,
    max_memory: int | str | None = None,
    on_progress: OnProgress = silent,
) -> FittedSignal:
    """Train a network on an image.

    source: a path, a Signal, or an array (H, W) or (H, W, C) of 1 to 4 channels, rows from the top.

    preset: "fast", "balanced" or "fine": how much work to spend.

    model: NAME[:KEY=VALUE]..., such as "siren:omega0=30"; without it a SASNet whose frequencies are
    chosen from the image.

    settings: other settings as "KEY=VALUE", such as "model.omega0=40".

    on_progress: called several times a second with a Progress. Returning False ends the training
    early, with the model so far; at any other time it stops the run, which raises Interrupted.

    Returns a FittedSignal whose `report` says what was done. Raises a SasnetError: UnreadableInput,
    UnusableGeometry, UsageError, MissingBackend, Interrupted.

        fitted = sasnet_sdf.fit_image("photo.png", preset="fast")
        fitted.save("photo.sasnet")
    """
    return _fit("image", locals())


@documented(SignalConfig)
def fit_volume(
    source: str | Path | ArrayLike | Signal,
    *,
    spacing: ArrayLike | None = None,
    preset: str = "balanced",
    parameters: int | None = None,
    ratio: float | None = None,
    model: str | None = None,
    settings: Iterable[str] = (),
    steps: int | None = None,
    batch: int | None = None,
    time_limit: float | None = None,
    seed: int | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: float | None = None,
    resume: bool | None = None,
    device: str | None = None,
    engine: str | None = None,
    max_memory: int | str | None = None,
    on_progress: OnProgress = silent,
) -> FittedSignal:
    """Train a network on a volume.

    source: a path, a Signal, or an array (I, J, K) or (I, J, K, C), memory-mapped or not.

    spacing: (3,) world units between the samples of an array; a file has its own.

    preset, model, settings, on_progress: as in fit_image.

    Returns a FittedSignal whose `report` says what was done. Raises a SasnetError, as fit_image does.

        fitted = sasnet_sdf.fit_volume("volume.npz", preset="fast")
        fitted.render(scale=2).values  # (2 I, 2 J, 2 K, C)
    """
    return _fit("volume", locals())


def load_model(
    path: str | Path, device: str = "auto", engine: str = "auto"
) -> Field | TiledField | FittedSignal:
    """Read a model: a Field of a surface, a TiledField of one in tiles, a FittedSignal of an image or volume.

    path: a .sasnet file, or the folder of a tiled model. device: "auto", "cpu" or "cuda". engine: what
    computes its hash grid.

    Raises UnreadableInput where the file is damaged or not a model, MissingBackend.

        model = sasnet_sdf.load_model("scan.sasnet")
    """
    from .io.models import read_model

    if Path(path).is_dir():
        return TiledField.load(path, device)
    kind = FittedSignal if "signal" in read_model(Path(path))[1] else Field
    return kind.load(path, device, engine)


def _fit(kind: str, given: Mapping[str, Any]) -> FittedSignal:
    """Fit the source among the arguments of a function, with its other arguments, from its locals()."""
    options = _options(given, SignalConfig)
    options |= {name: given[name] for name in ("preset", "model", "settings", "on_progress")}
    return fit_signal(given["source"], kind, given.get("spacing"), **options)[0]


def _options(given: Mapping[str, Any], owner: type[Settings], *more: str) -> dict[str, Any]:
    """The settings among the arguments of a function, from its locals()."""
    return {name: given[name] for name in (*options_of(owner), *more) if name in given}
