"""Shared by the benchmarks: the data, runs of the command line as processes, times, tables."""

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
PAGE = "docs/benchmarks-data.md"


def data_file(*parts: str) -> Path:
    """A file of SASNET_SDF_DATA; ends the program with one line where it is not there."""
    folder = os.environ.get("SASNET_SDF_DATA")
    if not folder:
        raise SystemExit(f"SASNET_SDF_DATA is not set: {PAGE} says what it should name")
    path = Path(folder, *parts).resolve()
    if not path.exists():
        raise SystemExit(f"{path}: not found; {PAGE} says where to get it")
    return path


def circumstances(seed: int) -> dict[str, Any]:
    """The machine, versions, commit and seed that the figures of a run depend on."""
    return {
        "hardware": hardware(),
        "versions": {package: version(package) for package in ("sasnet-sdf", "torch", "numba", "numpy")},
        "commit": commit(),
        "seed": seed,
    }


def commit() -> str:
    """The commit of the working tree, marked as dirty if files have changed."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def warm_up(folder: Path) -> float:
    """Seconds of a small run, which compiles the kernels if they are not cached yet."""
    points = np.random.default_rng(0).normal(size=(2000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    path = folder / "warm_up.npz"
    np.savez(path, points=points, normals=points)
    return run_tool(path, folder / "warm_up.ply", "--steps", "20", "--resolution", "48")[0]


def run_tool(source: Path, output: Path, *options: str) -> tuple[float, dict[str, Any]]:
    """Wall-clock seconds and report of one `sasnet-sdf reconstruct`."""
    report = output.with_suffix(".json")
    words = ["reconstruct", str(source), "-o", str(output), "--report", str(report), "--overwrite", "-q"]
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "sasnet_sdf", *words, *options], check=True, stdout=sys.stderr)
    return time.perf_counter() - start, json.loads(report.read_text(encoding="utf-8"))


def cells(row: dict[str, Any], columns: dict[str, str]) -> str:
    """One line of progress: the columns that are in the row, each in its format."""
    return "  ".join(
        f"{name}={row[name]:{form}}" for name, form in columns.items() if row.get(name) is not None
    )


def medians_ms(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median milliseconds of each function; they take turns, and the first five rounds do not count."""
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
