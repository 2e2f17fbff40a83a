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
    """All settings of a reconstruction: a preset's, changed where an argument is given.

    preset: "fast", "balanced" or "fine".

    model: NAME[:KEY=VALUE]..., such as "siren:omega0=10", with the values that its paper published.

    settings: any setting as "KEY=VALUE", such as "supervision.targets=200000".

    words: the settings of docs/settings.md by name; None leaves the preset's value.

    Raises UsageError.

        config = sasnet_sdf.make_config("fast", resolution=256, seed=1)
        result = sasnet_sdf.reconstruct("scan.ply", config=config)
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
