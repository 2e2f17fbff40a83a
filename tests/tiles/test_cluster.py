"""Tasks on workers: order, errors, killed workers, schedulers elsewhere, and that no process is left."""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest

from sasnet_sdf import errors
from sasnet_sdf.config import TilesConfig
from sasnet_sdf.errors import Interrupted, SasnetError, UnusableGeometry, UsageError
from sasnet_sdf.runtime import progress
from sasnet_sdf.tiles import cluster as module
from sasnet_sdf.tiles import connection, workers
from sasnet_sdf.tiles.cluster import Cluster, Task, cluster
from sasnet_sdf.tiles.scratch import Scratch

pytest.importorskip("distributed")
cloudpickle = pytest.importorskip("cloudpickle")

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

SCRIPT = """
import sys, time
from pathlib import Path
from sasnet_sdf.config import TilesConfig
from sasnet_sdf.tiles.cluster import Task, cluster
from sasnet_sdf.tiles.scratch import Scratch

def work(place):
    Path(place).touch()
    time.sleep(600)

folder = Path(sys.argv[1])
try:
    with cluster(TilesConfig(workers=2), Scratch(folder), None) as found:
        found.run([Task(f"task-{n}", work, (str(folder / f"{n}.begun"),)) for n in range(3)], print)
except KeyboardInterrupt:
    print("stopped")
"""
"""A driver without a guard for `__main__`, as users write them."""


@pytest.fixture(scope="module", autouse=True)
def by_value() -> Iterator[None]:
    """cloudpickle writes the functions of this file as they are."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers of our own."""
    scratch = Scratch(tmp_path_factory.mktemp("scratch"))
    with cluster(TilesConfig(workers=2), scratch, None) as found:
        yield found


class Sent:
    """A function of this file on its way to workers, which cannot import it."""

    def __init__(self, call: Callable[..., object]):
        self.call = call

    def __reduce__(self):
        return cloudpickle.loads, (cloudpickle.dumps(self.call),)

    def __call__(self, *arguments: object) -> object:
        return self.call(*arguments)


def task(key: str, call: Callable[..., object], arguments: tuple = (), after: tuple[str, ...] = ()) -> Task:
    """A task with a function of this file."""
    return Task(key, Sent(call), arguments, after)


def nothing(task: Task, result: object, seconds: float) -> None:
    """A callback that does nothing."""


def until(done: Callable[[], object]) -> None:
    """Wait until something holds."""
    limit = time.monotonic() + 60
    while not done():
        assert time.monotonic() < limit
        time.sleep(0.02)


def add(*numbers: int) -> int:
    return sum(numbers)


def log(place: str, name: str) -> str:
    with Path(place).open("a") as file:
        file.write(name)
    return name


def meet(folder: str, own: str, other: str) -> int:
    """Ends only if the other task runs at the same time."""
    Path(folder, own).touch()
    until(Path(folder, other).exists)
    return os.getpid()


def die_once(marker: str) -> str:
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail(error: Exception) -> None:
    raise error


def wait_for(place: str) -> None:
    until(Path(place).exists)


def numbers_of_threads() -> tuple[int, str | None]:
    import torch

    return torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")


def test_jobs_run_after_those_that_they_name(two: Cluster, tmp_path: Path):
    place = str(tmp_path / "log")
    tasks = [
        task("a", log, (place, "a")),
        task("b", log, (place, "b"), ("a",)),
        task("c", log, (place, "c"), ("b",)),
        task("d", log, (place, "d"), ("a", "c")),
    ]
    told: dict[str, float] = {}
    results = two.run(tasks, lambda task, result, seconds: told.update({result: seconds}))
    assert results == {"a": "a", "b": "b", "c": "c", "d": "d"}
    assert Path(place).read_text() == "abcd"
    assert list(told) == ["a", "b", "c", "d"]
    assert all(0 <= seconds < 60 for seconds in told.values())


def test_two_workers_work_at_the_same_time(two: Cluster, tmp_path: Path):
    assert two.workers == 2
    tasks = [task("x", meet, (str(tmp_path), "x", "y")), task("y", meet, (str(tmp_path), "y", "x"))]
    results = two.run(tasks, nothing)
    assert len({results["x"], results["y"], os.getpid()}) == 3


