"""The model file: named arrays and JSON in one safetensors file (docs/model-format.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from .files import atomic_write, check_file, reason_of

FORMAT, VERSION, ENTRY = "sasnet-sdf model", 1, "sasnet-sdf"
_LONGEST_HEADER, _MOST_ARRAYS = 16 << 20, 5000


def write_model(path: str | Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> None:
    """Write named arrays and plain JSON values; loading the file executes no code."""
    from safetensors.numpy import save

    document = {"format": FORMAT, "format_version": VERSION, **metadata}
    # safetensors writes an array's raw memory, which must therefore be contiguous
    tensors = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with atomic_write(path) as partial:
        # save_file of safetensors would make files that only their owner can read
        partial.write_bytes(save(tensors, metadata={ENTRY: json.dumps(document)}))


def read_model(path: str | Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the JSON values of a model file.

    Raises UnreadableInput where the file is missing, damaged, newer than this version or not a model.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    check_file(path)
    _check_header(path)
    try:
        # safetensors checks that the arrays' offsets and shapes cover the file exactly
        with safe_open(path, framework="numpy") as file:
            document = _document(file.metadata(), path)
            names = list(file.keys())
            if len(names) > _MOST_ARRAYS:
                raise ValueError(f"{len(names)} arrays, {_MOST_ARRAYS} at most are read")
            arrays = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise UnreadableInput(
            f"{path}: damaged or cut short ({reason_of(error)}); copy the file again or train anew"
        ) from error
    return arrays, document


def _check_header(path: Path) -> None:
    """Check that the first eight bytes are the length of a JSON header that fits into the file."""
    with path.open("rb") as file:
        length, brace = int.from_bytes(file.read(8), "little"), file.read(1)
    if brace != b"{" or length > _LONGEST_HEADER:
        raise UnreadableInput(f"{path}: not a {FORMAT} (expected a safetensors file)")
    if 8 + length > path.stat().st_size:
        raise UnreadableInput(f"{path}: cut short inside its header; copy the file again")


def _document(entries: Mapping[str, str] | None, path: Path) -> dict[str, Any]:
    """The JSON values of the header's entry for this format, of a known version."""
    try:
        document = json.loads((entries or {})[ENTRY])
        found, version = document.pop("format"), document.pop("format_version")
    except (KeyError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise UnreadableInput(
            f"{path}: not a {FORMAT}: its header has no readable entry {ENTRY!r}"
        ) from error
    if found != FORMAT or type(version) is not int:
        raise UnreadableInput(f"{path}: expected a {FORMAT}, found {found!r}, version {version!r}")
    if version > VERSION:
        raise UnreadableInput(
            f"{path}: expected format version {VERSION} or older, found {version}; update sasnet-sdf"
        )
    return document
