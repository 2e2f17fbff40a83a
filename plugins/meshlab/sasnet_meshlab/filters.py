"""Filters: their names and parameters, and running them on a MeshSet like PyMeshLab's own filters."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np

from sasnet_sdf import PRESETS, Progress, SasnetError

from .layers import diagonal, layers_of
from .versions import length_classes, load

OnProgress = Callable[[Progress], "bool | None"]
"""A progress callback, as of sasnet_sdf.reconstruct."""


def silent(progress: Progress) -> None:
    """The default callback: does nothing."""


def help_of(setting: str) -> str:
    """Return the help of a setting of sasnet_sdf.reconstruct, without the placeholder for its value."""
    config = PRESETS["balanced"]
    for owner in (config, *(part for part in vars(config).values() if is_dataclass(part))):
        for part in fields(owner):
            if "about" in part.metadata and part.metadata["about"].option == setting:
                return re.sub(r" [NS] ", " this many ", part.metadata["about"].help)
    raise KeyError(setting)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a filter.

    kind: bool, int, float or str; enum: one of `choices`, by name or number; length: a percentage of
    the diagonal or absolute; layer: the number of a layer. default: a value; 0 for a length; for a layer,
    a function that finds it in a MeshSet. help: sentences.
    """

    name: str
    kind: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()

    def read(self, value: Any, diagonal: Callable[[], float]) -> Any:
        """Return a given value as a bool, int, float or str: an enum as its name, a length in world units.

        Raises PyMeshLabException for a value of another type, InvalidEnumException for a value that is not
        among the choices.
        """
        if self.kind == "enum":
            return self._choice(value)
        if self.kind == "length":
            percentage, pure = length_classes()
            if isinstance(value, percentage):
                return value.value() / 100 * diagonal()
            if isinstance(value, pure):
                return value.value()
            raise self._refusal(f"a pymeshlab.{percentage.__name__} or pymeshlab.{pure.__name__} object")
        expected, reader = _READERS[self.kind]
        try:
            return reader(value)
        except TypeError as error:
            raise self._refusal(expected) from error

    def parsed(self, text: str) -> Any:
        """Return the value of a text in a script, as Python would pass it; lengths are absolute."""
        if self.kind == "bool":
            return {"true": True, "false": False}.get(text.lower(), text)
        try:
            if self.kind in ("int", "layer"):
                return int(text)
            if self.kind == "enum":
                return int(text) if text.isdigit() else text
            number = float(text) if self.kind in ("float", "length") else text
        except ValueError:
            return text  # read() will report the expected type
        return length_classes()[1](number) if self.kind == "length" else number

    def shown(self, value: Any) -> Any:
        """Return a value as filter_parameter_values shows it: an enum as its number."""
        return self.choices.index(value) if self.kind == "enum" else value

    def declared(self) -> str:
        """Return name, type and default as print_filter_parameter_list prints them."""
        if self.kind == "length":
            return f"{self.name} : {length_classes()[0].__name__} = {self.default}%"
        if self.kind == "layer":
            return f"{self.name} : int = 0"
        kind = "str" if self.kind == "enum" else self.kind
        return f"{self.name} : {kind} = {self.default!r}"

    def _choice(self, value: Any) -> str:
        if isinstance(value, str):
            if value in self.choices:
                return value
            known = "; ".join(f"'{choice}'" for choice in self.choices)
            raise _invalid_enum(f"Enum '{value}' not found. Possible values are {known}; ")
        try:
            number = operator.index(value)
        except TypeError as error:
            raise self._refusal("a str or an int") from error
        if 0 <= number < len(self.choices):
            return self.choices[number]
        raise _invalid_enum(f"Enum {number} not valid. Must be a value between 0 and {len(self.choices) - 1}")

    def _refusal(self, expected: str) -> Exception:
        return load().PyMeshLabException(
            f"Parameter {self.name}: must be {expected}. Other type values are not accepted."
        )


def _bool(value: Any) -> bool:
    return bool(value) if isinstance(value, np.bool_) else bool(operator.index(value))


def _float(value: Any) -> float:
    if isinstance(value, str):  # float() accepts strings, PyMeshLab does not
        raise TypeError
    return float(value)


_READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "bool": ("a bool", _bool),
    "int": ("an int", operator.index),
    "layer": ("an int", operator.index),
    "float": ("a float", _float),
    "str": ("a str", os.fspath),
}


def _invalid_enum(message: str) -> Exception:
    """PyMeshLab's exception for enums, as a PyMeshLabException too, so that either can be caught."""
    pymeshlab = load()
    bases = (pymeshlab.InvalidEnumException, pymeshlab.PyMeshLabException)
    return type("InvalidEnumException", bases, {})(message)


Run = Callable[[Any, dict[str, Any], OnProgress], dict[str, Any]]
"""Takes the MeshSet and the parameters' values; changes the MeshSet; returns facts about the result."""


@dataclass(frozen=True)
class Filter:
    """A filter. name: the Python name. title: the name in menus and scripts. help: what it does."""

    name: str
    title: str
    help: str
    parameters: tuple[Parameter, ...]
    run: Run

    def apply(
        self, mesh_set: Any, given: Mapping[str, Any], on_progress: OnProgress = silent
    ) -> dict[str, Any]:
        """Run the filter. Raises PyMeshLabException, which leaves the layers as they were."""
        try:
            return self.run(mesh_set, self.values(mesh_set, given), on_progress)
        except SasnetError as error:
            raise load().PyMeshLabException(
                f"Failed to apply filter: {self.name}\nDetails: {error}"
            ) from error

    def values(self, mesh_set: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of every parameter, given or not. Raises PyMeshLabException for unknown ones."""
        failure = load().PyMeshLabException
        known = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in known:
                raise failure(
                    f"Parameter {name} not found for filter {self.name}. Please check the documentation."
                )
        if not list(mesh_set):
            raise failure(f"{self.name} requires at least one mesh loaded in the MeshSet.")
        values: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.name in given:
                layers = layers_of(mesh_set, values.get("visiblelayer", False))
                values[parameter.name] = parameter.read(given[parameter.name], partial(diagonal, layers))
            else:
                default = parameter.default
                values[parameter.name] = default(mesh_set) if callable(default) else default
        return values

    def shown_values(self, mesh_set: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of every parameter as MeshSet.filter_parameter_values shows them."""
        values = self.values(mesh_set, given)
        return {parameter.name: parameter.shown(values[parameter.name]) for parameter in self.parameters}

    def documentation(self) -> str:
        """Return what help() shows: each parameter with its type, default, choices and meaning."""
        lines = [self.help, "", "Parameters:"]
        for parameter in self.parameters:
            lines += [f"    {parameter.declared()}", f"        {parameter.help}"]
            if parameter.choices:
                lines.append(f"        One of {', '.join(parameter.choices)}.")
        return "\n".join(lines)
