"""Tiled runs without Dask, shapes that are known exactly, and what a mesh's edges tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sasnet_sdf
from sasnet_sdf.tiles import reconstruct as module
from sasnet_sdf.tiles.scratch import Scratch

SMALL = {"preset": "fast", "device": "cpu", "steps": 40, "batch": 512}
SETTINGS = ("supervision.targets=6000", "training.eikonal_batch=64")


class Serial:
    """Runs jobs one after the other, and of those that may run, the last one first.

    So a job that reads the result of one that it does not name finds nothing there.
    """

    workers = 1

    def run(self, jobs: Sequence[Any], on_done: Callable[..., object]) -> dict[str, Any]:
        results: dict[str, Any] = {}
        waiting = list(jobs)
        while waiting:
            job = next(job for job in reversed(waiting) if all(key in results for key in job.after))
            results[job.key] = job.call(*job.arguments)
            on_done(job, results[job.key], 0.0)
            waiting.remove(job)
        return results


@contextmanager
def _serial(*_: object) -> Iterator[Serial]:
    yield Serial()


@dataclass(frozen=True)
class Run:
    """A tiled run, and the folder with the results of its tasks."""

    result: Any
    scratch: Scratch

    @property
    def mesh(self) -> sasnet_sdf.TriangleMesh:
        return self.result.mesh

    @property
    def report(self) -> dict[str, Any]:
        return self.result.report


@pytest.fixture(scope="session")
def config_of() -> Callable[..., Any]:
    """The settings of a small run; keyword arguments are those of `reconstruct`."""

    def config_of(**options: Any) -> Any:
        more = tuple(options.pop("settings", ()))
        return sasnet_sdf.make_config(**{**SMALL, **options}, settings=SETTINGS + more)

    return config_of


@pytest.fixture(scope="session")
def tiled(tmp_path_factory: pytest.TempPathFactory, config_of: Callable[..., Any]) -> Callable[..., Run]:
    """tiled(source, tiles=side, ...): a run without Dask, whose scratch folder is kept."""

    def tiled(source: Any, *, output: Path | None = None, model: Path | None = None, **options: Any) -> Run:
        given = {"scratch": str(tmp_path_factory.mktemp("scratch")), "keep_scratch": True, "workers": 1}
        config = config_of(**{**given, **options})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "cluster", _serial)
            result = module.surface_of_tiles(source, config, output=output, model=model)
        return Run(result, Scratch(Path(config.tiles.scratch)))

    return tiled
