"""Networks, and screened Poisson, side by side: the same data, the same targets, the same budget."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..config import Config, to_dict
from ..errors import (
    Interrupted,
    MissingBackend,
    NoSurface,
    SasnetError,
    UnusableGeometry,
    UsageError,
)
from ..field import Field, choose
from ..geometry import Array, PointCloud, TriangleMesh
from ..losses import distance_error
from ..model_config import CLASSES, GridConfig, ModelConfig
from ..models.budget import with_parameters
from ..progress import OnProgress, Progress, silent
from ..samplers import Pool, draw_pool
from ..system import hardware
from .comparison_files import Results
from .comparison_pictures import draw_all
from .evaluate import evaluate
from .extract import surface_of
from .fitting import Problem, fit
from .loading import load
from .model_choice import model_of
from .poisson import is_poisson, poisson_surface
from .selection import framed, with_normals
from .settings import make_config

MODELS = (
    *("sasnet", "siren:omega0=10", "siren:omega0=30", "siren:omega0=90", "finer", "wire", "gauss"),
    *("pemlp", "ffn", "ngp", "bacon", "tuner", "sasnet:no-masks", "sasnet:unfrozen", "poisson"),
)
"""What is compared unless something else is asked for."""

RATES = (1e-3, 3e-3)
"""Of a sweep, beside the published one; what learns at another rate keeps the ratio."""

HELD_OUT = 50_000
"""Targets that no model is trained on, by which the best rate is chosen."""

_DECIDED = {
    *("steps", "batch", "time_limit"),
    *(f"training.{name}" for name in ("steps", "batch", "time_limit")),
    *(field.name for kind in CLASSES.values() for field in fields(kind)),
    *(field.name for field in fields(GridConfig)),
}

WARM_UP = 3
"""Steps before those that are timed."""


@dataclass(frozen=True)
class Budget:
    """What every model may use: trainable parameters (None: as many as published), and steps of `batch`
    targets or seconds of training."""

    parameters: int | None = 150_000
    steps: int | None = 1500
    seconds: float | None = None
    batch: int = 8192

    @classmethod
    def of(cls, words: str) -> Budget:
        """From `parameters=150000,steps=1500` and the like; parameters=own leaves the published sizes.

        Raises UsageError.
        """
        found: dict[str, Any] = {}
        for word in filter(None, words.split(",")):
            key, _, text = word.partition("=")
            try:
                if key == "parameters" and text == "own":
                    found[key] = None
                elif key in ("parameters", "steps", "batch"):
                    found[key] = int(text)
                elif key == "seconds":
                    found[key] = float(text)
                else:
                    raise UsageError(
                        f"budget: unknown word {word!r}; known: parameters, steps, seconds, batch"
                    )
            except ValueError:
                raise UsageError(f"budget: {key} must be a number, found {text!r}") from None
            if found[key] is not None and not 0 < found[key] < math.inf:
                raise UsageError(f"budget: {key} must be positive, found {text}")
        if "seconds" in found and "steps" not in found:
            found["steps"] = None
        return cls(**found)


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

    output: a folder that takes results.json, tables, pictures and meshes (docs/compare.md); models
    that it has results of are not run again. models: as model_of takes them, and `poisson`, with
    `poisson:depth=N`, for clouds. reference: the input itself unless another is given. sweep_rates:
    each model learns at the best of the published rate and two others. samples: of evaluate.
    changes: see make_config.
    Gives back what results.json holds. Raises a SasnetError, such as UsageError where the folder
    has another comparison's results.
    """
    budget = budget if isinstance(budget, Budget) else Budget.of(budget)
    config = make_config(preset, **changes)
    device, engine = choose(config.device, config.engine)
    refuse_other_words(changes)
    wanted = {words: None if is_poisson(words) else _sized(words, budget) for words in models}

    on_progress(Progress("read", 0.0, "reading"))
    given, notes = load(source, config)
    truth = given if reference is None else load(reference, config)[0]
    if isinstance(given, TriangleMesh) and None in wanted.values():
        wanted = {words: model for words, model in wanted.items() if model is not None}
        notes.append("Poisson is made from points, and the input is a mesh: it was left away")
    if not wanted:
        raise UsageError("there is no model left to compare: Poisson is made from points")
    run = {
        "version": __version__,
        "input": str(source) if isinstance(source, (str, Path)) else None,
        "reference": str(reference) if isinstance(reference, (str, Path)) else None,
        "content": [fingerprint(given), fingerprint(truth)],
        "samples": samples,
        "budget": asdict(budget),
        "sweep_rates": sweep_rates,
        "settings": to_dict(replace(config, training=_training(config, budget))),
    }
    results = Results.open(Path(output), run, overwrite)
    results.numbers |= {"hardware": hardware(), "device": device, "notes": notes}
    missing = [words for words in wanted if results.row(words) is None]
    if missing:
        config = replace(config, training=_training(config, budget))
        problem = _problem(given, config, run["input"] or "the input")
        notes += problem.notes
        for number, words in enumerate(missing):
            watch, model, field = _part(on_progress, words, number, len(missing)), wanted[words], None
            if model is None:
                row, mesh = _poisson(problem, words)
            else:
                row, field = _trained(problem, model, config, sweep_rates, (device, engine), watch)
                if row.get("ended_by") == "cancel":
                    raise Interrupted(f"interrupted; {output} keeps the models that were done")
                mesh = None if field is None else _surface(field, config, watch)
            try:
                if mesh is not None:
                    row |= _figures(evaluate(mesh, truth, field=field, samples=samples, seed=config.seed))
            except UnusableGeometry:  # triangles without an area
                mesh = None
            if mesh is None:
                row.setdefault("failure", "no surface")
            results.add(words, row, mesh, field)
    on_progress(Progress("write", 0.0, "tables and pictures"))
    results.numbers["notes"] = notes + draw_all(results.folder, results.numbers["rows"], truth)
    results.write_tables()
    return results.numbers


