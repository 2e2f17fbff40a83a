"""Parameters of filters: their types, what may be given for them, and how they are shown."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .versions import length_classes, load

KINDS = ("bool", "int", "float", "str", "enum", "length", "layer")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a filter.

    kind: one of KINDS; an enum is one of `choices`, by name or number; a length is a share of the
    diagonal or absolute; a layer is the number of one. default: as it is given; of a length 0, of a
    layer what finds it in a MeshSet. help: a sentence.
    """

    name: str
    kind: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()

    def read(self, value: Any, diagonal: Callable[[], float]) -> Any:
        """A given value as a bool, int, float or str; an enum by its name, a length in world units.

        Raises PyMeshLabException where it is of another type, InvalidEnumException where it is none of
        the choices.
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
        """The value that a script's text stands for, as it is given in Python; lengths are absolute."""
        if self.kind == "bool":
            return {"true": True, "false": False}.get(text.lower(), text)
        try:
            if self.kind in ("int", "layer"):
                return int(text)
            if self.kind == "enum":
                return int(text) if text.isdigit() else text
            number = float(text) if self.kind in ("float", "length") else text
        except ValueError:
            return text  # of no use: read() says which type it should be
        return length_classes()[1](number) if self.kind == "length" else number

    def shown(self, value: Any) -> Any:
        """A value that was read as filter_parameter_values tells it: an enum by its number."""
        return self.choices.index(value) if self.kind == "enum" else value

    def declared(self) -> str:
        """Name, type and default as print_filter_parameter_list prints them."""
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
    if isinstance(value, str):  # float() takes it, PyMeshLab does not
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
    """PyMeshLab's exception for enums, which whoever catches PyMeshLabException gets as well."""
    pymeshlab = load()
    bases = (pymeshlab.InvalidEnumException, pymeshlab.PyMeshLabException)
    return type("InvalidEnumException", bases, {})(message)
