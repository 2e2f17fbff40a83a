"""`sasnet-sdf fit-volume`: a volume goes in, a small continuous model of it comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import FILE, Command, Session
from .signal_options import fit_options, run_fit


@click.command("fit-volume", cls=Command, short_help="Turn a volume into a small continuous model.")
@click.argument("source", type=FILE, metavar="VOLUME")
@fit_options
@click.make_pass_decorator(Session, ensure=True)
def command(session: Session, source: Path, **words: Any) -> None:
    """Train a network on VOLUME and write it as a model, for `sasnet-sdf render`.

    VOLUME is an NPY file, an NPZ file with `volume` and `spacing`, a TIFF stack, NIfTI or NRRD, of any
    numbers. A file that exists is kept unless --overwrite is given.

    \b
    NIfTI and NRRD need pip install "sasnet-sdf[volumes]".

    Ctrl-C during training ends the training and writes the model that it has (exit code 130).
    """
    run_fit(session, "volume", source, **words)
