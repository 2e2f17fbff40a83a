"""The history and the state of a training run, and its checkpoints in a folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import __version__
from ..config import CheckpointConfig, Config
from ..errors import SasnetError, UnreadableInput, UsageError
from ..io.models import read_model, write_model
from ..settings import to_dict
from ..signal_config import SignalConfig


@dataclass
class History:
    """The course of a run, recorded in stretches of steps.

    steps, losses, times: the last step of each stretch, its mean loss, and the seconds elapsed at its end.
    retries: how often the loss was NaN or infinite, so that the run went back and its rates were halved.
    notes: what the user should know. ended_by: "steps", "time" or "cancel".
    """

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    retries: int = 0
    notes: list[str] = field(default_factory=list)
    ended_by: str = "steps"

    @property
    def steps_done(self) -> int:
        """The number of steps so far."""
        return self.steps[-1] if self.steps else 0

    @property
    def seconds(self) -> float:
        """The duration so far."""
        return self.times[-1] if self.times else 0.0

    @property
    def ms_per_step(self) -> float:
        """The median duration of a step over the stretches, which is insensitive to short disturbances."""
        if not self.steps:
            return 0.0
        return 1e3 * float(median(np.diff(self.times, prepend=0) / np.diff(self.steps, prepend=0)))

    @property
    def loss(self) -> float | None:
        """The mean loss of the last stretch, if any."""
        return self.losses[-1] if self.losses else None

    def facts(self) -> dict[str, Any]:
        """The facts about the run for reports and model files."""
        return {
            "steps": self.steps_done,
            "ms_per_step": self.ms_per_step,
            "loss": self.loss,
            "retries": self.retries,
            "ended_by": self.ended_by,
        }

    def until(self, step: int) -> History:
        """A copy of the history up to a step, with all retries."""
        count = sum(number <= step for number in self.steps)
        return History(
            self.steps[:count], self.losses[:count], self.times[:count], self.retries, list(self.notes)
        )


@dataclass(frozen=True)
class State:
    """The state of a run after history.steps_done steps.

    updates: number of updates by Adam. tensors: the value and the moments of each parameter.
    """

    history: History
    updates: int
    tensors: list[Tensor]

    @property
    def finite(self) -> bool:
        """Whether all numbers are finite."""
        return all(bool(tensor.isfinite().all()) for tensor in self.tensors)


KEPT = 2
"""Number of checkpoints that are kept: if the last one is damaged, the previous one is used."""


class CheckpointFolder:
    """The checkpoints of one run in a folder, RUN-STEP.sasnet; those of other runs are left alone.

    RUN is a digest of everything that determines the result: input, settings and version. So a run is only
    resumed from its own states. start: the state to resume from, if any. every: seconds between checkpoints.
    notes: what happened, for the report.
    """

    start: State | None
    every: float
    notes: list[str]

    def __init__(self, config: CheckpointConfig, run: str, shapes: list[tuple[int, ...]]):
        assert config.folder is not None
        self.every, self.notes = config.every, []
        self._folder, self._run, self._failed = Path(config.folder), run, False
        self._shapes = shapes
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self._folder}: cannot be made ({error.strerror or error})") from error
        self.start = self._newest() if config.resume else None

    def keep(self, state: State) -> None:
        """Write a state atomically; only the last KEPT checkpoints are kept.

        If the folder cannot be written to, training goes on, with a note: it is worth more than a checkpoint.
        """
        step, history = state.history.steps_done, state.history
        arrays = {
            f"{n:03d}": (torch.view_as_real(tensor) if tensor.is_complex() else tensor).cpu().numpy()
            for n, tensor in enumerate(state.tensors)
        }
        happened = {"steps": history.steps, "losses": history.losses, "times": history.times}
        metadata = {
            "run": self._run,
            "updates": state.updates,
            "history": {**happened, "retries": history.retries},
        }
        try:
            write_model(self._folder / f"{self._run}-{step:08d}.sasnet", arrays, {"checkpoint": metadata})
            for path in self._paths()[:-KEPT]:
                path.unlink(missing_ok=True)
        except (SasnetError, OSError) as error:
            if not self._failed:
                self.notes.append(f"the checkpoint of step {step} could not be kept: {error}")
            self._failed = True

    def _paths(self) -> list[Path]:
        """The paths of the run's checkpoints, oldest first."""
        named = re.compile(re.escape(self._run) + r"-\d{8}\.sasnet")
        return sorted(path for path in self._folder.iterdir() if named.fullmatch(path.name))

    def _newest(self) -> State | None:
        for path in reversed(self._paths()):
            try:
                state = self._read(path)
            except UnreadableInput as error:
                self.notes.append(f"a checkpoint cannot be used: {error}")
                continue
            self.notes.append(f"resumed after step {state.history.steps_done}, from {path}")
            return state
        self.notes.append(f"nothing of this run to resume in {self._folder}: started afresh")
        return None

    def _read(self, path: Path) -> State:
        """A state with finite tensors of the right shapes. Raises UnreadableInput."""
        arrays, metadata = read_model(path)
        try:
            known = metadata["checkpoint"]
            steps, losses, times = (list(known["history"][name]) for name in ("steps", "losses", "times"))
            history = History(steps, losses, times, int(known["history"]["retries"]))
            tensors = [torch.from_numpy(arrays[f"{n:03d}"]) for n in range(len(self._shapes))]
            if known["run"] != self._run or not len(steps) == len(losses) == len(times):
                raise ValueError("it is of another run")
            tensors = [
                tensor if tensor.shape == shape else torch.view_as_complex(tensor)
                for tensor, shape in zip(tensors, self._shapes, strict=True)
            ]
            state = State(history, int(known["updates"]), tensors)
            if [tuple(tensor.shape) for tensor in tensors] != self._shapes or not state.finite:
                raise ValueError("its numbers are not those of a state")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UnreadableInput(f"{path}: not a checkpoint of this run ({error})") from error
        return state


def run_name(config: Config | SignalConfig, data: Iterable[np.ndarray]) -> str:
    """A digest, 16 digits, of everything that determines the result of a run.

    The time limit is not part of it, since it only determines when the run ends.
    """
    training = {**to_dict(config.training), "time_limit": None}
    settings = to_dict(config.model), training, config.seed, __version__
    digest = blake2b(repr(settings).encode(), digest_size=8)
    for array in data:
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()
