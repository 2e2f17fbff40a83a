"""What is chosen from an image or a volume."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf import fit_image, fit_volume
from sasnet_sdf.config import TrainingConfig
from sasnet_sdf.errors import UsageError
from sasnet_sdf.model_config import SASNetConfig
from sasnet_sdf.networks.registry import parameters_of
from sasnet_sdf.problems.signal_settings import chosen, cutoff, signal_config
from sasnet_sdf.signal_config import MOST_PARAMETERS, SignalTuning
from sasnet_sdf.signals import Grid, Signal

TUNING, SHORTEST = SignalTuning(), SASNetConfig().period


def wave(frequency, size=128):
    """A picture of waves along its rows, of so many cycles a sample."""
    values = np.sin(2 * np.pi * frequency * np.arange(size)) + np.zeros((size, 1))
    return Signal(values[..., None].astype(np.float32), Grid.of_image(size, size))


@pytest.mark.parametrize("frequency", [0.05, 0.125, 0.3])
def test_the_cutoff_of_a_wave_is_its_frequency(frequency):
    assert cutoff(wave(frequency)) == pytest.approx(frequency, abs=0.02)


def test_the_band_follows_the_detail_within_bounds():
    highest = SHORTEST * 128 / 4
    bands = [chosen(wave(f), 1800).band for f in (0.01, 0.1, 0.13, 0.49)]
    assert bands == sorted(bands)
    assert bands[0] == round(TUNING.narrowest * highest) and bands[-1] == round(TUNING.widest * highest)
    assert bands[1] == pytest.approx(0.6 * 0.1 / 0.5 * highest, abs=2)


def test_frequencies_go_down_with_the_root_of_the_parameters_a_number():
    periods = [chosen(wave(0.3), count).period for count in (1000, 4096, 8192, 16_384, 10**6)]
    assert periods == pytest.approx([SHORTEST, 6.3 / 2, 6.3 / 2**0.5, 6.3, 6.3])


def test_a_network_that_is_larger_than_its_signal_is_kept_smooth_and_says_so():
    small, large = chosen(wave(0.3), 16_383), chosen(wave(0.3), 16_384)
    assert large.muon_rate < 0.2 * small.muon_rate and large.omega0 < small.omega0
    lengths = [TrainingConfig(steps=steps, batch=16_384) for steps in (6000, 1500, 750, 10)]
    rates = [chosen(wave(0.3), 16_384, training).muon_rate for training in lengths]
    assert rates == pytest.approx([0.015, 0.015, 0.03, small.muon_rate], rel=1e-2)
    image = wave(0.3, 60)
    told, silent, other = (
        fit_image(image, steps=1, parameters=count, model=model).report["notes"]
        for count, model in ((4000, "sasnet"), (3000, "sasnet"), (4000, "siren"))
    )
    assert any("for 3,600 numbers: kept smooth" in note for note in told)
    assert not any("kept smooth" in note for note in (*silent, *other))


@pytest.mark.parametrize("count", [2000, 20_000, 200_000])
@pytest.mark.parametrize("batch", [1000, 30_000, 10**6])
def test_wide_networks_and_noisy_batches_have_a_lower_rate_of_muon(count, batch):
    volume = Signal(np.zeros((80, 80, 80, 1), np.float32), Grid.of_volume((80, 80, 80)))
    for signal, samples, factor in ((wave(0.3, 1024), 1024**2, 2.4), (volume, 80**3, 3.6)):
        config = chosen(signal, count, TrainingConfig(batch=batch))
        expected = min(0.18, factor * min(1, batch / samples) ** 0.4 / config.width**0.5)
        assert config.muon_rate == pytest.approx(expected, rel=0.02)


def test_masks_have_no_kinks_at_the_vertices_of_their_grid():
    volume = Signal(np.random.default_rng(0).random((16, 16, 16, 1)), Grid.of_volume((16, 16, 16), (1, 1, 1)))
    for signal in (wave(0.1), volume):
        assert chosen(signal, 4000).grid.interpolation == "smoothstep"
    assert (chosen(wave(0.1), 4000).masked, chosen(volume, 4000).masked) == ("last", "all")


def test_a_signal_that_is_all_the_same_has_no_cutoff():
    flat = Signal(np.full((16, 16, 1), 3, np.uint8), Grid.of_image(16, 16))
    assert cutoff(flat) == 0


def test_anisotropic_spacing_counts_in_world_units():
    values = np.random.default_rng(0).normal(size=(20, 40, 40, 1)).astype(np.float32)
    even, thick = (Signal(values, Grid.of_volume((20, 40, 40), s)) for s in ((1, 1, 1), (4, 1, 1)))
    # the thick one is twice as long, so that its samples are finer in the cube
    assert chosen(thick, 20_000).band == pytest.approx(2 * chosen(even, 20_000).band, abs=2)


@pytest.mark.parametrize("count", [3000, 20_000, 200_000])
@pytest.mark.parametrize("dim", [2, 3])
def test_sizes(count, dim):
    shape = (64,) * dim
    grid = Grid.of_image(64, 64) if dim == 2 else Grid.of_volume(shape)
    signal = Signal(np.random.default_rng(0).normal(size=(*shape, 1)).astype(np.float32), grid)
    for words in ("sasnet", "sasnet:no-masks", "tuner", "siren", "finer", "ngp"):
        config = signal_config(signal, model=words, parameters=count)
        assert config.model is not None
        assert parameters_of(config.model, dim, 1) == pytest.approx(count, rel=0.05)
    ours = signal_config(signal, parameters=count).model
    bare = parameters_of(signal_config(signal, settings=["masks=off", f"width={ours.width}"]).model, dim, 1)
    assert count - bare < (TUNING.table_share + 0.25) * count


def test_the_tuning_is_a_setting_as_others_are():
    wide = signal_config(wave(0.3), settings=["tuning.widest=0.3", "tuning.hidden_layers=2"])
    usual = signal_config(wave(0.3))
    assert wide.model.hidden_layers == 2 and wide.model.band > 1.3 * usual.model.band
    with pytest.raises(UsageError, match="widest must be positive"):
        signal_config(wave(0.3), settings=["tuning.widest=0"])


def test_the_ratio_and_the_most():
    small = Signal(np.zeros((50, 60, 3), np.uint8), Grid.of_image(50, 60))
    assert signal_config(small).parameters == round(0.3 * 9000)
    assert signal_config(small, ratio=1.0).parameters == 9000
    large = Signal(np.broadcast_to(np.uint8(7), (2000, 2000, 3)), Grid.of_image(2000, 2000))
    assert signal_config(large).parameters == MOST_PARAMETERS


@pytest.mark.parametrize("shape", [(2, 2), (2, 300), (3, 5)])
def test_the_smallest_images_can_be_fitted(shape):
    values = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    fitted = fit_image(values, steps=5)
    assert fitted.render().values.shape == (*shape, 3)


def test_the_smallest_volume_can_be_fitted():
    fitted = fit_volume(np.arange(8.0).reshape(2, 2, 2), steps=5)
    assert np.isfinite(fitted.render(scale=3).values).all()


@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
def test_the_cutoff_does_not_know_the_unit(scale):
    image = wave(0.125)
    assert cutoff(Signal(image.values * np.float32(scale), image.grid)) == pytest.approx(0.125, abs=0.02)


def test_a_hole_is_no_detail():
    y, x = np.mgrid[:64, :64]
    smooth = (1000 + 10 * np.sin(x / 9) + 10 * np.cos(y / 8)).astype(np.float32)
    holed = smooth.copy()
    holed[20:40, 20:40] = np.nan
    whole, part = (cutoff(Signal(v[..., None], Grid.of_image(64, 64))) for v in (smooth, holed))
    assert part < 4 * whole  # filled with 0, or with the mean, it would be ten times


def test_large_images_have_wider_bands_and_small_networks_narrower_ones():
    large = wave(0.3, 1024)
    fine, coarse = chosen(large, 200_000), chosen(large, 800_000)
    assert fine.band / fine.period == pytest.approx(0.2 * 256, abs=2)
    # of more parameters than a quarter of the numbers, it is the lower the more they are
    assert coarse.band / coarse.period == pytest.approx(0.2 * 256 * 0.25 / (800_000 / 1024**2), abs=2)
    # of a hundredth of the parameters the band is a tenth, as far as the width lets it
    assert chosen(large, 2000).band < 0.2 * chosen(large, 200_000).band
