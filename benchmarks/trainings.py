"""Trainings of many networks: which are needed, their rows in a file, the rates chosen on tuning data."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from common import circumstances

import sasnet_sdf
from sasnet_sdf.comparison.protocols import RATES, best_rate

Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One training: what identifies a row. rate: as candidates() names it; "own" is the network's own."""

    task: str
    input: str
    model: str
    protocol: str
    rate: str
    seed: int
    steps: int
    small: bool


@dataclass(frozen=True)
class Plan:
    """The trainings of one table: models on test inputs, by one protocol.

    tuning: the inputs on which each model's rate is chosen, by the least product of the rows' `held_out`, in
    `tuning_steps` steps, or in `steps`.
    figure: what models are compared by; where a row failed it is `failed`. close: whether the means of this
    figure of a model and of the first one are so close that both are trained with more seeds.
    """

    task: str
    protocol: str
    models: Sequence[str]
    tuning: Sequence[str]
    test: Sequence[str]
    steps: int
    small: bool
    figure: str
    failed: float
    close: Callable[[float, float], bool]
    tuning_steps: int | None = None
    more_seeds: Sequence[int] = (1, 2)


class Table:
    """The rows of a file, each written as soon as it is there.

    train: the figures of a Job, among them `held_out` and `seconds`, or its `failure`. It is called in
    several processes, of one thread each.
    """

    def __init__(self, path: Path, train: Callable[[Job], Row], workers: int = os.cpu_count() or 1):
        self._path, self._train, self._workers, self._code = path, train, workers, code()
        self._found: list[Row] = json.loads(path.read_text("utf-8"))["rows"] if path.exists() else []

    def rows(self) -> list[Row]:
        """The rows to show: of each task and protocol those of one version of the code, its latest."""
        last = {(row["task"], row["protocol"]): row["code"] for row in self._found}
        return [row for row in self._found if row["code"] == last[row["task"], row["protocol"]]]

    def _present(self) -> dict[Job, Row]:
        return {_job(row): row for row in self._found if row["code"] == self._code}

    def of(self, jobs: Iterable[Job]) -> list[Row]:
        """The row of each job; those that are missing are run, several at a time."""
        jobs = list(jobs)
        there = self._present()
        missing = [job for job in dict.fromkeys(jobs) if job not in there]
        if missing:
            with ProcessPoolExecutor(self._workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                for job, figures in zip(missing, pool.map(self._train, missing), strict=True):
                    self._keep(job, figures)
        there = self._present()
        return [there[job] for job in jobs]

    def _keep(self, job: Job, figures: Row) -> None:
        self._found.append({"code": self._code, **figures, **asdict(job)})
        text = json.dumps({**circumstances(0), "rows": self._found}, indent=1)
        self._path.write_text(text + "\n", encoding="utf-8")
        shown = figures.get("failure") or f"{figures['held_out']:.3g}, {figures['seconds']:.0f} s"
        print(f"{job.task} {job.input} {job.model} {job.protocol} {job.rate}: {shown}", flush=True)

    def run(self, plan: Plan) -> None:
        """Choose the rate of every model of a plan on its tuning inputs, then train it on the test inputs."""

        def job(name: str, model: str, rate: str, seed: int = 0) -> Job:
            steps = (plan.tuning_steps or plan.steps) if name in plan.tuning else plan.steps
            return Job(plan.task, name, model, plan.protocol, rate, seed, steps, plan.small)

        rates = [f"{rate:g}" for rate in RATES[plan.protocol]] or ["own"]
        chosen = dict.fromkeys(plan.models, rates[0])
        if len(rates) > 1:
            rows = self.of(job(n, m, rate) for m in plan.models for n in plan.tuning for rate in rates)
            for model in plan.models:
                errors = [
                    {r["rate"]: r.get("held_out") for r in rows if (r["model"], r["input"]) == (model, name)}
                    for name in plan.tuning
                ]
                chosen[model] = best_rate(errors) or rates[0]
        rows = self.of(job(name, model, chosen[model]) for model in plan.models for name in plan.test)
        means = {
            m: fmean(r.get(plan.figure, plan.failed) for r in rows if r["model"] == m) for m in plan.models
        }
        close = [m for m in plan.models if plan.close(means[m], means[plan.models[0]])]
        if len(close) > 1:
            self.of(job(n, m, chosen[m], seed) for seed in plan.more_seeds for m in close for n in plan.test)


def _job(row: Row) -> Job:
    return Job(**{field.name: row[field.name] for field in fields(Job)})


def code() -> str:
    """12 hexadecimal digits that differ for different code of the package."""
    folder, digest = Path(sasnet_sdf.__file__).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]
