"""Curves are drawn, without pyplot; without matplotlib there is a command that installs it."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
from PIL import Image

from sasnet_sdf.errors import MissingBackend
from sasnet_sdf.views.curves import MOST_POINTS, _thinned, convergence, spectrum, sweep

with_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed (the viz extra)"
)

STEPS = np.arange(1, 401)
ROWS = [(f"model {n}", STEPS, STEPS * 0.01 * (n + 1), (n + 1) / STEPS) for n in range(14)]
POINTS = [(30.0, 11.0, 0.97), (5.0, 40.0, 0.9), (60.0, np.nan, np.nan), (120.0, 90.0, 0.6)]


def colors(path):
    """How many pixels are neither white nor gray."""
    with Image.open(path) as image:
        return (np.ptp(np.asarray(image.convert("RGB")).astype(int), axis=2) > 60).sum()


@with_matplotlib
def test_convergence_is_drawn(tmp_path):
    convergence(ROWS, tmp_path / "curves.png")
    assert colors(tmp_path / "curves.png") > 5000
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


@with_matplotlib
def test_runs_without_losses_are_drawn_empty(tmp_path):
    lost = [("lost", [1, 2], [0.1, 0.2], [np.nan, 0.0]), ("never began", [], [], [])]
    convergence([*lost, ROWS[1]], tmp_path / "some.png")
    convergence(lost, tmp_path / "none.png")
    assert colors(tmp_path / "some.png") > colors(tmp_path / "none.png")


@with_matplotlib
def test_sweep_is_drawn(tmp_path):
    sweep(POINTS, (8.0, 0.985), tmp_path / "sweep.png", "error (mm)")
    assert colors(tmp_path / "sweep.png") > 2000


@with_matplotlib
def test_spectra_are_drawn(tmp_path):
    image = np.random.default_rng(0).normal(size=(40, 50, 3))
    spectrum(image[::-1], image, tmp_path / "spectrum.png")
    assert colors(tmp_path / "spectrum.png") > 1000
    flat = np.ones((40, 50, 1))
    spectrum(flat, flat, tmp_path / "none.png")
    assert colors(tmp_path / "none.png") < colors(tmp_path / "spectrum.png")


@with_matplotlib
def test_pyplot_is_not_imported(tmp_path):
    before = "matplotlib.pyplot" in sys.modules
    sweep(POINTS, (8.0, 0.985), tmp_path / "sweep.svg")
    assert ("matplotlib.pyplot" in sys.modules) == before
    assert (tmp_path / "sweep.svg").read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize(
    "draw", [lambda path: convergence(ROWS, path), lambda path: sweep(POINTS, (8, 1), path)]
)
def test_missing_matplotlib_says_how_to_install_it(tmp_path, monkeypatch, draw):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingBackend, match=r'pip install "sasnet-sdf\[viz\]"'):
        draw(tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())


def test_curves_of_many_points_become_geometric_means():
    losses = np.tile([1e-2, 1e-4], 500)
    steps, seconds, thin = _thinned(np.arange(1000.0), np.arange(1000.0) / 10, losses)
    assert len(steps) <= MOST_POINTS
    np.testing.assert_allclose(seconds, steps / 10)
    np.testing.assert_allclose(np.log10(thin), -3, atol=0.1)


def test_short_curves_do_not_change():
    steps, _, thin = _thinned(np.arange(3.0), np.arange(3.0), np.array([3.0, 2.0, 1.0]))
    np.testing.assert_allclose(thin, [3, 2, 1])
    np.testing.assert_allclose(steps, [0, 1, 2])
