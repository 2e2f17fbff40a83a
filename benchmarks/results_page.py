"""docs/results.md from the rows of benchmarks/results.py, wins and losses alike."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from common import circumstances, table

from sasnet_sdf.views import curves

Row = dict[str, Any]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "results.md"
FIGURES = {
    "hausdorff": ("Hausdorff", ".0f"),
    "normal_consistency": ("normals", ".4f"),
    "iou": ("IoU", ".4f"),
    "sdf_error_far": ("far", ".1f"),
    "eikonal_error_near": ("slope near", ".3f"),
}
WITHOUT_NETWORK = ("supervision", "poisson")
HEADINGS = {"muon": "All by Muon", "adam": "All by Adam", "published": "As published"}
SAYS = {
    "muon": "Shows what the layers do, since all networks learn by Muon at their best rate. It does not show "
    "longer training, nor the default network, which has 2.8 million parameters and refinement behind it.",
    "adam": "Shows the same by the optimizer that the papers used. Networks of ReLU, Gaussians and wavelets "
    "are here only. Rates are for so few steps; it does not show what networks reach in 100 times as many.",
    "published": "Shows what each method gives as its authors set it, after so few steps. It does not show "
    "which network is better: rates for long runs lose in short ones. `supervision` is the surface of the "
    "targets themselves, which no network can be expected to pass; `poisson` is what a user would run.",
}


def write(rows: list[Row], path: Path | None = None) -> None:
    """Write the page, and beside it the picture of all omega0."""
    path = path or PAGE
    (path.parent / "images").mkdir(exist_ok=True)
    drawn = draw_omega0(rows, path.parent / "images" / "results_omega0.png")
    path.write_text(page(rows) + (OMEGA0 if drawn else ""), encoding="utf-8")
    print(path)


OMEGA0 = """## SIREN at any ω0

All by Muon, means over the shapes; the line is SASNet.

![error and normal consistency over omega0](images/results_omega0.png)
"""


def draw_omega0(rows: list[Row], path: Path) -> bool:
    """Draw errors and normals of SIREN over omega0, by Muon; False if there are none, or not SASNet's."""
    found = tested(rows, "muon")
    names = list(dict.fromkeys(row["input"] for row in found))

    def means(model: str) -> tuple[float, float] | None:
        each = [error(model, found, name) for name in names]
        if not each or None in each:
            return None
        normals = [row["normal_consistency"] for row in found if row["model"] == model]
        return fmean(e for e in each if e is not None), fmean(normals)

    sirens = [m for m in dict.fromkeys(row["model"] for row in found) if m.startswith("siren:omega0=")]
    points = [(float(m.partition("=")[2]), *figures) for m in sirens if (figures := means(m)) is not None]
    line = means("sasnet")
    if not points or line is None:
        return False
    curves.sweep(points, line, path, "error, 1e-4 of the diagonal")
    return True


def page(rows: list[Row]) -> str:
    if not rows:
        raise SystemExit("the file has no rows")
    machine = circumstances(0)
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    parts = [section(rows, protocol) for protocol in HEADINGS if tested(rows, protocol)]
    return f"""# Surfaces beside other networks

{verdicts(rows)}

Measured by `python benchmarks/results.py` on clean clouds of [public shapes](benchmarks-data.md): networks of
150,000 parameters, {max(row["steps"] for row in rows):,} steps of 4,096 targets, without refinement. In a
table all networks have one optimizer; learning rates were chosen on the casting and the bunny in a quarter of
the steps, and [models.md](models.md) describes each network. Lengths are in 1e-4 of the diagonal: *error* is
the mean distance between surfaces, both ways, *far* the error of the field's distance far from the surface,
*slope near* the mean of ||∇f| - 1| near it. The error is given for each shape, the other figures as means
over the shapes; ± is the standard deviation of the mean error over three seeds, which networks within 5 % of
SASNet have. Several networks were trained at the same time, so the tables have no times.

{machine["hardware"]["cores"]} cores of a shared machine ({machine["hardware"]["cpu"]}), {versions}. Under \
each table is the hash of the package's code that it was made with.

{"".join(parts)}"""


def section(rows: list[Row], protocol: str) -> str:
    found = tested(rows, protocol)
    names = list(dict.fromkeys(row["input"] for row in found))
    models = list(dict.fromkeys(row["model"] for row in found))
    columns = ["", "rate", "error", *names, *(heading for heading, _ in FIGURES.values())]
    lines = [line(model, found, names) for model in models]
    made = f"{table(columns, lines)}\nCode {found[0]['code']}.\n\n"
    return f"## {HEADINGS[protocol]}\n\n{SAYS[protocol]}\n\n{made}"


def tested(rows: list[Row], protocol: str) -> list[Row]:
    """The rows of test shapes of a table: those with a surface that was measured, or that failed."""
    return [r for r in rows if r["protocol"] == protocol and ("error" in r or "failure" in r)]


def line(model: str, rows: list[Row], names: list[str]) -> list[str]:
    own = [row for row in rows if row["model"] == model]
    each = [error(model, rows, name) for name in names]
    whole = "no surface" if None in each else f"{fmean(e for e in each if e is not None):.2f}"
    by_seed = (
        [
            fmean(r["error"] for r in own if r["seed"] == seed and "error" in r)
            for seed in {r["seed"] for r in own}
        ]
        if None not in each
        else []
    )
    if len(by_seed) > 1:
        whole += f" ± {stdev(by_seed):.2f}"
    cells = []
    for key, (_, form) in FIGURES.items():
        values = [row[key] for row in own if row.get(key) is not None]
        cells.append(f"{fmean(values):{form}}" if values else "")
    rate = "" if model in WITHOUT_NETWORK else own[0]["rate"]
    return [f"`{model}`", rate, whole, *("" if e is None else f"{e:.2f}" for e in each), *cells]


def error(model: str, rows: list[Row], name: str) -> float | None:
    """The mean error over seeds of a model on a shape; None where there is no surface."""
    own = [row for row in rows if (row["model"], row["input"]) == (model, name)]
    if not own or any("error" not in row for row in own):
        return None
    return fmean(row["error"] for row in own)


def verdicts(rows: list[Row]) -> str:
    """For each table of one optimizer: SASNet beside the best network without masks, on each shape."""
    lines = []
    for protocol in ("muon", "adam"):
        found = tested(rows, protocol)
        names = list(dict.fromkeys(row["input"] for row in found))
        models = list(dict.fromkeys(row["model"] for row in found))
        whole = {m: [e for n in names if (e := error(m, found, n)) is not None] for m in models}
        rivals = [
            m
            for m in models
            if len(whole[m]) == len(names) and (":no-masks" in m or not m.startswith("sasnet"))
        ]
        if not rivals or len(whole.get("sasnet", [])) != len(names):
            continue
        best = min(rivals, key=lambda m: fmean(whole[m]))
        ratios = [ours / other for ours, other in zip(whole["sasnet"], whole[best], strict=True)]
        each = ", ".join(f"{name} {ratio:.2f}" for name, ratio in zip(names, ratios, strict=True))
        lines.append(
            f"- {HEADINGS[protocol]}: SASNet's error is {fmean(whole['sasnet']):.2f}, that of the best "
            f"network without masks (`{best}`) {fmean(whole[best]):.2f}. Ratios: {each}."
        )
    return "\n".join(lines)
