"""What the user should know of the input, of a run, or of its result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["note", "warning"]


@dataclass(frozen=True)
class Finding:
    """A sentence, and how much it matters.

    note: worth knowing, and nothing to do. warning: the result may be wrong; it is shown even where
    the user asked for quiet, and ends the run where he asked for strictness. What makes a result
    impossible is an error (errors.py), not a finding.
    """

    text: str
    severity: Severity = "note"


def notes(texts: Iterable[str]) -> list[Finding]:
    """Sentences of which none is a warning."""
    return [Finding(text) for text in texts]


def warning(text: str) -> Finding:
    """A sentence that must not be missed."""
    return Finding(text, "warning")


def texts(findings: Iterable[Finding], severity: Severity) -> list[str]:
    """The sentences of one severity, each once, in order."""
    return list(dict.fromkeys(found.text for found in findings if found.severity == severity))
