"""The name of the coordinate reference system that a LAS file's records give."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import Any

_WKT, _GEOKEYS, _GEOTEXT = 2112, 34735, 34737
_PROJECTED, _GEOGRAPHIC = 3072, 2048
_CITATIONS = (3073, 1026, 2049)
_USER_DEFINED = 32767


def name_of(records: Iterable[Any]) -> str | None:
    """Name and EPSG code by the WKT, else by the GeoTIFF keys of laspy's variable length records."""
    found = {r.record_id: r.record_data_bytes() for r in records if r.user_id == "LASF_Projection"}
    text = found.get(_WKT, b"").decode("utf-8", "replace").strip("\0 \r\n")
    if text:
        return _from_wkt(text)
    if _GEOKEYS in found:
        return _from_geotiff(found[_GEOKEYS], found.get(_GEOTEXT, b""))
    return None


def _from_wkt(text: str) -> str:
    """The outermost name, and the code of the authority that stands last, which is that of the whole."""
    name = re.search(r'"([^"]*)"', text)
    code = re.search(r'(?:AUTHORITY|ID)\s*\[\s*"(\w+)"\s*,\s*"?(\d+)"?\s*\]\s*\]\s*$', text)
    words = name[1] if name else text[:60]
    return f"{words} ({code[1]}:{code[2]})" if code else words


def _from_geotiff(keys: bytes, text: bytes) -> str | None:
    """Four 16-bit numbers a key: which, where its value stands (0: here), how many, value or place."""
    words = [struct.unpack_from("<4H", keys, start) for start in range(8, len(keys) - 7, 8)]
    values = {key: value for key, place, _, value in words if place == 0}
    texts = {
        key: text[value : value + count].decode("ascii", "replace").strip("|\0 ")
        for key, place, count, value in words
        if place == _GEOTEXT
    }
    code = next((values[k] for k in (_PROJECTED, _GEOGRAPHIC) if 0 < values.get(k, 0) < _USER_DEFINED), None)
    name = next((texts[k] for k in _CITATIONS if texts.get(k)), None)
    if name and code:
        return f"{name} (EPSG:{code})"
    return name or (f"EPSG:{code}" if code else None)
