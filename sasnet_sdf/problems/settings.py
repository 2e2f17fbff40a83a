"""From the arguments of Python and the command line to a Config."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..config import PRESETS, Config
from ..errors import UsageError, unknown
from ..settings import with_words
from .model_choice import model_of, with_settings


def make_config(
    preset: str = "balanced", *, model: str | None = None, settings: Iterable[str] = (), **words: Any
) -> Config:
    """The preset with what was asked for changed; None leaves the preset's value.

    model: NAME[:KEY=VALUE]... as model_of takes it, such as "siren:omega0=10", with the values that
    its paper published. settings: any setting as "KEY=VALUE", such as "supervision.targets=200000".
    words: settings that have a word, in config.py. Raises UsageError.
    """
    if preset not in PRESETS:
        raise UsageError(unknown("preset", preset, PRESETS))
    given = {word: value for word, value in words.items() if value is not None}
    if "resolution" in given and "edge_length" in given:
        raise UsageError("give the resolution or the edge length, not both")
    config = with_words(PRESETS[preset], given)
    if "steps" in given:  # of every scan
        config = replace(config, training=replace(config.training, noisy_steps=None))
    if model is not None:
        config = replace(config, model=model_of(model))
    return with_settings(config, settings)
