"""Coverage-guided fuzzing of the readers, where atheris is installed (pip install atheris).

    python tests/fuzz/readers.py [--seconds 60] [--suffix .ply] [--seed 1]

An input is a number, which says what file of corpus.py it is to be named after, and the file's bytes.
Exit code 77 where one raised anything but a SasnetError, hung, or took too much memory; it is then in
the folder that is named, and belongs into a test.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

SLOWEST, MEMORY, LONGEST = 30, 3000, 4096
"""Seconds, MB and bytes of an input."""

LIBRARIES = ["plyfile", "trimesh.exchange", "laspy", "nibabel", "nrrd", "tifffile", "PIL"]


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--seconds", type=int, default=60)
    words.add_argument("--runs", type=int, default=-1, help="inputs, at most")
    words.add_argument("--suffix", default="")
    words.add_argument("--seed", type=int, default=1)
    given = words.parse_args()

    # its compiled loops cannot be instrumented
    with atheris.instrument_imports(include=["sasnet_sdf.io", *LIBRARIES], exclude=["sasnet_sdf.mesh"]):
        import check
        import corpus

    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    whole, seeds, found = (folder / name for name in ("whole", "seeds", "found"))
    for part in (whole, seeds, found):
        part.mkdir()
    files = [path for path in corpus.write_all(whole) if path.name.endswith(given.suffix)]
    targets = [folder / f"input_{path.name}" for path in files]
    for number, path in enumerate(files):
        check.check(path)  # compiles, and brings what is imported late
        (seeds / path.name).write_bytes(bytes([number]) + path.read_bytes())
    print(f"{len(files)} files; what fails goes to {found}", flush=True)

    def one(data: bytes) -> None:
        if data:
            target = targets[data[0] % len(targets)]
            target.write_bytes(data[1:])
            check.check(target)

    options = {"max_total_time": given.seconds, "runs": given.runs, "seed": given.seed, "timeout": SLOWEST}
    options |= {"rss_limit_mb": MEMORY, "max_len": LONGEST, "artifact_prefix": f"{found}/"}
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(seeds)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
