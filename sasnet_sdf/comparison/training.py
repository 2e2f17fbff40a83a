"""The training of a network in a comparison, at one or several learning rates, and with several seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any, Generic

from ..config import Config, TrainingConfig
from ..errors import Interrupted, SasnetError, UsageError
from ..model_config import ModelConfig
from ..networks.network import Network
from ..problems.problem import Problem, Result, fit, new_network
from ..runtime.progress import OnProgress, silent
from ..settings import to_dict
from ..signal_config import SignalConfig
from ..training import History
from .protocols import best_rate
from .subjects import Subject

WARM_UP = 3
"""Number of steps that are run before timing begins."""


@dataclass(frozen=True)
class Training(Generic[Result]):
    """What networks are trained on and with: a problem, a run's settings, the device and the engine.

    error_of: the error of a result on held-out targets. config: the seed, and the training's settings.
    """

    problem: Problem[Result]
    error_of: Callable[[Result], float]
    config: Config | SignalConfig
    device: str
    engine: str

    @classmethod
    def on(
        cls, subject: Subject[Result], device: str, engine: str, on_progress: OnProgress
    ) -> Training[Result]:
        """The training of networks on a subject, whose problem is made here if it is not there yet."""
        problem = subject.problem(on_progress)
        return cls(problem, problem.held_out_error(subject.config.seed), subject.config, device, engine)

    def with_seed(self, seed: int) -> Training[Result]:
        """The same with another seed of the network's initial values and of its samples."""
        return replace(self, config=replace(self.config, seed=seed))

    def best(self, tried: Mapping[str, ModelConfig], on_progress: OnProgress) -> tuple[dict[str, Any], Any]:
        """Train a network with each of these settings, and keep the result with the least held-out error.

        tried: settings by rate. Returns the row of a table and the result; None if no training succeeded.
        """
        best: tuple[float, dict[str, Any], Any] | None = None
        errors: dict[str, float | None] = {}
        failure = ""
        for rate, model in tried.items():
            row, result = self.once(model, _at(rate, on_progress) if len(tried) > 1 else on_progress)
            if row.get("ended_by") == "cancel":
                return row, None
            errors[rate] = row.get("held_out_error")
            if result is None:
                failure = row["failure"]
            elif best is None or row["held_out_error"] < best[0]:
                best = row["held_out_error"], row, result
        sweep = {"rates": [errors]} if len(tried) > 1 else {}
        if best is None:
            return {"settings": to_dict(next(iter(tried.values()))), "failure": failure, **sweep}, None
        return best[1] | sweep, best[2]

    def once(self, model: ModelConfig, on_progress: OnProgress) -> tuple[dict[str, Any], Any]:
        """Train a network; returns its row and the result, or None with the `failure` in the row."""
        training = self.config.training
        try:
            # one-time compilation and allocation do not count towards the time of a step
            self._fit(model, replace(training, steps=WARM_UP, time_limit=None), silent)
            result, history = self._fit(model, training, on_progress)
        except (UsageError, Interrupted):
            raise
        except SasnetError as error:
            return {"failure": str(error)}, None
        if history.ended_by == "cancel":
            return {"ended_by": "cancel"}, None
        error = self.error_of(result)
        if not math.isfinite(error):
            return {"failure": "the field is not a number"}, None
        return {
            **{name: value for name, value in result.metadata.items() if name != "seed"},
            "seconds": history.seconds,
            "optimizer": model.optimizer,
            "rate": model.rate,
            **({"muon_rate": model.muon_rate} if model.optimizer == "muon" else {}),
            "width": model.width,
            "held_out_error": error,
            "engine": _engine(result.model),
            "settings": to_dict(model),
            "history": {"steps": history.steps, "losses": history.losses, "times": history.times},
        }, result

    def _fit(self, model: ModelConfig, training: TrainingConfig, watch: OnProgress) -> tuple[Any, History]:
        config = replace(self.config, model=model, training=training)
        network = new_network(model, self.problem.dim, self.problem.outputs, self.engine, config.seed)
        return fit(self.problem, network, config, self.device, watch)


def _engine(model: Network[Any]) -> str:
    """The engine that computed a network: compiled passes, or PyTorch with one of the hash grid's engines."""
    if model.compiled:
        return "compiled"
    return "torch" if model.engine == "torch" else f"torch, {model.engine}"


def _at(rate: str, on_progress: OnProgress) -> OnProgress:
    """A callback that names the learning rate that is tried."""
    return lambda progress: on_progress(replace(progress, label=f"rate {rate}"))


def chosen(
    trainings: Sequence[Training[Any]], tried: Sequence[dict[str, ModelConfig]], on_progress: OnProgress
) -> tuple[dict[str, Any], Any]:
    """A network trained on the first problem, at the rate that is best on the others.

    tried: for each problem the settings by rate. With one problem, or one rate, nothing is chosen elsewhere.
    Returns the row of a table and the result, as Training.best.
    """
    if len(trainings) == 1 or len(tried[0]) == 1:
        return trainings[0].best(tried[0], on_progress)
    errors = []
    for training, settings in zip(trainings[1:], tried[1:], strict=True):
        row, _ = training.best(settings, on_progress)
        if row.get("ended_by") == "cancel":
            return row, None
        errors += row["rates"]
    rate = best_rate(errors)
    if rate is None:
        return {"failure": "its training failed at each rate on a tuning input", "rates": errors}, None
    row, result = trainings[0].once(tried[0][rate], on_progress)
    return row | {"rates": errors}, result


def averaged(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row for several trainings that differ by the seed: means, and standard deviations as `spread`.

    What is not a figure is that of the first. If one training failed, its row is returned.
    """
    for row in rows:
        if "failure" in row or row.get("ended_by") == "cancel":
            return row
    means, spread = dict(rows[0]), {}
    for name, value in rows[0].items():
        values = [one for row in rows if isinstance(one := row.get(name), float)]
        if isinstance(value, float) and len(values) == len(rows):
            means[name], spread[name] = fmean(values), stdev(values)
    return means | {"spread": {name: value for name, value in spread.items() if value > 0}}
