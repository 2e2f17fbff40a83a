"""The XML that an E57 file ends with, looked at before libE57 does.

libE57's parser replaces entities without end, which a few lines can ask for, and fetches what they name
from elsewhere; and it makes and frees nested elements by recursion. No E57 file needs either.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any
from xml.parsers import expat

from ..errors import UnreadableInput
from .reading import reason_of

_DEEPEST = 64
_CHECKSUM = 4
"""Bytes at the end of every page of the file."""


def check_xml(path: Path) -> None:
    """Refuse XML with a document type, in another encoding, or nested deeply. Raises UnreadableInput."""
    try:
        parser = expat.ParserCreate()
        depth = 0

        def opened(name: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth > _DEEPEST:
                raise ValueError(f"its elements are nested more than {_DEEPEST} deep")

        def closed(name: str) -> None:
            nonlocal depth
            depth -= 1

        def refused(*_: Any) -> None:
            raise ValueError("its XML has a document type")

        def declared(version: str, encoding: str | None, standalone: int) -> None:
            if (encoding or "utf-8").lower() != "utf-8":
                raise ValueError(f"its XML is encoded as {encoding}")

        parser.StartElementHandler, parser.EndElementHandler = opened, closed
        parser.StartDoctypeDeclHandler, parser.XmlDeclHandler = refused, declared
        parser.Parse(_xml(path), True)
    except (ValueError, struct.error, expat.ExpatError) as error:
        raise UnreadableInput(
            f"{path}: not an E57 file that can be read ({reason_of(error)}); copy or export it again"
        ) from error


def _xml(path: Path) -> bytes:
    """The XML without the checksums that stand in it."""
    with path.open("rb") as file:
        signature, _, _, _, start, length, page = struct.unpack("<8sIIQQQQ", file.read(48))
        size = path.stat().st_size
        if signature != b"ASTM-E57" or page != 1024 or start + length > size:
            raise ValueError("it does not begin as one, or is cut short")
        file.seek(start - start % page)
        pages = file.read(2 * length + 2 * page)
    content = b"".join(pages[k : k + page - _CHECKSUM] for k in range(0, len(pages), page))
    first = start % page
    return content[first : first + length]
