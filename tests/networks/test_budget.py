"""Widths are solved for, so that networks of any kind have as many parameters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sasnet_sdf.model_config import PUBLISHED, SASNetConfig, SirenConfig
from sasnet_sdf.networks.registry import build_model, parameter_count, parameters_of, with_parameters


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("count", [40_000, 150_000])
def test_sizes_come_within_two_percent(name, count):
    config = with_parameters(PUBLISHED[name], count)
    assert parameter_count(build_model(config)) == parameters_of(config)
    assert parameters_of(config) == pytest.approx(count, rel=0.02)
    solved = [key for key in ("width", "grid") if hasattr(config, key)]
    assert replace(config, **{key: getattr(PUBLISHED[name], key) for key in solved}) == PUBLISHED[name]


def test_the_width_that_comes_closest():
    count = parameters_of(SirenConfig(width=100))
    assert with_parameters(SirenConfig(), count).width == 100
    assert with_parameters(SirenConfig(), count + 150).width == 100
    assert with_parameters(SirenConfig(), count + 300).width == 101  # which has 407 more


def test_a_smaller_table_has_coarser_levels():
    grid = with_parameters(SASNetConfig(), 4_400_000).grid
    assert grid == SASNetConfig().grid
    grid = with_parameters(SASNetConfig(), 150_000).grid
    assert (grid.log2_table, grid.coarsest, grid.finest) == (13, 8, 128)


def test_by_muon_the_table_is_small_unless_the_layers_were_very_wide():
    small, large = (with_parameters(SASNetConfig(optimizer="muon"), count) for count in (150_000, 1_000_000))
    assert (small.grid.log2_table, small.grid.coarsest, small.grid.finest) == (11, 4, 64)
    assert large.width < 1.5 * small.width and large.grid.log2_table == 16


def test_masks_cost_no_table_where_there_are_none():
    config = with_parameters(SASNetConfig(masks=False), 150_000)
    assert config.grid == SASNetConfig().grid and config.width > 250


@pytest.mark.parametrize("name, count", [("siren", 3), ("ngp", 50), ("bacon", 20)])
def test_sizes_that_cannot_be_had_are_refused(name, count):
    with pytest.raises(ValueError, match=r"no width gives|no hash grid"):
        with_parameters(PUBLISHED[name], count)


@pytest.mark.parametrize("dim, outputs", [(2, 3), (3, 3)])
def test_images_and_volumes(dim, outputs):
    config = with_parameters(SirenConfig(), 60_000, dim, outputs)
    assert parameter_count(build_model(config, dim, outputs)) == pytest.approx(60_000, rel=0.02)
