"""Whether the cells of the masks' grid show in an enlarged image.

    python benchmarks/blocking.py
    python benchmarks/blocking.py --picture kodim07 --finest 8 32

Linear interpolation of the grid's features makes masks that have a kink at each border of a cell. An image
reduced to a quarter, from SASNET_SDF_DATA (docs/benchmarks-data.md), is fitted with one level of so many
vertices along a side and rendered at 2 and at 16 times the size. `kinks` is the mean size of the second
difference across the borders of cells, divided by that between them: 1 means that no border shows.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import table
from signals_data import image_of, picture, shrunk, squares

from sasnet_sdf import fit_image

SCALES = (2, 16)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--picture", default="kodim23", metavar="NAME")
    cli.add_argument("--finest", nargs="+", type=int, default=(8, 16, 32), metavar="N")
    cli.add_argument("--steps", type=int, default=1500)
    cli.add_argument("--small", action="store_true", help="a made-up picture")
    options = cli.parse_args()
    values = squares("made 0", 64) if options.small else picture(options.picture)
    signal = image_of((shrunk(values, 4) / 255).astype(np.float32))  # rendered without rounding
    size, rows = max(4000, round(0.25 * signal.values.size)), []
    for finest in options.finest:
        for masked in ("last", "all"):
            for interpolation in ("linear", "smoothstep"):
                grid = f"grid.levels=1:grid.coarsest={finest}:grid.finest={finest}:grid.log2_table=12"
                model = f"sasnet:masked={masked}:{grid}:grid.interpolation={interpolation}"
                fitted = fit_image(signal, model=model, parameters=size, steps=options.steps, batch=4096)
                assert fitted.report is not None
                shown = [f"{kinks(fitted.render(scale=s).values, finest):.2f}" for s in SCALES]
                quality = f"{fitted.report['metrics']['psnr']:.2f}"
                rows.append([str(finest), masked, interpolation, quality, *shown])
    columns = ["vertices", "masked", "interpolation", "PSNR", *(f"kinks at {s} x" for s in SCALES)]
    print(table(columns, rows), end="")


def kinks(values: np.ndarray, finest: int) -> float:
    """The mean second difference along x at the borders of the grid's cells, over that elsewhere."""
    height, width = values.shape[:2]
    bends = np.abs(np.diff(values.astype(np.float64), n=2, axis=1)).mean((0, 2))
    side = max(height, width)  # the unit square's, in pixels; the image is in its middle
    centers = np.arange(1, width - 1) + 0.5 + (side - width) / 2
    across = centers / side * (finest - 1) + 0.5  # a border lies at each whole number
    pixel = (finest - 1) / side
    at_border = np.abs(across - across.round()) <= pixel / 2
    return float(bends[at_border].mean() / bends[~at_border].mean())


if __name__ == "__main__":
    main()
