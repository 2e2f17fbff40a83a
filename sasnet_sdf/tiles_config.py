"""Settings of tiles: how a scan is cut, and which processes work on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .errors import UsageError
from .settings import Settings, as_length, setting

INDEX = "tiles.json"
"""The file in the folder of a tiled model that says which tiles there are."""


def split_folder(output: Path) -> Path:
    """The folder for a mesh of each tile, of a run with this output."""
    return output.with_suffix("")


@dataclass(frozen=True)
class TilesConfig(Settings):
    """Scans that are larger than one field."""

    side: str | float = setting(
        "auto",
        "Cut the scan into tiles, each with a field of its own. LENGTH: the side of a tile, in the units of "
        "the input. auto: only where one field cannot hold all points or all detail.",
        option="tiles",
        form="auto|off|LENGTH",
        parse=partial(as_length, "tiles"),
    )
    workers: int | None = setting(
        None,
        "Number of processes on this machine that work on tiles.",
        option="workers",
        form="N",
        low=1,
        high=4096,
        usual="one per core, as far as memory allows",
    )
    scheduler: str | None = setting(
        None,
        "Address of a Dask scheduler, such as tcp://host:8786, whose workers do the work; they must see the "
        "scratch folder.",
        option="scheduler",
        form="ADDRESS",
        parse=str,
    )
    scratch: str | None = setting(
        None,
        "Folder for the points and the results of tiles.",
        option="scratch",
        form="DIR",
        parse=str,
        usual="OUTPUT.tiles, beside the output",
    )
    keep_scratch: bool = setting(False, "Do not delete the scratch folder at the end.", option="keep_scratch")
    split: bool = setting(
        False,
        "Write a mesh for each tile, cut at the borders, into a folder named like OUTPUT without its "
        "extension.",
        option="split",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.workers is not None and self.scheduler is not None:
            raise UsageError(
                "--workers starts processes here, but a --scheduler has workers of its own: give one of them"
            )
