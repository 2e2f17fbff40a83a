"""Settings: presets, changes by name, plain values and back."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace

import pytest

from sasnet_sdf.config import PRESETS, Config
from sasnet_sdf.errors import UsageError
from sasnet_sdf.model_config import GridConfig, SASNetConfig
from sasnet_sdf.settings import to_dict, with_changes


def test_presets_are_named_and_rise():
    assert list(PRESETS) == ["fast", "balanced", "fine"]
    assert all(config.preset == name for name, config in PRESETS.items())
    assert PRESETS["balanced"] == Config()
    for value in (
        lambda c: c.training.steps,
        lambda c: c.training.batch,
        lambda c: c.supervision.targets,
        lambda c: c.model.grid.log2_table,
        lambda c: c.extraction.resolution,
    ):
        fast, balanced, fine = map(value, PRESETS.values())
        assert fast <= balanced < fine
    assert all(config.training.time_limit is None for config in PRESETS.values())


def test_changes_at_any_depth():
    config = Config()
    changed = with_changes(
        config,
        {
            "seed": 7,
            "training": {"steps": 10},
            "model": {"width": 32, "grid": {"interpolation": "smoothstep"}},
        },
    )
    assert changed.seed == 7 and changed.training == replace(config.training, steps=10)
    grid = replace(GridConfig(), interpolation="smoothstep")
    assert changed.model == replace(SASNetConfig(), width=32, grid=grid)
    assert (changed.supervision, changed.extraction) == (config.supervision, config.extraction)
    assert config == Config()
    assert with_changes(config, {}) == config


@pytest.mark.parametrize(
    "changes, name, known",
    [
        ({"step": 1}, "step", "device"),
        ({"training": {"stepps": 1}}, "stepps", "steps"),
        ({"model": {"grid": {"level": 1}}}, "level", "levels"),
    ],
)
def test_unknown_settings_are_named(changes, name, known):
    with pytest.raises(UsageError, match=f"unknown setting '{name}'; known: .*{known}"):
        with_changes(Config(), changes)


@pytest.mark.parametrize("preset", PRESETS)
def test_plain_values_and_back(preset):
    config = with_changes(
        PRESETS[preset], {"max_memory": 1 << 33, "training": {"time_limit": 12.5}, "model": {"omega0": 1 / 3}}
    )
    plain = json.loads(json.dumps(to_dict(config)))
    assert plain["model"]["grid"]["levels"] == config.model.grid.levels
    assert with_changes(Config(), plain) == config


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Config().seed = 1
    with pytest.raises(FrozenInstanceError):
        Config().model.grid.levels = 1
    assert len({Config(), Config(), Config(seed=1)}) == 2
