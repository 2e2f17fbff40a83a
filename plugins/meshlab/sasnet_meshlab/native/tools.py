"""Programs that are run to the end, and the error that says what one of them had to say."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from sasnet_sdf import MissingBackend, SasnetError


def run(words: Sequence[str | Path], purpose: str, folder: Path | None = None) -> str:
    """Run a program and return its output.

    Raises MissingBackend where there is no such program, SasnetError with its last words where it fails.
    """
    try:
        done = subprocess.run(
            [str(word) for word in words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise MissingBackend(f"{purpose} needs {words[0]}, which was not found") from error
    if done.returncode:
        telling = [line for line in done.stdout.splitlines() if "rror" in line or line.startswith("E:")]
        raise SasnetError(f"{purpose} failed: {' '.join(telling[:5]) or done.stdout[-500:]}")
    return done.stdout
