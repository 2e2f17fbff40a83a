"""Files that a command will write: refused before the work starts, whole when they appear."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import UsageError


def check_outputs(source: Path, *outputs: Path | None, overwrite: bool) -> None:
    """Refuse outputs that exist (unless `overwrite`), cannot be written, or would replace each other.

    Raises UsageError.
    """
    from ..io import check_writable

    taken = {source.resolve(): "the input"}
    for path in outputs:
        if path is None:
            continue
        if path.resolve() in taken:
            raise UsageError(f"{path} is {taken[path.resolve()]} as well: choose another name")
        taken[path.resolve()] = "another output"
        check_writable(path, overwrite)


def make_folder(folder: Path) -> None:
    """Make a folder, if it is not there. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made ({error.strerror or error})") from error


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write plain values as indented JSON, at once or not at all."""
    from ..io import atomic_write

    with atomic_write(path) as partial:
        Path(partial).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
