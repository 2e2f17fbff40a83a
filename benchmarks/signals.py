"""Images and volumes: networks of equal depth, parameters and steps, by the same optimizer.

    python benchmarks/signals.py -o FILE.json
    python benchmarks/signals.py -o FILE.json --tasks images --protocols muon
    python benchmarks/signals.py -o FILE.json --small

Tasks, on the images and volumes of SASNET_SDF_DATA (docs/benchmarks-data.md): `images`, fitted at a quarter
of their size; `x4` and `x16`, an image reduced by that factor, fitted, rendered at the original size and
compared with the original; `volumes`. Protocols (docs/compare.md): `published`, each network by its own
optimizer at its own rates, with its own depth; `adam` and `muon`, all by one optimizer, each at the rate with
the least product of errors on two tuning signals, which is then held for the test signals. Networks whose
mean PSNR is within 0.3 dB of SASNet's are trained with two more seeds.

A row is one training. FILE has all rows; those of the package's present code are not run again. The last
lines are the means over the test signals, of these rows alone. --small runs everything at toy size, on
made-up signals.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from common import circumstances, data_file
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

import sasnet_sdf
from sasnet_sdf import fit_image, fit_volume
from sasnet_sdf.comparison.protocols import RATES, best_rate, candidates
from sasnet_sdf.errors import SasnetError
from sasnet_sdf.io import read_volume
from sasnet_sdf.metrics.signals import signal_figures
from sasnet_sdf.problems.signal_settings import signal_config
from sasnet_sdf.signals import Grid, Signal

TUNING = {"images": ("kodim13", "test_04"), "volumes": ("bolt", "phantom", "turbulence")}
"""Signals on which rates are chosen; phantom and turbulence are made here."""
KODAK = ("kodim01", "kodim05", "kodim07", "kodim08", "kodim15", "kodim23")
DIV2K = ("test_00", "test_01", "test_02", "test_03")
TEST = {"images": (*KODAK, *DIV2K), "volumes": ("inia19_t1_brain", "neghip", "carotid")}
"""Signals that are reported. No setting was chosen on them."""

STEPS, BATCH, DEPTH = 1500, 8192, 3
OF_A_PIXEL, OF_A_VOXEL, MOST, UP = 0.25, 0.1, 100_000, 20_000
"""Parameters per number of an image and of a volume, and at most; those of images that are enlarged."""
CLOSE = 0.3
"""Decibels from SASNet below which a difference needs three seeds."""

FAMILY = (
    *("sasnet", "sasnet:no-masks", "sasnet:siren-layer", "sasnet:siren-layer:masks=off"),
    *(f"siren:omega0={omega}" for omega in (15, 30, 60, 90)),
    "finer",
)
OTHERS = ("wire", "gauss", "pemlp", "ffn", "ngp", "tuner", "bacon")
MODELS = {
    "published": ("sasnet", "sasnet:published", "siren", "finer:hidden_layers=3:rate=5e-4", *OTHERS),
    "adam": (*FAMILY, *OTHERS),
    "muon": FAMILY,
}
TASKS = ("images", "x4", "x16", "volumes")


@dataclass(frozen=True)
class Job:
    """One training: what identifies a row. rate: as candidates() names it."""

    task: str
    signal: str
    model: str
    protocol: str
    rate: str
    seed: int
    steps: int
    small: bool


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.json")
    cli.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    cli.add_argument("--protocols", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    cli.add_argument("--models", nargs="+", metavar="MODEL", help="these only")
    cli.add_argument("--signals", nargs="+", metavar="NAME", help="these test signals only")
    cli.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="one thread each")
    cli.add_argument("--small", action="store_true")
    options = cli.parse_args()
    table = Table(options.output, options.workers)
    for task in options.tasks:
        for protocol in options.protocols:
            models = options.models or MODELS[protocol][: 2 if options.small else None]
            compare(table, task, protocol, models, options.signals, options.small)
    print(summary(table.rows()))


class Table:
    """The rows of a file, each written as soon as it is there."""

    def __init__(self, path: Path, workers: int):
        self.path, self.workers, self.code = path, workers, code()
        self.found: list[dict[str, Any]] = (
            json.loads(path.read_text("utf-8"))["rows"] if path.exists() else []
        )

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the package's present code."""
        return [row for row in self.found if row["code"] == self.code]

    def of(self, jobs: Iterable[Job]) -> list[dict[str, Any]]:
        """The row of each job; those that are missing are run, several at a time."""
        jobs = list(jobs)
        there = {_job(row) for row in self.rows()}
        missing = [job for job in jobs if job not in there]
        if missing:
            with ProcessPoolExecutor(self.workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                for job, figures in zip(missing, pool.map(trained, missing), strict=True):
                    self.found.append({**asdict(job), "code": self.code, **figures})
                    text = json.dumps({**circumstances(0), "rows": self.found}, indent=1)
                    self.path.write_text(text + "\n", encoding="utf-8")
                    shown = figures.get("failure") or f"{figures['psnr']:.2f} dB, {figures['seconds']:.0f} s"
                    print(
                        f"{job.task} {job.signal} {job.model} {job.protocol} {job.rate}: {shown}", flush=True
                    )
        by_job = {_job(row): row for row in self.rows()}
        return [by_job[job] for job in jobs]


def _job(row: dict[str, Any]) -> Job:
    return Job(**{field.name: row[field.name] for field in fields(Job)})


def code() -> str:
    """12 hexadecimal digits that differ for different code of the package."""
    folder, digest = Path(sasnet_sdf.__file__).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def compare(
    table: Table, task: str, protocol: str, models: Iterable[str], signals: list[str] | None, small: bool
) -> None:
    """Train all models of a protocol on a task's test signals, at rates chosen on its tuning signals."""
    kind = "volumes" if task == "volumes" else "images"
    tuning, test = TUNING[kind], tuple(signals or TEST[kind])
    if small:
        tuning, test = ("made 0", "made 1"), ("made 2",)
    depth = "" if protocol == "published" else f":hidden_layers={DEPTH}"
    words = [model + depth for model in models]

    def job(signal: str, model: str, rate: str, seed: int = 0) -> Job:
        return Job(task, signal, model, protocol, rate, seed, 20 if small else STEPS, small)

    rates = [f"{rate:g}" for rate in RATES[protocol]] or ["own"]
    chosen: dict[str, str] = dict.fromkeys(words, rates[0])
    if len(rates) > 1:
        rows = table.of(job(name, model, rate) for model in words for name in tuning for rate in rates)
        for model in words:
            errors = [
                {r["rate"]: r.get("mse") for r in rows if (r["model"], r["signal"]) == (model, name)}
                for name in tuning
            ]
            if (rate := best_rate(errors)) is not None:
                chosen[model] = rate
    rows = table.of(job(name, model, chosen[model]) for model in words for name in test)
    means = {m: fmean(r.get("psnr", 0.0) for r in rows if r["model"] == m) for m in words}
    ours = means.get("sasnet" + depth)
    close = [m for m in words if ours is not None and abs(means[m] - ours) < CLOSE]
    if len(close) > 1:
        table.of(job(name, m, chosen[m], seed) for seed in (1, 2) for m in close for name in test)


def trained(job: Job) -> dict[str, Any]:
    """The figures of one training, or the `failure`."""
    signal, truth, scale, parameters = problem(job)
    sizes: dict[str, Any] = {"steps": job.steps, "batch": BATCH, "parameters": parameters}
    fit = fit_image if signal.kind == "image" else fit_volume
    try:
        base = signal_config(signal, model=job.model, **sizes).model
        assert base is not None
        tried = candidates(base, job.protocol)
        used = base if job.rate == "own" else tried[job.rate]
        changed = [f.name for f in fields(base) if getattr(used, f.name) != getattr(base, f.name)]
        words = "".join(f":{name}={getattr(used, name)}" for name in changed)
        fitted = fit(signal, model=job.model + words, seed=job.seed, device="cpu", **sizes)
    except SasnetError as error:
        return {"failure": str(error)}
    assert fitted.report is not None
    training, figures = fitted.report["training"], fitted.report["metrics"]
    if scale > 1:
        figures = signal_figures(fitted.render(scale=scale).values, truth, fitted.peak)
    psnr = figures["psnr"]
    if psnr is None or not np.isfinite(psnr):
        return {"failure": "no finite PSNR"}
    return {
        **figures,
        "mse": 10 ** (-psnr / 10),
        "parameters": training["parameters"],
        "ms_per_step": training["ms_per_step"],
        "seconds": fitted.report["seconds"]["training"],
        "settings": fitted.report["settings"]["model"],
    }


def problem(job: Job) -> tuple[Signal, np.ndarray, int, int]:
    """The signal that is fitted, what the fit is compared with, their scale, and the number of parameters."""
    if job.task == "volumes":
        signal = made_volume(job.signal, 12) if job.small else volume(job.signal)
        return signal, signal.values, 1, min(round(OF_A_VOXEL * signal.values.size) + 2000, MOST)
    values = made_image(job.signal, 64) if job.small else picture(job.signal)
    if job.task == "images":
        small = shrunk(values, 4)
        return signal_of(small), small, 1, round(OF_A_PIXEL * small.size) + 2000 * job.small
    scale = {"x4": 4, "x16": 16}[job.task]
    truth = shrunk(values, 2) if scale == 4 else values
    return signal_of(shrunk(truth, scale)), truth, scale, 2500 if job.small else UP


def picture(name: str) -> np.ndarray:
    folder = "kodak" if name.startswith("kodim") else "div2k"
    return np.asarray(Image.open(data_file("images", folder, f"{name}.png")).convert("RGB"))


def volume(name: str) -> Signal:
    if name in MADE:
        return signal_of_volume(MADE[name]())
    return read_volume(data_file("volumes", f"{name}.npz"))


def made_image(name: str, size: int) -> np.ndarray:
    rng = np.random.default_rng(int(name.split()[-1]))
    return rng.integers(0, 255, (size // 8, size // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)


def made_volume(name: str, size: int) -> Signal:
    """A volume (size, size, size) of noise, drawn by the name."""
    return signal_of_volume(np.random.default_rng(list(name.encode())).normal(size=(size,) * 3))


def phantom(size: int = 80) -> np.ndarray:
    """A volume as a scanner sees it: 30 ellipsoids of different density, blurred, with noise of 0.5 %."""
    points = np.stack(np.meshgrid(*[np.linspace(-1, 1, size)] * 3, indexing="ij"), -1)
    rng = np.random.default_rng(1)
    values = np.where((points**2).sum(-1) < 0.8, 0.3, 0.0)
    for _ in range(30):
        turned = (points - rng.uniform(-0.5, 0.5, 3)) @ Rotation.random(rng=rng).as_matrix()
        inside = ((turned / rng.uniform(0.04, 0.3, 3)) ** 2).sum(-1) < 1
        values = np.where(inside, rng.uniform(0, 1), values)
    return gaussian_filter(values, 0.7) + rng.normal(scale=0.005, size=values.shape)


def turbulence(size: int = 64) -> np.ndarray:
    """A volume with the spectrum of turbulence, E(k) ~ k^(-5/3), stronger in the middle than outside."""
    rng = np.random.default_rng(2)
    k = np.sqrt(sum(axis**2 for axis in np.meshgrid(*[np.fft.fftfreq(size, 1 / size)] * 3, indexing="ij")))
    spectrum = np.fft.fftn(rng.normal(size=(size,) * 3)) * np.maximum(k, 1) ** (-11 / 6)
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, size)] * 3, indexing="ij")
    return np.fft.ifftn(spectrum).real * np.exp(-2 * (x**2 + y**2 + z**2))


