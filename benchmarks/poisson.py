"""Screened Poisson (Open3D) as a user would run it, at every depth: what the benchmarks compare with."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np

from sasnet_sdf import PointCloud, TriangleMesh, evaluate
from sasnet_sdf.runtime.system import require

DEPTHS = range(6, 11)
SAMPLES, WEIGHTS = (1.5, 5.0, 15.0), (2.0, 0.5, 8.0, 30.0)
"""Samples per node and point weights that `tuned` tries; Open3D's defaults come first."""
NEIGHBORS, OUTLIER_NEIGHBORS, DEVIATIONS = 30, 20, 2.0
"""For Open3D's normals, and for its removal of statistical outliers."""


def run_poisson(
    cloud: PointCloud, truth: Path, scores: tuple[str, ...], *, clean: bool = False, tuned: bool = False
) -> dict[str, Any]:
    """Figures and seconds of every depth (`depths`) and those of the smallest error (`best`).

    clean: remove outliers first, as a scan needs. tuned: try other samples per node and point weights
    too; `tuned` is then the best of all. Only the ground truth can choose a best one, so both favor Poisson.
    """
    open3d = require("open3d", "bench", "screened Poisson")
    open3d.utility.set_verbosity_level(open3d.utility.VerbosityLevel.Error)
    start = time.perf_counter()
    oriented = _oriented(open3d, cloud, clean)
    prepared = time.perf_counter() - start
    default = (SAMPLES[0], WEIGHTS[0])
    choices = list(itertools.product(SAMPLES, WEIGHTS)) if tuned else [default]
    rows = []
    for depth, (samples, weight) in itertools.product(DEPTHS, choices):
        start = time.perf_counter()
        found, _ = open3d.geometry.TriangleMesh.create_from_point_cloud_poisson(
            oriented, depth=depth, samples_per_node=samples, point_weight=weight
        )
        seconds = prepared + time.perf_counter() - start
        mesh = TriangleMesh(np.asarray(found.vertices), np.asarray(found.triangles, np.int64))
        figures = evaluate(mesh, truth)
        settings = {"depth": depth, "samples_per_node": samples, "point_weight": weight}
        rows.append({**settings, "seconds": round(seconds, 2), **{name: figures[name] for name in scores}})
    usual = [row for row in rows if (row["samples_per_node"], row["point_weight"]) == default]
    best = {"best": min(usual, key=lambda row: row["error"])}
    if tuned:
        best["tuned"] = min(rows, key=lambda row: row["error"])
    return {**best, "depths": rows}


def _oriented(open3d: Any, cloud: PointCloud, clean: bool) -> Any:
    """Open3D's cloud with normals: those given, or estimated ones that are turned to the sensors."""
    result = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(cloud.points))
    if cloud.normals is not None:
        result.normals = open3d.utility.Vector3dVector(cloud.normals)
    if clean:
        result, kept = result.remove_statistical_outlier(OUTLIER_NEIGHBORS, DEVIATIONS)
        cloud = cloud.select(np.asarray(kept))
    if cloud.normals is None:
        assert cloud.sensors is not None
        result.estimate_normals(open3d.geometry.KDTreeSearchParamKNN(NEIGHBORS))
        normals = np.asarray(result.normals)
        away = (normals * (cloud.sensors - cloud.points)).sum(1) < 0
        result.normals = open3d.utility.Vector3dVector(np.where(away[:, None], -normals, normals))
    return result
