"""Settings: frozen dataclasses whose fields say what they are, and are checked when one is made.

A field stands in one place. `setting` gives it its meaning, unit, bounds or choices; an *option* is a
setting with a name of its own on the command line and in Python, the others are reached by their
path, as in `--set supervision.targets=200000`. Checks, the command line's options and their help, and
the docstrings of keyword arguments are made from these fields.
"""

from __future__ import annotations

import inspect
import math
import numbers
import operator
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from functools import cache, wraps
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import UsageError, unknown

S = TypeVar("S", bound="Settings")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class About:
    """What a field says about a setting besides name, type and default.

    help: a sentence. option: its name on the command line and in Python, with underscores, if it has one.
    low, high: bounds of a number. positive: it is above 0. choices: the allowed texts. form: how its value
    is written in help, such as "X,Y,Z". parse: makes the value from a text or from a program's argument;
    raises UsageError. usual: what happens without it, where the default does not show it.
    """

    help: str = ""
    option: str = ""
    low: float | None = None
    high: float | None = None
    positive: bool = False
    choices: tuple[str, ...] = ()
    form: str = ""
    parse: Callable[[Any], Any] | None = None
    usual: str = ""


def setting(default: Any, help: str = "", **about: Any) -> Any:
    """A dataclass field with `About` in its metadata."""
    return field(default=default, metadata={"about": About(help, **about)})


def about(part: Field[Any]) -> About:
    """What a field says about its setting."""
    return part.metadata.get("about", About())


class Settings:
    """Base of settings: values are checked and converted to the type of their field.

    Raises UsageError.
    """

    def __post_init__(self) -> None:
        for part in fields(self):  # type: ignore[arg-type]  # all subclasses are dataclasses
            value = getattr(self, part.name)
            if not is_dataclass(value):
                object.__setattr__(self, part.name, checked(type(self), part, value))


def checked(owner: type, part: Field[Any], value: Any) -> Any:
    """The value of a field, checked and converted to the type of the field. Raises UsageError."""
    what, (kind, optional) = about(part), kind_of(owner, part.name)
    name = (what.option or part.name).replace("_", "-")
    if value is None and optional:
        return None
    if what.parse is not None:
        return what.parse(value)
    if kind is bool:
        if type(value).__name__ not in ("bool", "bool_"):  # NumPy's as well
            raise UsageError(f"{name} must be True or False, found {value!r}")
        return bool(value)
    if kind is int:
        value = _whole(name, value)
    elif kind is float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise UsageError(f"{name} must be a number, found {value!r}")
        value = float(value)
    elif kind is str:
        if not isinstance(value, str) or (what.choices and value not in what.choices):
            allowed = f"one of {', '.join(what.choices)}" if what.choices else "a text"
            raise UsageError(f"{name} must be {allowed}, found {value!r}")
        return value
    if value is not None and kind in (int, float):
        _check_bounds(name, value, what)
    return value


def value_of(text: str, owner: type, name: str, where: str) -> Any:
    """The value of a field that a text stands for; `where` names it in a UsageError."""
    part = next(part for part in fields(owner) if part.name == name)  # type: ignore[arg-type]
    kind, _ = kind_of(owner, name)
    if about(part).parse is not None or kind is str:
        return text
    if kind is bool:
        if text.lower() not in ("true", "false", "on", "off"):
            raise UsageError(f"{where} must be on or off, found {text!r}")
        return text.lower() in ("true", "on")
    if kind not in (int, float):
        raise UsageError(f"{where} cannot be given as one value")
    try:
        return kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise UsageError(f"{where} must be {what}, found {text!r}") from None


