"""docs/results.md from the results of benchmarks/results.py, wins and losses alike."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from sasnet_sdf.comparison.compare import MODELS
from sasnet_sdf.comparison.results import HIGHEST, best_of, table
from sasnet_sdf.views import curves

COLUMNS = {
    "model": ("model", ""),
    "error": ("error", ".2f"),
    "hausdorff": ("Hausdorff", ".0f"),
    "normal_consistency": ("normals", ".4f"),
    "iou": ("IoU", ".4f"),
    "sdf_error_near": ("near", ".2f"),
    "sdf_error_far": ("far", ".1f"),
    "eikonal_error_near": ("eikonal near", ".3f"),
    "eikonal_error_far": ("eikonal far", ".3f"),
    "parameters": ("parameters", ",d"),
    "rate": ("rate", "g"),
    "ms_per_step": ("ms per step", ".0f"),
    "engine": ("engine", ""),
}
WIDEST = 900
"""Largest width of a picture on the page, in pixels."""


def page(found: dict[str, dict[str, Any]]) -> str:
    return HEAD + "\n".join(of_shape(shape, numbers) for shape, numbers in found.items())


HEAD = """# Results

How the method compares with others, measured by `python benchmarks/results.py`, which calls
`sasnet-sdf compare` ([compare.md](compare.md)) on clean clouds of [public shapes](benchmarks-data.md). All
networks have the same number of parameters, targets, steps and optimizer; [models.md](models.md) describes
each. Lengths are in 1e-4 of the diagonal: *error* is the mean distance between surfaces, both ways, *near*
and *far* are errors of the field's distance near the surface and far from it, *eikonal* is the mean of
||∇f| - 1|. *ms per step* is the median of 15 steps of each network, all in turn in one run; such times
compare programs, not methods: SASNet runs in our own compiled passes, the others in PyTorch. Published
learning rates are those of long runs, of 200,000 steps for most; at 1,500 steps they leave some networks far
from what they can reach, which is why the second table sweeps the rates for SASNet and the three best kinds
of the others. The best of each column is in bold. Poisson has no parameter budget; it is included as what a
user would run instead.

"""


def of_shape(shape: str, found: dict[str, Any]) -> str:
    models, run = found["models"], found["models"]["run"]
    machine, budget = models["hardware"], run["budget"]
    omegas = ", ".join(row["model"].partition("=")[2] for row in found["omega0"]["rows"])
    return f"""## {shape.capitalize()}

Clean cloud of {shape}, {budget["parameters"]:,} parameters, {budget["steps"]:,} steps of {budget["batch"]:,}
targets; {machine["cores"]} cores ({machine["cpu"]}), {found["date"]}, commit {found["commit"]}.

### Published rates

{table(models["rows"], COLUMNS)}
{missing(models["rows"])}{losses(models["rows"])}
{unfrozen(found["moved"])}![surfaces of all models](images/results_{shape}_renders.png)

![distances from the true surface](images/results_{shape}_errors.png)

![loss over steps and over seconds](images/results_{shape}_convergence.png)

{swept(found["rates"]["rows"])}### SIREN at any ω0

{omegas}, beside SASNet (line).

![error and normal consistency over omega0](images/results_{shape}_omega0.png)

{table(found["omega0"]["rows"], COLUMNS)}
### What masks cost

SASNet at the width of this budget, with its masks and without; a step of {budget["batch"]:,} targets
without the eikonal term.

{costs(found["masks"])}
### Masks

On a slice through the middle; the line is the surface. Bands are in order of rising frequency.

![every mask on a slice](images/results_{shape}_masks.png)
"""


def missing(rows: list[dict[str, Any]]) -> str:
    """A sentence on the models that were not run."""
    names = [name for name in MODELS if name not in {row["model"] for row in rows}]
    return f"Not run here yet: {', '.join(f'`{name}`' for name in names)}.\n\n" if names else ""


def unfrozen(moved: tuple[float, float] | None) -> str:
    """A sentence on how far training moved the frequencies."""
    if moved is None:
        return ""
    mean, most = moved
    return f"""If frequencies are trained too (`sasnet:unfrozen`), they move by {mean:.2f} on average and
{most:.2f} at most from their initial whole numbers: in so few steps it hardly matters whether they are
frozen.

"""


def swept(rows: list[dict[str, Any]]) -> str:
    """The section on learning rates, if they were swept."""
    if not rows:
        return "The rates have not been swept here yet.\n\n"
    return f"""### The best of five rates

SASNet, and the kinds of networks with the smallest errors above, all by Adam, each at the best of five
learning rates, chosen on held-out targets.

{table(rows, COLUMNS)}
"""


def losses(rows: list[dict[str, Any]]) -> str:
    """A sentence on the figures in which another network is better than SASNet."""
    ours = next(row for row in rows if row["model"] == "sasnet")
    lost = []
    for name, (heading, _) in COLUMNS.items():
        if best_of(name, [ours]) is None:
            continue
        sign = -1 if name in HIGHEST else 1
        others = [row for row in rows if row is not ours and row.get(name) is not None]
        better = [f"`{row['model']}`" for row in others if sign * row[name] < sign * ours[name]]
        if better:
            lost.append(f"{heading}: {', '.join(better)}")
    return f"Better than SASNet: {'; '.join(lost)}.\n" if lost else "None is better in any figure.\n"


def costs(rows: list[dict[str, Any]]) -> str:
    lines = ["| network | parameters | ms per step |", "| --- | --- | --- |"]
    lines += [f"| {row['label']} | {row['parameters']:,} | {row['ms_per_step']:.1f} |" for row in rows]
    return "\n".join(lines) + "\n"


def pictures(output: Path, shape: str, found: dict[str, Any], images: Path) -> None:
    ours = next(row for row in found["models"]["rows"] if row["model"] == "sasnet")
    swept = [
        (float(row["model"].partition("=")[2]), row["error"], row["normal_consistency"])
        for row in found["omega0"]["rows"]
        if row["mesh"]
    ]
    line = ours["error"], ours["normal_consistency"]
    curves.sweep(swept, line, images / f"results_{shape}_omega0.png", "error, 1e-4 of the diagonal")
    for name in ("renders", "errors", "masks"):
        picture = Image.open(output / shape / f"{name}.png").convert("RGB")
        if picture.width > WIDEST:
            height = round(picture.height * WIDEST / picture.width)
            picture = picture.resize((WIDEST, height), Image.Resampling.LANCZOS)
        small = picture.quantize(255, dither=Image.Dither.NONE)
        small.save(images / f"results_{shape}_{name}.png", optimize=True)
    shutil.copyfile(output / shape / "convergence.png", images / f"results_{shape}_convergence.png")
