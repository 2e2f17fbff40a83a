"""The sample spacing of a TIFF stack and its unit, from ImageJ's and OME's metadata."""

from __future__ import annotations

import math
import re
from typing import Any

from ..errors import printable

_METERS = {"nm": 1e-9, "um": 1e-6, "mm": 1e-3, "cm": 1e-2, "inch": 0.0254, "m": 1.0}
_OTHER_NAMES = {
    "um": ("\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m", "micron", "microns", "micrometer"),
    **{unit: (name, f"{name}s") for unit, name in (("nm", "nanometer"), ("m", "meter"))},
    **{unit: (name, f"{name}s") for unit, name in (("mm", "millimeter"), ("cm", "centimeter"))},
    "inch": ("in", "inches"),
    "": ("pixel", "pixels", "reference frame", "unknown", "none", "null"),
}
_UNITS = {name: unit for unit, names in _OTHER_NAMES.items() for name in names}
_IN_NIFTI = {"um": "micron", "mm": "mm", "m": "meter"}
_IN_OME = {"um": "\N{MICRO SIGN}m", "inch": "in"}


def spacing_of(tif: Any) -> tuple[list[float], dict[str, Any], list[str]]:
    """Lengths (3,) between pages, rows and columns, the header that keeps their unit, and notes.

    The sign of negative lengths is ignored, as in ImageJ; invalid lengths become 1.
    """
    program, lengths, words = _said(tif)
    spacing, notes, units = [], [], [_unit(word) for word in words]
    for axis, length in zip("zyx", lengths, strict=True):
        usable = math.isfinite(length) and length != 0
        spacing.append(abs(length) if usable else 1.0)
        if not usable:
            notes.append(f"has no spacing along {axis}: taken as 1")
        elif length < 0:
            notes.append(f"its spacing along {axis} is negative, {length:g}: read as {-length:g}")
    unit = units[2]
    if len(set(units)) > 1:
        named = ", ".join(f"{axis} {unit or 'none'}" for axis, unit in zip("zyx", units, strict=True))
        different = f"its axes have different units ({named})"
        if not all(unit in _METERS for unit in units):
            return spacing, {}, [*notes, f"{different}: lengths are kept"]
        spacing = [s * (_METERS[u] / _METERS[unit]) for s, u in zip(spacing, units, strict=True)]
        notes.append(f"{different}: all become {unit}")
    if not unit:
        return spacing, {}, notes
    in_nifti = {"units": [_IN_NIFTI[unit], "unknown"]} if unit in _IN_NIFTI else {}
    return (
        spacing,
        {"space units": [unit] * 3, **in_nifti},
        [*notes, f"lengths are in {unit}, as {program} says"],
    )


def ome_units(header: dict[str, Any]) -> dict[str, str]:
    """The unit of a volume's lengths in OME's notation; empty where its header has none."""
    words = header.get("space units") or header.get("units", [])[:1]
    units = {_unit(word) for word in words}
    unit = units.pop() if len(units) == 1 else ""
    return {f"PhysicalSize{axis}Unit": _IN_OME.get(unit, unit) for axis in "XYZ"} if unit in _METERS else {}


def _said(tif: Any) -> tuple[str, list[float], list[Any]]:
    """The program that wrote the spacing, and the lengths and units of z, y and x."""
    if tif.is_ome:
        import tifffile

        image = tifffile.xml2dict(tif.ome_metadata)["OME"]["Image"]
        pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
        names = [f"PhysicalSize{axis}" for axis in "ZYX"]
        units = [pixels.get(f"{name}Unit", "") for name in names if name in pixels]
        if not units:
            return "OME", [1.0] * 3, [""] * 3
        # an axis without a length has the unit of the others
        units = [pixels.get(f"{name}Unit", "") if name in pixels else units[-1] for name in names]
        return "OME", [_length(pixels.get(name)) for name in names], units
    if tif.is_imagej:
        tags, said = tif.pages[0].tags, tif.imagej_metadata or {}
        ratios = [tags.valueof(code, (1, 1)) for code in (283, 282)]
        lengths = [_length(said.get("spacing", 1.0)), *(b / a if a else math.nan for a, b in ratios)]
        unit = said.get("unit", "")
        return "ImageJ", lengths, [said.get("zunit", unit), said.get("yunit", unit), unit]
    return "", [1.0] * 3, [""] * 3


def _unit(word: Any) -> str:
    """A unit by its name in this module; ImageJ escapes letters outside ASCII."""
    word = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), str(word)).strip()
    return _UNITS.get(word.lower(), printable(word[:40]))


def _length(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
