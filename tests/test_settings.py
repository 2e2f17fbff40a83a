"""A setting stands in one place: its checks, its option, its keyword and its help are made from the field."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import click
import numpy as np
import pytest
from click.testing import CliRunner

import sasnet_sdf
from sasnet_sdf.cli.main import group
from sasnet_sdf.cli.options import Command, settings
from sasnet_sdf.config import Config, ExtractionConfig, SupervisionConfig, TrainingConfig
from sasnet_sdf.errors import UsageError
from sasnet_sdf.settings import Settings, options_of, setting, with_options
from sasnet_sdf.signal_config import SignalConfig


@dataclass(frozen=True)
class Bread(Settings):
    """One setting of each kind."""

    slices: int = setting(12, "How many slices to cut.", option="slices", form="N", low=2, high=40)
    width: float = setting(9.5, "How wide a slice is, in mm.", positive=True)
    toasted: bool = setting(False, "Toast it.", option="toasted")
    grain: str = setting("rye", "What it is baked from.", option="grain", choices=("rye", "oat"))
    knife: int | None = setting(None, "The drawer that the knife is in.", low=0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"slices": "10"}, "slices must be a whole number, found '10'"),
        ({"slices": 2000 / 3}, "slices must be a whole number, found 666.6"),
        ({"slices": True}, "slices must be a whole number, found True"),
        ({"slices": 41}, "slices must lie between 2 and 40, found 41"),
        ({"slices": None}, "slices must be a whole number, found None"),
        ({"width": 0}, "width must be positive, found 0"),
        ({"width": float("nan")}, "width must be positive, found nan"),
        ({"width": "9"}, "width must be a number, found '9'"),
        ({"toasted": 1}, "toasted must be True or False, found 1"),
        ({"grain": "sand"}, "grain must be one of rye, oat, found 'sand'"),
        ({"knife": -1}, "knife must be at least 0, found -1"),
    ],
)
def test_what_a_setting_cannot_be(words, told):
    with pytest.raises(UsageError, match=told):
        Bread(**words)


def test_values_come_to_the_type_of_their_field():
    bread = Bread(slices=np.int64(8), width=9, toasted=np.True_, knife=None)
    assert (type(bread.slices), type(bread.width), type(bread.toasted)) == (int, float, bool)
    assert Bread(slices=8.0) == Bread(slices=8)


def test_a_new_setting_is_an_option_with_its_help_and_default():
    assert list(options_of(Bread)) == ["slices", "toasted", "grain"]
    found = {}

    @click.command(cls=Command)
    @settings(Config, "resolution")
    def command(**words):
        found.update(words)

    shown = CliRunner().invoke(command, ["--help"]).output
    assert "Surface:" in shown and "[default: fast 320, balanced 448, fine 640]" in " ".join(shown.split())
    assert CliRunner().invoke(command, ["--resolution", "64"]).exit_code == 0
    assert found == {"resolution": 64}


def test_words_go_where_they_belong():
    config = with_options(Config(), {"steps": 7, "seed": 3, "faces": 100})
    assert config.training == TrainingConfig(steps=7, noisy_steps=400)
    assert (config.seed, config.extraction.faces) == (3, 100)
    with pytest.raises(UsageError, match="unknown setting 'time_limt'; did you mean time_limit"):
        with_options(Config(), {"time_limt": 5})


def test_settings_that_contradict_each_other():
    with pytest.raises(UsageError, match="not both"):
        SupervisionConfig(viewpoint=(0, 0, 1), up=(0, 0, 1))
    with pytest.raises(UsageError, match="give one of them"):
        ExtractionConfig(watertight=True, trim=0.5)


def test_every_word_says_what_it_does():
    for word, (_, _, part) in options_of(Config).items():
        text = part.metadata["about"].help
        assert text.endswith(".") and len(text) > 15, word


@pytest.mark.parametrize(
    ("function", "owner"),
    [("reconstruct", Config), ("fit_image", SignalConfig), ("fit_volume", SignalConfig)],
)
def test_python_takes_every_word_and_help_says_what_it_does(function, owner):
    called = getattr(sasnet_sdf, function)
    parameters, told = inspect.signature(called).parameters, " ".join(inspect.getdoc(called).split())
    for word, (_, _, part) in options_of(owner).items():
        assert parameters[word].default is None and parameters[word].annotation != inspect.Parameter.empty
        assert f"{word} (" in told and part.metadata["about"].help in told, word


@pytest.mark.parametrize(("command", "owner"), [("reconstruct", Config), ("fit-image", SignalConfig)])
def test_the_command_line_takes_every_word(command, owner):
    shown = CliRunner().invoke(group, [command, "--help"]).output
    for word, (_, _, part) in options_of(owner).items():
        assert f"--{word.replace('_', '-')}" in shown
        assert part.metadata["about"].help in " ".join(shown.split()), word


def test_an_argument_that_there_is_not_and_settings_given_twice():
    with pytest.raises(UsageError, match="did you mean time_limit"):
        sasnet_sdf.reconstruct("a.ply", time_limt=5)
    with pytest.raises(UsageError, match="not both"):
        sasnet_sdf.reconstruct("a.ply", config=Config(), seed=1)
