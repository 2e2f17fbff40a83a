"""Facts about the machine and the process."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sasnet_sdf.errors import UsageError
from sasnet_sdf.runtime import system


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4G", 4 * 2**30),
        ("512 MiB", 512 * 2**20),
        ("1.5g", 3 * 2**29),
        ("1000000", 10**6),
        ("800B", 800),
        (7, 7),
    ],
)
def test_memory_sizes(text, size):
    assert system.parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "G", "4 apples", "-1G", "0", 0, "1e9", "nan"])
def test_what_is_no_memory_size(text):
    with pytest.raises(UsageError, match="memory size"):
        system.parse_memory(text)


@pytest.mark.parametrize("text", ["4", " 512", "0.5", "999999"])
def test_a_memory_size_without_a_unit(text):
    with pytest.raises(
        UsageError, match=f"a memory size needs a unit: {text.strip()}G or {text.strip()}M, not"
    ):
        system.parse_memory(text)


def test_how_memory_sizes_are_told():
    assert [system.format_memory(size) for size in (7, 512 * 2**20, 3.25 * 2**30)] == ["7B", "512M", "3.25G"]


def test_peak_memory_counts_what_was_touched_and_given_back():
    code = (
        "import numpy as np; from sasnet_sdf.runtime.system import peak_memory_bytes as peak; "
        "before = peak(); np.ones(25_000_000); print(peak() - before)"
    )
    grown = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert 0.95 * 200e6 < grown < 1.2 * 200e6


def test_peak_memory_is_not_the_parents():
    ballast = np.ones(40_000_000)
    code = "from sasnet_sdf.runtime.system import peak_memory_bytes; print(peak_memory_bytes())"
    child = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert 1e6 < child < ballast.nbytes / 2


def test_hardware():
    facts = system.hardware()
    assert facts["cpu"]
    assert facts["system"]
    assert int(facts["cores"]) >= 1
    assert int(facts["memory_bytes"]) > system.peak_memory_bytes()


def test_the_tightest_control_group_limits_memory(tmp_path):
    groups, job = tmp_path / "groups", tmp_path / "tree" / "slice" / "job"
    job.mkdir(parents=True)
    (job / "memory.max").write_text("max\n")
    (job.parent / "memory.max").write_text("3000\n")
    groups.write_text("0::/slice/job\n")
    assert system.control_group_limits(str(tmp_path / "tree"), str(groups)) == [3000]
    older = tmp_path / "tree" / "memory"
    older.mkdir()
    (older / "memory.limit_in_bytes").write_text("2000\n")
    groups.write_text("5:cpu:/\n4:memory:/elsewhere\n0::/\n")  # a container sees its own group as the top
    assert system.control_group_limits(str(tmp_path / "tree"), str(groups)) == [2000]
    assert system.control_group_limits(str(tmp_path), str(tmp_path / "none")) == []


def test_the_memory_limit_is_at_most_the_machines():
    assert 0 < system.memory_limit_bytes() <= system.total_memory_bytes()
