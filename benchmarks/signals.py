"""Images and volumes: SASNet beside SIREN, FINER and TUNER, with equal parameters and equal steps.

    python benchmarks/signals.py -o FILE.json
    python benchmarks/signals.py -o FILE.json --tasks images --signals kodim23

Tasks, on the images and volumes of SASNET_SDF_DATA (docs/benchmarks-data.md): `images`, fitted at half
their size; `x4` and `x16`, an image reduced by that factor, fitted, rendered at the original size and
compared with the original; `volumes`. Rows that are in the file already are not run again. Networks other
than SASNet are trained at a learning rate of 1e-3: at the 1e-4 that their papers published for long runs
they are far from converged after so few steps; `--rates` runs both.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from common import circumstances, data_file
from PIL import Image

from sasnet_sdf import fit_image, fit_volume
from sasnet_sdf.io import read_volume
from sasnet_sdf.metrics.signals import signal_figures
from sasnet_sdf.signals import Grid, Signal

KODAK = ("kodim01", "kodim05", "kodim07", "kodim08", "kodim15", "kodim23")
DIV2K = ("test_00", "test_01", "test_02", "test_03")
VOLUMES = ("inia19_t1_brain", "neghip", "carotid")
RATIO, STEPS, BATCH = 0.25, 1500, 8192
OF_A_VOXEL, MOST = 0.1, 300_000
UP = 20_000
"""Parameters of the networks whose images are enlarged: about as many as a small image has numbers."""

OMEGAS = (15, 30, 60, 90)
MODELS = (
    "sasnet",
    *(f"siren:omega0={omega}:rate=1e-3" for omega in OMEGAS),
    *("finer:rate=1e-3", "tuner:rate=1e-3", "sasnet:no-masks"),
)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.json")
    cli.add_argument("--tasks", nargs="+", choices=tuple(TASKS), default=list(TASKS))
    cli.add_argument("--signals", nargs="+", metavar="NAME", help="these only")
    cli.add_argument("--models", nargs="+", default=list(MODELS), metavar="MODEL")
    cli.add_argument("--rates", action="store_true", help="other networks at 1e-4 too")
    options = cli.parse_args()
    models = list(options.models)
    if options.rates:
        models += [name.replace("rate=1e-3", "rate=1e-4") for name in models if "rate=1e-3" in name]
    found: dict[str, Any] = {"rows": []}
    if options.output.exists():
        found = json.loads(options.output.read_text(encoding="utf-8"))
    done = {(row["task"], row["signal"], row["model"]) for row in found["rows"]}
    for task in options.tasks:
        for name, problem in TASKS[task](options.signals):
            for model in models:
                if (task, name, model) in done:
                    continue
                row = {"task": task, "signal": name, "model": model, **problem(model)}
                found = {**circumstances(0), "rows": [*found["rows"], row]}
                options.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
                print(f"{task} {name} {model}: {row['psnr']:.2f} dB, {row['seconds']:.0f} s", flush=True)
    print(summary(found["rows"]))


class Problem:
    """A signal, the truth that its fit is compared with, and the size of the networks."""

    def __init__(self, signal: Signal, truth: np.ndarray, scale: int, parameters: int):
        self.signal, self.truth, self.scale, self.parameters = signal, truth, scale, parameters

    def __call__(self, model: str) -> dict[str, Any]:
        fit = fit_image if self.signal.grid.dim == 2 else fit_volume
        fitted = fit(self.signal, model=model, parameters=self.parameters, steps=STEPS, batch=BATCH)
        assert fitted.report is not None
        training, figures = fitted.report["training"], fitted.report["metrics"]
        if self.scale > 1:
            figures = signal_figures(fitted.render(scale=self.scale).values, self.truth, fitted.peak)
        return {
            **figures,
            "parameters": training["parameters"],
            "parameters_per_value": training["parameters"] / self.signal.values.size,
            "ms_per_step": training["ms_per_step"],
            "seconds": fitted.report["seconds"]["training"],
            "settings": fitted.report["settings"]["model"],
        }


def pictures(wanted: list[str] | None) -> Iterator[tuple[str, np.ndarray]]:
    for folder, names in (("kodak", KODAK), ("div2k", DIV2K)):
        for name in names:
            if wanted is None or name in wanted:
                image = Image.open(data_file("images", folder, f"{name}.png")).convert("RGB")
                yield name, np.asarray(image)


def images(wanted: list[str] | None) -> Iterator[tuple[str, Problem]]:
    for name, values in pictures(wanted):
        small = shrunk(values, 2)
        yield name, Problem(signal_of(small), small, 1, round(RATIO * small.size))


def up(scale: int) -> Any:
    def problems(wanted: list[str] | None) -> Iterator[tuple[str, Problem]]:
        for name, values in pictures(wanted):
            truth = shrunk(values, 2) if scale == 4 else values
            yield name, Problem(signal_of(shrunk(truth, scale)), truth, scale, UP)

    return problems


def volumes(wanted: list[str] | None) -> Iterator[tuple[str, Problem]]:
    for name in VOLUMES:
        if wanted is None or name in wanted:
            signal = read_volume(data_file("volumes", f"{name}.npz"))
            count = min(round(OF_A_VOXEL * signal.values.size), MOST)
            yield name, Problem(signal, signal.values, 1, count)


TASKS = {"images": images, "x4": up(4), "x16": up(16), "volumes": volumes}


def shrunk(values: np.ndarray, factor: int) -> np.ndarray:
    """An image (H, W, 3) reduced to the means of blocks of factor x factor pixels."""
    height, width = (n // factor for n in values.shape[:2])
    blocks = values[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    return blocks.mean((1, 3)).round().astype(np.uint8)


def signal_of(values: np.ndarray) -> Signal:
    return Signal(values, Grid.of_image(*values.shape[:2]))


def summary(rows: list[dict[str, Any]]) -> str:
    """The means of every network for each task, and how far SASNet is above the best SIREN of each signal."""
    lines = []
    for task in dict.fromkeys(row["task"] for row in rows):
        of_task = [row for row in rows if row["task"] == task]
        lines.append(task)
        for model in dict.fromkeys(row["model"] for row in of_task):
            some = [row for row in of_task if row["model"] == model]
            shown = [
                f"{key} {mean(values):.4g}"
                for key in ("psnr", "ssim", "psnr_edge", "noisiness", "background_std", "ms_per_step")
                if (values := [row[key] for row in some if row.get(key) is not None])
            ]
            lines.append(f"  {model:28} {', '.join(shown)} ({len(some)})")
        gains = margins(of_task)
        if gains:
            lines.append(f"  above the best SIREN: mean {mean(gains):.2f} dB, least {min(gains):.2f} dB")
    return "\n".join(lines)


def margins(rows: list[dict[str, Any]]) -> list[float]:
    """SASNet's PSNR minus that of the best SIREN, for each signal that has both."""
    gains = []
    for signal in dict.fromkeys(row["signal"] for row in rows):
        of_signal = {row["model"]: row["psnr"] for row in rows if row["signal"] == signal}
        sirens = [value for model, value in of_signal.items() if model.startswith("siren")]
        if "sasnet" in of_signal and sirens:
            gains.append(of_signal["sasnet"] - max(sirens))
    return gains


if __name__ == "__main__":
    main()
