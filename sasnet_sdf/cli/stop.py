"""Ctrl-C: the first one during training ends the training, any other stops the run."""

from __future__ import annotations

import signal
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import Interrupted
from ..runtime.progress import Progress

if TYPE_CHECKING:
    from typing_extensions import Self

# SIGTERM is a program's Ctrl-C, SIGBREAK the one that a program can send on Windows.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


class StopRequest:
    """Catches the stop signals while it is entered, and remembers what they asked for.

    `requested`: training is to end, and the surface that it has is to be written. A second signal,
    or one outside training, raises KeyboardInterrupt. Only the main thread may set signal
    handlers; elsewhere this does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._at_once = False
        self._training = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self.receive) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        # A library may have caught the interrupt and raised an error of its own.
        if self._at_once and isinstance(error, Exception) and not isinstance(error, Interrupted):
            raise KeyboardInterrupt from error

    def receive(self, number: int, frame: object) -> None:
        """The signal handler."""
        if self._training and not self.requested:
            self.requested = True
        else:
            self._at_once = True
            raise KeyboardInterrupt

    def goes_on(self, progress: Progress) -> bool:
        """Whether the run is to go on; the answer of a progress callback."""
        if self._at_once:
            # The interrupt was raised where Python cannot pass it on, as in a callback from C.
            raise KeyboardInterrupt
        self._training = progress.stage == "training" and progress.fraction < 1
        return not (self.requested and self._training)
