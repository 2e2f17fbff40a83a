"""The budget of a comparison, and its folder: results.json, tables, meshes and models."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..config import TrainingConfig
from ..errors import UnreadableInput, UsageError
from ..field import Field
from ..fitted import FittedSignal
from ..geometry import TriangleMesh
from ..model_config import PUBLISHED, GridConfig, ModelConfig
from ..networks.registry import with_parameters
from ..problems.settings import model_of
from .protocols import with_optimizer

_DECIDED = {
    *("steps", "batch", "time_limit"),
    *(f"training.{name}" for name in ("steps", "batch", "time_limit")),
    *(field.name for config in PUBLISHED.own.values() for field in fields(config)),
    *(field.name for field in fields(GridConfig)),
}
"""Settings that are determined by the models and the budget."""


@dataclass(frozen=True)
class Budget:
    """Number of parameters (None: the published sizes), and training steps of `batch` targets, or seconds."""

    parameters: int | None = 150_000
    steps: int | None = 1500
    seconds: float | None = None
    batch: int = 8192

    @classmethod
    def of(cls, words: str) -> Budget:
        """A budget from text such as `parameters=150000,steps=1500`; "own" keeps the published sizes.

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
                        f"budget: unknown part {word!r}; known: parameters, steps, seconds, batch"
                    )
            except ValueError:
                raise UsageError(f"budget: {key} must be a number, found {text!r}") from None
            if found[key] is not None and not 0 < found[key] < math.inf:
                raise UsageError(f"budget: {key} must be positive, found {text}")
        if "seconds" in found and "steps" not in found:
            found["steps"] = None
        return cls(**found)


def sized(words: str, budget: Budget, protocol: str) -> ModelConfig:
    """The settings of a model at the budget's size, with the protocol's optimizer. Raises UsageError."""
    config = with_optimizer(model_of(words), protocol)
    if budget.parameters is None:
        return config
    try:
        return with_parameters(config, budget.parameters)
    except ValueError as error:
        raise UsageError(f"model {words}: {error}") from error


def training_of(training: TrainingConfig, budget: Budget) -> TrainingConfig:
    """The training settings, limited by the budget."""
    # a run that is limited by time follows its schedule by the clock
    steps = budget.steps if budget.steps is not None else 10_000_000
    return replace(training, steps=steps, batch=budget.batch, time_limit=budget.seconds)


def refuse_decided(settings: Iterable[str]) -> None:
    """Refuse settings that are determined by the models and the budget. Raises UsageError."""
    for setting in settings:
        key = setting.partition("=")[0]
        if key.startswith("model.") or key in _DECIDED:
            raise UsageError(f"compare takes its models and its budget, not --set {key}")


def refuse_of_surfaces(changes: Mapping[str, Any]) -> None:
    """Refuse arguments that apply only to surfaces, for an image or a volume. Raises UsageError."""
    for name, value in changes.items():
        if name not in ("seed", "device", "engine") and value not in (None, (), []):
            raise UsageError(f"a comparison on an image or a volume has no {name.replace('_', '-')}")


COLUMNS = {
    "model": ("model", ""),
    "error": ("error", ".3f"),
    "hausdorff": ("Hausdorff", ".1f"),
    "normal_consistency": ("normals", ".4f"),
    "iou": ("IoU", ".4f"),
    "sdf_error_near": ("sdf near", ".3f"),
    "eikonal_error_near": ("eikonal near", ".4f"),
    "eikonal_error_far": ("eikonal far", ".4f"),
    "psnr": ("PSNR", ".2f"),
    "ssim": ("SSIM", ".4f"),
    "psnr_edge": ("PSNR at edges", ".2f"),
    "noisiness": ("noisiness", ".3f"),
    "background_std": ("background", ".3g"),
    "parameters": ("parameters", ",d"),
    "width": ("width", "d"),
    "optimizer": ("optimizer", ""),
    "rate": ("rate", "g"),
    "muon_rate": ("Muon's rate", "g"),
    "steps": ("steps", ",d"),
    "ms_per_step": ("ms a step", ".1f"),
    "seconds": ("seconds", ".1f"),
    "engine": ("engine", ""),
}
"""For each key of a row: the heading and the number format in results.md (docs/compare.md)."""

LOWEST = ("error", "hausdorff", "noisiness", "background_std", "ms_per_step", "seconds")
HIGHEST = ("normal_consistency", "iou", "psnr", "ssim", "psnr_edge")
"""Columns in which the lowest value is best, and columns in which the highest is. For errors of the field,
the lowest is best as well."""

TIMES = ("ms_per_step", "seconds")
"""Columns that are shown without their spread over seeds."""