def test_each_job_has_one_thread_and_this_process_keeps_its_environment(two: Cluster):
    before = os.environ.get("OMP_NUM_THREADS")
    results = two.run([task(f"threads-{n}", numbers_of_threads) for n in range(4)], nothing)
    assert set(results.values()) == {(1, "1")}
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_only_this_machine_can_connect(two: Cluster):
    assert two._parent is not None
    parent = psutil.Process(two._parent.pid)
    listening = [
        link.laddr.ip
        for process in [psutil.Process(), parent, *parent.children(recursive=True)]
        for link in process.net_connections("tcp")
        if link.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 4
    assert set(listening) == {workers.HERE}


@posix
def test_a_job_whose_worker_is_killed_runs_again(two: Cluster, tmp_path: Path):
    tasks = [
        task("before", add, (1, 2)),
        task("killed", die_once, (str(tmp_path / "marker"),), ("before",)),
        task("after", add, (3, 4), ("before", "killed")),
    ]
    assert two.run(tasks, nothing) == {"before": 3, "killed": "done", "after": 7}


def test_the_exception_of_a_job_arrives_as_it_is(two: Cluster):
    tasks = [
        task("bad", fail, (UnusableGeometry("tile 3 has no points"),)),
        task("never", add, (1,), ("bad",)),
    ]
    with pytest.raises(UnusableGeometry) as caught:
        two.run(tasks, nothing)
    assert str(caught.value) == "tile 3 has no points"
    for error in (ValueError("a bug"), TimeoutError("a slow disk")):
        with pytest.raises(type(error), match=str(error)):
            two.run([task("bad", fail, (error,))], nothing)
    assert two.run([task("good", add, (1, 1))], nothing) == {"good": 2}


def test_every_error_survives_its_way_between_processes():
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SasnetError)
    ]
    assert len(kinds) >= 7
    for kind in kinds:
        copy = pickle.loads(pickle.dumps(kind("DIR: a sentence")))
        assert (type(copy), str(copy)) == (kind, "DIR: a sentence")


def test_a_worker_that_is_not_ours_is_named(two: Cluster, tmp_path: Path):
    good = two._terms
    (tmp_path / "token.txt").write_text("of another run")
    cases = [
        (
            replace(good, folder=str(tmp_path / "none")),
            "cannot see the scratch folder .*none: name one on a shared",
        ),
        (replace(good, folder=str(tmp_path)), "cannot see the scratch folder .*: name one on a shared disk"),
        (
            replace(good, version="0.0.1"),
            r"has sasnet-sdf \S+, but this run uses 0.0.1: install",
        ),
    ]
    for terms, message in cases:
        with pytest.raises(UsageError, match=rf"^(worker|scheduler) tcp://\S+: {message}"):
            connection.check(two._client, terms)
        late = Cluster(two._client, terms, None, None)  # a worker that joins when the run has begun
        with pytest.raises(UsageError, match=rf"^worker tcp://\S+: {message}"):
            late.run([task("late", add, (1,))], nothing)


def test_an_interrupted_run_leaves_no_process(tmp_path: Path):
    place = tmp_path / "scratch"
    mine = {child.pid for child in psutil.Process().children(recursive=True)}
    reports: list[progress.Progress] = []

    def stop(report: progress.Progress) -> bool:
        reports.append(report)
        return not (place / "x").exists()  # a task has begun

    tasks = [task("x", meet, (str(place), "x", "never")), task("y", add, (1,), ("x",))]
    with (
        pytest.raises(Interrupted),
        cluster(TilesConfig(workers=2), Scratch(place), None) as found,
        progress.stage("training", stop),
    ):
        assert {child.pid for child in psutil.Process().children(recursive=True)} > mine
        found.run(tasks, nothing)
    assert reports
    assert running(mine) == []
    assert not (place / "workers").exists()


