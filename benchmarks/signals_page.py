"""docs/signals-results.md from the rows of benchmarks/signals.py, wins and losses alike."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from common import circumstances, table
from signals_data import TUNING

Row = dict[str, Any]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "signals-results.md"
FIGURES = {
    "psnr": ("PSNR", ".2f"),
    "ssim": ("SSIM", ".4f"),
    "psnr_edge": ("at edges", ".2f"),
    "noisiness": ("noisiness", ".2f"),
}
HEADINGS = {
    "images": "Images",
    "x4": "Rendered at 4 times the size",
    "x16": "Rendered at 16 times the size",
    "volumes": "Volumes",
}
SAYS = {
    ("images", "muon"): "Shows what the layers do, since all networks learn by Muon at their best rate. It "
    "does not show longer training, or larger networks.",
    ("images", "adam"): "Shows the same by the optimizer that the papers used. Rates are for few steps, so "
    "it does not show what networks reach in 100 times as many.",
    ("images", "published"): "Shows what each method gives as its authors set it, after few steps. It does "
    "not show which network is better: rates for long runs lose in short ones, and depths differ.",
    ("x4", "muon"): "Shows how smooth networks are between the samples that all of them fit. Differences "
    "below 0.1 dB mean little: the original has detail that the reduced image does not contain.",
    ("x16", "muon"): "Shows the same at a larger scale, at which every smooth network is equally good.",
    ("volumes", "muon"): "Shows what the layers do on three volumes, of which two are small. It does not "
    "show volumes of many millions of voxels.",
    ("volumes", "adam"): "Shows the same by Adam.",
}
BY = {"muon": "all by Muon", "adam": "all by Adam", "published": "as published"}


def write(rows: list[Row]) -> None:
    PAGE.write_text(page(rows), encoding="utf-8")
    print(PAGE)


def page(rows: list[Row]) -> str:
    if not rows:
        raise SystemExit("the file has no rows")
    steps = {HEADINGS[row["task"]].lower(): f"{row['steps']:,}" for row in rows}
    by_task = ", ".join(f"{task} {count}" for task, count in steps.items())
    machine = circumstances(0)
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"""# Images and volumes beside other networks

{verdicts(rows)}

Measured by `python benchmarks/signals.py`: steps of 4,096 samples ({by_task}), one thread each. In a table
all networks have equal numbers of parameters (0.25 per number of the image, 20,000 for images that are
enlarged and for volumes), three hidden layers and one optimizer; only `as published` has depths and
optimizers of their own. Learning rates were chosen on tuning signals; the signals below are test signals
([data](benchmarks-data.md#tuning-and-test-data)). PSNR, SSIM, PSNR at edges and noisiness are means over the
signals ([what they are](signals-metrics.md)); ± is the standard deviation of the mean PSNR over three seeds,
which networks within 0.3 dB of SASNet have; the last columns are the PSNR of each signal in dB. Several
networks were trained at the same time, so the tables have no times.

{machine["hardware"]["cores"]} cores of a shared machine ({machine["hardware"]["cpu"]}), {versions}. Under \
each table is the hash of the package's code that it was made with.

{tables(rows)}"""


def tables(rows: list[Row]) -> str:
    """The tables of all tasks and protocols in the rows."""
    parts = []
    for task in [name for name in HEADINGS if any(row["task"] == name for row in rows)]:
        parts.append(f"## {HEADINGS[task]}")
        for protocol in [name for name in BY if tested(rows, task, name)]:
            found = tested(rows, task, protocol)
            names = list(dict.fromkeys(row["input"] for row in found))
            columns = ["", "rate", *(heading for heading, _ in FIGURES.values()), *names]
            lines = [line(model, found, names) for model in dict.fromkeys(row["model"] for row in found)]
            says = SAYS.get((task, protocol), "")
            made = table(columns, lines).rstrip("\n") + f"\n\nCode {found[0]['code']}.\n"
            parts.append(f"**{HEADINGS[task]}, {BY[protocol]}.** {says}\n\n{made}")
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def tested(rows: list[Row], task: str, protocol: str) -> list[Row]:
    """The rows of test signals of a table."""
    tuning = {name for names in TUNING.values() for name in names} | {"made 0", "made 1"}
    return [row for row in rows if _is(row, task, protocol) and row["input"] not in tuning]


def _is(row: Row, task: str, protocol: str) -> bool:
    return (row["task"], row["protocol"]) == (task, protocol)


def line(model: str, rows: list[Row], names: list[str]) -> list[str]:
    own = [row for row in rows if row["model"] == model]
    cells = []
    for key, (_, form) in FIGURES.items():
        values = [row[key] for row in own if row.get(key) is not None]
        cells.append(f"{fmean(values):{form}}" if len(values) == len(own) else "")
    spread = [mean_psnr(model, rows, seed) for seed in {row["seed"] for row in own}]
    if len(spread) > 1:
        cells[0] += f" ± {stdev(spread):.2f}"
    each = [f"{psnr(model, rows, name):.2f}" if psnr(model, rows, name) else "none" for name in names]
    return [f"`{short(model)}`", own[0]["rate"], *cells, *each]


def short(model: str) -> str:
    return model.removesuffix(":hidden_layers=3")


def mean_psnr(model: str, rows: list[Row], seed: int) -> float:
    return fmean(r.get("psnr", 0.0) for r in rows if (r["model"], r["seed"]) == (model, seed))


def psnr(model: str, rows: list[Row], name: str) -> float:
    """The mean PSNR over seeds of a model on a signal; 0 where it failed."""
    return fmean(r.get("psnr", 0.0) for r in rows if (r["model"], r["input"]) == (model, name))


def noisiness(model: str, rows: list[Row]) -> float:
    return fmean(r["noisiness"] for r in rows if r["model"] == model and r.get("noisiness") is not None)


def verdicts(rows: list[Row]) -> str:
    """For each table of one optimizer: SASNet beside the best sine network without masks."""
    lines = []
    for task, protocol in dict.fromkeys((row["task"], row["protocol"]) for row in rows):
        found = tested(rows, task, protocol)
        models = list(dict.fromkeys(row["model"] for row in found))
        rivals = [m for m in models if m.startswith(("siren", "finer")) or ":no-masks" in m]
        ours = next((m for m in models if short(m) == "sasnet"), None)
        if protocol == "published" or ours is None or not rivals:
            continue
        names = list(dict.fromkeys(row["input"] for row in found))

        def mean(model: str, found: list[Row] = found, names: list[str] = names) -> float:
            return fmean(psnr(model, found, name) for name in names)

        best = max(rivals, key=mean)
        apart = {name: psnr(ours, found, name) - psnr(best, found, name) for name in names}
        worst = min(apart, key=lambda name: apart[name])
        calm, noisy = (noisiness(model, found) for model in (ours, best))
        lines.append(
            f"- {HEADINGS[task]}, {BY[protocol]}: SASNet {mean(ours):.2f} dB, the best other network of "
            f"sines (`{short(best)}`) {mean(best):.2f}: {mean(ours) - mean(best):+.2f} dB in the mean, "
            f"{apart[worst]:+.2f} at worst ({worst}); noisiness {calm:.2f} against {noisy:.2f}."
        )
    return "\n".join(lines)
