"""Errors, each with an exit code (docs/exit-codes.md), and findings, which do not end a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

LONGEST = 2000
"""Maximum number of characters of a message."""


def printable(text: str) -> str:
    """The text without line breaks and control characters, which an untrusted file may contain."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """A message about an unknown name, with the most similar known names, or all of them."""
    names = [str(each) for each in known]
    close = get_close_matches(str(name), names, 3, 0.7)
    rest = f"did you mean {' or '.join(close)}?" if close else f"one of {', '.join(names)}"
    return f"unknown {what} {name!r}; {rest}"


class SasnetError(Exception):
    """Something the user can act on; its message is one line that says what is wrong and what to do."""

    exit_code = 1

    def __init__(self, message: str = ""):
        super().__init__(printable(str(message)[:LONGEST]))


class UsageError(SasnetError):
    """An option or argument that cannot be used as given."""

    exit_code = 2


class UnreadableInput(SasnetError):
    """A file that is missing, damaged or of an unknown format."""

    exit_code = 3


class UnusableGeometry(SasnetError):
    """Data from which no surface can be made: points that are too few, all equal, or not finite."""

    exit_code = 4


class NoSurface(SasnetError):
    """There is no surface: the field has no zero level set near the data, or trimming leaves nothing."""

    exit_code = 5


class MissingBackend(SasnetError):
    """An optional library or device that was requested is missing."""

    exit_code = 6


class Interrupted(SasnetError):
    """The user stopped the run, by Ctrl-C or by a progress callback that returned False outside training."""

    exit_code = 130


Severity = Literal["note", "warning"]


@dataclass(frozen=True)
class Finding:
    """A sentence for the user, and its severity.

    note: worth knowing, no action needed. warning: the result may be wrong; it is shown even with --quiet
    and ends the run with --strict. A problem that makes a result impossible is an error, not a finding.
    """

    text: str
    severity: Severity = "note"


def notes(texts: Iterable[str]) -> list[Finding]:
    """The sentences as notes."""
    return [Finding(text) for text in texts]


def warning(text: str) -> Finding:
    """The sentence as a warning."""
    return Finding(text, "warning")


def texts(findings: Iterable[Finding], severity: Severity) -> list[str]:
    """The sentences of one severity, without repeats, in order."""
    return list(dict.fromkeys(found.text for found in findings if found.severity == severity))
