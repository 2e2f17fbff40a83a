"""The closing summary fits a terminal of 80 columns and says what matters."""

from __future__ import annotations

import pytest

from sasnet_sdf.cli.summary import human_bytes, summarize

REPORT = {
    "device": "cuda",
    "engine": "tinycudann",
    "threads": 128,
    "training": {"steps": 100_000, "ms_per_step": 1234.5, "loss": 0.001234, "ended_by": "time"},
    "extraction": {
        "resolution": 2048,
        "evaluations": 50,
        "vertices": 10,
        "faces": 16,
        "boundary_edges": 0,
        "boundary_loops": 0,
        "non_manifold_edges": 0,
        "components_dropped": 0,
    },
    "input": {
        "used_points": 123_456_789,
        "diagonal": 168.0,
        "outliers_removed": 1_000_000,
        "far_points": 1,
        "normals_from": "estimate",
        "orientation_confidence": 0.9987,
        "noise": 1.234e-05,
    },
    "trim": {"mode": "auto", "closed": True, "length": None, "reach": None, "removed": 0.0},
    "refinement": {"mode": "auto", "mean": 1.234e-05, "maximum": 0.00567},
    "attributes": [],
    "seconds": {
        "read": 0.04,
        "supervision": 2.5,
        "training": 31.0,
        "extraction": 5.0,
        "write": 0.01,
        "total": 40.05,
    },
    "peak_memory_bytes": 12_345_678_901,
    "notes": ["300 outliers were left out"],
    "warnings": ["the normals contradict the points"],
}


@pytest.fixture
def summary(tmp_path):
    file = tmp_path / "out.ply"
    file.write_bytes(b"x" * 1500)
    return summarize(REPORT, [file])


def test_it_fits_80_columns(summary):
    lines = summary.splitlines()
    assert max(map(len, [line for line in lines if not line.startswith("wrote")])) <= 80


def test_times_add_up(summary):
    assert "training       31.0 s" in summary
    assert "start-up        1.5 s" in summary
    assert "total          40.0 s  peak memory 12.3 GB, cuda, tinycudann, 128 threads" in summary
    assert "  read " not in summary  # a thousandth of the whole is not worth a line


def test_it_shows_what_came_out(summary):
    assert summary.startswith(
        "\x1b[33m\x1b[1mwarning: the normals contradict the points\x1b[0m\n"
        "surface of 10 vertices and 16 faces, closed\nnot trimmed: the data surround it\n"
    )
    assert "follows the data: 1.2e-05 from the network's surface on average, 0.0057 at most\n" in summary
    assert "2048 cells\n" in summary
    assert "out.ply (1.5 kB)" in summary
    assert "note: 300 outliers were left out\n" in summary
    assert summary.endswith("time limit, before its last step")


def test_refinement_that_is_off_has_no_line():
    refinement = {"mode": "off", "mean": 0.0, "maximum": 0.0}
    assert "refined" not in summarize({**REPORT, "refinement": refinement}, [])


def test_an_open_surface_says_where_it_ends():
    extraction = {**REPORT["extraction"], "boundary_edges": 30, "boundary_loops": 2, "components_dropped": 3}
    trim = {
        "mode": "auto",
        "closed": False,
        "length": 0.123456789,
        "reach": 0.03,
        "removed": 0.48,
        "holes_filled": 1,
    }
    attributes = ["colors", *(f"a scalar of a long name {n}" for n in range(5))]
    told = summarize({**REPORT, "extraction": extraction, "trim": trim, "attributes": attributes}, [])
    assert "faces, open, 2 boundary loops\n" in told
    plain = " ".join(told.split())
    assert "trimmed 48 % of its area: ends about 0.03 from the data" in plain
    assert "nowhere more than 0.1235; 1 hole covered" in plain
    assert "dropped 3 pieces that few points support" in plain
    assert "carried over: colors, a scalar of a long name 0," in plain
    assert max(map(len, told.splitlines())) <= 80


def test_training_that_never_reported_has_no_loss():
    report = {**REPORT, "training": {**REPORT["training"], "steps": 0, "ms_per_step": 0.0, "loss": None}}
    assert "0 steps of 0.0 ms\n" in summarize(report, [])


def test_it_shows_what_was_found_in_the_data(summary):
    assert (
        "used 123,456,789 points: noise 1.23e-05 (7.3e-06 % of the diagonal), 1,000,001 outliers removed, "
        "outward side estimated, 99.87 % sure unless it is a room seen from inside"
    ) in " ".join(summary.split())


@pytest.mark.parametrize(("source", "told"), [("file", "the normals"), ("sensors", "the sensors")])
def test_a_clean_cloud_has_neither_noise_nor_outliers(source, told):
    found = {**REPORT["input"], "noise": None, "outliers_removed": 0, "far_points": 0, "normals_from": source}
    lines = summarize({**REPORT, "input": {**found, "used_points": 10}}, []).splitlines()
    assert f"used 10 points: no measurable noise, no outliers, outward side from {told}" in lines


def test_a_closed_mesh_has_no_line_about_its_points():
    assert "used" not in summarize({**REPORT, "input": {"watertight": True}}, [])


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (123_456_789, "123 MB"), (2.5e15, "2500 TB")],
)
def test_human_bytes(size, text):
    assert human_bytes(size) == text
