"""What every reader asks of a file before it looks inside."""

from __future__ import annotations

from pathlib import Path

from ..errors import UnreadableInput


def check_file(path: Path) -> None:
    """Refuse what is missing, a folder, locked or empty. Raises UnreadableInput."""
    try:
        if not path.exists():
            raise UnreadableInput(f"{path}: no such file")
        if path.is_dir():
            raise UnreadableInput(f"{path}: is a folder, not a file")
        with path.open("rb") as file:
            first = file.read(1)
    except PermissionError as error:
        raise UnreadableInput(f"{path}: no permission to read it") from error
    except OSError as error:
        raise UnreadableInput(f"{path}: cannot be opened ({error.strerror or error})") from error
    if not first:
        raise UnreadableInput(f"{path}: the file is empty")


def text_of(path: Path) -> str:
    """The text of a file. Raises UnreadableInput where it is binary."""
    data = path.read_bytes()
    if b"\0" in data[:4096]:
        raise UnreadableInput(f"{path}: not a text file, as the extension {path.suffix} says")
    return data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