def _whole(name: str, value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        number: Any = int(value) if isinstance(value, float) and value.is_integer() else value
        return operator.index(number)
    except TypeError:
        raise UsageError(f"{name} must be a whole number, found {value!r}") from None


def _check_bounds(name: str, value: float, what: About) -> None:
    if what.positive and not 0 < value < math.inf:
        raise UsageError(f"{name} must be positive, found {value}")
    if math.isnan(value):
        raise UsageError(f"{name} must be a number, found {value}")
    if what.low is not None and what.high is None and not what.low <= value < math.inf:
        raise UsageError(f"{name} must be at least {what.low:g}, found {value}")
    if what.low is not None and what.high is not None and not what.low <= value <= what.high:
        raise UsageError(f"{name} must lie between {_shown(what.low)} and {_shown(what.high)}, found {value}")


def _shown(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


_hints = cache(get_type_hints)


def kind_of(owner: type, name: str) -> tuple[Any, bool]:
    """The type of a field of a dataclass, and whether it may be None."""
    hint = _hints(owner)[name]
    if get_origin(hint) is Union or type(hint).__name__ == "UnionType":
        rest = [part for part in get_args(hint) if part is not type(None)]
        return (rest[0] if len(rest) == 1 else Any), len(rest) < len(get_args(hint))
    return get_origin(hint) or hint, False


def options_of(owner: type[Settings]) -> dict[str, tuple[str, type, Field[Any]]]:
    """The options: name -> (the section of the setting, "" for the top; its class; its field)."""
    return {about(part).option: (section, kind, part) for section, kind, part in _parts(owner)}


def _parts(owner: type, section: str = "") -> Iterator[tuple[str, type, Field[Any]]]:
    for part in fields(owner):  # type: ignore[arg-type]
        kind, _ = kind_of(owner, part.name)
        if isinstance(kind, type) and is_dataclass(kind) and not section:
            yield from _parts(kind, part.name)
        elif about(part).option:
            yield section, owner, part


def with_options(config: S, given: Mapping[str, Any]) -> S:
    """The settings with the given options changed. Raises UsageError for an unknown option."""
    known = options_of(type(config))
    changes: dict[str, dict[str, Any]] = {}
    for name, value in given.items():
        if name not in known:
            raise UsageError(unknown("setting", name, known))
        section, _, part = known[name]
        changes.setdefault(section, {})[part.name] = value
    top = changes.pop("", {})
    sections = {name: replace(getattr(config, name), **values) for name, values in changes.items()}
    return replace(config, **top, **sections)  # type: ignore[type-var]


def with_changes(config: Any, changes: dict[str, Any]) -> Any:
    """A copy of a settings dataclass with nested `changes`, as {"training": {"steps": 10}}.

    A `name` among the changes of a model's settings starts from the defaults of that model.
    Raises UsageError for a setting that there is not.
    """
    if "name" in changes and hasattr(config, "named"):
        changes = dict(changes)
        config = config.named(changes.pop("name"))
    known = {f.name for f in fields(config)}
    if others := sorted(set(changes) - known):
        raise UsageError(f"unknown setting {others[0]!r}; known: {', '.join(sorted(known))}")
    return replace(
        config,
        **{
            name: with_changes(getattr(config, name), value)
            if is_dataclass(getattr(config, name))
            else tuple(value)  # as JSON has no tuples
            if isinstance(value, list)
            else value
            for name, value in changes.items()
        },
    )


def to_dict(config: Any) -> dict[str, Any]:
    """The settings as plain JSON values; `with_changes(Config(), to_dict(config))` is the way back."""
    name = {"name": config.name} if hasattr(config, "named") else {}
    values = {f.name: getattr(config, f.name) for f in fields(config)}
    return name | {key: to_dict(value) if is_dataclass(value) else value for key, value in values.items()}


def documented(owner: type[Settings]) -> Callable[[F], F]:
    """A decorator for functions that take settings as keyword arguments: describes each in the docstring.

    An unknown argument raises UsageError, with similar names.
    """

    def decorate(function: F) -> F:
        taken = inspect.signature(function).parameters

        @wraps(function)
        def call(*values: Any, **named: Any) -> Any:
            for name in named:
                if name not in taken:
                    raise UsageError(unknown("setting", name, taken))
            return function(*values, **named)

        lines = ["", "Settings (None: the default, of the preset if there is one):", ""]
        for name, (_, _, part) in options_of(owner).items():
            if name in taken:
                what = about(part)
                form = " | ".join(what.choices) or str(taken[name].annotation).removesuffix(" | None")
                usual = f" Default: {what.usual}." if what.usual else ""
                lines += textwrap.wrap(f"{name} ({form}): {what.help}{usual}", 96, subsequent_indent="    ")
        call.__doc__ = inspect.cleandoc(function.__doc__ or "") + "\n" + "\n".join(lines) + "\n"
        return call  # type: ignore[return-value]

    return decorate


def _listed(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


def as_names(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def as_classes(value: Any) -> tuple[int, ...]:
    try:
        codes = tuple(int(str(code)) for code in _listed(value))
    except (TypeError, ValueError):
        codes = ()
    if not codes or not all(0 <= code <= 255 for code in codes):
        raise UsageError(f"classes must be numbers from 0 to 255, as 2,6, found {value!r}")
    return codes


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """`count` finite numbers, from a sequence or from text with commas; None for anything else."""
    try:
        found = tuple(float(part) for part in _listed(value))
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and all(map(math.isfinite, found)) else None


def as_vector(count: int, message: str, value: Any) -> tuple[float, ...]:
    """`count` finite numbers. Raises UsageError, with what the message says."""
    if (found := _numbers(value, count)) is None:
        raise UsageError(f"{message}, found {value!r}")
    return found


def as_up(value: Any) -> tuple[float, ...]:
    """An axis with its sign, or three numbers that are not all 0."""
    if isinstance(value, str) and re.fullmatch("[+-]?[xyz]", value.strip().lower()):
        sign = -1.0 if value.strip().startswith("-") else 1.0
        return tuple(sign * (axis == value.strip().lower()[-1]) for axis in "xyz")
    if (direction := _numbers(value, 3)) is None:
        raise UsageError(f"up must be an axis, as +z or -y, or three numbers, found {value!r}")
    if not any(direction):
        raise UsageError("up must be a direction, which 0,0,0 is not")
    return direction


def as_length(name: str, value: Any) -> str | float:
    """auto, off, or a positive length; `name` is that of the setting. Raises UsageError."""
    if value in ("auto", "off"):
        return value
    length = _numbers([value], 1)
    if length is None or length[0] <= 0:
        raise UsageError(f"{name} must be auto, off, or a positive length, found {value!r}")
    return length[0]
