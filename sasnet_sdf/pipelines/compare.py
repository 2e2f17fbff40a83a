"""Networks, and screened Poisson, side by side: the same data, the same targets, the same budget."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..config import PRESETS, Config, TrainingConfig
from ..errors import Interrupted, MissingBackend, NoSurface, UnusableGeometry, UsageError
from ..field import Field
from ..geometry import Array, PointCloud, TriangleMesh
from ..io.formats import signal_kind
from ..model_config import ModelConfig
from ..networks.trained import choose
from ..runtime.progress import OnProgress, silent, stage
from ..runtime.system import hardware
from ..settings import to_dict
from ..training import History
from ..training.losses import distance_error
from ..training.samplers import draw_pool
from .budget import Budget, refuse_for_signals, refuse_other_words, sized, training_of
from .comparison_files import Results
from .comparison_pictures import draw_all
from .contender import FitWith, on_part, trained
from .evaluate import evaluate
from .extract import surface_of
from .fitting import Problem, fit
from .loading import load
from .poisson import is_poisson, poisson_surface
from .selection import selected
from .settings import make_config
from .supervision_surface import no_network, supervision_surface

HELD_OUT = 50_000
"""Targets that no model is trained on, by which the best rate is chosen."""

TARGETS = 1_000_000
"""Of a comparison, unless others are asked for: a preset has fewer, as it ends its training sooner."""

MODELS = (
    *("sasnet", "siren:omega0=10", "siren:omega0=30", "siren:omega0=90", "finer", "wire", "gauss"),
    *("pemlp", "ffn", "ngp", "bacon", "tuner", "sasnet:no-masks", "sasnet:unfrozen"),
    *("supervision", "poisson"),
)
"""What is compared unless something else is asked for."""


def compare(
    source: str | Path | PointCloud | TriangleMesh | Array,
    output: str | Path,
    *,
    models: Sequence[str] = MODELS,
    reference: str | Path | PointCloud | TriangleMesh | None = None,
    budget: Budget | str = "",
    sweep_rates: bool = False,
    preset: str = "balanced",
    overwrite: bool = False,
    samples: int = 200_000,
    on_progress: OnProgress = silent,
    **changes: Any,
) -> dict[str, Any]:
    """Train each model on the same targets of `source` and measure its surface against `reference`.

    Of an image's or a volume's file, on its samples, and measure how well it agrees with them.

    output: a folder that takes results.json, tables, pictures and meshes (docs/compare.md); models
    that it has results of are not run again. models: as model_of takes them; `supervision`, the
    surface of what they are trained on; and `poisson`, with `poisson:depth=N`, for clouds.
    reference: the input itself unless another is given. sweep_rates: each model learns at the best
    of the published rate and two others. samples: of evaluate. changes: see make_config.
    Gives back what results.json holds. Raises a SasnetError, such as UsageError where the folder
    has another comparison's results.
    """
    budget = budget if isinstance(budget, Budget) else Budget.of(budget)
    config = make_config(preset, **changes)
    if config.supervision.targets == PRESETS[preset].supervision.targets:
        config = replace(config, supervision=replace(config.supervision, targets=TARGETS))
    refuse_other_words(changes)
    if isinstance(source, (str, Path)) and (kind := signal_kind(source)):
        refuse_for_signals(reference, changes)
        from .compare_signal import compare_signal

        places = {name: getattr(config, name) for name in ("seed", "device", "engine")}
        shared: dict[str, Any] = {"models": models, "budget": budget, "sweep_rates": sweep_rates, **places}
        return compare_signal(source, kind, output, overwrite=overwrite, on_progress=on_progress, **shared)
    device, engine = choose(config.device, config.engine)
    wanted = {words: None if no_network(words) else sized(words, budget) for words in models}

    before = on_part(on_progress, "", 0, len(wanted))
    with stage("read", before, "reading"):
        given, notes = load(source, config)
        truth = given if reference is None else load(reference, config)[0]
    if isinstance(given, TriangleMesh) and any(map(is_poisson, wanted)):
        wanted = {words: model for words, model in wanted.items() if not is_poisson(words)}
        notes.append("Poisson is made from points, and the input is a mesh: it was left away")
    if not wanted:
        raise UsageError("there is no model left to compare: Poisson is made from points")
    run = {
        "version": __version__,
        "kind": "surface",
        "input": str(source) if isinstance(source, (str, Path)) else None,
        "reference": str(reference) if isinstance(reference, (str, Path)) else None,
        "content": [fingerprint(given), fingerprint(truth)],
        "samples": samples,
        "budget": asdict(budget),
        "sweep_rates": sweep_rates,
        "settings": to_dict(replace(config, training=training_of(config.training, budget))),
    }
    results = Results.open(Path(output), run, overwrite)
    results.numbers |= {"hardware": hardware(), "device": device, "notes": notes}
    missing = [words for words in wanted if results.row(words) is None]
    if missing:
        config = replace(config, training=training_of(config.training, budget))
        with stage("supervision", before):
            problem = _problem(given, config, run["input"] or "the input")
        notes += [finding.text for finding in problem.findings]
        fit_with, error_of = _training(problem, config, device, engine)
        for number, words in enumerate(missing):
            watch, model, field = on_part(on_progress, words, number, len(missing)), wanted[words], None
            if model is None:
                row, mesh = _without_network(problem, words, config, watch)
            else:
                row, field = trained(fit_with, error_of, model, config.training, sweep_rates, watch)
                if row.get("ended_by") == "cancel":
                    raise Interrupted(f"interrupted; {output} keeps the models that were done")
                mesh = None
                try:
                    if field is not None:
                        with stage("extraction", watch):
                            mesh = surface_of(field, config.extraction, config.max_memory)[0]
                except NoSurface as error:
                    row["failure"] = str(error).partition(";")[0]
            try:
                if mesh is not None:
                    row |= _figures(
                        evaluate(mesh, truth, field=_bare(field), samples=samples, seed=config.seed)
                    )
            except UnusableGeometry:
                mesh, row["failure"] = None, "no triangle of the surface has an area"
            results.add(words, row, mesh, field)
    with stage("write", on_progress, "tables and pictures"):
        results.numbers["notes"] = notes + draw_all(results.folder, results.numbers["rows"], truth)
        results.write_tables()
    return results.numbers


def _problem(given: PointCloud | TriangleMesh, config: Config, name: str) -> Problem:
    found, frame = selected(given, config.supervision, name)
    problem = Problem.of(found.geometry, frame, config.supervision, config.seed)
    return replace(problem, findings=found.findings + problem.findings)


def _training(
    problem: Problem, config: Config, device: str, engine: str
) -> tuple[FitWith, Callable[[Field], float]]:
    """How a network is trained on the problem, and its mean error on targets that none is trained on."""
    held_out = draw_pool(problem.target, HELD_OUT, config.seed + 1)

    def fit_with(
        model: ModelConfig, training: TrainingConfig, on_progress: OnProgress
    ) -> tuple[Field, History]:
        return fit(problem, replace(config, model=model, training=training), device, engine, on_progress)

    def error_of(field: Field) -> float:
        values = torch.from_numpy(field.unit_distance(held_out.points.numpy()))
        return float(distance_error(values, held_out.distances).mean())

    return fit_with, error_of


def fingerprint(geometry: PointCloud | TriangleMesh) -> str:
    """What tells two inputs apart, whatever they are called."""
    places = geometry.vertices if isinstance(geometry, TriangleMesh) else geometry.points
    return hashlib.sha256(np.ascontiguousarray(places, np.float64).tobytes()).hexdigest()[:16]


def _without_network(
    problem: Problem, words: str, config: Config, on_progress: OnProgress
) -> tuple[dict[str, Any], TriangleMesh | None]:
    """The table row of Poisson or the supervision, and its surface; None if there is none."""
    try:
        if is_poisson(words):
            return poisson_surface(problem, words)
        with stage("extraction", on_progress):
            return supervision_surface(problem, config.extraction, config.max_memory)
    except (MissingBackend, NoSurface) as error:
        return {"failure": str(error).partition(";")[0]}, None


def _bare(field: Field | None) -> Field | None:
    """The field without the data, so that its distances are the network's everywhere."""
    return field and Field(field.model, field.frame, field.low, field.high, field.metadata)


def _figures(found: dict[str, Any]) -> dict[str, Any]:
    """Without what is the same for all models."""
    same = ("version", "samples", "seed", "notes", "diagonal")
    return {
        name: value for name, value in found.items() if name not in same and not name.startswith("reference")
    }