def running(but: set[int]) -> list[psutil.Process]:
    """Children of this process that run, except some."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if child.pid not in but and child.status() != psutil.STATUS_ZOMBIE]


@posix
def test_a_job_that_always_loses_its_worker_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "KILLS", 1)
    with (
        cluster(TilesConfig(workers=1), Scratch(tmp_path), None) as found,
        pytest.raises(UsageError, match="the workers of task deadly were killed repeatedly"),
    ):
        found.run([task("deadly", die)], nothing)


def test_a_run_ends_if_its_workers_have(tmp_path: Path):
    with cluster(TilesConfig(workers=1), Scratch(tmp_path), None) as found:
        assert found._parent is not None
        found._parent.kill()
        with pytest.raises(UsageError, match=r"^all worker processes have ended; .*workers.log"):
            found.run([task("endless", wait_for, (str(tmp_path / "never"),))], nothing)


def test_a_scheduler_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "ANSWER", 0.5)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # nobody listens there
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        for wrong in (address, "no address", "tcp://127.0.0.1:port"):
            with (
                pytest.raises(
                    UsageError, match=r"no Dask scheduler answers there \(.+\); start one with"
                ) as caught,
                cluster(TilesConfig(scheduler=wrong), Scratch(tmp_path), None),
            ):
                pass
            assert str(caught.value).startswith(f"{wrong}: ")


def test_workers_of_a_scheduler_elsewhere_give_the_same_results(
    two: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "scheduler.json"
    options = ["--scheduler-file", str(file), "--no-dashboard"]
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": str(tmp_path)}
    here = ["--host", "127.0.0.1"]
    with subprocess.Popen([*dask, "scheduler", *options, *here, "--port", "0"], **quiet) as scheduler:
        worker = None
        try:
            until(file.exists)
            address = json.loads(file.read_text())["address"]
            with (
                pytest.raises(UsageError, match="has no workers; start some with `dask worker"),
                cluster(TilesConfig(scheduler=address), Scratch(tmp_path), None),
            ):
                pass
            worker = subprocess.Popen([*dask, "worker", *options, *here, "--nthreads", "1"], **quiet)
            tasks = [task(f"{n}", add, (n, 10), (f"{n - 1}",) if n else ()) for n in range(5)]

            def attempt() -> dict[str, int] | None:
                try:
                    with cluster(TilesConfig(scheduler=address), Scratch(tmp_path), None) as found:
                        assert found.workers == 1
                        return found.run(tasks, nothing)
                except UsageError:  # it starts
                    return None

            results: list[dict[str, int] | None] = []
            until(lambda: results.append(attempt()) or results[-1])
            assert results[-1] == two.run(tasks, nothing) == {f"{n}": n + 10 for n in range(5)}

            monkeypatch.setattr(module, "LOST", 0.5)

            def stop_worker(task: Task, result: object, seconds: float) -> None:
                assert worker is not None
                worker.terminate()

            endless = task("endless", wait_for, (str(tmp_path / "never"),), ("first",))
            with (
                cluster(TilesConfig(scheduler=address), Scratch(tmp_path), None) as found,
                pytest.raises(UsageError, match="there has been no worker for"),
            ):
                found.run([task("first", add, (1,)), endless], stop_worker)
        finally:
            for process in (worker, scheduler):
                if process is not None:
                    process.terminate()
                    process.wait()


@posix
@pytest.mark.parametrize("way", ["SIGINT", "SIGKILL"])
def test_a_driver_that_ends_takes_its_workers_along(tmp_path: Path, way: str):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    driver = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # as in a terminal, even where the tests run in the background of a shell, which ignores SIGINT
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    until(lambda: len(list(tmp_path.glob("*.begun"))) == 2 or driver.poll() is not None)
    family = psutil.Process(driver.pid).children(recursive=True)
    assert len(family) >= 3
    assert driver.pid not in {os.getsid(member.pid) for member in family}  # Ctrl-C does not reach them
    os.killpg(driver.pid, getattr(signal, way))
    out, err = driver.communicate(timeout=60)
    assert (out, err) == ("stopped\n" if way == "SIGINT" else "", "")
    until(lambda: not any(workers._runs(member) for member in family))
