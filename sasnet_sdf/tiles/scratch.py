"""The scratch folder of a tiled run: a file for each result of each tile, complete or not there."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Interrupted, NoSurface, SasnetError, UsageError
from ..runtime.system import peak_memory_bytes


@dataclass(frozen=True)
class Scratch:
    """A folder that all processes of a run see.

    Results are written beside their place and renamed, so that a result that is there is complete; kind is
    what it is ("raw", "clean", "field", "mesh"), number is that of the tile.
    """

    folder: Path

    def path(self, kind: str, number: int, suffix: str) -> Path:
        """The place of a file of a tile: FOLDER/KIND/NUMBER.SUFFIX."""
        return self.folder / kind / f"{number:06d}.{suffix}"

    def save(self, kind: str, number: int, **arrays: NDArray[Any]) -> None:
        """Write the arrays of a tile. Raises UsageError where the folder cannot be written."""
        place = self.path(kind, number, "npz")
        self.write(place, lambda partial: _savez(partial, arrays))

    def load(self, kind: str, number: int) -> dict[str, NDArray[Any]]:
        """The arrays of a tile. Raises UsageError where they are not there or damaged."""
        place = self.path(kind, number, "npz")
        try:
            with np.load(place, allow_pickle=False) as file:
                return dict(file)
        except (OSError, ValueError, EOFError, KeyError) as error:
            raise UsageError(
                f"{place}: a scratch file is missing or damaged ({error}): delete it, if it is there"
            ) from error

    def once(
        self, kind: str, number: int, work: Callable[[], dict[str, Any]], also: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The facts that `work` returns, and the peak memory of the process that did it.

        They are kept when the results are written, so that the work is done once: a task that is run again,
        because a worker died or the run was resumed, costs nothing, unless one of its results was lost.
        also: other kinds of its results.
        """
        place = self.path(kind, number, "json")
        with suppress(OSError, ValueError):  # not there, or cut off when the machine stopped
            found = json.loads(place.read_text("utf-8"))
            if all((self.folder / name).is_file() for name in found["results"]):
                return found["facts"]
        facts, stem = {**work(), "peak_memory_bytes": peak_memory_bytes()}, place.stem
        results = [part for folder in (kind, *also) for part in (self.folder / folder).glob(f"{stem}.*")]
        names = sorted(str(part.relative_to(self.folder)) for part in results if part != place)
        found = {"facts": facts, "results": names}
        self.write(place, lambda partial: partial.write_text(json.dumps(found), "utf-8"))
        return facts

    def write(self, place: Path, write: Callable[[Path], object]) -> None:
        """Call write(partial path), then rename it to `place`. Raises UsageError where that fails."""
        partial = place.with_name(f".{uuid.uuid4().hex[:8]}{place.suffix}")
        try:
            with self.writing():
                place.parent.mkdir(parents=True, exist_ok=True)
                write(partial)
                partial.replace(place)
        finally:
            partial.unlink(missing_ok=True)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The system's errors in writing, such as a full disk, become a UsageError."""
        try:
            yield
        except OSError as error:
            raise UsageError(
                f"{self.folder}: the scratch folder cannot be written ({error.strerror or error}); "
                "name another one with --scratch"
            ) from error


def _savez(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType] - no array has the name of an option


MARK = "scratch"
"""The file that marks a scratch folder."""

_RUN = "run-"
"""The beginning of the name of the folder with the results of one input and its settings."""

_MADE = "made"
"""The file that marks a folder that a run created, and so may delete."""

_GO_ON = "keeps the finished work: run again with --resume to continue"


class Kept:
    """Whether the scratch folder has results that are worth keeping if the run ends with an error."""

    def __init__(self, worth: bool) -> None:
        self.worth = worth


@contextmanager
def scratch_folder(folder: Path | None, *, resume: bool, keep: bool) -> Iterator[tuple[Scratch, Kept]]:
    """A scratch folder for the block, deleted at its end.

    folder: its place; None: a temporary one. resume: use what an earlier run left there. keep: do not delete
    it. If the block ends with an error, or is interrupted, when there are results that are worth keeping, the
    folder stays, and the error says so. Raises UsageError where the folder cannot be used.
    """
    go_on = _GO_ON
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="sasnet-sdf-"))
        folder.rmdir()  # only its name is wanted: it is made below, like any other
        go_on = _GO_ON + " with this scratch folder"
    folder = folder.resolve()  # workers have other current folders
    own = _prepared(folder, resume)
    scratch, kept = Scratch(folder), Kept(resume and any(folder.glob(f"{_RUN}*/field/*")))
    try:
        yield scratch, kept
    except SasnetError as error:
        # with the same input and settings, there is no surface again
        if not kept.worth or isinstance(error, NoSurface):
            _removed(folder, own, keep)
            raise
        raise type(error)(f"{error}; {folder} {go_on}") from error
    except BaseException as error:
        if not kept.worth:
            _removed(folder, own, keep)
        elif isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"interrupted; {folder} {go_on}") from error
        raise
    _removed(folder, own, keep)


def of_run(scratch: Scratch, facts: dict[str, Any]) -> Scratch:
    """The part of a scratch folder for a run whose results depend on such facts; others are deleted.

    A task of an earlier run that a worker elsewhere still works on cannot write into it.
    """
    text = json.dumps(facts, sort_keys=True)
    folder = scratch.folder / f"{_RUN}{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    for other in scratch.folder.glob(f"{_RUN}*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    with scratch.writing():
        folder.mkdir(exist_ok=True)
    return Scratch(folder)


def _prepared(folder: Path, resume: bool) -> bool:
    """Make or empty the folder; returns whether a run has made it, this one or the one that it resumes."""
    new = not folder.exists()
    own = new or (folder / _MADE).is_file()
    try:
        if not new and not (folder / MARK).is_file() and any(folder.iterdir()):
            raise UsageError(
                f"{folder}: is not empty and is not a scratch folder; name another one with --scratch"
            )
        if not new and not resume:
            _emptied(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / MARK).is_file():
            (folder / MARK).touch()
        if own:
            (folder / _MADE).touch()
    except OSError as error:
        raise UsageError(
            f"{folder}: cannot be used as a scratch folder ({error.strerror or error}); "
            "name another one with --scratch"
        ) from error
    return own


def _removed(folder: Path, own: bool, keep: bool) -> None:
    if keep:
        return
    if own:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        with suppress(OSError):
            _emptied(folder)


def _emptied(folder: Path) -> None:
    for part in folder.iterdir():
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink()
