"""Measures surfaces and fields, those of tiled models included, against a reference."""

from __future__ import annotations

from pathlib import Path

from ..field import Field
from ..geometry import Array, PointCloud, TriangleMesh
from ..problems.evaluate import Evaluation, evaluated
from ..problems.settings import make_config
from ..runtime.progress import OnProgress, silent, stage
from .extract import surface_of_model
from .field import TiledField


def evaluate(
    source: str | Path | TriangleMesh | Field | TiledField,
    reference: str | Path | TriangleMesh | PointCloud | Array,
    *,
    field: Field | TiledField | None = None,
    samples: int = 200_000,
    seed: int = 0,
    resolution: int | None = None,
    on_progress: OnProgress = silent,
) -> Evaluation:
    """Measure how well a surface, and the field that it comes from, agrees with a reference.

    source: a mesh, a Field, a TiledField, or a path to one of them (.sasnet: a field; the folder of a tiled
    model), in world units. If it is a field, its surface is extracted first.

    reference: the ground truth: a mesh or a cloud, or a path to one, in the same units.

    field: the field that the mesh was extracted from; its distances and gradients are measured too.

    samples: number of sample points on each surface and in space, 100 to 50,000,000.

    seed: the same seed gives the same figures.

    resolution: of the extraction, if the source is a field, as in extract.

    on_progress: called several times a second with a Progress; returning False raises Interrupted.

    Raises UsageError, UnreadableInput, UnusableGeometry, NoSurface, Interrupted.

        found = sasnet_sdf.evaluate("surface.ply", "truth.ply")
        print(found.error, found["completeness_max"])
    """
    if isinstance(source, (str, Path)) and Path(source).is_dir():
        source = TiledField.load(source)
    if isinstance(source, TiledField):
        field, config = field or source, make_config(resolution=resolution)
        with stage("extraction", on_progress):
            source, resolution = surface_of_model(source, config).mesh, None
    return evaluated(
        source,
        reference,
        field=field,
        samples=samples,
        seed=seed,
        resolution=resolution,
        on_progress=on_progress,
    )
