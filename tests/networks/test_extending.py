"""Networks and engines of other packages: the examples of docs/extending.md, and entry points."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
import torch

import sasnet_sdf
from sasnet_sdf.api import load_model
from sasnet_sdf.config import Config, TrainingConfig
from sasnet_sdf.engines import ENGINES, Engine, available_engines, choose_engine
from sasnet_sdf.errors import MissingBackend, UsageError
from sasnet_sdf.model_config import PUBLISHED, SirenConfig, class_of
from sasnet_sdf.networks import HashGrid, Network
from sasnet_sdf.networks.registry import build_model, parameters_of, with_parameters
from sasnet_sdf.problems.settings import model_of
from sasnet_sdf.training.losses import DistanceTask

IMAGE = np.sin(np.arange(24)[:, None] / 4) * np.cos(np.arange(20) / 3)


@pytest.fixture(autouse=True)
def as_before():
    """What a test registers is forgotten after it."""
    yield
    for table in (PUBLISHED, ENGINES):
        table._added.clear()


def example(root, section):
    """The names that the Python block of a section of the page defines."""
    page = (root / "docs" / "extending.md").read_text(encoding="utf-8")
    code = re.search(rf"## {section}\n.*?```python\n(.*?)```", page, re.DOTALL)
    assert code and sum(bool(line.strip()) for line in code[1].splitlines()) <= 20
    names = {"__name__": "example"}
    exec(compile(code[1], f"extending.md: {section}", "exec", dont_inherit=True), names)
    return names


def test_the_pages_network_trains_saves_and_loads(root, tmp_path):
    example(root, "A network")
    fitted = sasnet_sdf.fit_image(IMAGE, model="ripple:width=24:rate=0.01", steps=150, preset="fast")
    assert fitted.report["model"] == "ripple" and fitted.model.config.width == 24
    losses = fitted.report["history"]["losses"]
    assert losses[-1] < 0.5 * losses[0]
    fitted.save(tmp_path / "image.sasnet")
    loaded = load_model(tmp_path / "image.sasnet")
    assert loaded.model.config == fitted.model.config
    places = np.random.default_rng(0).uniform(0, 19, (50, 2))
    np.testing.assert_array_equal(loaded.sample(places), fitted.sample(places))
    PUBLISHED._added.clear()
    with pytest.raises(sasnet_sdf.UnreadableInput, match="unknown model 'ripple'"):
        load_model(tmp_path / "image.sasnet")


def test_the_pages_network_has_the_size_of_a_comparison_and_settings_that_are_checked(root):
    example(root, "A network")
    config = with_parameters(model_of("ripple"), 20_000)
    assert parameters_of(config) == pytest.approx(20_000, rel=0.02) and config.width > 100
    with pytest.raises(UsageError, match="swing must be positive, found 0"):
        model_of("ripple:swing=0")
    with pytest.raises(UsageError, match="unknown setting 'swings'; did you mean swing"):
        model_of("ripple:swings=2")
    with pytest.raises(UsageError, match="unknown model 'riple'; did you mean ripple"):
        model_of("riple")


def test_the_pages_engine_computes_the_grid(root):
    names = example(root, "An engine")
    assert choose_engine("counted", "cpu") == "counted" and choose_engine("auto", "cpu") == "numba"
    fitted = sasnet_sdf.fit_image(IMAGE, steps=3, preset="fast", engine="counted")
    assert fitted.report["engine"] == "counted" and len(names["calls"]) > 3
    grids = [
        HashGrid(fitted.model.config.grid, 2, name, torch.Generator().manual_seed(0))
        for name in ("counted", "torch")
    ]
    points = torch.rand(30, 2) * 2 - 1
    assert torch.equal(grids[0](points), grids[1](points))
    assert available_engines()["counted"] is None


def test_an_engine_that_is_not_twice_differentiable_refuses_a_loss_on_gradients(root):
    encode = example(root, "An engine")["counted"]
    Engine("once", encode, twice_differentiable=False).register()
    model = build_model(model_of("ngp:width=8:grid.levels=2:grid.log2_table=6"), engine="once")
    assert not model.twice_differentiable
    with pytest.raises(UsageError, match="once cannot train on gradients"):
        DistanceTask(model, lambda _: (torch.zeros(1, 3),) * 3, TrainingConfig())
    DistanceTask(model, lambda _: (torch.zeros(1, 3),) * 3, TrainingConfig(eikonal_weight=0.0))


def test_a_setting_takes_engines_that_are_known(root):
    with pytest.raises(UsageError, match="unknown engine 'nmba'; did you mean numba"):
        Config(engine="nmba")
    with pytest.raises(UsageError, match="unknown engine 'counted'"):
        Config(engine="counted")
    example(root, "An engine")
    assert Config(engine="counted").engine == "counted"


@pytest.mark.parametrize("name", ["siren", "tuner"])
def test_names_of_the_package_itself_cannot_be_replaced(name):
    with pytest.raises(ValueError, match=f"{name} is a name of sasnet-sdf itself"):
        PUBLISHED.add(name, SirenConfig())


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a=b", "a,b"])
def test_names_that_an_option_could_not_hold(name):
    with pytest.raises(ValueError, match="cannot be a name"):
        PUBLISHED.add(name, SirenConfig())


@pytest.fixture
def installed(root, tmp_path, monkeypatch):
    """A package with the page's examples, an entry point that fails, and one that names nothing."""
    page = (root / "docs" / "extending.md").read_text(encoding="utf-8")
    network, engine, _ = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    network = network.replace("Ripple.register()", "")
    engine = re.sub(r"\n(Engine\(.*)\.register\(\)", r"\nengine = \1", engine)
    (tmp_path / "my_package.py").write_text(network + engine)
    (tmp_path / "broken_package.py").write_text("raise OSError('a library is missing')")
    info = tmp_path / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    lines = re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1]
    lines = re.sub(r'project\.entry-points\."(.*?)"', r"\1", lines).replace('"', "")
    other = "broken = broken_package:Net\nother = my_package:Ripple\nsiren = my_package:Ripple\n"
    (info / "entry_points.txt").write_text(lines.replace("\n\n", f"\n{other}\n", 1))
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("my_package", "broken_package"):
        sys.modules.pop(name, None)


def test_an_installed_package_is_found_by_its_entry_points(installed):
    assert "my_package" not in sys.modules
    assert "ripple" in PUBLISHED and "counted" in ENGINES and "my_package" not in sys.modules
    model = build_model(model_of("ripple:width=8"))
    assert isinstance(model, Network) and type(model).__module__ == "my_package"
    assert class_of("ripple") is type(model.config)
    assert choose_engine("counted", "cpu") == "counted"
    assert type(model_of("siren")) is SirenConfig  # the package's own goes first
    with pytest.raises(UsageError, match="unknown model 'rippl'; did you mean ripple"):
        model_of("rippl")


def test_a_package_that_cannot_be_loaded_is_named(installed):
    assert model_of("siren") == SirenConfig()
    with pytest.raises(MissingBackend, match=r"model broken of broken_package:Net .* a library is missing"):
        model_of("broken")
    with pytest.raises(MissingBackend, match="my_package:Ripple registers no model named other"):
        model_of("other")
