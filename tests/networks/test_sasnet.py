"""The network's structure and how it starts; the reference's derivatives by difference quotients."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from sasnet_sdf.errors import MissingBackend, SasnetError
from sasnet_sdf.model_config import GridConfig, SASNetConfig, class_of
from sasnet_sdf.networks.registry import build_model, network_of

GRID = GridConfig(levels=4, log2_table=10, coarsest=4, finest=32)
CONFIG = SASNetConfig(grid=GRID)


@pytest.fixture
def model():
    return build_model(CONFIG, engine="numba", seed=0)


def test_the_formula(model):
    """One point by hand, in float64: h0 = M sin(W0 x + b0), h_i = M sin(omega0 (W h + b)), f = W h + b."""
    x = torch.tensor([[0.3, -0.7, 0.11]])
    state = {name: value.double().numpy() for name, value in model.state_dict().items()}
    with torch.no_grad():
        masks = model.masks(x).double().numpy()[:, 0]
    masks_of = [np.concatenate([np.ones(32), np.repeat(masks[:4], 8)])]
    masks_of += [np.repeat(masks[4:12], 8), np.repeat(masks[12:20], 8)]
    frozen = 2 * np.pi / (2 / 0.95) * state["frequencies"]
    h = masks_of[0] * np.sin(frozen @ x[0].double().numpy() + state["phases"])
    for weight, bias, mask in zip(state["weights"], state["biases"], masks_of[1:], strict=True):
        h = mask * np.sin(30 * (weight @ h + bias))
    expected = state["output_weight"] @ h + state["output_bias"]
    assert model(x).item() == pytest.approx(expected[0], abs=1e-6)
    assert model.with_masks(x)[0].item() == pytest.approx(expected[0], abs=1e-6)


def test_frequencies_are_whole_numbers_times_the_fundamental(model):
    whole = model.scaled_frequencies.double() * CONFIG.period / (2 * math.pi)
    assert torch.equal(model.frequencies, model.frequencies.round())
    assert model.frequencies.abs().max() <= CONFIG.band
    torch.testing.assert_close(whole, model.frequencies.double(), rtol=1e-6, atol=0)


def test_the_first_layer_repeats_with_the_period(model):
    """Without masks, f(x + period) = f(x) along every axis, as all its frequencies are harmonics."""
    model = build_model(SASNetConfig(low_share=1.0, width=16, hidden_layers=1, grid=GRID), seed=0).double()
    with torch.no_grad():
        model.masks.grid.table.zero_()
    x = torch.rand(20, 3, dtype=torch.float64) - 0.5
    for axis in torch.eye(3, dtype=torch.float64):
        torch.testing.assert_close(model(x + model.config.period * axis), model(x), rtol=0, atol=1e-5)
        assert (model(x + 0.37 * axis) - model(x)).abs().max() > 1e-3


def test_frequencies_are_frozen_and_every_other_number_learns(model):
    groups = model.parameter_groups()
    assert [group["lr"] for group in groups] == [CONFIG.rate, CONFIG.grid_rate]
    assert {id(p) for p in groups[1]["params"]} == {id(p) for p in model.masks.parameters()}
    grouped = [id(p) for group in groups for p in group["params"]]
    assert len(set(grouped)) == len(grouped)
    assert set(grouped) == {id(p) for p in model.parameters()}
    assert all(p.requires_grad for p in model.parameters())
    assert not model.frequencies.requires_grad
    names = {name for name, _ in model.named_parameters()}
    assert "frequencies" not in names and "frequencies" in model.state_dict()
    table = model.masks.grid.table.numel()
    assert sum(p.numel() for p in groups[1]["params"]) == table + 48 * (8 + 1) + 20 * (48 + 1)
    assert sum(p.numel() for p in groups[0]["params"]) == 64 + 2 * 64 * 65 + 65


def test_muon_trains_the_matrices_of_hidden_layers():
    model = build_model(replace(CONFIG, optimizer="muon", muon_rate=0.15))
    sines, masks, matrices = model.parameter_groups()
    assert matrices["muon"] and matrices["lr"] == pytest.approx(0.15 / CONFIG.omega0)
    assert [id(p) for p in matrices["params"]] == [id(model.weights)]
    assert "muon" not in sines and "muon" not in masks
    grouped = [id(p) for group in (sines, masks, matrices) for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())


def test_start(model):
    bound = (6 / 64) ** 0.5 / 30
    for part, limit in (
        (model.weights, bound),
        (model.biases, bound),
        (model.output_weight, bound),
        (model.phases, math.pi),
    ):
        spread = 0.6 * limit / part.numel() ** 0.5
        assert part.abs().max() <= limit
        assert part.abs().max() > 0.9 * limit
        assert abs(part.mean()) < 4 * spread
        assert part.std().item() == pytest.approx(limit / 3**0.5, abs=4 * spread)
    assert (model.output_bias == 0).all()


@pytest.mark.parametrize("bias", [0.0, 2.0])
def test_masks_start_at_the_bias(bias):
    model = build_model(SASNetConfig(mask_bias=bias, grid=GRID), engine="numba")
    _, masks = model.with_masks(torch.rand(500, 3) * 2 - 1)
    expected = 1 / (1 + math.exp(-bias))
    assert masks.shape == (20, 500)
    assert (masks - expected).abs().max() < 0.05
    assert masks.std() > 1e-4


def test_hidden_signals_start_at_the_expected_size():
    """With masks of 1, omega0 z has variance 1, as SIREN's initialization intends."""
    model = build_model(SASNetConfig(width=256, hidden_layers=1, mask_bias=30.0, grid=GRID), seed=1)
    x = torch.rand(2000, 3) * 2 - 1
    with torch.no_grad():
        h = torch.sin(model.scaled_frequencies @ x.t() + model.phases[:, None])
        z = 30 * (model.weights[0] @ h)
    assert z.var().item() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("engine", ["numba", "torch"])
