"""What a long run tells whoever watches it, and how it is asked to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

STAGES = {
    "read": 0.02,
    "supervision": 0.08,
    "training": 0.75,
    "extraction": 0.13,
    "evaluation": 0.0,
    "write": 0.02,
}
"""The stages of a reconstruction and the share of the whole that each usually takes.

An evaluation is none of them: it has the share 0 and a name that may be told.
"""

ALONE = "render"
"""A stage that is all of its run."""


@dataclass(frozen=True)
class Progress:
    """One report: `fraction` of the named `stage` is done, from 0 to 1.

    During training `step`, `steps` and `loss` (running mean) are set. Where a run is several, one
    after another, this is `part` (from 0) of `parts`, and `label` names it.
    """

    stage: str
    fraction: float
    message: str = ""
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    part: int = 0
    parts: int = 1
    label: str = ""

    @property
    def total(self) -> float:
        """The share of the whole run that is done, from 0 to 1."""
        if self.stage == ALONE:
            return self.fraction
        names = list(STAGES)
        before = sum(STAGES[name] for name in names[: names.index(self.stage)])
        return (self.part + min(1.0, before + STAGES[self.stage] * self.fraction)) / self.parts


OnProgress = Callable[[Progress], "bool | None"]
"""Called from time to time; returning False during training ends it early, with what there is."""


def silent(progress: Progress) -> None:
    """The callback of a run that nobody watches."""
