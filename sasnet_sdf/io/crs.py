"""The coordinate reference system that a LAS file's records give."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

_WKT, _GEOKEYS, _GEOTEXT = 2112, 34735, 34737
_PROJECTED, _GEOGRAPHIC = 3072, 2048
_CITATIONS = (3073, 1026, 2049)
_USER_DEFINED = 32767
_MODEL, _MODEL_GEOGRAPHIC = 1024, 2
_KINDS = re.compile(
    r"\b(PROJCS|PROJ(?:ECTED)?CRS|(GEOGCS|GEOG(?:RAPHIC)?CRS|GEOD(?:ETIC)?CRS)|GEOCCS|LOCAL_CS|ENG\w*CRS)\s*\["
)


class System(NamedTuple):
    """name: with its EPSG code, or None. geographic: whether x and y are longitude and latitude."""

    name: str | None = None
    geographic: bool = False


def system_of(records: Iterable[Any]) -> System:
    """By the WKT, else by the GeoTIFF keys of laspy's variable length records."""
    found = {r.record_id: r.record_data_bytes() for r in records if r.user_id == "LASF_Projection"}
    text = found.get(_WKT, b"").decode("utf-8", "replace").strip("\0 \r\n")
    if text:
        return System(_from_wkt(text), _is_geographic(text))
    if _GEOKEYS in found:
        return _from_geotiff(found[_GEOKEYS], found.get(_GEOTEXT, b""))
    return System()


def _is_geographic(text: str) -> bool:
    """By the outermost system of a WKT, or the first of a compound one: a projected one holds another.

    A geodetic one of Cartesian axes is measured from the earth's centre.
    """
    kind = _KINDS.search(text.upper())
    return bool(kind and kind[2] and not re.search(r"\bCS\s*\[\s*CARTESIAN", text.upper()))


def _from_wkt(text: str) -> str:
    """The outermost name, and the code of the authority that stands last, which is that of the whole."""
    name = re.search(r'"([^"]*)"', text)
    code = re.search(r'(?:AUTHORITY|ID)\s*\[\s*"(\w+)"\s*,\s*"?(\d+)"?\s*\]\s*\]\s*$', text)
    words = name[1] if name else text[:60]
    return f"{words} ({code[1]}:{code[2]})" if code else words


def _from_geotiff(keys: bytes, text: bytes) -> System:
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
    geographic = _GEOGRAPHIC in values and _PROJECTED not in values
    if _MODEL in values:
        geographic = values[_MODEL] == _MODEL_GEOGRAPHIC
    if name and code:
        return System(f"{name} (EPSG:{code})", geographic)
    return System(name or (f"EPSG:{code}" if code else None), geographic)
