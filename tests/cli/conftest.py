"""A pipeline that takes no time: the command line is tested apart from what it calls."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sasnet_sdf.geometry import TriangleMesh
from sasnet_sdf.runtime.progress import Progress
from sasnet_sdf.settings import to_dict

TETRAHEDRON = TriangleMesh(
    np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
)

REPORT: dict[str, Any] = {
    "version": "0.1.0",
    "seed": 0,
    "device": "cpu",
    "engine": "numba",
    "model": "sasnet",
    "threads": 2,
    "settings": {"preset": "fast", "max_memory": 4_000_000_000, "training": {"batch": 4096}},
    "input": {
        "points": 1200,
        "used_points": 1000,
        "noise": 0.0123,
        "diagonal": 10.0,
        "normals_from": "sensors",
        "outliers_removed": 0,
        "far_points": 0,
    },
    "frame": {},
    "training": {"steps": 10, "ms_per_step": 20.0, "loss": 0.01, "ended_by": "steps", "parameters": 54321},
    "extraction": {
        "resolution": 64,
        "edge_length": 0.25,
        "lattice": [64, 32, 16],
        "evaluations": 20,
        "vertices": 4,
        "faces": 4,
        "boundary_edges": 0,
        "boundary_loops": 0,
        "non_manifold_edges": 0,
        "components_dropped": 0,
    },
    "refinement": {"mode": "off"},
    "trim": {"mode": "auto", "closed": True, "length": None, "reach": None, "removed": 0.0},
    "attributes": [],
    "seconds": {"read": 0.1, "supervision": 0.1, "training": 0.2, "extraction": 0.1, "total": 0.5},
    "peak_memory_bytes": 123_456_789,
    "notes": [],
    "warnings": [],
    "interrupted": False,
}

STAGES = (
    Progress("read", 0.0),
    Progress("supervision", 0.0),
    *(Progress("training", step / 10, "", step, 10, 0.01) for step in range(1, 11)),
    Progress("extraction", 0.5),
)


@dataclass
class FakePipeline:
    """Reports the stages of a run; presses Ctrl-C after the given ones; may end in an error."""

    ctrl_c_after: Iterable[Progress] = ()
    error: BaseException | None = None
    config: dict[str, Any] = field(default_factory=dict)
    seen: list[Progress] = field(default_factory=list)

    def surface_of_any(self, source: Path, config: Any, on_progress: Any, *_: Path | None) -> SimpleNamespace:
        self.config = to_dict(config)
        training = True
        for progress in STAGES:
            if progress.stage == "training" and not training:
                continue
            self.seen.append(progress)
            training = on_progress(progress) is not False
            if progress in self.ctrl_c_after:
                signal.raise_signal(signal.SIGINT)
        if self.error:
            raise self.error
        model = SimpleNamespace(save=lambda path: Path(path).write_bytes(b"model"))
        return SimpleNamespace(mesh=TETRAHEDRON, field=model, report={**REPORT, "interrupted": not training})


@pytest.fixture
def pipeline(monkeypatch):
    """The pipeline that `sasnet-sdf reconstruct` will call."""
    fake = FakePipeline()
    module = ModuleType("sasnet_sdf.tiles.choice")
    vars(module)["surface_of_any"] = fake.surface_of_any
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return fake
