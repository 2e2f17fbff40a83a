"""The inputs of a command line, and the files that are to come of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError
from .outputs import make_folder


class Job(NamedTuple):
    """One input, or several that are merged, and the files that are to come of it."""

    sources: tuple[Path, ...]
    output: Path
    model: Path | None = None
    report: Path | None = None

    @property
    def source(self) -> Path:
        """The input that names the job."""
        return self.sources[0]

    @property
    def outputs(self) -> list[Path]:
        return [path for path in (self.output, self.model, self.report) if path]


def planned(
    inputs: Sequence[tuple[Path, ...]], output: Path | None, model: Path | None, report: Path | None
) -> list[Job]:
    """What is written where. Raises UsageError for folders that cannot be, and inputs of one name.

    inputs: those that are merged together.
    """
    if len(inputs) == 1:
        first = inputs[0][0]
        kind = "merged_surface" if len(inputs[0]) > 1 else "surface"
        return [Job(inputs[0], output or first.with_name(f"{first.stem}_{kind}.ply"), model, report)]
    for folder in (output, model, report):
        if folder is not None:
            make_folder(folder)
    jobs = [
        Job(
            (source,),
            (output or source.parent) / f"{source.stem}_surface.ply",
            model and model / f"{source.stem}.sasnet",
            report and report / f"{source.stem}.json",
        )
        for (source,) in inputs
    ]
    seen: dict[Path, Path] = {}
    for job in jobs:
        other = seen.setdefault(job.output.resolve(), job.source)
        if other is not job.source:
            raise UsageError(f"{other} and {job.source} would both be {job.output}: do them apart")
    return jobs
