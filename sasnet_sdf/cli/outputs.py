"""Files that a command will write: refused before the work starts, whole when they appear, not lost."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SasnetError, UsageError

if TYPE_CHECKING:
    from ..io.formats import Kind


def check_outputs(
    source: Path, output: Path, *others: Path | None, formats: Collection[Kind], overwrite: bool
) -> None:
    """Refuse outputs that exist (unless `overwrite`), cannot be written, or would replace each other.

    formats: the kinds of file of which `output` must be one. Raises UsageError, and UnreadableInput where
    the source is an address: then there is no folder beside it either.
    """
    from ..io import check_writable
    from ..io.files import check_address

    check_address(source)
    taken = {source.resolve(): "the input"}
    for path in (output, *others):
        if path is None:
            continue
        if path.resolve() in taken:
            raise UsageError(f"{path} is {taken[path.resolve()]} as well: choose another name")
        taken[path.resolve()] = "another output"
        check_writable(path, overwrite, *[formats] * (path is output))


def make_folder(folder: Path) -> None:
    """Make a folder, if it is not there. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made ({error.strerror or error})") from error


class Saver:
    """Writes what took long to make; what has lost its place goes into a new folder for temporary files."""

    def __init__(self) -> None:
        self._failures: list[SasnetError] = []

    def save(self, write: Callable[[Path], Any], path: Path) -> Any:
        """write(path), or write to another place; what it gives, or None."""
        try:
            return write(path)
        except SasnetError as error:
            failure = error
        try:
            elsewhere = Path(tempfile.mkdtemp(prefix="sasnet-sdf-")) / path.name
            result = write(elsewhere)
            failure = type(failure)(f"{failure}; it is in {elsewhere} instead")
        except (SasnetError, OSError):
            result = None
        self._failures.append(failure)
        return result

    def check(self, checkpoint: str | None) -> None:
        """Raise what went wrong, once everything has been tried; checkpoint: where the training is kept."""
        if not self._failures:
            return
        told = "; ".join(map(str, self._failures))
        if checkpoint is not None:
            told += f"; {checkpoint} has the training: the same command with --resume goes on from its end"
        raise type(self._failures[0])(told)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write plain values as indented JSON, at once or not at all."""
    from ..io.access import write

    write(path, "report", values)
