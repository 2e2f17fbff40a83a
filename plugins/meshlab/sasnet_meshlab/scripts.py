"""Filter scripts of MeshLab (.mlx) that mix these filters with native ones."""

from __future__ import annotations

import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from sasnet_sdf import UnreadableInput

from .filters import Filter, OnProgress, silent
from .registration import ours

HEAD = "<!DOCTYPE FilterScript>\n"

COMMAND = "command"
"""A parameter that only the plugin for the desktop MeshLab has: the program that it runs."""


def apply_filter_script(mesh_set: Any, path: str | Path, on_progress: OnProgress = silent) -> None:
    """Run the filters of a script one after another; works without `register`.

    A script names these filters as in MeshLab or as in Python. PyMeshLab runs all other filters, and the
    MeshSet's own script then holds only the last consecutive group of them. Raises UnreadableInput for a file
    that is not a filter script, PyMeshLabException where a filter fails.
    """
    for found, elements in groupby(_filters(Path(path)), key=_filter_of):
        if found is None:
            _apply_native(mesh_set, list(elements))
        else:
            for element in elements:
                found.apply(mesh_set, _parameters(found, element), on_progress)


def _filters(path: Path) -> list[ElementTree.Element]:
    """The elements of a script, one for each filter."""

    def refuse(*_: Any) -> None:
        raise UnreadableInput(f"{path}: declares entities, which no filter script needs")

    try:
        text = path.read_bytes()
        checked = expat.ParserCreate()
        checked.EntityDeclHandler = refuse  # entities could grow without bound, or name other files
        checked.Parse(text, True)
        root = ElementTree.fromstring(text)
    except (OSError, expat.ExpatError, ElementTree.ParseError) as error:
        raise UnreadableInput(f"{path}: not a filter script of MeshLab ({error})") from error
    if root.tag != "FilterScript":
        raise UnreadableInput(f"{path}: not a filter script of MeshLab, but a document {root.tag!r}")
    return list(root)


def _filter_of(element: ElementTree.Element) -> Filter | None:
    name = element.get("name")
    return next((found for found in ours().values() if name in (found.title, found.name)), None)


def _parameters(found: Filter, element: ElementTree.Element) -> dict[str, Any]:
    """The parameters of a filter's element as Python would pass them; unknown ones as text."""
    known = {parameter.name: parameter for parameter in found.parameters}
    given: dict[str, Any] = {}
    for child in element:
        if child.get("name") == COMMAND:
            continue
        name, text = child.get("name", "").lower(), child.get("value", "")
        if name in known:
            # the number of an enum is its index in the list of the plugin that wrote the script
            text = child.get(f"enum_val{text}", text)
        given[name] = known[name].parsed(text) if name in known else text
    return given


def _apply_native(mesh_set: Any, elements: list[ElementTree.Element]) -> None:
    root = ElementTree.Element("FilterScript")
    root.extend(elements)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "native.mlx"
        script.write_text(HEAD + ElementTree.tostring(root, encoding="unicode"), encoding="utf-8")
        mesh_set.load_filter_script(str(script))
        mesh_set.apply_filter_script()
