"""What other packages bring: optional libraries, and entries in tables of names."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import MissingBackend, UsageError, unknown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Objects by name: the package's own, registered ones, and those of installed packages.

    A package names its objects in its entry points of `group`. One is loaded when its name is first
    asked for, so that a package costs nothing, and can break nothing, where it is not used. What an
    entry point loads registers itself: it has a method `register()` that calls `add`.
    """

    def __init__(self, group: str, what: str, own: Mapping[str, T]):
        """own: what the package has itself. what: what an object is, for messages."""
        self.group: str = group
        self.what: str = what
        self.own: dict[str, T] = dict(own)
        self._added: dict[str, T] = {}

    def add(self, name: str, value: T) -> None:
        """Register an object, in place of one that was registered by that name before.

        Raises ValueError for a name that the package itself has, or that an option could not hold.
        """
        if name in self.own:
            raise ValueError(f"{name} is a name of sasnet-sdf itself: choose another")
        if not name or set(name) & set(":=, \t\n"):
            raise ValueError(f"{name!r} cannot be a name: it is empty, or holds a space, or one of : = ,")
        self._added[name] = value

    def find(self, name: str) -> T:
        """The object of that name.

        Raises UsageError, with similar names, where there is none, and MissingBackend where the
        package that has it cannot be loaded.
        """
        try:
            return self[name]
        except KeyError:
            raise UsageError(unknown(self.what, name, self)) from None

    def __getitem__(self, name: str) -> T:
        if name not in self.own and name not in self._added and (point := self._points().get(name)):
            self._load(point)
        return self.own[name] if name in self.own else self._added[name]

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in self._added or name in self._points()

    def __iter__(self) -> Iterator[str]:
        return iter({**self.own, **self._added, **self._points()})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _points(self) -> dict[str, EntryPoint]:
        from importlib.metadata import entry_points  # not needed for most runs, and help should be fast

        return {point.name: point for point in entry_points(group=self.group)}

    def _load(self, point: EntryPoint) -> None:
        try:
            register: Callable[[], Any] = point.load().register
            register()
        except Exception as error:  # whatever somebody else's package raises
            reason = " ".join(str(error).split()) or type(error).__name__
            raise MissingBackend(
                f"the {self.what} {point.name} of {point.value} cannot be loaded: {reason}"
            ) from error
        if point.name not in self._added:
            raise MissingBackend(f"{point.value} registers no {self.what} named {point.name}")


SYSTEM = {"open3d": "apt-get install libusb-1.0-0 libgl1 libgomp1"}
"""What brings the libraries that a wheel expects of the system, on Debian and Ubuntu."""


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional module, or say in one line which command installs it, or what it misses."""
    name = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        remedy = f'pip install "sasnet-sdf[{extra}]"'
        if name in SYSTEM and not isinstance(error, ModuleNotFoundError):
            remedy = f"it is installed and does not load; on Debian and Ubuntu: {SYSTEM[name]}"
        reason = " ".join(str(error).split())
        raise MissingBackend(f"{purpose} needs {name}: {remedy} ({reason})") from error
