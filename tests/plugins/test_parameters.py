"""Parameters of the plugins are settings of sasnet_sdf.reconstruct: names, defaults, choices, help."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import sasnet_open3d
import sasnet_sdf
from sasnet_meshlab import native
from sasnet_meshlab.distance import DISTANCE
from sasnet_meshlab.filters import Parameter, help_of
from sasnet_meshlab.reconstruction import RECONSTRUCTION, TRAINING, training_settings
from sasnet_sdf.config import Config
from sasnet_sdf.settings import about, options_of

SETTINGS = {word: part for word, (_, _, part) in options_of(Config).items()}

OTHER_NAMES = {"edgelength": "edge_length", "timelimit": "time_limit", "scalar": "carry"}
"""PyMeshLab's names have no underscores; a layer has one scalar."""

OF_MESHLAB = {"preset", "visiblelayer", "savemodel"}
"""Parameters that are not settings."""

NOT_IN_MESHLAB = {
    *("viewpoint", "up", "classes", "crop", "max_points"),  # layers have no sensors and no classifications
    *("batch", "keep_components", "checkpoint", "checkpoint_every", "resume"),
    *("device", "engine", "max_memory", "strict"),
    *("tiles", "workers", "scheduler", "scratch", "keep_scratch", "split"),  # one field, one layer
}
"""Settings that have no parameter."""


def test_every_setting_is_a_parameter_or_is_left_out_on_purpose():
    parameters = {OTHER_NAMES.get(p.name, p.name) for p in RECONSTRUCTION.parameters} - OF_MESHLAB
    assert parameters | NOT_IN_MESHLAB == set(SETTINGS) and not parameters & NOT_IN_MESHLAB


@pytest.mark.parametrize("parameter", RECONSTRUCTION.parameters, ids=lambda parameter: parameter.name)
def test_parameters_have_the_defaults_choices_and_help_of_their_settings(parameter: Parameter):
    name = OTHER_NAMES.get(parameter.name, parameter.name)
    if name in OF_MESHLAB:
        assert name != "preset" or (parameter.choices, parameter.default) == (
            tuple(sasnet_sdf.PRESETS),
            Config().preset,
        )
        return
    what, default = about(SETTINGS[name]), SETTINGS[name].default
    if parameter.kind == "bool":
        assert parameter.default == (default if isinstance(default, bool) else default != "off")
    elif parameter.kind == "enum":
        assert set(parameter.choices) <= set(what.choices) and parameter.default == default
    else:  # 0 stands for the preset's value, or for none; where 0 is a value, it is the default
        assert parameter.default == 0
        assert name == "seed" or name == "trim" or not (what.low or 1) <= 0
    if name not in ("normals", "trim", "carry"):  # these differ in MeshLab, and say so themselves
        assert parameter.help.lower().startswith(help_of(name)[:30].lower().replace("auto:", "on:"))


def test_the_distance_filter_trains_with_the_same_parameters():
    assert set(TRAINING) == set(DISTANCE.parameters) & set(RECONSTRUCTION.parameters)
    given = training_settings({parameter.name: parameter.default for parameter in TRAINING})
    assert given.keys() <= {*SETTINGS, "preset"}
    assert (given["steps"], given["time_limit"], given["preset"]) == (None, None, "balanced")


def test_the_native_filter_has_the_same_parameters():
    source = (Path(native.__file__).parent / "reconstruct.cpp").read_text(encoding="utf-8")
    declared = {
        name: (default, "".join(re.findall(r'"([^"]*)"', texts)))
        for name, default, texts in re.findall(
            r'addParam\(Rich\w+\("(\w+)", ([^,]+),[^"]*"[^"]*",\s*((?:"[^"]*"\s*)+)\)\);', source
        )
    }
    known = {parameter.name: parameter for parameter in RECONSTRUCTION.parameters}
    assert declared.keys() - known.keys() == {"command"}
    assert known.keys() - declared.keys() == {"visiblelayer", "scalar", "savemodel"}
    for name, parameter in known.items():
        if name in declared:
            default = parameter.shown(parameter.default)
            assert declared[name] == (str(default).lower().removesuffix(".0"), parameter.help), name
    for choices, name in (("PRESETS", "preset"), ("NORMALS", "normals")):
        listed = re.search(rf"{choices} = {{(.*?)}}", source)
        assert listed and tuple(re.findall(r'"(\w+)"', listed[1])) == known[name].choices


def test_open3d_names_settings_that_there_are():
    text = inspect.getdoc(sasnet_open3d.create_from_point_cloud_sasnet) or ""
    listed = re.search(r"such as (.*?)\.\n\nReturns", text, re.DOTALL)
    assert listed
    named = re.findall(r"[a-z_]+", re.sub(r"\(.*?\)|=\S+", "", listed[1], flags=re.DOTALL))
    assert len(named) > 10 and set(named) <= set(inspect.signature(sasnet_sdf.reconstruct).parameters)