def test_finite_everywhere(engine):
    model = build_model(CONFIG, engine=engine)
    corners = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)))
    points = torch.cat([corners, torch.rand(500, 3) * 2 - 1, 3 * corners])
    with torch.no_grad():
        values, slopes = model.value_and_gradient(points)
    assert values.isfinite().all() and slopes.isfinite().all()
    assert values.abs().max() < 64 * (6 / 64) ** 0.5 / 30


def test_corners_like_the_reference(model):
    twin = build_model(CONFIG, engine="torch", seed=0).double()
    corners = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)))
    torch.testing.assert_close(model(corners).double(), twin(corners.double()), rtol=0, atol=1e-6)


def test_numbers_of_the_masks(model):
    low, bands = model.mask_rows[0][:32], model.mask_rows[0][32:]
    assert (low == len(model.mask_names)).all()  # the number after the last mask: none
    assert np.array_equal(bands, np.repeat(np.arange(4), 8))
    assert np.array_equal(model.mask_rows[1], 4 + np.repeat(np.arange(8), 8))
    assert np.array_equal(model.mask_rows[2], 12 + np.repeat(np.arange(8), 8))
    top = model.frequencies.abs().amax(1)
    of_band = [top[32:][torch.from_numpy(bands == n)] for n in range(4)]
    for lower, higher in itertools.pairwise(of_band):
        assert lower.max() <= higher.min()


def test_masks_of_the_last_layer_alone():
    config = replace(CONFIG, masked="last", groups=3)
    model = build_model(config, engine="numba", seed=0)
    assert model.mask_names == ["layer 2 group 1", "layer 2 group 2", "layer 2 group 3"]
    assert (model.mask_rows[:2] == 3).all() and set(model.mask_rows[2]) == {0, 1, 2}
    points = torch.rand(300, 3) * 2 - 1
    values, masks = model.with_masks(points)
    assert masks.shape == (3, 300)
    torch.testing.assert_close(model(points), values, rtol=0, atol=1e-6)
    h = torch.sin(model.scaled_frequencies @ points.t() + model.phases[:, None])
    for weight, bias in zip(model.weights, model.biases, strict=True):
        h = torch.sin(config.omega0 * (weight @ h + bias[:, None]))
    expected = model.output_weight @ (masks[np.arange(64) * 3 // 64] * h) + model.output_bias[:, None]
    torch.testing.assert_close(values, expected.t(), rtol=0, atol=1e-6)


def test_groups_are_as_equal_as_they_can_be():
    model = build_model(SASNetConfig(width=50, groups=7, hidden_layers=2, grid=GRID), engine="numba")
    for layer in (1, 2):
        rows, sizes = np.unique(model.mask_rows[layer], return_counts=True)
        assert np.array_equal(rows, 4 + 7 * (layer - 1) + np.arange(7))
        assert set(sizes) == {7, 8}


@pytest.mark.parametrize("row", [0, 3, 4, 11, 12, 19])
def test_a_closed_mask_silences_its_neurons_only(model, row):
    """A neuron whose mask is 0 learns nothing: its phase or bias has no gradient."""
    with torch.no_grad():
        model.masks.mask_weight[row] = 0
        model.masks.mask_bias[row] = -100
    points = torch.rand(200, 3) * 2 - 1
    by_phases, by_biases = torch.autograd.grad(model(points).square().sum(), [model.phases, model.biases])
    slopes = np.concatenate([by_phases[None], by_biases])
    silent = model.mask_rows == row
    assert silent.sum() == 8
    assert (np.abs(slopes[silent]) < 1e-9 * np.abs(slopes).max()).all()
    assert (np.abs(slopes[~silent]) > 1e-6 * np.abs(slopes).max()).all()


def test_the_seed_decides_every_number():
    one, again, other = (build_model(CONFIG, seed=seed).state_dict() for seed in (5, 5, 6))
    for name in one:
        assert torch.equal(one[name], again[name]), name
    for name in ("frequencies", "phases", "weights", "masks.grid.table", "masks.mask_weight"):
        assert not torch.equal(one[name], other[name]), name


def test_what_a_file_needs(model):
    assert model.architecture() == {"model": "sasnet", "dim": 3, "outputs": 1}
    assert network_of(class_of(model.architecture()["model"])()) is type(model)


def test_unknown_engine_is_refused():
    with pytest.raises(SasnetError, match="unknown engine 'jax'") as caught:
        build_model(CONFIG, engine="jax")
    assert not isinstance(caught.value, MissingBackend)


def test_reference_by_difference_quotients():
    grid = GridConfig(levels=2, features=1, log2_table=5, coarsest=2, finest=4, interpolation="smoothstep")
    config = SASNetConfig(
        width=5, omega0=3.0, low=1, band=3, bands=2, groups=2, decoder_width=3, hidden_layers=1, grid=grid
    )
    model = build_model(config, dim=2, engine="torch", seed=1).double()
    with torch.no_grad():
        model.masks.grid.table.mul_(50)
        model.masks.hidden_bias.fill_(0.5)
    points = torch.tensor([[0.31, -0.42], [-0.63, 0.77]], dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in model.named_parameters()]

    def values(points, *numbers):
        return torch.func.functional_call(model, dict(zip(names, numbers, strict=True)), (points,))

    inputs = (points, *(p.detach().clone().requires_grad_() for p in model.parameters()))
    assert torch.autograd.gradcheck(values, inputs)
    assert torch.autograd.gradgradcheck(values, inputs)
