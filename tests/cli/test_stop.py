"""Ctrl-C as a state machine: what a signal does depends on where the run is."""

from __future__ import annotations

import contextlib
import signal
import threading

import pytest

from sasnet_sdf.cli.progress import StopRequest
from sasnet_sdf.errors import Interrupted
from sasnet_sdf.runtime.progress import Progress


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def test_before_training_it_stops_at_once():
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        assert stop.goes_on(Progress("supervision", 0.5))
        ctrl_c()


def test_during_training_it_ends_the_training_and_lets_the_extraction_run():
    with StopRequest() as stop:
        assert stop.goes_on(Progress("training", 0.1))
        ctrl_c()
        assert stop.requested
        assert not stop.goes_on(Progress("training", 0.2))
        assert stop.goes_on(Progress("extraction", 0.0))


@pytest.mark.parametrize("second", [Progress("training", 0.2), Progress("extraction", 0.5)])
def test_the_second_one_stops_at_once(second):
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        stop.goes_on(Progress("training", 0.1))
        ctrl_c()
        stop.goes_on(second)
        ctrl_c()


@pytest.mark.parametrize(
    "after", [Progress("training", 1.0), Progress("extraction", 0.0), Progress("write", 0.0)]
)
def test_after_training_it_stops_at_once(after):
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        stop.goes_on(Progress("training", 0.5))
        stop.goes_on(after)
        ctrl_c()


def test_sigterm_is_the_same():
    with StopRequest() as stop:
        stop.goes_on(Progress("training", 0.1))
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested


def test_an_interrupt_that_a_library_swallowed_is_raised_at_the_next_report():
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        with contextlib.suppress(KeyboardInterrupt):
            ctrl_c()
        stop.goes_on(Progress("read", 0.5))


def test_an_interrupt_that_a_library_turned_into_an_error_is_an_interrupt():
    with pytest.raises(KeyboardInterrupt), StopRequest():
        try:
            ctrl_c()
        except KeyboardInterrupt as error:
            raise ImportError("cannot import") from error


def test_an_interruption_that_explains_itself_passes():
    with pytest.raises(Interrupted, match="nothing"), StopRequest():
        try:
            ctrl_c()
        except KeyboardInterrupt as error:
            raise Interrupted("nothing was written") from error


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopRequest():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_outside_the_main_thread_it_leaves_signals_alone():
    seen = []

    def enter():
        with StopRequest() as stop:
            seen.append((signal.getsignal(signal.SIGINT), stop.goes_on(Progress("training", 0.0))))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [(signal.getsignal(signal.SIGINT), True)]
