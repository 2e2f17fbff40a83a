"""The frozen frequencies: whole, distinct up to sign, in the ranges that were asked for."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.networks.sasnet import draw_frequencies


def draw(dim=3, width=64, low=5, band=20, low_share=0.5, bands=4, seed=0):
    return draw_frequencies(dim, width, low, band, low_share, bands, np.random.default_rng(seed))


CASES = [
    {},
    {"dim": 2, "width": 50, "bands": 3},
    {"dim": 2, "width": 256, "low": 12, "band": 60},
    {"width": 7, "low_share": 0.0, "bands": 2},
    {"width": 33, "low_share": 1.0},
    {"width": 40, "low": 1, "band": 3, "low_share": 0.3, "bands": 2},
]


@pytest.mark.parametrize("case", CASES)
def test_ranges(case):
    settings = {"dim": 3, "width": 64, "low": 5, "band": 20, "low_share": 0.5, "bands": 4, **case}
    dim, width, bands = settings["dim"], settings["width"], settings["bands"]
    k, band_of = draw(**case)
    assert k.shape == (width, dim) and band_of.shape == (width,)
    assert k.dtype == np.int64 and band_of.dtype == np.int64

    low_count = max(dim, round(width * settings["low_share"]))
    assert (band_of[:low_count] == -1).all() and (band_of[low_count:] >= 0).all()
    assert np.array_equal(k[:dim], np.eye(dim, dtype=int))
    top = np.abs(k).max(1)
    assert top[:low_count].max() <= settings["low"] and top.min() >= 1

    edges = np.linspace(settings["low"], settings["band"], bands + 1).round()
    counts = [np.sum(band_of == n) for n in range(bands)]
    assert sum(counts) == width - low_count and max(counts) - min(counts) <= 1
    for n in range(bands):
        inside = top[band_of == n]
        assert ((inside > edges[n]) & (inside <= edges[n + 1])).all()
    assert (np.diff(band_of) >= 0).all()


@pytest.mark.parametrize("case", CASES)
def test_no_vector_twice_not_even_with_the_other_sign(case):
    k, _ = draw(**case)
    assert len(np.unique(np.concatenate([k, -k]), axis=0)) == 2 * len(k)


def test_a_range_that_is_used_up():
    """Max|k| <= 1 in the plane: (1, 0), (0, 1) and, up to sign, (1, 1) and (1, -1)."""
    k, _ = draw(dim=2, width=4, low=1, low_share=1.0)
    assert {tuple(row) for row in k} == {(1, 0), (0, 1), (1, 1), (1, -1)}
    with pytest.raises(ValueError, match="3 frequencies asked of a range that holds 2: widen the band"):
        draw(dim=2, width=5, low=1, low_share=1.0)


def test_bands_that_are_too_narrow():
    with pytest.raises(ValueError, match="widen the band"):
        draw(low=5, band=5)
    with pytest.raises(ValueError, match="range that holds 0"):
        draw(low=5, band=7, bands=4)


def test_the_generator_decides():
    assert np.array_equal(draw(seed=1)[0], draw(seed=1)[0])
    assert not np.array_equal(draw(seed=1)[0], draw(seed=2)[0])


def test_draws_reach_over_the_whole_range():
    k, band_of = draw(width=400, low=3, band=12, low_share=0.25, bands=3)
    for n, (low, high) in enumerate([(3, 6), (6, 9), (9, 12)]):
        top = np.abs(k[band_of == n]).max(1)
        assert set(top) == set(range(low + 1, high + 1))
    # the half space is that of the first entry; the others take both signs alike
    assert abs(np.sign(k[100:, 1]).mean()) < 0.2 and abs(np.sign(k[100:, 2]).mean()) < 0.2