def _sized(words: str, budget: Budget) -> ModelConfig:
    """The settings of a model at the budget's size."""
    config = model_of(words)
    if budget.parameters is None:
        return config
    try:
        return with_parameters(config, budget.parameters)
    except ValueError as error:
        raise UsageError(f"model {words}: {error}") from error


def _training(config: Config, budget: Budget) -> Any:
    # a run that the clock ends follows its schedule by the clock
    steps = budget.steps if budget.steps is not None else 10_000_000
    return replace(config.training, steps=steps, batch=budget.batch, time_limit=budget.seconds)


def _problem(given: PointCloud | TriangleMesh, config: Config, name: str) -> Problem:
    geometry, frame, notes = framed(with_normals(given, config.supervision.normals, name))
    problem = Problem.of(geometry, frame, config.supervision.targets, config.seed)
    return replace(problem, notes=notes + problem.notes)


def fingerprint(geometry: PointCloud | TriangleMesh) -> str:
    """What tells two inputs apart, whatever they are called."""
    places = geometry.vertices if isinstance(geometry, TriangleMesh) else geometry.points
    return hashlib.sha256(np.ascontiguousarray(places, np.float64).tobytes()).hexdigest()[:16]


def refuse_other_words(changes: dict[str, Any]) -> None:
    """What the models and the budget decide is not decided by other words too."""
    for name in ("model", "steps", "time_limit"):
        if changes.get(name) is not None:
            raise UsageError(f"compare takes its models and its budget, not {name.replace('_', '-')}")
    for setting in changes.get("settings", ()):
        key = setting.partition("=")[0]
        if key.startswith("model.") or key in _DECIDED:
            raise UsageError(f"compare takes its models and its budget, not --set {key}")


def _trained(
    problem: Problem,
    model: ModelConfig,
    config: Config,
    sweep_rates: bool,
    engines: tuple[str, str],
    on_progress: OnProgress,
) -> tuple[dict[str, Any], Field | None]:
    """A row of what was chosen and what it took, and the field; none where the loss was no number."""
    held_out = draw_pool(problem.target, HELD_OUT, config.seed + 1)
    best: tuple[float, dict[str, Any], Field] | None = None
    tried: dict[str, float | None] = {}
    for rate in sorted({model.rate, *RATES}) if sweep_rates else [model.rate]:
        at_rate = replace(config, model=_learning_at(model, rate))
        try:
            # what is compiled or laid out once is no part of what a step takes
            fit(problem, _of_steps(at_rate, WARM_UP), *engines, silent)
            field, history = fit(problem, at_rate, *engines, on_progress)
        except UsageError:
            raise
        except SasnetError as error:
            tried[f"{rate:g}"] = None
            failure = str(error)
            continue
        if history.ended_by == "cancel":
            return {"ended_by": "cancel"}, None
        error = _error_of(field, held_out)
        if not math.isfinite(error):
            tried[f"{rate:g}"], failure = None, "the field is not a number"
            continue
        tried[f"{rate:g}"] = error
        if best is None or error < best[0]:
            row = {
                **{name: value for name, value in field.metadata.items() if name != "seed"},
                "seconds": history.seconds,
                "rate": rate,
                "width": model.width,
                "held_out_error": error,
                "engine": _engine(field),
                "settings": to_dict(at_rate.model),
                "history": {"steps": history.steps, "losses": history.losses},
            }
            best = error, row, field
    sweep = {"rates": tried} if sweep_rates else {}
    if best is None:
        return {"settings": to_dict(model), "failure": failure, **sweep}, None
    return best[1] | sweep, best[2]


def _poisson(problem: Problem, words: str) -> tuple[dict[str, Any], TriangleMesh | None]:
    try:
        return poisson_surface(problem, words)
    except MissingBackend as error:
        return {"failure": str(error)}, None


def _surface(field: Field, config: Config, on_progress: OnProgress) -> TriangleMesh | None:
    try:
        return surface_of(field, config.extraction, config.max_memory, on_progress)[0]
    except NoSurface:
        return None


def _figures(found: dict[str, Any]) -> dict[str, Any]:
    """Without what is the same for all models."""
    same = ("version", "samples", "seed", "notes", "diagonal")
    return {
        name: value for name, value in found.items() if name not in same and not name.startswith("reference")
    }


def _learning_at(model: ModelConfig, rate: float) -> ModelConfig:
    """The settings with that rate, and that of the masks' network in the same ratio."""
    other = getattr(model, "grid_rate", None)
    return replace(model, rate=rate, **({"grid_rate": other * rate / model.rate} if other else {}))


def _of_steps(config: Config, steps: int) -> Config:
    return replace(config, training=replace(config.training, steps=steps, time_limit=None))


def _engine(field: Field) -> str:
    """What computed a network: compiled passes, or PyTorch with one of the hash grid's engines."""
    engine = field.model.engine
    if getattr(field.model, "compiled", False):
        return "compiled"
    return "torch" if engine == "torch" else f"torch, {engine}"


def _error_of(field: Field, pool: Pool) -> float:
    """The mean error of a field on targets, as the loss weighs it."""
    values = torch.from_numpy(field.unit_distance(pool.points.numpy()))
    return float(distance_error(values, pool.distances).mean())


def _part(on_progress: OnProgress, label: str, number: int, count: int) -> OnProgress:
    """Progress of one model as that of the whole."""

    def watch(progress: Progress) -> bool | None:
        return on_progress(replace(progress, part=number, parts=count, label=label))

    return watch
