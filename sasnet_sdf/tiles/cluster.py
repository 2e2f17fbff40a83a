"""Tasks on several processes, with Dask: workers of this run's own, or those of a scheduler elsewhere."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UsageError
from ..runtime.progress import tick
from ..runtime.system import require, usable_cores
from ..tiles_config import TilesConfig
from .connection import Terms, check, connected
from .scratch import Scratch
from .workers import PURPOSE, processes, quiet, scheduler

START = 120.0
"""Seconds that workers of our own have to start: on a busy network drive, an import takes long."""

LOST = 60.0
"""Seconds without any worker after which a run ends."""

_POLL = 0.05
"""Seconds between two looks at the tasks."""

_LOOK = 1.0
"""Seconds between two looks at the workers."""


class Task(NamedTuple):
    """A call for a worker. It may run more than once, so its result must not depend on how often.

    key: its name, unlike that of every other task of a run. call, arguments: they can be pickled, and so can
    the result, which is small. after: keys of tasks that must be done before. cost: relative work, for the
    time left.
    """

    key: str
    call: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    after: tuple[str, ...] = ()
    cost: float = 1.0


OnDone = Callable[[Task, Any, float], object]
"""Called with a task that is done, its result, and the seconds that it took."""


class Cluster:
    """Processes that work on tasks."""

    def __init__(
        self, client: Any, terms: Terms, dashboard: str | None, parent: subprocess.Popen[bytes] | None
    ):
        """dashboard: the address of Dask's page, if there is one. parent: the parent of our own workers."""
        self.dashboard: str | None = dashboard
        self._client, self._terms, self._parent = client, terms, parent
        self._looked = self._seen = time.monotonic()

    @property
    def workers(self) -> int:
        """The number of tasks that can run at the same time now: one in each thread of each worker."""
        try:
            return sum(self._client.nthreads().values())
        except (OSError, RuntimeError):  # the scheduler does not answer
            return 0

    def run(self, tasks: Sequence[Task], on_done: OnDone) -> dict[str, Any]:
        """The result of each task by its key. A task comes after those that it names in `after`.

        on_done is called here for each task when it is done. Progress is reported, which may stop the run
        (progress.tick). An exception of a task is raised here, after all other tasks have been canceled.
        Raises UsageError if the workers or the scheduler are lost.
        """
        name = uuid.uuid4().hex[:8]  # a scheduler elsewhere may have tasks of another run
        futures: dict[str, Any] = {}
        try:
            for task in tasks:
                after = [futures[key] for key in task.after]
                futures[task.key] = self._client.submit(
                    self._terms, task.call, task.arguments, after, key=f"{task.key}-{name}", pure=False
                )
                tick()
            return self._collect(tasks, futures, on_done)
        except BaseException:
            with suppress(Exception):  # the scheduler may be lost; the first error counts
                self._client.cancel(list(futures.values()), force=True)
            raise

    def _collect(self, tasks: Sequence[Task], futures: dict[str, Any], on_done: OnDone) -> dict[str, Any]:
        """The results of submitted tasks, as they arrive."""
        results: dict[str, Any] = {}
        waiting = list(tasks)
        while waiting:
            tick(len(results) / len(tasks))
            for task in waiting:
                if futures[task.key].done() and (outcome := self._outcome(task, futures[task.key])):
                    results[task.key] = outcome[0]
                    on_done(task, *outcome)
                    tick(len(results) / len(tasks))
            waiting = [task for task in waiting if task.key not in results]
            self._look()
            time.sleep(_POLL)
        return results

    def _outcome(self, task: Task, future: Any) -> tuple[Any, float] | None:
        """Result and seconds of a task that is done; None if they were lost with its worker."""
        distributed = require("distributed", "tiles", PURPOSE)
        if future.status == "cancelled":
            raise UsageError("the connection to the Dask scheduler was lost")
        try:
            return future.result(timeout=0.5)
        except distributed.KilledWorker as error:
            raise UsageError(
                f"the workers of task {task.key} were killed repeatedly, probably for lack of memory; use "
                "fewer --workers"
            ) from error
        except distributed.TimeoutError:
            if future.status == "error":  # the task raised it
                raise
            return None

    def _look(self) -> None:
        """Raise UsageError if there has been no worker for LOST seconds, or there will never be one."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        if self.workers:
            self._seen = now
        if self._parent is not None and self._parent.poll() is not None:
            raise UsageError(
                "all worker processes have ended; with --keep-scratch, "
                f"{self._terms.folder}/workers.log says why"
            )
        if now - self._seen > LOST:
            raise UsageError(f"there has been no worker for {LOST:.0f} seconds; start workers")


@contextmanager
def cluster(config: TilesConfig, scratch: Scratch, threads: int | None) -> Iterator[Cluster]:
    """Workers for the block: config.workers processes here (one per core), or those of config.scheduler.

    threads: number of threads of each task, 1 if None. It may change the last bits of results, so it does not
    depend on the number of workers. All processes that this starts end with the block. Raises UsageError if
    the scheduler does not answer, or if a worker cannot work on this run's tasks; MissingBackend without
    Dask.
    """
    require("distributed", "tiles", PURPOSE)
    terms = Terms.of(scratch, threads or 1)
    with quiet(), ExitStack() as stack:
        if config.scheduler is None:
            local = stack.enter_context(scheduler())
            client = stack.enter_context(connected(local.scheduler_address))
            count = config.workers or usable_cores()
            parent = stack.enter_context(processes(local.scheduler_address, count, Path(terms.folder)))
            dashboard = local.dashboard_link if find_spec("bokeh") else None
            found = Cluster(client, terms, dashboard, parent)
            _await(found, parent, count)
        else:
            client = stack.enter_context(connected(config.scheduler))
            found = Cluster(client, terms, client.dashboard_link or None, None)
            if not found.workers:
                raise UsageError(
                    f"{config.scheduler}: this Dask scheduler has no workers; start some with "
                    f"`dask worker {config.scheduler} --nthreads 1`"
                )
        check(client, terms)
        yield found


def _await(found: Cluster, parent: subprocess.Popen[bytes], count: int) -> None:
    """Wait until all workers of our own are there. Raises UsageError if they do not start."""
    until = time.monotonic() + START
    while found.workers < count:
        tick()
        if parent.poll() is not None or time.monotonic() > until:
            raise UsageError(
                "the worker processes did not start; try fewer --workers, or add --keep-scratch and read "
                "workers.log in the scratch folder"
            )
        time.sleep(_POLL)