class Results:
    """The results in a folder. `numbers` is the content of results.json, with one of `rows` per model."""

    def __init__(self, folder: Path, numbers: dict[str, Any]):
        self.folder: Path = folder
        self.numbers: dict[str, Any] = numbers

    @classmethod
    def open(cls, folder: Path, run: dict[str, Any], overwrite: bool) -> Results:
        """The results in a folder if they belong to the same run, otherwise new ones.

        Raises UsageError if they belong to another run and may not be overwritten, or if the folder cannot be
        created.
        """
        path, run = folder / "results.json", json.loads(json.dumps(run))
        if path.exists() and not overwrite:
            try:
                numbers = json.loads(path.read_text(encoding="utf-8"))
                before, _ = numbers["run"], numbers["rows"]
            except (ValueError, KeyError, TypeError) as error:
                raise UnreadableInput(f"{path}: not the results of a comparison ({error})") from error
            if before != run:
                changed = ", ".join(key for key in run if before.get(key) != run[key])
                raise UsageError(
                    f"{folder} has the results of another comparison (other {changed}): "
                    "choose another folder, or give --overwrite"
                )
            return cls(folder, numbers)
        try:
            for name in ("meshes", "fields"):
                (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be created ({error.strerror or error})") from error
        results = cls(folder, {"run": run, "rows": []})
        results._write("results.json", json.dumps(results.numbers, indent=1))
        return results

    def row(self, model: str) -> dict[str, Any] | None:
        """The row of a model, or None."""
        return next((row for row in self.numbers["rows"] if row["model"] == model), None)

    def add(
        self,
        model: str,
        row: dict[str, Any],
        mesh: TriangleMesh | None = None,
        field: Field | FittedSignal | None = None,
    ) -> None:
        """Write a model's row, its mesh and its field to the folder immediately."""
        files = {"mesh": f"meshes/{file_name(model)}.ply", "field": f"fields/{file_name(model)}.sasnet"}
        there = {"mesh": mesh, "field": field}
        for kind, thing in there.items():
            if thing is not None:
                thing.save(self.folder / files[kind])
        kept = {kind: None if thing is None else files[kind] for kind, thing in there.items()}
        self.numbers["rows"].append({"model": model, **kept, **row})
        self._write("results.json", json.dumps(self.numbers, indent=1))

    def write_tables(self) -> None:
        """Write the rows as JSON, Markdown and CSV."""
        rows = self.numbers["rows"]
        self._write("results.json", json.dumps(self.numbers, indent=1))
        self._write("results.md", markdown(self.numbers))
        shown = [name for name in COLUMNS if any(row.get(name) is not None for row in rows)]
        text = io.StringIO(newline="")
        table = csv.writer(text, lineterminator="\n")
        table.writerow(shown)
        table.writerows([row.get(name) for name in shown] for row in rows)
        self._write("results.csv", text.getvalue().rstrip("\n"))

    def _write(self, name: str, text: str) -> None:
        from ..io import atomic_write

        with atomic_write(self.folder / name) as partial:
            Path(partial).write_text(text + "\n", encoding="utf-8")


def markdown(numbers: dict[str, Any]) -> str:
    """The rows as a table, followed by the input, the budget and the machine."""
    run, machine = numbers["run"], numbers["hardware"]
    budget = ", ".join(f"{key} {value:,}" for key, value in run["budget"].items() if value is not None)
    surface = run["kind"] == "surface"
    units = "Lengths in 1e-4 of the reference's diagonal" if surface else "PSNR in dB"
    rates = f"protocol {run['protocol']}"
    if run["tuning"]:
        rates += ", rates chosen on " + ", ".join(str(other["input"]) for other in run["tuning"])
    against = f" against {run['reference'] or 'itself'}" if surface else ""
    return (
        f"{table(numbers['rows'])}\n"
        f"{run['input']}{against}; budget: {budget}; {rates}; "
        f"{_seeds(run)}; {machine['cores']} cores ({machine['cpu']}); "
        f"sasnet-sdf {run['version']}. {units}."
    )


def _seeds(run: dict[str, Any]) -> str:
    first, count = run["settings"]["seed"], run["seeds"]
    if count == 1:
        return f"seed {first}"
    return f"means and standard deviations of the seeds {first} to {first + count - 1}"


def table(rows: list[dict[str, Any]], columns: dict[str, tuple[str, str]] = COLUMNS) -> str:
    """A Markdown table of all columns that have a value, with the best value of each in bold.

    A model without an error or PSNR has the reason in its place.
    """
    first = main_figure(rows)
    shown = [name for name in columns if name == first or any(row.get(name) is not None for row in rows)]
    lines = ["| " + " | ".join(columns[name][0] for name in shown) + " |", "| --- " * len(shown) + "|"]
    for row in rows:
        cells = []
        for name in shown:
            value = row.get(name)
            text = "" if value is None else format(value, columns[name][1])
            if name not in TIMES and name in row.get("spread", {}):
                text += f" ± {row['spread'][name]:{columns[name][1]}}"
            if name == first and value is None:
                text = row.get("failure", "")
            cells.append(f"**{text}**" if value is not None and value == best_of(name, rows) else text)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main_figure(rows: Sequence[Mapping[str, Any]]) -> str:
    """The figure that ranks the models: the error for surfaces, the PSNR for images and volumes."""
    return "psnr" if any(row.get("psnr") is not None for row in rows) else "error"


def best_of(name: str, rows: list[dict[str, Any]]) -> Any:
    """The best value of a column; None if the column is empty or not ranked."""
    values = [row[name] for row in rows if row.get(name) is not None]
    if not values:
        return None
    if name in HIGHEST:
        return max(values)
    return min(values) if name in LOWEST or "_error_" in name else None


def file_name(model: str) -> str:
    """The file name for a model's description."""
    return re.sub(r"[^\w.=-]+", "_", model)
