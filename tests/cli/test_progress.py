"""What a watcher sees: percentages for a program, a few lines for a log."""

from __future__ import annotations

import io
import re

import pytest

from sasnet_sdf.cli.progress import LogLines, PercentLines, bar, describe, shown
from sasnet_sdf.runtime.progress import TILES, Progress


def a_run(steps: int = 1000):
    yield Progress("read", 0.0)
    yield Progress("supervision", 0.0)
    for step in range(0, steps + 1, 5):
        yield Progress("training", step / steps, "", step, steps, 1 / (step + 1))
    for block in range(100):
        yield Progress("extraction", block / 100, f"block {block} of 100")
    yield Progress("write", 1.0, "wrote out.ply")


def test_plain_is_percent_and_message_and_never_falls():
    stream = io.StringIO()
    show = PercentLines(stream)
    for progress in a_run():
        show(progress)
    lines = [re.fullmatch(r"(\d+) (\S.*)", line) for line in stream.getvalue().splitlines()]
    assert all(lines)
    percents = [int(line[1]) for line in lines if line]
    assert percents == sorted(percents)
    assert percents[0] == 0
    assert percents[-1] == 100
    assert 80 < len(lines) <= 110
    assert stream.getvalue().splitlines()[-1] == "100 write wrote out.ply"


def test_plain_does_not_fall_when_a_stage_reports_again():
    stream = io.StringIO()
    show = PercentLines(stream)
    show(Progress("extraction", 0.5))
    show(Progress("training", 0.5))
    first, second = (int(line.split()[0]) for line in stream.getvalue().splitlines())
    assert first == second == 91


def test_a_log_gets_stages_and_tenths_only():
    stream = io.StringIO()
    show = LogLines(stream)
    for progress in a_run():
        show(progress)
    stages = [line.split()[0] for line in stream.getvalue().splitlines()]
    assert [stages.count(name) for name in ("read", "supervision", "training", "extraction", "write")] == [
        1,
        1,
        11,
        1,
        1,
    ]


def test_a_log_gets_new_messages():
    stream = io.StringIO()
    show = LogLines(stream)
    show(Progress("training", 0.0))
    show(Progress("training", 0.0, "compiling kernels, once a machine"))
    assert stream.getvalue() == "training\ntraining compiling kernels, once a machine\n"


def test_a_log_has_a_line_for_each_tile_that_is_done():
    stream = io.StringIO()
    show = LogLines(stream)
    for message in ("training", "0 of 9 tiles are done", "1 of 9 tiles are done, about 2 min left"):
        for fraction in (0.1, 0.2):
            show(Progress(TILES, fraction, message))
    show(Progress(TILES, 0.3, "1 of 9 tiles are done, about 90 s left"))
    show(Progress(TILES, 0.4, "2 of 9 tiles are done, about 90 s left"))
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["training", "0", "1", "2"]


def test_describe():
    assert (
        describe(Progress("training", 0.1, "", 150, 1500, 0.01234)) == "training step 150/1500 loss 0.01234"
    )


def test_kinds_that_print_nothing(capsys):
    for kind, quiet in (("none", False), ("auto", True)):
        with shown(kind, quiet) as show:
            for progress in a_run():
                show(progress)
    assert capsys.readouterr() == ("", "")


def test_plain_goes_to_stdout_and_auto_to_stderr(capsys):
    for kind in ("plain", "auto"):
        with shown(kind) as show:
            show(Progress("read", 0.5))
    assert capsys.readouterr() == ("1 read\n", "read\n")


def test_bars_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with shown("auto") as show:
        for progress in a_run(20):
            show(progress)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("encoding", "drawn"), [("utf-8", "━━╸ "), ("ascii", "### "), ("iso-8859-1", "### "), (None, "### ")]
)
@pytest.mark.parametrize("terminal", [True, False])
def test_bars_are_drawn_in_what_stderr_can_show(monkeypatch, terminal, encoding, drawn):
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    stream = Stream()
    monkeypatch.setattr(type(stream), "encoding", encoding)
    monkeypatch.setattr("sys.stderr", stream)
    assert bar(0.63, 4) == drawn
    assert bar(2.0, 4) == bar(1.0, 4)
    if terminal:
        with shown("auto") as show:
            show(Progress("read", 1.0))
        assert 16 * drawn[0] in stream.getvalue()
