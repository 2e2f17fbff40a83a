"""A connection to a Dask scheduler, and whether it and its workers can do the tasks of a run."""

from __future__ import annotations

import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UsageError
from ..runtime.progress import tick
from ..runtime.system import require
from .scratch import Scratch
from .workers import PURPOSE

ANSWER = 6.0
"""Seconds that a scheduler elsewhere has to answer."""

_POLL = 0.05
"""Seconds between two looks at the connection."""


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A connection to a scheduler. Raises UsageError if none answers."""
    try:
        client = _answered(address)
    except Exception as error:  # a wrong address, and what answers there, may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(
            f"{address}: no Dask scheduler answers there ({reason}); start one with `dask scheduler`"
        ) from error
    try:
        yield client
    finally:
        client.close(timeout=5)


def _answered(address: str) -> Any:
    """Connect within ANSWER seconds, in a thread: Dask waits forever for a server that never says a word."""
    found: list[Any] = []

    def connect() -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # other versions of other packages there
                client = require("distributed", "tiles", PURPOSE).Client
                found.append(client(address, timeout=ANSWER, set_as_default=False))
        except Exception as error:  # noqa: BLE001 - it is raised in the calling thread
            found.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    until = time.monotonic() + ANSWER + 1
    while thread.is_alive():
        tick()
        if time.monotonic() > until:
            raise TimeoutError(f"no answer in {ANSWER:.0f} s")
        time.sleep(_POLL)
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


@dataclass(frozen=True)
class Terms:
    """What a worker must agree on with the process that submits tasks, and how it runs them."""

    version: str
    folder: str
    token: str
    threads: int

    @classmethod
    def of(cls, scratch: Scratch, threads: int) -> Terms:
        """Terms with a new token, which is written into the scratch folder. Raises UsageError."""
        token = uuid.uuid4().hex
        folder = scratch.folder.resolve()
        scratch.write(folder / "token.txt", lambda partial: partial.write_text(token))
        return cls(__version__, str(folder), token, threads)

    def unlike(self) -> str:
        """Why this process cannot read the tasks; empty if it can."""
        if self.version == __version__:
            return ""
        return f"has sasnet-sdf {__version__}, but this run uses {self.version}: install that version there"

    def fault(self) -> str:
        """Why this process cannot work on the tasks; empty if it can."""
        if fault := self.unlike():
            return fault
        with suppress(OSError):
            if Path(self.folder, "token.txt").read_text() == self.token:
                return ""
        return f"cannot see the scratch folder {self.folder}: name one on a shared disk with --scratch"

    def __call__(
        self, call: Callable[..., Any], arguments: tuple[Any, ...], after: object
    ) -> tuple[Any, float]:
        """The result of a task, and the seconds that it took. `after` makes Dask wait for other tasks.

        Raises UsageError if the worker, which may have joined late, cannot work on the tasks.
        """
        import torch

        if fault := self.fault():
            address = require("distributed", "tiles", PURPOSE).get_worker().address
            raise UsageError(f"worker {address}: {fault}")
        torch.set_num_threads(self.threads)  # compiled loops take their number from it
        start = time.perf_counter()
        result = call(*arguments)
        return result, time.perf_counter() - start


def check(client: Any, terms: Terms) -> None:
    """Raise UsageError, which names the process, if the scheduler or a worker cannot do its part.

    The scheduler reads the tasks, but not the scratch folder.
    """
    faults: dict[str, Any] = {}
    try:
        faults[f"scheduler {client.scheduler.address}"] = client.run_on_scheduler(terms.unlike)
    except (ImportError, AttributeError, RuntimeError) as error:
        faults[f"scheduler {client.scheduler.address}"] = error
    for address, fault in client.run(terms.fault, on_error="return").items():
        faults[f"worker {address}"] = fault
    for place, fault in faults.items():
        if isinstance(fault, Exception):  # it could not load this file
            fault = f"cannot load sasnet-sdf {terms.version} ({fault}): install that version"
        if fault:
            raise UsageError(f"{place}: {fault}")
