"""Compares networks, and screened Poisson reconstruction, on the same data, targets and budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from .. import __version__
from ..config import Config
from ..errors import Interrupted
from ..geometry import PointCloud, TriangleMesh
from ..io.formats import signal_kind
from ..networks.registry import choose
from ..problems.problem import Report
from ..problems.settings import make_config
from ..runtime.progress import OnProgress, Progress, silent, stage
from ..runtime.system import hardware
from ..settings import documented
from ..signals import Signal
from .contenders import trained
from .results import Budget, Results, refuse_decided, refuse_of_surfaces
from .subjects import SignalSubject, SurfaceSubject

MODELS = (
    *("sasnet", "siren:omega0=10", "siren:omega0=30", "siren:omega0=90", "finer", "wire", "gauss"),
    *("pemlp", "ffn", "ngp", "bacon", "tuner", "sasnet:no-masks", "sasnet:unfrozen"),
    *("supervision", "poisson"),
)
"""The models that are compared by default."""


class Comparison(Report):
    """A comparison: a mapping with the content of results.json (docs/compare.md)."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each model: `model`, figures such as `error` or `psnr`, and the cost of the training."""
        return self["rows"]

    def __repr__(self) -> str:
        models = ", ".join(row["model"] for row in self.rows)
        return f"Comparison\n  models: {models}\n  budget: {self['run']['budget']}"


@documented(Config)
def compare(
    source: str | Path | PointCloud | TriangleMesh | Signal | ArrayLike,
    output: str | Path,
    *,
    models: Sequence[str] = MODELS,
    reference: str | Path | PointCloud | TriangleMesh | None = None,
    budget: Budget | str = "",
    sweep_rates: bool = False,
    preset: str = "balanced",
    samples: int = 200_000,
    normals: str | None = None,
    viewpoint: str | Sequence[float] | None = None,
    up: str | Sequence[float] | None = None,
    classes: str | Sequence[int] | None = None,
    crop: str | Sequence[float] | None = None,
    max_points: int | None = None,
    resolution: int | None = None,
    edge_length: float | None = None,
    trim: str | float | None = None,
    refine: str | None = None,
    settings: Sequence[str] = (),
    seed: int | None = None,
    device: str | None = None,
    engine: str | None = None,
    max_memory: int | str | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = silent,
) -> Comparison:
    """Train networks on the same data with the same budget, and measure each result.

    On a cloud or a mesh every network gets the same targets, and its surface is measured against the
    reference. On an image or a volume its agreement with the samples is measured.

    source: a path, a PointCloud, a TriangleMesh, an array of points (N, 3) in world units, or a Signal.

    output: a folder for results.json, tables, pictures, meshes and models (docs/compare.md). Models whose
    results are already in the folder are not run again.

    models: NAME[:KEY=VALUE]... each, such as "siren:omega0=10"; "supervision", the surface of the signed
    distance that the networks are trained on; and, for clouds, "poisson" or "poisson:depth=N".

    reference: the geometry that surfaces are measured against, in the same units; the source by default.

    budget: the size and training allowed for every network, as a Budget or as "parameters=150000,steps=1500".

    sweep_rates: train each network at its published learning rate and at two others, and keep the best.

    preset: "fast", "balanced" or "fine"; for surfaces it determines the targets and the resolution.

    samples: number of sample points on each surface and in space.

    settings: other settings as "KEY=VALUE", such as "supervision.targets=200000".

    overwrite: replace the results of another comparison in the folder.

    on_progress: called several times a second with a Progress; returning False raises Interrupted, and the
    folder keeps the results of the finished models.

    Raises a SasnetError, such as UsageError if the folder holds the results of another comparison.

        comparison = sasnet_sdf.compare("scan.ply", "results", models=["sasnet", "siren"])
        print(min(comparison.rows, key=lambda row: row["error"])["model"])
    """
    changes = {
        "normals": normals,
        "viewpoint": viewpoint,
        "up": up,
        "classes": classes,
        "crop": crop,
        "max_points": max_points,
        "resolution": resolution,
        "edge_length": edge_length,
        "trim": trim,
        "refine": refine,
        "seed": seed,
        "device": device,
        "engine": engine,
        "max_memory": max_memory,
    }
    budget = budget if isinstance(budget, Budget) else Budget.of(budget)
    config = make_config(preset, settings=settings, **changes)
    refuse_decided(settings)
    before = on_part(on_progress, "", 0, len(models))
    subject: Any  # a Subject of either kind
    if isinstance(source, Signal) or (isinstance(source, (str, Path)) and signal_kind(source)):
        refuse_of_surfaces({"reference": reference, "settings": settings, **changes})
        subject = SignalSubject(source, config, budget, models, before)
    else:
        subject = SurfaceSubject(source, reference, config, budget, models, samples, before)
    device, engine = choose(config.device, config.engine)
    run = {
        "version": __version__,
        **subject.facts,
        "budget": asdict(budget),
        "sweep_rates": sweep_rates,
        "settings": subject.settings,
    }
    results = Results.open(Path(output), run, overwrite)
    results.numbers |= {"hardware": hardware(), "device": device, "notes": subject.notes}
    missing = [words for words in subject.wanted if results.row(words) is None]
    problem: Any = subject.problem(before) if missing else None
    error_of: Any = problem.held_out_error(config.seed) if missing else None
    for number, words in enumerate(missing):
        watch = on_part(on_progress, words, number, len(missing))
        model, mesh, result = subject.wanted[words], None, None
        if model is None:
            row, mesh = subject.without_network(words, watch)
        else:
            settings_of = replace(subject.config, model=model)
            row, result = trained(problem, error_of, settings_of, device, engine, sweep_rates, watch)
            if row.get("ended_by") == "cancel":
                raise Interrupted(f"interrupted; {output} keeps the finished models")
        if result is not None or mesh is not None:
            figures, mesh = subject.judged(result, mesh, watch)
            row |= figures
        results.add(words, row, mesh, result)
    with stage("write", on_progress, "tables and pictures"):
        results.numbers["notes"] = subject.notes + subject.draw(results.folder, results.numbers["rows"])
        results.write_tables()
    return Comparison(results.numbers)


def on_part(on_progress: OnProgress, label: str, number: int, count: int) -> OnProgress:
    """A callback that reports the progress of one model as a part of the whole comparison."""

    def watch(progress: Progress) -> bool | None:
        return on_progress(replace(progress, part=number, parts=count, label=label))

    return watch
