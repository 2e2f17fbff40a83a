"""`sasnet-sdf fit-image`: an image goes in, a small continuous model of it comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import FILE, Command, Session
from .signal_options import fit_options, run_fit


@click.command("fit-image", cls=Command, short_help="Turn an image into a small continuous model.")
@click.argument("source", type=FILE, metavar="IMAGE")
@fit_options
@click.make_pass_decorator(Session, ensure=True)
def command(session: Session, source: Path, **words: Any) -> None:
    """Train a network on IMAGE and write it as a model, for `sasnet-sdf render` to make images of any size.

    IMAGE is a PNG, JPEG or TIFF file of 8 or 16 bits, grey or RGB, with or without alpha. A file that
    exists is kept unless --overwrite is given.

    Ctrl-C during training ends the training and writes the model that it has (exit code 130).
    """
    run_fit(session, "image", source, **words)
