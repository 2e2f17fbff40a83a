"""Compares networks, and screened Poisson reconstruction, on the same data, targets and budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from .. import __version__
from ..config import Config
from ..errors import Interrupted, UsageError
from ..geometry import PointCloud, TriangleMesh
from ..io.formats import signal_kind
from ..networks.registry import choose
from ..problems.problem import Report
from ..problems.settings import make_config
from ..runtime.progress import OnProgress, Progress, silent, stage
from ..runtime.system import hardware
from ..settings import documented
from ..signals import Signal
from .protocols import candidates, check_protocol
from .results import Budget, Results, refuse_decided, refuse_of_surfaces
from .subjects import SignalSubject, SurfaceSubject
from .training import Training, averaged, chosen

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
    protocol: str = "published",
    tuning: Sequence[str | Path | PointCloud | TriangleMesh | Signal | ArrayLike] = (),
    seeds: int = 1,
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

    protocol: "published": each network is trained by its own optimizer at its own rates. "adam": all are
    trained by Adam, at the best of four learning rates. "muon": the matrices of the hidden layers are trained
    by Muon, at the best of four rates, and everything else by Adam at 1e-3
    (surfaces) or 3e-3 (images and volumes).

    tuning: inputs of the same kind on which the rates are chosen, by the error on held-out targets. Without
    them the rates are chosen on `source` itself.

    seeds: number of trainings of each network, with seeds that count up from `seed`. Figures are then means,
    and `spread` has their standard deviations.

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
    check_protocol(protocol)
    if seeds < 1:
        raise UsageError(f"seeds must be at least 1, found {seeds}")
    if tuning and protocol == "published":
        raise UsageError("the protocol published has no rates to choose: omit the tuning inputs")
    config = make_config(preset, settings=settings, **changes)
    refuse_decided(settings)
    before = on_part(on_progress, "", 0, len(models))

    if len({_is_signal(one) for one in (source, *tuning)}) > 1:
        raise UsageError("the tuning inputs must be of the same kind as the input")

    def subject_of(source: Any, reference: Any = None) -> Any:  # a Subject of either kind
        if _is_signal(source):
            refuse_of_surfaces({"reference": reference, "settings": settings, **changes})
            return SignalSubject(source, config, budget, models, before)
        return SurfaceSubject(source, reference, config, budget, protocol, models, samples, before)

    subject, *others = subject_of(source, reference), *map(subject_of, tuning)
    device, engine = choose(config.device, config.engine)
    run = {
        "version": __version__,
        **subject.facts,
        "budget": asdict(budget),
        "protocol": protocol,
        "tuning": [{key: other.facts[key] for key in ("input", "content")} for other in others],
        "seeds": seeds,
        "settings": subject.settings,
    }
    results = Results.open(Path(output), run, overwrite)
    results.numbers |= {"hardware": hardware(), "device": device, "notes": subject.notes}
    missing = [words for words in subject.wanted if results.row(words) is None]
    trainings = [Training.on(one, device, engine, before) for one in (subject, *others) if missing]
    for number, words in enumerate(missing):
        watch = on_part(on_progress, words, number, len(missing))
        mesh, result = None, None
        if subject.wanted[words] is None:
            row, mesh = subject.without_network(words, watch)
            row, mesh = _judged(subject, row, None, mesh, watch)
        else:
            tried = [candidates(one.wanted[words], protocol, one.beside_muon) for one in (subject, *others)]
            row, result = chosen(trainings, tried, watch)
            row, mesh = _judged(subject, row, result, None, watch)
            if result is not None and seeds > 1:
                rows = [row]
                for extra in range(1, seeds):
                    again, other = (
                        trainings[0].with_seed(config.seed + extra).once(result.model.config, watch)
                    )
                    rows.append(_judged(subject, again, other, None, watch)[0])
                row = averaged(rows)
        if row.get("ended_by") == "cancel":
            raise Interrupted(f"interrupted; {output} keeps the finished models")
        results.add(words, row, mesh, result)
    with stage("write", on_progress, "tables and pictures"):
        results.numbers["notes"] = subject.notes + subject.draw(results.folder, results.numbers["rows"])
        results.write_tables()
    return Comparison(results.numbers)


def _is_signal(source: Any) -> bool:
    return isinstance(source, Signal) or (isinstance(source, (str, Path)) and signal_kind(source) is not None)


def _judged(
    subject: Any, row: dict[str, Any], result: Any, mesh: TriangleMesh | None, on_progress: OnProgress
) -> tuple[dict[str, Any], TriangleMesh | None]:
    """A row with the figures of its result, or of a mesh made without a network; and the mesh."""
    if result is None and mesh is None:
        return row, None
    figures, mesh = subject.judged(result, mesh, on_progress)
    return row | figures, mesh


def on_part(on_progress: OnProgress, label: str, number: int, count: int) -> OnProgress:
    """A callback that reports the progress of one model as a part of the whole comparison."""

    def watch(progress: Progress) -> bool | None:
        whole = f"{label}, {progress.label}" if progress.label else label
        return on_progress(replace(progress, part=number, parts=count, label=whole))

    return watch
