"""Coverage-guided fuzzing of every reader, where atheris is installed (pip install atheris).

    python tests/fuzz/readers.py [--seconds 60] [--suffix .ply] [--seed 1]

Each format starts from the small whole files of corpus.py, in a process of its own, for its share of the
seconds. Exit code 1 where an input raised anything but a SasnetError, hung, or took too much memory; the
inputs are then in a folder that is named, and belong into a test.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import corpus

SLOWEST, MEMORY, LONGEST = 30, 3000, 4096
"""Seconds, MB and bytes of an input."""


def main() -> int:
    words = argparse.ArgumentParser()
    words.add_argument("--seconds", type=int, default=60)
    words.add_argument("--suffix")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.child:
        return fuzz(*given.child, given)
    from sasnet_sdf.io.atomic import suffix_of

    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    (folder / "whole").mkdir()
    starts: dict[str, list[Path]] = {}
    for path in corpus.write_all(folder / "whole"):
        starts.setdefault(suffix_of(path), []).append(path)
    starts = {name: paths for name, paths in starts.items() if given.suffix in (None, name)}
    for name, paths in starts.items():
        for part in ("seeds", "found"):
            (folder / part / name).mkdir(parents=True)
        for path in paths:
            shutil.copy(path, folder / "seeds" / name)
    failed = [name for name in starts if not _passed(name, folder, given, len(starts))]
    if failed:
        print(f"failed: {' '.join(failed)}; the inputs are in {folder / 'found'}")
        return 1
    shutil.rmtree(folder)
    return 0


def _passed(name: str, folder: Path, given: argparse.Namespace, formats: int) -> bool:
    started = time.perf_counter()
    share = ["--seconds", str(max(1, given.seconds // formats)), "--seed", str(given.seed)]
    command = [sys.executable, __file__, "--child", name, str(folder), *share]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    runs = [line for line in done.stderr.splitlines() if line.startswith("Done ")]
    print(f"{name}: {runs[-1] if runs else 'failed'} ({time.perf_counter() - started:.0f} s)", flush=True)
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-4000:], sep="\n")
    return done.returncode == 0


def fuzz(name: str, folder: str, given: argparse.Namespace) -> int:
    """Fuzz the readers of one extension; libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(
        include=[
            "sasnet_sdf.io",
            "plyfile",
            "trimesh.exchange",
            "laspy",
            "nibabel",
            "nrrd",
            "tifffile",
            "PIL",
        ]
    ):
        import check
    seeds, found = (Path(folder, part, name) for part in ("seeds", "found"))
    for path in seeds.iterdir():
        check.check(path)  # compiles, and brings what is imported late
    target = Path(folder, f"input{name}")

    def one(data: bytes) -> None:
        target.write_bytes(data)
        check.check(target)

    options = {
        "max_total_time": given.seconds,
        "seed": given.seed,
        "timeout": SLOWEST,
        "rss_limit_mb": MEMORY,
    }
    options |= {"max_len": LONGEST, "artifact_prefix": f"{found}/", "print_final_stats": 0}
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(seeds)], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
