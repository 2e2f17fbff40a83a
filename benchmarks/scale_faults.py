"""Runs in tiles on one, two and remote workers, with processes killed, and with errors; for scale.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from socket import socket
from typing import Any

import numpy as np
from scale_runs import (
    Asked,
    Outcome,
    digest,
    family,
    is_worker,
    kill,
    reconstruct,
    reconstruct_words,
    run,
    tell,
)
from scale_shapes import Displaced, Town

from sasnet_sdf import PointCloud
from sasnet_sdf.io import write_cloud

SIDE = "1.1"
"""The side of a tile: a sphere of radius 1 has eight."""

FASTER = 1.6
"""The least speedup of the tiles with two workers over one."""

HERE = ("--host", "127.0.0.1", "--no-dashboard")


def workers(asked: Asked) -> dict[str, Any]:
    """The same scan on one worker, on two, and on two of a scheduler that is reached by TCP.

    The scan is a town of one layer of tiles. In a scan of eight tiles that all touch, as of a ball, no two
    tiles can be meshed at the same time, and a second worker helps less.
    """
    town, source, rows = Town(40_000 if asked.small else 1_200_000), asked.folder / "streets.ply", []
    pieces = list(town.pieces())
    points, normals = (np.concatenate([getattr(p, name) for p in pieces]) for name in ("points", "normals"))
    write_cloud(source, PointCloud(points, normals))
    side = "22" if asked.small else "13"

    def row(label: str, *options: str, more: Sequence[int] = ()) -> None:
        output = asked.folder / f"{label.replace(' ', '_')}.ply"
        words = [*asked.options(workers=False), "--tiles", side, *options]
        made = reconstruct(source, output, *words, more=more)
        rows.append({"workers": label, "sha256": digest(output), "run": made})
        tell(f"workers {label}", seconds=made["seconds"], tile_seconds=made["stages"]["training"])

    for count in ("1", "2"):
        row(f"{count} here", "--workers", count)
    with dask_cluster(asked.folder, count=2) as (address, pids):
        row("2 by TCP", "--scheduler", address, more=pids)
    one, two, _ = (found["run"]["stages"]["training"] for found in rows)
    same, ratio = len({found["sha256"] for found in rows}) == 1, one / two
    holds = {"same bytes": same, f"two workers >= {FASTER} times as fast": asked.small or ratio >= FASTER}
    return {"rows": rows, "tile_seconds_ratio": ratio, "holds": holds}


def faults(asked: Asked) -> dict[str, Any]:
    """A worker killed at random moments, and whole runs that are killed and resumed: the bytes stay the same.

    Moments are drawn from the time in which a run without faults has workers.
    """
    source, output = _scan(asked, 15_000 if asked.small else 50_000), asked.folder / "faults.ply"
    scratch = Path(f"{output}.tiles")
    words = reconstruct_words(source, output, *asked.options(), "--tiles", SIDE)
    run(words, scratch)  # compiles
    plain = run(words, scratch)
    if plain.code or plain.worked is None:
        raise SystemExit(f"faults: the run without faults failed: {plain.errors}")
    right, rng, rows = digest(output), np.random.default_rng(asked.seed), []
    first, last = plain.worked
    of_workers, of_runs = (1, 1) if asked.small else (10, 5)

    def row(killed: str, moment: float, victims: int, outcome: Outcome) -> None:
        same = outcome.code == 0 and output.exists() and digest(output) == right
        left = [*outcome.left, *[scratch.name] * scratch.exists()]
        facts = {"killed": killed, "moment": moment, "victims": victims, "code": outcome.code, "same": same}
        costs = {"seconds": outcome.seconds, "peak_pss_bytes": outcome.peak_pss}
        rows.append({**facts, **costs, "errors": outcome.errors, "left": left})
        tell(f"faults {killed}", moment=moment, victims=victims, code=outcome.code, same=same)
        if outcome.errors:
            print(outcome.errors, file=sys.stderr, flush=True)

    while sum(found["victims"] > 0 for found in rows) < of_workers:  # some come when the run has ended
        moment = rng.uniform(first, last)
        output.unlink(missing_ok=True)
        strike = Strike(moment, lambda members: [rng.choice(some)] if (some := _workers_of(members)) else [])
        outcome = run(words, scratch, strike)
        row("worker", moment, strike.victims, outcome)
    while sum(found["killed"] == "run" for found in rows) < of_runs:
        moment = rng.uniform(first, last)
        output.unlink(missing_ok=True)
        strike = Strike(moment, lambda members: members)
        broken = run(words, scratch, strike)
        if broken.code == 0:
            row("run, too late", moment, 0, broken)
            continue
        row("run", moment, strike.victims, run([*words, "--resume"], scratch))
        rows[-1]["left"] += broken.left
    held = {
        "same bytes": all(found["same"] for found in rows),
        "nothing left": not any(found["left"] for found in rows),
    }
    return {"plain_seconds": plain.seconds, "sha256": right, "rows": rows, "holds": held}


class Strike:
    """Kills processes of a run at a moment, in seconds after its start.

    choose: which of its processes; called until there are some, or the run has ended.
    """

    def __init__(self, moment: float, choose: Callable[[list[Any]], Sequence[Any]]):
        self.victims = 0
        self._moment, self._choose = moment, choose

    def __call__(self, process: subprocess.Popen[str]) -> None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(self._moment)
        while process.poll() is None and not self.victims:
            chosen = self._choose(family(process.pid))
            kill(chosen)
            self.victims = len(chosen)
            time.sleep(0.05)


def _workers_of(members: Sequence[Any]) -> list[Any]:
    return [member for member in members if is_worker(member)]


def errors(asked: Asked) -> dict[str, Any]:
    """Runs that cannot succeed: each ends with an exit code and one line, and leaves nothing behind."""
    source, rows = _scan(asked, 15_000), []
    place = asked.folder / "errors"
    place.mkdir(exist_ok=True)

    def row(case: str, *options: str, output: Path = place / "surface.ply") -> None:
        before = set(place.rglob("*"))
        words = reconstruct_words(source, output, *asked.options(workers=False), "--tiles", SIDE, *options)
        outcome = run(words, limit=240)
        new = sorted(str(path.relative_to(place)) for path in set(place.rglob("*")) - before)
        lines = outcome.errors.splitlines()
        told = any("--resume" in line for line in lines)  # then what is left is meant to be
        good = 0 < outcome.code < 128 and len(lines) == 1 and not outcome.left and (told or not new)
        facts = {"case": case, "code": outcome.code, "seconds": outcome.seconds, "good": good}
        more = {"stderr": lines, "left": outcome.left, "files_left": new[:20]}
        rows.append({**facts, **more, "peak_pss_bytes": outcome.peak_pss})
        tell(f"errors {case}", code=outcome.code, seconds=outcome.seconds, good=good)

    with socket() as closed, socket() as silent:
        closed.bind(("127.0.0.1", 0))
        row("scheduler: nobody listens", "--scheduler", f"tcp://127.0.0.1:{closed.getsockname()[1]}")
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        row("scheduler: silent", "--scheduler", f"tcp://127.0.0.1:{silent.getsockname()[1]}")
    (place / "file").write_text("a file")
    row("scratch: a file", "--scratch", str(place / "file"))
    row("scratch: below a file", "--scratch", str(place / "file" / "folder"))
    row("scratch: in /proc", "--scratch", "/proc/self/scratch")
    for case, size, readonly in (("read-only", "1m", True), ("full", "256k", False)):
        with ExitStack() as stack:
            try:
                disk = stack.enter_context(_disk(place / "disk", size, readonly))
            except (OSError, subprocess.CalledProcessError) as error:
                rows.append({"case": f"disk: {case}", "skipped": f"no file system can be mounted ({error})"})
                continue
            row(f"scratch: {case} disk", "--scratch", str(disk / "scratch"))
            row(f"output: {case} disk", output=disk / "surface.ply")
    old = asked.folder / "old" / "sasnet_sdf-0.0.1.dist-info"
    old.mkdir(parents=True, exist_ok=True)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: sasnet-sdf\nVersion: 0.0.1\n", "utf-8")
    with dask_cluster(asked.folder, 1, {"PYTHONPATH": str(old.parent)}) as (address, _):
        row("worker of another version", "--scheduler", address)
    held = all(found.get("good", True) for found in rows)
    return {"rows": rows, "holds": {"one line, an exit code, nothing left": held}}


@contextmanager
def _disk(folder: Path, size: str, readonly: bool) -> Iterator[Path]:
    """A file system of a size in memory, for the block. Raises CalledProcessError or OSError."""
    folder.mkdir(exist_ok=True)
    options = f"size={size}{',ro' if readonly else ''}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


@contextmanager
def dask_cluster(
    folder: Path, count: int, of_workers: dict[str, str] | None = None
) -> Iterator[tuple[str, list[int]]]:
    """The address of a scheduler with `count` workers, as users start them, and the process ids of both.

    of_workers: variables in the environment of the workers.
    """
    file, dask = folder / "scheduler.json", [sys.executable, "-m", "dask"]
    file.unlink(missing_ok=True)
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": str(folder)}
    started: list[subprocess.Popen[Any]] = []
    try:
        words = [*dask, "scheduler", "--scheduler-file", str(file), *HERE, "--port", "0"]
        started.append(subprocess.Popen(words, **quiet))
        address = _await(lambda: json.loads(file.read_text())["address"], "the Dask scheduler")
        words = [*dask, "worker", address, *HERE, "--nthreads", "1", "--nworkers", str(count)]
        words += ["--memory-limit", "0", "--local-directory", str(folder)]
        started.append(subprocess.Popen(words, env={**os.environ, **(of_workers or {})}, **quiet))
        _await(lambda: _there(address, count), "the Dask workers")
        yield address, [process.pid for process in started]
    finally:
        for process in started:
            kill(family(process.pid))
            process.wait()


def _there(address: str, count: int) -> bool:
    """Whether a scheduler has so many workers."""
    from sasnet_sdf.runtime.system import require

    with require("distributed", "tiles", "the benchmark").Client(address, set_as_default=False) as client:
        return len(client.scheduler_info(n_workers=-1)["workers"]) >= count


def _await(done: Callable[[], Any], what: str, limit: float = 120.0) -> Any:
    """The first true value that `done` returns; while it fails, it is asked again."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        with suppress(OSError, ValueError, KeyError):
            if found := done():
                return found
        time.sleep(0.2)
    raise SystemExit(f"{what} did not start in {limit:.0f} seconds")


def _scan(asked: Asked, count: int) -> Path:
    """A file of points of a sphere with waves."""
    source = asked.folder / f"ball_{count}.ply"
    if not source.exists():
        write_cloud(source, Displaced.ball(count).cloud(count))
    return source
