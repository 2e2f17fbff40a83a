"""Worker processes of this run's own, with a Dask scheduler in this process.

The workers are children of one process (`serve`) in a session of its own: Ctrl-C in a terminal does not reach
them, and they do not import the user's script again, as they would if this process started them. What they
print goes to workers.log in the scratch folder. Only this machine can connect to any of them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from ..runtime.system import require

KILLS = 12
"""How often the worker of a task may be killed before the task counts as the reason."""

PURPOSE = "working on tiles"
"""What Dask is needed for, in messages."""

HERE = "127.0.0.1"
"""The network interface that only this machine reaches: whoever reaches a worker can run code in it."""


@contextmanager
def quiet() -> Iterator[None]:
    """Without the log lines of Dask and of the libraries below it, which users cannot act on."""
    tops = ("distributed", "tornado", "asyncio", "bokeh")
    names = [*tops, *(name for name in logging.root.manager.loggerDict if name.startswith(tops))]
    levels = {name: logging.getLogger(name).level for name in names}
    for name, level in levels.items():
        if level != logging.NOTSET or name in tops:  # the others take their parent's
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def scheduler() -> Iterator[Any]:
    """A Dask scheduler in this process, as a LocalCluster without workers, for the block."""
    settings = {
        "distributed.scheduler.allowed-failures": KILLS,
        # compiling holds the interpreter's lock: a worker that is silent for minutes is not lost
        "distributed.scheduler.worker-ttl": None,
    }
    with require("dask", "tiles", PURPOSE).config.set(settings):
        local = require("distributed", "tiles", PURPOSE).LocalCluster(
            n_workers=0, processes=True, host=HERE, dashboard_address=f"{HERE}:0", silence_logs=False
        )
    try:
        yield local
    finally:
        local.close(timeout=5)


@contextmanager
def processes(address: str, count: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The parent of `count` workers with a thread each, for the block; at its end they are killed.

    address: of the scheduler. folder: for the log and for Dask's files.
    """
    call = f"from {__name__} import serve; serve({address!r}, {count}, {str(folder / 'workers')!r})"
    # read when these libraries load; another number could change the last bits of results
    one = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
    with (folder / "workers.log").open("ab") as log:
        parent = subprocess.Popen(
            [sys.executable, "-c", call],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, **one, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    try:
        yield parent
    finally:
        _kill(parent)
        shutil.rmtree(folder / "workers", ignore_errors=True)


def serve(address: str, count: int, folder: str) -> None:
    """Run `count` workers of a scheduler, and restart any that die, until standard input ends.

    So they end with the process that holds the other end, even if that one is killed.
    """
    Nanny = require("distributed", "tiles", PURPOSE).Nanny

    async def run() -> None:
        # at a memory limit, Dask would pause or kill the worker
        options = {"nthreads": 1, "memory_limit": None, "host": HERE, "local_directory": folder}
        options["dashboard_address"] = f"{HERE}:0"
        await asyncio.gather(*(Nanny(address, **options) for _ in range(count)))
        await asyncio.to_thread(sys.stdin.buffer.read)
        for worker in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                worker.kill()
        os._exit(0)

    asyncio.run(run())


def _kill(parent: subprocess.Popen[bytes]) -> None:
    """Kill a process and all its descendants, and wait for their end."""
    with suppress(psutil.Error):
        process = psutil.Process(parent.pid)
        process.suspend()  # it must not start a worker again
        family = [process, *process.children(recursive=True)]
        for member in family:
            with suppress(psutil.Error):
                member.kill()
        until = time.monotonic() + 5
        while any(_runs(member) for member in family) and time.monotonic() < until:
            time.sleep(0.01)
    parent.communicate()


def _runs(process: psutil.Process) -> bool:
    """Whether a process still runs: one that has ended may stay in the list of processes for seconds."""
    with suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False
