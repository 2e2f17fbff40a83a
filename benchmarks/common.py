"""What the benchmarks share: runs of the tool and of screened Poisson as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from sasnet_sdf.runtime.system import hardware

PRESETS = ("fast", "balanced", "fine")


def folders() -> tuple[Path, Path]:
    """SASNET_SDF_DATA and SASNET_SDF_JUDGE; the modules of the latter can be imported from here on."""
    data, judge = (Path(os.environ[f"SASNET_SDF_{name}"]).resolve() for name in ("DATA", "JUDGE"))
    sys.path.insert(0, str(judge))
    return data, judge


def circumstances(seed: int) -> dict[str, Any]:
    """What the figures of a run hold for."""
    return {
        "hardware": hardware(),
        "versions": {package: version(package) for package in ("sasnet-sdf", "torch", "numba", "numpy")},
        "commit": commit(),
        "seed": seed,
    }


def commit() -> str:
    """The commit of the working tree, with a mark where it is not clean."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def warm_up(folder: Path) -> float:
    """Seconds of a small run, which compiles the kernels where they are not in the cache yet."""
    points = np.random.default_rng(0).normal(size=(2000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    path = folder / "warm_up.npz"
    np.savez(path, points=points, normals=points)
    return run_tool(path, folder / "warm_up.ply", "--steps", "20", "--resolution", "48")[0]


def run_tool(source: Path, output: Path, *options: str) -> tuple[float, dict[str, Any]]:
    """Wall seconds and report of one `sasnet-sdf reconstruct`."""
    report = output.with_suffix(".json")
    words = ["reconstruct", str(source), "-o", str(output), "--report", str(report), "--overwrite", "-q"]
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "sasnet_sdf", *words, *options], check=True, stdout=sys.stderr)
    return time.perf_counter() - start, json.loads(report.read_text(encoding="utf-8"))


def run_poisson(
    judge: Path, cloud: Path, truth: Path, folder: Path, scores: tuple[str, ...], *options: str
) -> dict[str, Any]:
    """Screened Poisson at every depth, and the depth of the smallest error; with --tuned other options."""
    script = [str(judge / "poisson_reference.py"), str(cloud), str(folder / "poisson"), *options]
    done = subprocess.run(
        [sys.executable, *script, "--ground-truth", str(truth)], check=True, stdout=subprocess.PIPE, text=True
    )
    lines = list(map(json.loads, done.stdout.splitlines()))
    kept = ("depth", "samples_per_node", "point_weight", "seconds", *scores)
    rows = [{name: row[name] for name in kept} for row in lines if "depth" in row]
    best = {key: {name: row[name] for name in kept} for line in lines for key, row in line.items()
            if key in ("best", "tuned")}  # fmt: skip
    return {**best, "depths": rows}


def cells(row: dict[str, Any], columns: dict[str, str]) -> str:
    """One line of progress: the columns that the row has, each in its format."""
    return "  ".join(
        f"{name}={row[name]:{form}}" for name, form in columns.items() if row.get(name) is not None
    )


def medians_ms(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The median milliseconds of each, all of them run in turn, after five rounds that do not count."""
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for repeat in range(repeats + 5):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if repeat >= 5:
                taken[name].append(time.perf_counter() - start)
    return {name: 1e3 * float(np.median(values)) for name, values in taken.items()}


def table(columns: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
