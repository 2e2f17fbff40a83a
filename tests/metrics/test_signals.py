"""Figures of a fit against what noise, blur and offsets of a known size must give."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage import data
from skimage.metrics import structural_similarity

from sasnet_sdf.metrics import signals
from sasnet_sdf.metrics.signals import (
    background,
    noisiness,
    peak_of,
    psnr,
    psnr_edge,
    radial_spectrum,
    signal_figures,
    ssim,
)
from sasnet_sdf.problems.signal_figures import _decoded, _jpeg, bits_per_pixel, codec_bits

PHOTO = data.astronaut()[:256, :256]
GAIN = {2: 0.946, 3: 0.985}
"""The deviation of white noise less its mean by a Gaussian of 1.5: sqrt(1 - 2 g(0) + sum g²)."""


def ball(side=48, low=10.0, high=200.0):
    """A solid ball on a constant ground, (side, side, side, 1)."""
    axes = np.mgrid[:side, :side, :side] - (side - 1) / 2
    return np.where(np.sqrt((axes**2).sum(0)) < side / 4, high, low)[..., None].astype(np.float32)


SIGNALS = [PHOTO, ball()]


def blurred(original):
    return np.stack([ndimage.gaussian_filter(part, 1.5) for part in np.moveaxis(original * 1.0, -1, 0)], -1)


@pytest.mark.parametrize("original", SIGNALS)
def test_an_exact_fit_is_perfect(original):
    figures = signal_figures(original.copy(), original, peak_of(original))
    assert figures["psnr"] == figures["psnr_edge"] == np.inf
    assert figures["ssim"] == pytest.approx(1)
    assert figures["noisiness"] == 0


@pytest.mark.parametrize("original", SIGNALS)
@pytest.mark.parametrize("sigma", [1.0, 8.0])
def test_noise_gives_the_figures_of_its_deviation(original, sigma):
    peak = peak_of(original)
    fit = original + np.random.default_rng(0).normal(0, sigma, original.shape)
    expected = 20 * np.log10(peak / sigma)
    assert psnr(fit, original, peak) == pytest.approx(expected, abs=0.05)
    assert psnr_edge(fit, original, peak) == pytest.approx(expected, abs=0.1)
    # a pixel at the rim of what is smooth has fewer neighbors to take a mean of
    share = noisiness(fit, original, peak) / (sigma * 255 / peak)
    assert share == pytest.approx(GAIN[original.ndim - 1], rel=0.03)


@pytest.mark.parametrize("original", SIGNALS)
def test_an_offset_is_not_noise(original):
    fit = original + 20.0
    assert noisiness(fit, original, 255.0) < 1e-10
    assert psnr(fit, original, 255.0) == pytest.approx(20 * np.log10(255 / 20))


def test_errors_at_edges_are_not_noise():
    original = ball()
    fit = original.copy()
    edge = ndimage.binary_dilation(original[..., 0] > 100, iterations=2) ^ (original[..., 0] > 100)
    fit[edge] += np.random.default_rng(0).normal(0, 50, (edge.sum(), 1))
    assert noisiness(fit, original, 190.0) < 1e-6
    assert psnr(fit, original, 190.0) < 30


@pytest.mark.parametrize("original", SIGNALS)
def test_blur_costs_more_at_edges(original):
    peak, fit = peak_of(original), blurred(original)
    edge, whole = psnr_edge(fit, original, peak), psnr(fit, original, peak)
    assert edge is not None
    assert edge < whole - 5
    noisy = original + np.random.default_rng(0).normal(0, peak * 10 ** (-whole / 20), original.shape)
    assert noisiness(fit, original, peak) < noisiness(noisy, original, peak) / 4


@pytest.mark.parametrize("original", SIGNALS)
def test_slabs_change_no_figure(original, monkeypatch):
    fit = original + np.random.default_rng(0).normal(0, 5, original.shape)
    whole = signal_figures(fit, original, 255.0)
    monkeypatch.setattr(signals, "SLAB", 4096)
    assert len(list(signals._slabs(original.shape, signals.REACH))) > 2
    assert signal_figures(fit, original, 255.0) == pytest.approx(whole, rel=1e-9)


def test_ssim_is_that_of_skimage():
    fit = blurred(PHOTO)
    expected = structural_similarity(PHOTO.astype(float), fit, channel_axis=-1, data_range=255)
    assert ssim(fit, PHOTO, 255.0) == pytest.approx(expected, rel=1e-9)
    lifted = ssim(fit - 1000, PHOTO.astype(float) - 1000, 255.0)
    assert lifted == pytest.approx(ssim(fit - PHOTO.min(), PHOTO - float(PHOTO.min()), 255.0), rel=1e-9)


@pytest.mark.parametrize(("side", "exists"), [(1, False), (2, False), (3, True), (6, True), (7, True)])
def test_ssim_of_small_signals(side, exists):
    original = PHOTO[:side, :20]
    found = ssim(original, original, 255.0)
    assert found == (pytest.approx(1) if exists else None)


def test_constant_signals_have_no_edges():
    flat = np.full((16, 16, 1), 0.1)
    figures = signal_figures(flat + 0.01, flat, peak_of(flat))
    assert peak_of(flat) == 1
    assert figures["psnr_edge"] is None
    assert figures["psnr"] == pytest.approx(40)
    assert figures["noisiness"] == pytest.approx(0, abs=1e-10)


def test_peaks():
    assert peak_of(PHOTO) == 255
    assert peak_of(PHOTO.astype(np.uint16)) == 65535
    assert peak_of(ball()) == 190
    assert peak_of(ball().astype(np.int16)) == 190, "the type of a volume says nothing"


def test_background_is_measured_away_from_the_object():
    original = ball()
    fit = original + np.random.default_rng(0).normal(3, 2, original.shape)
    inner = ndimage.binary_dilation(original[..., 0] > 100, np.ones((3, 3, 3)), iterations=2)
    fit[inner] += 70
    found = background(fit, original)
    assert found == (pytest.approx(2, rel=0.02), pytest.approx(13, abs=0.05))
    assert signal_figures(fit, original, 190.0)["background_std"] == found[0]


def test_noise_without_a_background_has_none():
    original = np.random.default_rng(0).uniform(0, 1, (20, 20, 20, 1))
    assert background(original, original) is None
    assert signal_figures(original, original, 1.0)["background_std"] is None


def test_unsigned_differences_do_not_wrap():
    original, fit = np.full((8, 8, 1), 3, np.uint8), np.full((8, 8, 1), 5, np.uint8)
    assert psnr(fit, original, 255.0) == psnr(original, fit, 255.0) == pytest.approx(20 * np.log10(255 / 2))


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"found \(256, 256, 3\)"):
        psnr(PHOTO, PHOTO[..., :1], 255.0)


@pytest.mark.parametrize("shape", [(128, 97, 2), (40, 31, 36, 1)])
def test_white_noise_has_its_variance_at_every_frequency(shape):
    noise = 7 + np.random.default_rng(0).normal(0, 3, shape)
    frequencies, power = radial_spectrum(noise)
    assert frequencies[-1] == 0.5
    np.testing.assert_allclose(np.diff(frequencies), 1 / max(shape))
    assert power[len(power) // 4 :].mean() == pytest.approx(9, rel=0.03)


def test_a_wave_has_its_power_at_its_frequency():
    row, column = np.mgrid[:120, :80]
    frequencies, power = radial_spectrum(np.cos(2 * np.pi * (0.3 * row + 0.2 * column))[..., None])
    assert frequencies[power.argmax()] == pytest.approx(np.hypot(0.3, 0.2), abs=1 / 120)
    assert power[np.abs(frequencies - 0.36) > 0.04].max() < 1e-4 * power.max()


def test_the_jpeg_has_the_lowest_sufficient_quality():
    found = codec_bits(PHOTO, 35.0, "jpeg")
    assert found is not None
    bits, quality = found
    assert quality is not None
    assert (
        psnr(_decoded(PHOTO, quality), PHOTO, 255.0) >= 35 > psnr(_decoded(PHOTO, quality - 1), PHOTO, 255.0)
    )
    assert bits <= bits_per_pixel(len(_jpeg(PHOTO, quality)), 256 * 256)
    gray = codec_bits(PHOTO[..., :1], 35.0, "jpeg")
    assert gray is not None
    assert gray[0] < bits


def test_noise_needs_a_large_jpeg():
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    found = codec_bits(noise, 45.0, "jpeg")
    assert found is not None
    assert found[0] > 16


@pytest.mark.parametrize(
    ("image", "target"),
    [
        *((PHOTO, np.inf), (PHOTO.astype(np.uint16), 10.0), (PHOTO / 255, 10.0)),
        (np.concatenate([PHOTO, PHOTO[..., :1]], -1), 10.0),
    ],
)
def test_jpeg_is_none_where_it_cannot_encode(image, target):
    assert codec_bits(image, target, "jpeg") is None


def test_png_of_every_type():
    noise = np.random.default_rng(0).integers(0, 65536, (64, 64, 1), np.uint16)
    for image, bits in ((noise, 16), ((noise % 256).astype(np.uint8), 8), (PHOTO[:32, :32] * 0, 0)):
        found = codec_bits(image, 0.0, "png")
        assert found is not None
        assert found[0] == pytest.approx(bits, abs=1)
        assert found[1] is None
    assert codec_bits(noise.repeat(3, -1), 0.0, "png") is None
    assert codec_bits(noise / 1.0, 0.0, "png") is None
