"""The networks beside SASNet are those of their papers: numbers at the start, activations, sizes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from sasnet_sdf.errors import UsageError
from sasnet_sdf.model_config import PUBLISHED, GridConfig, SASNetConfig, WireConfig
from sasnet_sdf.networks.registry import build_model, network_of, parameter_count
from sasnet_sdf.problems.settings import model_of
from sasnet_sdf.training.optimizers import Optimizer

SMALL_GRID = GridConfig(levels=4, log2_table=10, coarsest=8, finest=64)
NAMES = [name for name in PUBLISHED if name != "sasnet"]


def small(name):
    """The published settings with a small grid."""
    config = PUBLISHED[name]
    if name == "tuner":
        return replace(config, low=16, band=40)  # in 2 dimensions its own range holds too few
    return replace(config, grid=SMALL_GRID) if hasattr(config, "grid") else config


def spread(parameter):
    """Largest modulus and standard deviation."""
    return parameter.detach().abs().max().item(), parameter.detach().std().item()


def assert_uniform(parameter, bound):
    most, deviation = spread(parameter)
    assert 0.97 * bound < most <= bound * (1 + 1e-6)
    assert deviation == pytest.approx(bound / 3**0.5, rel=0.05)


@pytest.fixture
def points():
    return torch.rand(400, 3, generator=torch.Generator().manual_seed(5)) * 2 - 1


def test_siren_starts_as_its_paper_says(points):
    """Sitzmann et al. 2020, sec. 3.2: what the weights give a sine is of N(0, 1), layer after layer."""
    model = build_model(PUBLISHED["siren"], seed=1)
    assert_uniform(model.first.weight, 1 / 3)
    for layer in (*model.hidden, model.last):
        assert_uniform(layer.weight, math.sqrt(6 / 256) / 30)
    h = torch.sin(30 * model.first(points))
    assert h.square().mean().item() == pytest.approx(0.5, abs=0.05)
    z = 30 * model.hidden[0](h)
    unbiased = z - 30 * model.hidden[0].bias
    assert unbiased.std().item() == pytest.approx(1, abs=0.05)
    by_hand = model.last(torch.sin(30 * model.hidden[1](torch.sin(z))))
    torch.testing.assert_close(model(points), by_hand)
    # 3 -> 256 -> 256 -> 256 -> 1, "2 x 256" of the published runs
    assert parameter_count(model) == 4 * 256 + 2 * (256 * 256 + 256) + 257 == 132_865


def test_finer_bends_its_sines_and_spreads_its_biases(points):
    model = build_model(PUBLISHED["finer"], seed=1)
    assert_uniform(model.first.bias, 1.0)
    assert_uniform(model.hidden[0].weight, math.sqrt(6 / 256) / 30)
    z = model.first(points)
    h = torch.sin(30 * (z.abs() + 1) * z)
    for layer in model.hidden:
        z = layer(h)
        h = torch.sin(30 * (z.abs() + 1) * z)
    torch.testing.assert_close(model(points), model.last(h))
    assert parameter_count(model) == 132_865


def test_finers_gradient_by_points_is_that_of_its_values():
    model = build_model(replace(PUBLISHED["finer"], width=32), seed=1).double()
    x, step = torch.rand(50, 3, dtype=torch.float64) - 0.5, 1e-6
    _, gradient = model.value_and_gradient(x)
    for axis in range(3):
        shift = step * torch.eye(3, dtype=torch.float64)[axis]
        by_difference = (model(x + shift) - model(x - shift))[:, 0] / (2 * step)
        torch.testing.assert_close(gradient[:, axis], by_difference, rtol=1e-5, atol=1e-6)


def test_wire_is_a_complex_gabor_wavelet(points):
    model = build_model(PUBLISHED["wire"], seed=1)
    assert model.config.width == int(256 / 2**0.5)  # as the authors count complex numbers
    z = model.first(points)
    h = torch.exp(20j * z - (10 * z).abs().square())
    for layer in model.hidden:
        weight, bias = torch.view_as_complex(layer.weight), torch.view_as_complex(layer.bias)
        z = h @ weight.t() + bias
        h = torch.exp(20j * z - (10 * z).abs().square())
        assert_uniform(weight.real, 181**-0.5)
        assert_uniform(weight.imag, 181**-0.5)
    last = torch.view_as_complex(model.last.weight)
    by_hand = (h @ last.t() + torch.view_as_complex(model.last.bias)).real
    torch.testing.assert_close(model(points), by_hand, rtol=1e-4, atol=1e-5)
    assert parameter_count(model) == 4 * 181 + 2 * 2 * (181 * 181 + 181) + 2 * 182


def test_wire_of_real_numbers(points):
    model = build_model(WireConfig(width=40, complex_valued=False), seed=1)
    h = points
    for layer, envelope in zip((model.first, *model.hidden), model.envelopes, strict=True):
        h = torch.cos(20 * layer(h)) * torch.exp(-((10 * envelope(h)) ** 2))
    torch.testing.assert_close(model(points), model.last(h))
    assert parameter_count(model) == 2 * (4 * 40 + 2 * (40 * 40 + 40)) + 41


def test_gauss(points):
    model = build_model(PUBLISHED["gauss"], seed=1)
    assert_uniform(model.hidden[1].weight, 1 / 16)
    h = points
    for layer in (model.first, *model.hidden):
        h = torch.exp(-((30 * layer(h)) ** 2))
    torch.testing.assert_close(model(points), model.last(h))
    assert parameter_count(model) == 132_865


def test_fourier_features_are_sines_of_normal_frequencies(points):
    model = build_model(PUBLISHED["ffn"], seed=1)
    assert model.frequencies.std().item() == pytest.approx(12, rel=0.06)
    unit = (points + 1) / 2  # the paper's cube; a shift by half a side turns phases only
    code = model.encode(points)
    assert code.shape == (400, 512)
    assert (code[:, :256] ** 2 + code[:, 256:] ** 2).sub(1).abs().max() < 1e-4
    shift = math.pi * model.frequencies.sum(1)
    angles = 2 * math.pi * unit @ model.frequencies.t() - shift
    torch.testing.assert_close(code[:, :256], angles.sin(), rtol=0, atol=2e-3)
    assert parameter_count(model) == 513 * 256 + 2 * (256 * 256 + 256) + 257
    assert "frequencies" not in dict(model.named_parameters())


def test_positional_encoding_doubles_its_frequencies():
    model = build_model(PUBLISHED["pemlp"], seed=1)
    code = model.encode(torch.tensor([[0.5, 0.0, -0.25]]))
    assert code.shape == (1, 63)
    torch.testing.assert_close(code[0, :3], torch.tensor([0.5, 0.0, -0.25]))
    # sin of pi / 2, pi, 2 pi, ... for x = 1/2
    expected = torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    torch.testing.assert_close(code[0, 3:13], expected, rtol=0, atol=1e-3)
    assert parameter_count(model) == 64 * 256 + 2 * (256 * 256 + 256) + 257


@pytest.mark.parametrize("engine", ["torch", "numba"])
def test_instant_ngp_starts_small_and_counts_its_table(points, engine):
    config = replace(PUBLISHED["ngp"], grid=SMALL_GRID)
    model = build_model(config, engine=engine, seed=1)
    assert_uniform(model.grid.table, 1e-4)
    assert_uniform(model.hidden[0].weight, math.sqrt(6 / 128))
    assert model(points).abs().max() < 0.2
    entries = 512 + 3 * 1024
    assert parameter_count(model) == 2 * entries + 9 * 64 + 65 * 64 + 65
    assert PUBLISHED["ngp"].grid == GridConfig(levels=16, log2_table=19, coarsest=16, finest=2048)


def test_bacon_has_outputs_at_four_scales_and_frozen_frequencies(points):
    model = build_model(PUBLISHED["bacon"], seed=1)
    assert [int(k.abs().max()) for k in model.frequencies] == [8, 12, 24, 48]
    assert not model.frequencies.requires_grad
    assert_uniform(model.hidden[0].weight, math.sqrt(6 / 256))
    assert_uniform(model.phases, math.pi)
    sines = [
        torch.sin(math.pi * points @ k.t() + p) for k, p in zip(model.frequencies, model.phases, strict=True)
    ]
    h, values = sines[0], []
    for number, layer in enumerate(model.hidden):
        h = sines[number // 2] * layer(h)
        if number % 2:
            values.append(model.last[number // 2](h))
    for found, expected in zip(model.every_scale(points), values, strict=True):
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(model(points), values[-1])
    # the product of a scale's sines has no frequency above the sum of theirs: 8 * 3, + 12 * 2, ...
    assert PUBLISHED["bacon"].band / 2 == 8 * 3 + 12 * 2 + 24 * 2 + 48 * 2


def test_bacon_repeats_with_the_side_of_its_cube():
    model = build_model(replace(PUBLISHED["bacon"], width=32), seed=1).double()
    x = torch.rand(20, 3, dtype=torch.float64)
    torch.testing.assert_close(model(x + torch.tensor([2.0, 0, -2])), model(x))


def test_tuner_is_the_frozen_embedding_without_masks():
    model = build_model(PUBLISHED["tuner"], seed=1)
    assert model.masks is None and not model.frequencies.requires_grad
    assert parameter_count(model) == 416 + 416 * 416 + 416 + 417
    assert model.engine == "torch"


@pytest.mark.parametrize("engine", ["torch", "numba"])
def test_ablations_of_sasnet(points, engine):
    whole = SASNetConfig(grid=SMALL_GRID)
    model, unmasked = (
        build_model(replace(whole, masks=masks), engine=engine, seed=2) for masks in (True, False)
    )
    # without masks the sines are the same, all at full size
    h = torch.sin(unmasked.scaled_frequencies @ points.t() + unmasked.phases[:, None])
    for weight, bias in zip(unmasked.weights, unmasked.biases, strict=True):
        h = torch.sin(30 * (weight @ h + bias[:, None]))
    torch.testing.assert_close(unmasked(points), (unmasked.output_weight @ h).t())
    assert torch.equal(model.weights, unmasked.weights)
    assert parameter_count(model) - parameter_count(unmasked) == sum(
        p.numel() for p in model.masks.parameters()
    )

    unfrozen = build_model(replace(whole, frozen=False), engine=engine, seed=2)
    torch.testing.assert_close(unfrozen(points), model(points), rtol=1e-4, atol=1e-5)
    unfrozen(points).sum().backward()
    assert unfrozen.frequencies.grad.abs().max() > 0
    assert parameter_count(unfrozen) == parameter_count(model) + 3 * 64

    siren_layer = build_model(replace(whole, frozen=False, sampled=False), engine=engine, seed=2)
    assert_uniform(siren_layer.frequencies, 1 / 3)
    assert (siren_layer.frequencies.abs().amax(1).diff() >= 0).all()
    torch.testing.assert_close(siren_layer.scaled_frequencies, 30 * siren_layer.frequencies)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_numbers_and_another_others(name, points):
    one, again, other = (build_model(small(name), seed=seed) for seed in (3, 3, 4))
    assert torch.equal(one(points), again(points))
    assert not torch.equal(one(points), other(points))
    assert one(points).shape == (400, 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dim, outputs", [(2, 3), (3, 1)])
def test_images_and_distances(name, dim, outputs):
    model = build_model(small(name), dim=dim, outputs=outputs, seed=1)
    x = torch.rand(50, dim) * 2 - 1
    assert model(x).shape == (50, outputs)
    assert model.architecture() == {"model": model.config.name, "dim": dim, "outputs": outputs}
    assert network_of(model.config) is type(model)
    grouped = [id(p) for group in model.parameter_groups() for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("words", "matrices", "steepness"),
    [
        *[("siren", 2, 30), ("finer", 2, 30), ("gauss", 2, 30), ("wire", 2, 20), ("wire:real", 4, 20)],
        *[
            ("ffn", 2, 1),
            ("pemlp", 2, 1),
            ("ngp", 1, 1),
            ("bacon", 8, 1),
            ("sasnet", 1, 30),
            ("tuner", 1, 30),
        ],
    ],
)
def test_every_network_can_be_trained_by_muon(words, matrices, steepness, points):
    config = replace(model_of(words), width=32, optimizer="muon", muon_rate=0.3)
    model = build_model(replace(config, grid=SMALL_GRID) if hasattr(config, "grid") else config, seed=2)
    *others, muon = model.parameter_groups()
    assert len(muon["params"]) == matrices and muon["lr"] == pytest.approx(0.3 / steepness)
    for matrix in muon["params"]:
        assert 32 == matrix.shape[-1] == matrix.shape[-2] or matrix.shape == (32, 32, 2)
    assert not any("muon" in group for group in others)
    grouped = [id(p) for group in (*others, muon) for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    before = [matrix.detach().clone() for matrix in muon["params"]]
    model(points).square().mean().backward()
    optimizer = Optimizer(model.parameter_groups())
    optimizer.step()
    for matrix, old in zip(muon["params"], before, strict=True):
        moved = (matrix.detach() - old) / muon["lr"]
        moved = torch.view_as_complex(moved) if muon.get("complex") else moved
        largest = torch.linalg.svdvals(moved).max()
        assert 0.6 < largest < 1.3
    optimizer.close()


def test_muon_needs_matrices():
    model = build_model(replace(PUBLISHED["ngp"], hidden_layers=1, grid=SMALL_GRID, optimizer="muon"))
    with pytest.raises(UsageError, match="no hidden matrices"):
        model.parameter_groups()


@pytest.mark.parametrize("name", NAMES)
def test_an_eikonal_term_reaches_every_parameter(name, points):
    model = build_model(small(name), seed=1)
    _, gradient = model.value_and_gradient(points)
    (gradient.norm(dim=1) - 1).square().mean().backward()
    still = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0}
    coarser_scales = ("last.0.", "last.1.", "last.2.") if name == "bacon" else ()
    assert all(n.endswith("bias") or n.startswith(coarser_scales) for n in still), still


@pytest.mark.parametrize("name", ["siren", "ngp"])
@pytest.mark.parametrize(
    "changes", [{"width": 0}, {"hidden_layers": 0}, {"rate": 0.0}, {"rate": float("nan")}]
)
def test_settings_that_make_no_network_are_refused(name, changes):
    with pytest.raises(UsageError, match=r"must be at least 1|must lie between 1 and 256|must be positive"):
        replace(PUBLISHED[name], **changes)
