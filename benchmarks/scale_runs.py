"""Runs of the command line as processes whose memory, scratch files and workers are watched; for scale.py.

Needs Linux: the memory of a run is the sum over all its processes of Pss, in which pages that several
processes share count once (/proc/PID/smaps_rollup).
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

INTERVAL = 0.5
"""Seconds between two looks at the processes of a run."""

LIMIT = 24 * 3600.0
"""Seconds after which a run counts as hanging, unless it is given another limit."""

TOOL = (sys.executable, "-m", "sasnet_sdf")

Meddle = Callable[[subprocess.Popen[str]], object]
"""Called with the process of a run that has begun; may kill it or its descendants."""


@dataclass(frozen=True)
class Outcome:
    """What a run did and took.

    seconds: wall-clock. code: its exit code. errors: what it wrote to stderr. peak_pss, peak_scratch: the
    most bytes of memory of all its processes, and of its scratch folder. worked: seconds after its start
    when a worker was seen first and last; None if there was none. left: command lines of its processes that
    were still running after its end.
    """

    seconds: float
    code: int
    errors: str
    peak_pss: int
    peak_scratch: int
    worked: tuple[float, float] | None
    left: list[str]


class Watch(threading.Thread):
    """Looks at a process and its descendants every INTERVAL seconds until `stop`.

    more: ids of other processes that belong to the run, with their descendants.
    """

    def __init__(self, pid: int, scratch: Path | None, more: Sequence[int] = ()):
        super().__init__(daemon=True)
        self.peak_pss = self.peak_scratch = 0
        self.worked: tuple[float, float] | None = None
        self.seen: dict[int, psutil.Process] = {}
        self._pids, self._scratch, self._end = (pid, *more), scratch, threading.Event()
        self._begun = time.perf_counter()

    def run(self) -> None:
        while not self._end.wait(INTERVAL):
            members = [member for pid in self._pids for member in family(pid)]
            self.seen |= {member.pid: member for member in family(self._pids[0])}
            self.peak_pss = max(self.peak_pss, sum(pss(member.pid) for member in members))
            if any(map(is_worker, members)):
                now = time.perf_counter() - self._begun
                self.worked = (self.worked[0] if self.worked else now, now)
            if self._scratch is not None:
                self.peak_scratch = max(self.peak_scratch, size_of(self._scratch))

    def stop(self) -> None:
        """End the thread."""
        self._end.set()
        self.join()

    def left(self) -> list[str]:
        """The command lines of the processes seen that still run after three seconds; they are killed."""
        _, alive = psutil.wait_procs(self.seen.values(), timeout=3)
        found = []
        for member in alive:
            with suppress(psutil.Error):
                if member.is_running() and member.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(member.cmdline())[:200])
        kill(alive)
        return found


def run(
    words: Sequence[str],
    scratch: Path | None = None,
    meddle: Meddle | None = None,
    more: Sequence[int] = (),
    limit: float = LIMIT,
) -> Outcome:
    """Run a program to its end, or for `limit` seconds, after which it is killed.

    scratch: the folder whose size is watched. more: ids of processes elsewhere that work for the run.
    """
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as told:
        # not a pipe: a process that is left over would keep it open
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=told, text=True)
        watch = Watch(process.pid, scratch, more)
        watch.start()
        late = ""
        try:
            if meddle is not None:
                meddle(process)
            process.wait(limit)
        except subprocess.TimeoutExpired:
            late = f"\nkilled after {limit:.0f} seconds"
        finally:
            kill(family(process.pid))
            process.wait()
            watch.stop()
        seconds = time.perf_counter() - start
        told.seek(0)
        errors = (told.read() + late).strip()
    found = (watch.peak_pss, watch.peak_scratch, watch.worked, watch.left())
    return Outcome(seconds, process.returncode, errors, *found)


def family(pid: int) -> list[psutil.Process]:
    """A process and all its descendants, workers in a session of their own too; empty if it has ended."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def is_worker(process: psutil.Process) -> bool:
    """Whether a process is a worker, which Dask's nanny starts through multiprocessing."""
    with suppress(psutil.Error):
        return any("multiprocessing.spawn" in word for word in process.cmdline())
    return False


def kill(members: Sequence[psutil.Process]) -> None:
    """Kill processes at one moment: they are suspended first, so that none reacts to the end of another."""
    for act in (psutil.Process.suspend, psutil.Process.kill):
        for member in members:
            with suppress(psutil.Error):
                act(member)


def pss(pid: int) -> int:
    """The proportional set size of a process in bytes; 0 if it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def size_of(folder: Path) -> int:
    """The bytes of all files in a folder, which may change meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += Path(place, name).stat().st_size
    return total


@dataclass(frozen=True)
class Asked:
    """What scale.py was asked for.

    folder: for clouds, meshes and scratch. output: the file of results. small: tiny sizes. tiles: "auto" or a
    length. points: number of points; None: the default of the part.
    """

    folder: Path
    output: Path
    small: bool = False
    preset: str = "balanced"
    tiles: str = "auto"
    workers: int | None = None
    points: int | None = None
    seed: int = 0
    resume: bool = False

    def options(self, *, workers: bool = True) -> list[str]:
        """The options of each run; workers: with their number, if it was given."""
        count = ["--workers", str(self.workers)] if workers and self.workers else []
        brief = ["--steps", "50"] if self.small else []
        return ["--preset", self.preset, "--seed", str(self.seed), *count, *brief]


def reconstruct_words(source: Path, output: Path, *options: str) -> list[str]:
    """The command that reconstructs a scan; its report is written beside the output."""
    words = [*TOOL, "reconstruct", str(source), "-o", str(output), "--overwrite", "-q"]
    return [*words, "--report", str(output.with_suffix(".json")), *options]


def reconstruct(source: Path, output: Path, *options: str, more: Sequence[int] = ()) -> dict[str, Any]:
    """Figures of one reconstruction. more: ids of processes elsewhere that work for it.

    Raises SystemExit with its message if it fails.
    """
    words = reconstruct_words(source, output, *options)
    return figures(run(words, Path(f"{output}.tiles"), more=more), output)


def figures(outcome: Outcome, output: Path) -> dict[str, Any]:
    """The costs of a run and what its report says. Raises SystemExit with its message if it failed."""
    if outcome.code:
        raise SystemExit(f"{output.name}: exit code {outcome.code}: {outcome.errors[-2000:]}")
    report = json.loads(output.with_suffix(".json").read_text("utf-8"))
    return {
        "seconds": outcome.seconds,
        "stages": report["seconds"],
        "peak_pss_bytes": outcome.peak_pss,
        "peak_scratch_bytes": outcome.peak_scratch,
        "points": report["input"]["points"],
        "used_points": report["input"]["used_points"],
        **{name: report[name] for name in ("settings", "extraction", "trim", "notes", "warnings")},
        "tiles": report.get("tiles", []),
        "left": outcome.left,
    }


def tell(what: str, **numbers: float) -> None:
    """Print one line of progress."""
    print(what, *(f"{name}={value:.4g}" for name, value in numbers.items()), file=sys.stderr, flush=True)


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        found = hashlib.sha256()
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()
