"""The inputs of a command line, and the files that are to come of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from ..errors import UnreadableInput, UsageError, unknown
from .outputs import make_folder


class MeshFormat(click.ParamType):
    """A format that meshes are written in: its extension without the dot."""

    name = "[ply|obj|stl|off|glb]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The extension in lower case."""
        from ..io.formats import extensions, find

        if find(f"mesh.{value}", "mesh", writing=True) is None:
            known = (extension[1:] for extension in extensions("mesh", writing=True))
            self.fail(unknown("format", value, known), param, ctx)
        return value.lower()


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
    inputs: Sequence[tuple[Path, ...]],
    output: Path | None,
    model: Path | None,
    report: Path | None,
    form: str | None = None,
) -> list[Job]:
    """What is written where. Raises UsageError for folders that cannot be, and inputs of one name.

    inputs: those that are merged together. output, model, report: each a folder where there are
    several jobs, or where it is one already; else a file. form: the
    extension of meshes in a folder, without the dot; PLY without it.
    """
    check_inputs([source for sources in inputs for source in sources])
    several = len(inputs) > 1
    if output is not None and form and not several and not output.is_dir():
        raise UsageError(f"--format is for outputs in a folder; the format of {output} is its extension")
    jobs = []
    for sources in inputs:
        first, *merged = sources
        stem, kind = first.stem, "merged_surface" if merged else "surface"
        jobs.append(
            Job(
                sources,
                _placed(output or first.parent, f"{stem}_{kind}.{form or 'ply'}", several),
                model and _placed(model, f"{stem}.sasnet", several),
                report and _placed(report, f"{stem}.json", several),
            )
        )
    seen: dict[Path, Path] = {}
    for job in jobs:
        other = seen.setdefault(job.output.resolve(), job.source)
        if other is not job.source:
            raise UsageError(
                f"{other} and {job.source} would both become {job.output}: run them one at a time"
            )
    return jobs


def check_inputs(sources: Sequence[Path]) -> None:
    """Refuse missing files before any work.

    Raises UnreadableInput, or UsageError where the last of two looks like an output.
    """
    from ..io.files import check_address
    from ..io.formats import find

    for source in sources:
        check_address(source)
    missing = [source for source in sources if not source.exists()]
    if not missing:
        return
    last = sources[-1]
    if missing == [last] and len(sources) == 2 and find(last, "mesh", writing=True):
        raise UsageError(f"{last}: no such file; if it is the mesh to write, put -o before it")
    raise UnreadableInput(f"{', '.join(map(str, missing))}: no such file")


def _placed(path: Path, name: str, several: bool) -> Path:
    """The file itself, or the one of that name in the folder."""
    if path.is_dir():
        return path / name
    if not several:
        return path
    if path.suffix:
        raise UsageError(f"{path}: several inputs need a folder; --format chooses the format of its files")
    make_folder(path)
    return path / name
