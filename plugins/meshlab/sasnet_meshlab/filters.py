"""A filter: its name, its parameters, and how it is run on a MeshSet as PyMeshLab runs its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sasnet_sdf import Progress, SasnetError

from .layers import diagonal, layers_of
from .parameters import Parameter
from .versions import load

OnProgress = Callable[[Progress], "bool | None"]


def silent(progress: Progress) -> None:
    """The callback of a filter that nobody watches."""


Run = Callable[[Any, dict[str, Any], OnProgress], dict[str, Any]]
"""Takes the MeshSet and the parameters' values; changes the MeshSet; gives what is worth knowing."""


@dataclass(frozen=True)
class Filter:
    """name: in Python. title: in MeshLab's menu and in scripts. help: what it does, in sentences."""

    name: str
    title: str
    help: str
    parameters: tuple[Parameter, ...]
    run: Run

    def apply(
        self, mesh_set: Any, given: Mapping[str, Any], on_progress: OnProgress = silent
    ) -> dict[str, Any]:
        """Run it with the parameters given. Raises PyMeshLabException; the layers are then as they were."""
        try:
            return self.run(mesh_set, self.values(mesh_set, given), on_progress)
        except SasnetError as error:
            raise load().PyMeshLabException(
                f"Failed to apply filter: {self.name}\nDetails: {error}"
            ) from error

    def values(self, mesh_set: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        """The value of every parameter, given or not. Raises PyMeshLabException for what it does not take."""
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
        """The same as MeshSet.filter_parameter_values tells it."""
        values = self.values(mesh_set, given)
        return {parameter.name: parameter.shown(values[parameter.name]) for parameter in self.parameters}

    def documentation(self) -> str:
        """What help() shows: each parameter with its type, default, choices and meaning."""
        lines = [self.help, "", "Parameters:"]
        for parameter in self.parameters:
            lines += [f"    {parameter.declared()}", f"        {parameter.help}"]
            if parameter.choices:
                lines.append(f"        One of {', '.join(parameter.choices)}.")
        return "\n".join(lines)
