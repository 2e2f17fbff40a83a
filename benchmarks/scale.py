"""Tiled reconstruction: what its borders, its detail, its size and its failures cost.

    python benchmarks/scale.py seams copies detail -o scale.json
    python benchmarks/scale.py size --points 100_000_000 --folder /scratch/town -o size.json
    python benchmarks/scale.py size --points 100_000_000 --folder /scratch/town -o size.json --resume
    python benchmarks/scale.py workers faults errors -o runs.json
    python benchmarks/scale.py size faults -o tiny.json --small

seams: armadillo and dragon (200,000 clean points each) in at least 8 tiles, beside one field with the same
cells and one with the preset's: errors, closedness, and the errors of normals within two cells of a border
over those elsewhere; pictures of a border and of the tiles, FILE_NAME_border.png and FILE_NAME_tiles.png.
copies: nine copies of the dragon, turned by different angles, in one scan in tiles: the error of each over
that of the dragon alone in one field.
detail: the armadillo displaced by waves of six point spacings, 5 million points: tiles beside one field.
size: a town of 10 million points, or --points, made piece by piece: seconds, memory, scratch, error.
workers: the same scan on 1 and 2 workers, and on 2 of a scheduler that is reached by TCP: same bytes.
faults: SIGKILL of a worker at ten moments, and at five of a whole run, which is then resumed: same bytes.
errors: runs that cannot succeed: seconds, exit code, what they print and leave behind.

seams, copies and detail read meshes/NAME.ply of SASNET_SDF_DATA (docs/benchmarks-data.md), and seams and
copies clouds/NAME.ply where it is there; the others need no data. The memory of a run is the largest sum of
Pss over all its processes, read twice a second, so this needs Linux. `holds` says for each part whether its
limits hold; the exit code is 1 if one does not. FILE keeps the parts of earlier runs. --small runs everything
at tiny sizes, at which the limits of seams, copies and detail mean nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from common import PRESETS, circumstances
from scale_faults import errors, faults, workers
from scale_runs import Asked
from scale_surfaces import copies, detail, seams
from scale_town import size

PARTS = {part.__name__: part for part in (seams, copies, detail, size, workers, faults, errors)}


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("parts", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    cli.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.json")
    cli.add_argument("--small", action="store_true", help="tiny sizes, preset fast")
    cli.add_argument("--preset", choices=PRESETS, help="default: balanced; fast for workers, faults, errors")
    cli.add_argument("--tiles", default="auto", help="for copies, detail and size: auto, or a length")
    cli.add_argument("--workers", type=int, metavar="N")
    cli.add_argument("--points", type=int, metavar="N", help="for size and detail")
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("--folder", type=Path, metavar="DIR", help="for clouds, meshes and scratch; it is kept")
    cli.add_argument("--resume", action="store_true", help="go on with size, in the same --folder")
    options = cli.parse_args()
    if options.resume and options.folder is None:
        cli.error("--resume needs the --folder of the run that it goes on with")
    found = json.loads(options.output.read_text("utf-8")) if options.output.exists() else {}
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        for name in options.parts:
            fast = options.small or name in ("workers", "faults", "errors")
            asked = Asked(
                *(folder.resolve(), options.output.resolve(), options.small),
                *(options.preset or ("fast" if fast else "balanced"), options.tiles, options.workers),
                *(options.points, options.seed, options.resume),
            )
            facts = {**circumstances(options.seed), "small": options.small, "preset": asked.preset}
            found[name] = {**facts, **PARTS[name](asked)}
            options.output.write_text(json.dumps(found, indent=1, default=float), encoding="utf-8")
            for what, holds in found[name]["holds"].items():
                print(f"{name}: {what}: {'holds' if holds else 'DOES NOT HOLD'}", file=sys.stderr)
    raise SystemExit(not all(all(found[name]["holds"].values()) for name in options.parts))


if __name__ == "__main__":
    main()
