"""Words such as siren:omega0=10 and training.batch=8192 as settings."""

from __future__ import annotations

import pytest

from sasnet_sdf.config import Config
from sasnet_sdf.errors import UsageError
from sasnet_sdf.model_config import PUBLISHED, SASNetConfig, SirenConfig, WireConfig
from sasnet_sdf.problems.settings import make_config, model_of, with_settings


@pytest.mark.parametrize(
    "words, expected",
    [
        ("siren", SirenConfig()),
        ("siren:omega0=10", SirenConfig(omega0=10.0)),
        ("siren:omega0=10:width=64", SirenConfig(omega0=10.0, width=64)),
        ("sasnet:no-masks", SASNetConfig(masks=False)),
        ("sasnet:unfrozen", SASNetConfig(frozen=False)),
        ("sasnet:siren-layer", SASNetConfig(frozen=False, sampled=False)),
        ("wire:real:scale=5", WireConfig(complex_valued=False, scale=5.0)),
        ("tuner", PUBLISHED["tuner"]),
    ],
)
def test_models(words, expected):
    assert model_of(words) == expected
    assert type(model_of(words).width) is int


def test_a_path_leads_into_a_grid():
    assert model_of("ngp:grid.levels=8").grid.levels == 8


@pytest.mark.parametrize(
    "words, reason",
    [
        ("sirene", "unknown model 'sirene'; did you mean siren"),
        ("siren:omega=3", "unknown setting 'omega'; did you mean omega0"),
        ("siren:no-masks", "unknown variant 'no-masks'"),
        ("siren:width=2.5", "must be a whole number, found '2.5'"),
        ("siren:omega0=high", "must be a number, found 'high'"),
        ("siren:width=0", "at least 1"),
        ("siren:omega0=70000", "omega0 must be 65536 at most, found 70000"),
        ("wire:reall", "unknown variant 'reall'; give KEY=VALUE or one of real"),
        ("ngp:grid.level=4", "unknown setting 'level'; did you mean levels"),
        ("sasnet:masks=maybe", "must be on or off"),
        ("ngp:grid=3", "cannot be given as one value"),
    ],
)
def test_what_cannot_be_is_named(words, reason):
    with pytest.raises(UsageError, match=reason.replace("[", r"\[")):
        model_of(words)


def test_settings_are_found_where_they_are():
    config = with_settings(Config(), ["width=48", "levels=6", "batch=512", "targets=1000", "masks=off"])
    assert (config.model.width, config.model.grid.levels, config.training.batch) == (48, 6, 512)
    assert (config.supervision.targets, config.model.masks) == (1000, False)
    assert with_settings(Config(), ["training.time_limit=2.5"]).training.time_limit == 2.5
    assert (
        with_settings(Config(), ["model.grid.interpolation=smoothstep"]).model.grid.interpolation
        == "smoothstep"
    )


@pytest.mark.parametrize(
    "setting, reason",
    [
        ("width", "takes KEY=VALUE, found 'width'"),
        ("depth=3", "unknown setting 'depth'; one of width, hidden_layers"),
        ("model.depth=3", "unknown setting 'depth'"),
        ("batch.size=3", "unknown setting 'batch'"),
        ("trim=rubbish", "--set trim: trim must be auto, off, or a positive length, found 'rubbish'"),
        ("training.steps=0", "--set training.steps: steps must lie between 1 and 10000000, found 0"),
        ("batch=0", "batch must lie between 1 and"),
    ],
)
def test_settings_that_there_are_not(setting, reason):
    with pytest.raises(UsageError, match=reason):
        make_config(settings=[setting])


def test_the_command_lines_words():
    config = make_config("fast", model="siren:omega0=10", settings=["width=32", "training.batch=64"])
    assert config.model == SirenConfig(omega0=10.0, width=32) and config.training.batch == 64
    assert config.training.steps == make_config("fast").training.steps
