"""One place a setting: a field added to its dataclass is an option, a keyword and a row of the docs."""

from __future__ import annotations

import pydoc
from dataclasses import dataclass, field
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

from sasnet_sdf.cli import options
from sasnet_sdf.config import PRESETS, Config, ExtractionConfig
from sasnet_sdf.errors import UsageError
from sasnet_sdf.settings import documented, options_of, setting, with_options


@dataclass(frozen=True)
class PolishedExtraction(ExtractionConfig):
    """The settings of extraction, and one more."""

    polish: int = setting(3, "How often the mesh is polished.", option="polish", form="N", low=1, high=9)


@dataclass(frozen=True)
class PolishedConfig(Config):
    """The settings of a surface, with those of its extraction replaced."""

    extraction: PolishedExtraction = field(default_factory=PolishedExtraction)


POLISHED = {
    "fast": PolishedConfig(preset="fast", extraction=PolishedExtraction(polish=1)),
    "fine": PolishedConfig(preset="fine"),
}


@pytest.fixture(scope="module")
def settings_page(benchmarks) -> ModuleType:
    return benchmarks("settings_page")


def test_the_page_of_settings_is_up_to_date(settings_page, root):
    page = (root / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page.page(), "python benchmarks/settings_page.py writes it anew"


def test_the_page_has_every_setting_with_its_option_help_and_defaults(settings_page):
    rows = {row[0]: row for row in settings_page.rows_of(PRESETS)}
    for word, (section, _, part) in options_of(Config).items():
        row = rows[f"`{section}.{part.name}`".replace("`.", "`")]
        assert row[1].startswith(f"`--{word.replace('_', '-')}") and row[2] == f"`{word}`"
        assert row[5] == part.metadata["about"].help.replace("|", "\\|")
    assert rows["`extraction.resolution`"][3:5] == [
        "whole number, 8 to 4,096",
        "fast 320, balanced 448, fine 640",
    ]
    assert rows["`training.eikonal_weight`"][1:5] == ["", "", "number, at least 0", "0.0003"]


def test_a_new_setting_is_a_row_of_the_page(settings_page):
    new = [row for row in settings_page.rows_of(POLISHED) if "polish" in row[0]]
    cells = ["`extraction.polish`", "`--polish N`", "`polish`", "whole number, 1 to 9", "fast 1, fine 3"]
    assert new == [[*cells, "How often the mesh is polished."]]


def test_a_new_setting_is_an_option_of_the_command_line(monkeypatch):
    monkeypatch.setattr(options, "PRESETS", POLISHED)
    found = {}

    @click.command(cls=options.Command)
    @options.settings(PolishedConfig, *options_of(PolishedConfig))
    def command(**words):
        found.update(words)

    shown = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert "--polish N How often the mesh is polished. [default: fast 1, fine 3]" in shown
    assert CliRunner().invoke(command, ["--polish", "2"]).exit_code == 0
    config = with_options(
        PolishedConfig(), {name: value for name, value in found.items() if name == "polish"}
    )
    assert config.extraction.polish == 2


def test_a_new_setting_is_described_in_help_and_checked():
    @documented(PolishedConfig)
    def polished(source: str, *, polish: int | None = None) -> None:
        """Polish the surface of a scan."""

    told = " ".join(pydoc.plain(pydoc.render_doc(polished)).split())
    assert "polish (int): How often the mesh is polished." in told
    with pytest.raises(UsageError, match="polish must lie between 1 and 9, found 10"):
        with_options(PolishedConfig(), {"polish": 10})
    with pytest.raises(UsageError, match="did you mean polish"):
        polished("scan.ply", polsh=2)  # pyright: ignore[reportCallIssue]
