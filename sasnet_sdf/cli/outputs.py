"""The files that a command reads and writes: checks before the work starts, and safe saving after it."""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from ..errors import SasnetError, UnreadableInput, UsageError, unknown
from ..runtime.system import peak_memory_bytes
from ..tiles_config import INDEX, split_folder

if TYPE_CHECKING:
    from ..io.formats import Kind

T = TypeVar("T")


class MeshFormat(click.ParamType):
    """The format of written meshes, given as its extension without the dot."""

    name = "[ply|obj|stl|off|glb]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The extension in lower case."""
        from ..io.formats import extensions, find

        if find(f"mesh.{value}", "mesh", writing=True) is None:
            known = (extension[1:] for extension in extensions("mesh", writing=True))
            self.fail(unknown("format", value, known), param, ctx)
        return value.lower()


class Job(NamedTuple):
    """One input, or several that are merged, and the files to write for it."""

    sources: tuple[Path, ...]
    output: Path
    model: Path | None = None
    report: Path | None = None

    @property
    def source(self) -> Path:
        """The input after which the job is named."""
        return self.sources[0]

    @property
    def outputs(self) -> list[Path]:
        """The files to write."""
        return [path for path in (self.output, self.model, self.report) if path]

    def written(self, report: dict[str, Any]) -> list[Path]:
        """The files and folders that a run with such a report has written."""
        split = "tiles" in report and report["settings"]["tiles"]["split"]
        return [split_folder(self.output) if split else self.output, *self.outputs[1:]]


def planned(
    inputs: Sequence[tuple[Path, ...]],
    output: Path | None,
    model: Path | None,
    report: Path | None,
    form: str | None = None,
) -> list[Job]:
    """The job of each input: the files to read and the files to write.

    inputs: the files in one tuple are merged. output, model, report: each is a folder if there are several
    jobs or it is an existing folder; otherwise a file. form: the extension, without its dot, of meshes in a
    folder; None: ply. Raises UnreadableInput for missing inputs, and UsageError for folders that
    cannot be made or where two inputs would be written to one file.
    """
    _check_inputs([source for sources in inputs for source in sources])
    several = len(inputs) > 1
    if output is not None and form and not several and not output.is_dir():
        raise UsageError(f"--format is for outputs in a folder; the extension of {output} decides its format")
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
                f"{other} and {job.source} would both be written to {job.output}: run them one at a time"
            )
    return jobs


def _check_inputs(sources: Sequence[Path]) -> None:
    """Refuse missing files; if the last of two looks like an output, the error explains how to specify it."""
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
    """The given file, or the file with that name in the given folder."""
    if path.is_dir() and (several or not _is_tiled_model(path)):
        return path / name
    if not several:
        return path
    if path.suffix:
        raise UsageError(f"{path}: several inputs need a folder; --format chooses the format of its files")
    make_folder(path)
    return path / name


def check_outputs(
    source: Path, output: Path, *others: Path | None, formats: Collection[Kind], overwrite: bool
) -> None:
    """Refuse outputs that exist (unless `overwrite`), cannot be written, or would replace each other.

    formats: the allowed kinds of `output`. Raises UsageError, and UnreadableInput where
    the source is a URL, since then there is no folder for the outputs.
    """
    from ..io import check_writable
    from ..io.files import check_address

    check_address(source)
    taken = {source.resolve(): "the input"}
    for path in (output, *others):
        if path is None:
            continue
        if path.resolve() in taken:
            raise UsageError(f"{path} is {taken[path.resolve()]} as well: choose another name")
        taken[path.resolve()] = "another output"
        if path is not output and _is_tiled_model(path):
            _check_folder(path, overwrite)
            continue
        check_writable(path, overwrite, *[formats] * (path is output))


def check_split(output: Path, sources: Sequence[Path], overwrite: bool) -> None:
    """Refuse a folder for a mesh of each tile that is not empty (unless `overwrite`), or has an input."""
    folder = split_folder(output)
    if any(folder.resolve() in source.resolve().parents for source in sources):
        raise UsageError(f"{folder}: the folder for the meshes of tiles has an input: choose another name")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        _check_folder(folder, overwrite)


def _is_tiled_model(path: Path) -> bool:
    return (path / INDEX).is_file()


def _check_folder(folder: Path, overwrite: bool) -> None:
    if not overwrite or not folder.is_dir():
        raise UsageError(f"{folder}: exists; give --overwrite or another name")


def make_folder(folder: Path) -> None:
    """Make a folder, if it does not exist. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made ({error.strerror or error})") from error


class Saver:
    """Writes results of long runs; if the destination is not writable, into a new temporary folder.

    started: time.perf_counter() at the start of the command.
    """

    def __init__(self, started: float) -> None:
        self._started, self._write_started = started, time.perf_counter()
        self._failures: list[SasnetError] = []

    def save(self, write: Callable[[Path], T], path: Path) -> T | None:
        """The result of write(path), or of write to a fallback path; None where both failed."""
        try:
            return write(path)
        except SasnetError as error:
            failure = error
        try:
            elsewhere = Path(tempfile.mkdtemp(prefix="sasnet-sdf-")) / path.name
            result = write(elsewhere)
            failure = type(failure)(f"{failure}; it is in {elsewhere} instead")
        except (SasnetError, OSError):
            result = None
        self._failures.append(failure)
        return result

    def finish(
        self, report: dict[str, Any], arguments: Sequence[str], path: Path | None, checkpoint: str | None
    ) -> dict[str, Any]:
        """Complete a pipeline's report with the command line and the time of writing; write it to a path.

        checkpoint: the folder of the training. Raises all failures as one error, after everything was tried.
        """
        now = time.perf_counter()
        writing = report["seconds"].get("write", 0.0) + now - self._write_started
        times = {"write": writing, "total": now - self._started}
        report = {
            **report,
            "peak_memory_bytes": max(report["peak_memory_bytes"], peak_memory_bytes()),
            "command": command_line(arguments),
            "seconds": {**report["seconds"], **times},
        }
        if path:
            self.save(lambda place: write_json(place, report), path)
        if self._failures:
            message = "; ".join(map(str, self._failures))
            if checkpoint is not None:
                message += (
                    f"; {checkpoint} has the training: the same command with --resume goes on from its end"
                )
            raise type(self._failures[0])(message)
        return report


def command_line(arguments: Sequence[str]) -> str:
    """The command line, quoted for a shell."""
    return shlex.join(["sasnet-sdf", *arguments])


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write plain values as indented JSON, atomically."""
    from ..io.access import write

    write(path, "report", values)
