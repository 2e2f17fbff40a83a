"""The machine, the memory of this process, installed optional libraries, and registries for plugins."""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import MissingBackend, UsageError, unknown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


_MEMORY = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE)


def parse_memory(text: str | int) -> int:
    """Bytes of a size such as "4G", "512 MiB" or "4000000000"; K, M, G and T are powers of 1024.

    Raises UsageError if the text is not a positive size, or if it is a number below a million without a unit:
    nobody means so few bytes.
    """
    if isinstance(text, int):
        size = text
    else:
        match = _MEMORY.fullmatch(text)
        if match is None:
            raise UsageError(f"{text!r} is not a memory size; write it as 4G or 800M")
        if text.strip() == match[1] and 0 < float(match[1]) < 1_000_000:
            raise UsageError(f"a memory size needs a unit: {match[1]}G or {match[1]}M, not {text!r}")
        size = int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))
    if size <= 0:
        raise UsageError(f"a memory size is at least 1 byte, not {text!r}")
    return size


def format_memory(size: float) -> str:
    """A size as parse_memory reads it, such as 3.25G, 512M or 7B."""
    if size < 2**20:
        return f"{size:.0f}B"
    return f"{size / 2**30:.2f}G" if size >= 2**30 else f"{size / 2**20:.0f}M"


def check_memory(work: str, needed: float, limit: int | None, advice: Callable[[], str]) -> None:
    """Refuse work for which the process would hold more than `limit` bytes, if there is a limit.

    advice: describes what would fit. Raises UsageError.
    """
    if limit is not None and needed > limit:
        raise UsageError(
            f"{work} needs about {format_memory(needed)}, more than the {format_memory(limit)} of "
            f"max-memory; {advice()}"
        )


def peak_memory_bytes() -> int:
    """The most memory that this process has held at one time (its resident set), in bytes."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    if sys.platform == "linux":
        # getrusage's maximum persists across exec: a child of a large process would report its parent's
        match = re.search(r"^VmHWM:\s*(\d+) kB", _text_of("/proc/self/status"), re.MULTILINE)
        if match:
            return int(match[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def held_bytes() -> int:
    """The memory that the process holds now (its resident set), in bytes."""
    import psutil

    return psutil.Process().memory_info().rss


def total_memory_bytes() -> int:
    """The machine's physical memory in bytes."""
    import psutil

    return psutil.virtual_memory().total


def memory_limit_bytes() -> int:
    """The memory that this process may hold: that of the machine, or less if its control group limits it."""
    return min([total_memory_bytes(), *control_group_limits()])


def control_group_limits(tree: str = "/sys/fs/cgroup", groups: str = "/proc/self/cgroup") -> list[int]:
    """The limits, in bytes, of this process's control groups, as set by containers and job queues."""
    limits = []
    for line in _text_of(groups).splitlines():
        _, kinds, group = line.split(":", 2)
        # version 2 has a single unnamed tree, version 1 a separate tree for memory
        if kinds == "":
            top, name = Path(tree), "memory.max"
        elif "memory" in kinds.split(","):
            top, name = Path(tree, "memory"), "memory.limit_in_bytes"
        else:
            continue
        folder = top / group.strip("/")
        while folder.is_relative_to(top):
            text = _text_of(str(folder / name)).strip()
            limits += [int(text)] if text.isdigit() else []
            folder = folder.parent
    return limits


def usable_cores() -> int:
    """Logical cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_name() -> str:
    """The processor's name from its manufacturer, or its architecture if the name is not known."""
    if sys.platform == "win32":
        import winreg

        with winreg.OpenKey(
            winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        ) as key:
            return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
    if sys.platform == "darwin":
        import subprocess

        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        named = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
    else:
        match = re.search(r"^model name\s*:\s*(.+)$", _text_of("/proc/cpuinfo"), re.MULTILINE)
        named = match[1] if match else ""
    return named or platform.processor() or platform.machine()


def hardware() -> dict[str, str | int]:
    """The facts about the machine that are needed to interpret timings."""
    return {
        "system": platform.platform(),
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "memory_bytes": total_memory_bytes(),
    }


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Objects by name: the package's own, registered ones, and those of installed packages.

    A package declares its objects as entry points in `group`. An entry point is loaded when its name is first
    requested, so that a package that is not used costs nothing and cannot cause errors. The loaded object
    registers itself: it has a method `register()` that calls `add`.
    """

    def __init__(self, group: str, what: str, own: Mapping[str, T]):
        """own: the package's own objects. what: what an object is called in messages."""
        self.group: str = group
        self.what: str = what
        self.own: dict[str, T] = dict(own)
        self._added: dict[str, T] = {}

    def add(self, name: str, value: T) -> None:
        """Register an object; replaces one registered earlier under that name.

        Raises ValueError for a name that the package itself uses, or that is not valid in an option.
        """
        if name in self.own:
            raise ValueError(f"{name} is a name of sasnet-sdf itself: choose another")
        if not name or set(name) & set(":=, \t\n"):
            raise ValueError(f"{name!r} cannot be a name: it is empty, or holds a space, or one of : = ,")
        self._added[name] = value

    def find(self, name: str) -> T:
        """The object of that name.

        Raises UsageError, with similar names, if there is none, and MissingBackend if the package that
        provides it cannot be loaded.
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
        from importlib.metadata import entry_points  # not needed in most runs, and --help should be fast

        return {point.name: point for point in entry_points(group=self.group)}

    def _load(self, point: EntryPoint) -> None:
        try:
            register: Callable[[], Any] = point.load().register
            register()
        except Exception as error:  # another package may raise anything
            reason = " ".join(str(error).split()) or type(error).__name__
            raise MissingBackend(
                f"the {self.what} {point.name} of {point.value} cannot be loaded: {reason}"
            ) from error
        if point.name not in self._added:
            raise MissingBackend(f"{point.value} registers no {self.what} named {point.name}")


SYSTEM = {"open3d": "apt-get install libusb-1.0-0 libgl1 libgomp1"}
"""The command that installs the system libraries that a wheel expects, on Debian and Ubuntu."""


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional module, or raise an error that shows how to install it or what it lacks."""
    name = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        remedy = f'pip install "sasnet-sdf[{extra}]"'
        if name in SYSTEM and not isinstance(error, ModuleNotFoundError):
            remedy = f"it is installed and does not load; on Debian and Ubuntu: {SYSTEM[name]}"
        reason = " ".join(str(error).split())
        raise MissingBackend(f"{purpose} needs {name}: {remedy} ({reason})") from error
