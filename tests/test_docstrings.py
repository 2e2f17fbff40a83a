"""Public names are described for readers who know nothing else: every argument, and an example that runs."""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import sasnet_sdf
from sasnet_sdf import config, signal_config

FUNCTIONS = [n for n in sasnet_sdf.__all__ if inspect.isfunction(getattr(sasnet_sdf, n))]
CLASSES = ["Field", "FittedSignal", "Frame", "PointCloud", "Signal", "TriangleMesh"]


@pytest.fixture(scope="module")
def small():
    """Presets that take a second."""
    presets, signals = dict(config.PRESETS), dict(signal_config.SIGNAL_PRESETS)
    training = replace(config.PRESETS["fast"].training, steps=60, noisy_steps=None)
    for name, preset in presets.items():
        config.PRESETS[name] = replace(
            preset,
            training=training,
            extraction=replace(preset.extraction, resolution=32),
            supervision=replace(preset.supervision, targets=5000),
        )
    for name, preset in signals.items():
        signal_config.SIGNAL_PRESETS[name] = replace(preset, training=replace(preset.training, steps=150))
    yield
    config.PRESETS.update(presets)
    signal_config.SIGNAL_PRESETS.update(signals)


@pytest.fixture(scope="module")
def inputs(small, tmp_path_factory):
    """A folder with the files that the examples name."""
    folder = tmp_path_factory.mktemp("examples")
    points = np.random.default_rng(0).normal(size=(2000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    result = sasnet_sdf.reconstruct(sasnet_sdf.PointCloud(points, points))
    for name in ("scan.ply", "surface.ply", "truth.ply"):
        result.mesh.save(folder / name)
    result.field.save(folder / "scan.sasnet")
    y, x = np.mgrid[:24, :32]
    Image.fromarray((5 * x + 3 * y).astype(np.uint8)).save(folder / "photo.png")
    sasnet_sdf.fit_image(folder / "photo.png").save(folder / "photo.sasnet")
    index = np.stack(np.mgrid[:12, :12, :12], -1)
    ball = np.exp(-(((index - 5.5) / 3) ** 2).sum(-1)).astype(np.float32)
    np.savez(folder / "volume.npz", volume=ball, spacing=np.ones(3))
    return folder, {
        "points": points,
        "normals": points,
        "vertices": result.mesh.vertices,
        "faces": result.mesh.faces,
        "values": np.zeros((40, 40, 40, 1), np.float32),
        "sasnet_sdf": sasnet_sdf,
    }


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES])
def test_examples_run(name, inputs, monkeypatch):
    folder, names = inputs
    monkeypatch.chdir(folder)
    text = inspect.cleandoc(getattr(sasnet_sdf, name).__doc__ or "").partition("\nSettings (None")[0]
    code = textwrap.dedent("\n".join(line for line in text.splitlines() if line.startswith("    ")))
    assert "sasnet_sdf." in code, f"{name} has no example"
    exec(compile(code, name, "exec"), dict(names))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_described_and_typed(name):
    function = getattr(sasnet_sdf, name)
    for argument, parameter in inspect.signature(function).parameters.items():
        assert re.search(rf"\b{argument}\b[a-z_, ]*( \(.*\))?:", function.__doc__ or ""), (
            f"{name}: {argument}"
        )
        assert parameter.annotation is not inspect.Parameter.empty, f"{name}: {argument}"
    assert inspect.signature(function).return_annotation is not inspect.Signature.empty
