"""Pictures of clouds and meshes side by side, without a display or a graphics library.

    python samples/render.py samples/knot.ply surface.ply -o beside.png

All panels share the camera, which frames the last input.
"""

from __future__ import annotations

import argparse

from sasnet_sdf.io import read_geometry
from sasnet_sdf.views.render import picture


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("inputs", nargs="+")
    cli.add_argument("-o", "--output", required=True)
    cli.add_argument("--azimuth", type=float, default=-70)
    cli.add_argument("--elevation", type=float, default=22)
    cli.add_argument("--size", type=int, default=640, help="height in pixels")
    a = cli.parse_args()
    picture([read_geometry(p) for p in a.inputs], a.azimuth, a.elevation, a.size).save(a.output)


if __name__ == "__main__":
    main()