MADE = {"phantom": phantom, "turbulence": turbulence}


def signal_of_volume(values: np.ndarray) -> Signal:
    return Signal(values.astype(np.float32)[..., None], Grid.of_volume(values.shape))


def shrunk(values: np.ndarray, factor: int) -> np.ndarray:
    """An image (H, W, 3) reduced to the means of blocks of factor x factor pixels."""
    height, width = (n // factor for n in values.shape[:2])
    blocks = values[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    return blocks.mean((1, 3)).round().astype(np.uint8)


def signal_of(values: np.ndarray) -> Signal:
    return Signal(values, Grid.of_image(*values.shape[:2]))


def summary(rows: list[dict[str, Any]]) -> str:
    """The means over the test signals of every network, for each task and protocol."""
    lines = []
    for task, protocol in dict.fromkeys((row["task"], row["protocol"]) for row in rows):
        tested = [r for r in rows if (r["task"], r["protocol"]) == (task, protocol) and _is_test(r)]
        lines.append(f"{task}, {protocol}")
        for model in dict.fromkeys(row["model"] for row in tested):
            some = [row for row in tested if row["model"] == model]
            shown = [f"{key} {fmean(v):.4g}" for key in SHOWN if (v := [r[key] for r in some if r.get(key)])]
            by_seed = [
                fmean(r.get("psnr", 0.0) for r in some if r["seed"] == s) for s in {r["seed"] for r in some}
            ]
            spread = f" +- {stdev(by_seed):.2f}" if len(by_seed) > 1 else ""
            lines.append(f"  {model:36} rate {some[0]['rate']:6} {', '.join(shown)}{spread} ({len(some)})")
    return "\n".join(lines)


SHOWN = ("psnr", "ssim", "psnr_edge", "noisiness", "background_std", "ms_per_step")


def _is_test(row: dict[str, Any]) -> bool:
    return row["signal"] not in (*TUNING["images"], *TUNING["volumes"], "made 0", "made 1")


if __name__ == "__main__":
    main()
