"""Adds the filters to PyMeshLab, so that its own functions also call, list and explain them."""

from __future__ import annotations

from typing import Any

from .distance import DISTANCE
from .filters import Filter, OnProgress, silent
from .reconstruction import RECONSTRUCTION
from .versions import load

FILTERS = (RECONSTRUCTION, DISTANCE)

_replaced: list[tuple[Any, str, Any, Any]] = []
"""The changes by `register`: the owner, the name, the value before (None: missing) and the value now."""


def register(on_progress: OnProgress = silent) -> None:
    """Add the filters to PyMeshLab in this process. A second call replaces the callback.

    on_progress: called with a Progress while a filter runs. Returning False ends its training early, with
    the result so far; in any other stage it stops the filter, which raises PyMeshLabException.
    A native filter of the same name takes precedence. Raises MissingBackend without PyMeshLab.
    """
    unregister()
    pymeshlab = load()
    mesh_set = pymeshlab.MeshSet
    native_list = pymeshlab.filter_list
    native_apply, native_values = mesh_set.apply_filter, mesh_set.filter_parameter_values
    native_parameters = pymeshlab.print_filter_parameter_list

    def apply_filter(self: Any, filter_name: str, **kwargs: Any) -> dict[str, Any]:
        found = ours().get(filter_name)
        return found.apply(self, kwargs, on_progress) if found else native_apply(self, filter_name, **kwargs)

    def filter_parameter_values(self: Any, filter_name: str, /, **kwargs: Any) -> dict[str, Any]:
        found = ours().get(filter_name)
        return found.shown_values(self, kwargs) if found else native_values(self, filter_name, **kwargs)

    def filter_list() -> list[str]:
        return [*native_list(), *ours()]

    def print_filter_list() -> None:
        # not the native function, whose stream keeps its last lines until later
        print("MeshSet class - list of filter names:")
        for name in filter_list():
            print(f"\t{name}")

    def print_filter_parameter_list(filter_name: str) -> None:
        found = ours().get(filter_name)
        if found is None:
            native_parameters(filter_name)
            return
        print(f"{filter_name} filter - list of parameter names:")
        for parameter in found.parameters:
            print(f"\t{parameter.declared()}")

    for found in ours().values():
        _replace(mesh_set, found.name, _method(pymeshlab, found))
    _replace(mesh_set, "apply_filter", apply_filter)
    _replace(mesh_set, "filter_parameter_values", filter_parameter_values)
    for function in (filter_list, print_filter_list, print_filter_parameter_list):
        _replace(pymeshlab, function.__name__, function)


def ours() -> dict[str, Filter]:
    """Return the filters by name, without those that a loaded native plugin already provides."""
    native = load().pmeshlab.filter_list()  # the compiled function, which register does not touch
    return {found.name: found for found in FILTERS if found.name not in native}


def unregister() -> None:
    """Restore PyMeshLab as it was before `register`; do nothing if PyMeshLab was not changed."""
    while _replaced:
        owner, name, before, now = _replaced.pop()
        if getattr(owner, name, None) is not now:
            continue  # other code has replaced it since
        if before is None:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


def _replace(owner: Any, name: str, now: Any) -> None:
    before = getattr(owner, name, None)
    if before is not None:
        now.__doc__ = before.__doc__
    setattr(owner, name, now)
    _replaced.append((owner, name, before, now))


def _method(pymeshlab: Any, found: Filter) -> Any:
    """The filter as a method of MeshSet, made as PyMeshLab makes its own."""
    method = pymeshlab.bind_function(found.name)
    method.__doc__ = found.documentation()
    return method
