"""Real processes, stopped at random moments: what is on disk is whole every time, and the end is the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import sasnet_sdf
from sasnet_sdf.io.models import read_model

KILLS = int(os.environ.get("SASNET_SDF_KILLS", "4"))

WORDS = ["--preset", "fast", "--steps", "600", "--resolution", "64", "--set", "targets=20000", "-q"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="SIGKILL is of POSIX systems"),
]


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    points = np.random.default_rng(0).normal(size=(4000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    np.savez(folder / "scan.npz", points=points, normals=points)
    return folder / "scan.npz"


def start(scan, output, *words):
    command = [
        sys.executable,
        "-m",
        "sasnet_sdf",
        "reconstruct",
        str(scan),
        "-o",
        str(output),
        *WORDS,
        *words,
    ]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def ended(process) -> int:
    """Its exit code, once it has told all."""
    process.communicate()
    return process.returncode


def test_killed_again_and_again_it_ends_in_the_same_bytes(scan, tmp_path):
    began = time.perf_counter()
    assert ended(start(scan, tmp_path / "whole.ply")) == 0
    takes = time.perf_counter() - began
    output, kept = tmp_path / "surface.ply", tmp_path / "kept"
    keep = ["--checkpoint", str(kept), "--checkpoint-every", "0", "--resume", "--overwrite"]
    rng = random.Random(0)
    for kill in range(KILLS):
        process = start(scan, output, *keep)
        time.sleep(rng.uniform(0.3, 1.0) * takes)
        process.send_signal(rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        _, told = process.communicate(timeout=60)
        assert process.returncode in (0, 130, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT), told
        assert "Traceback" not in told
        assert kept.exists() or not kill
        for path in kept.glob("[!.]*.sasnet") if kept.exists() else ():
            assert read_model(path)[1]["checkpoint"]["updates"] > 0
        if output.exists():
            assert sasnet_sdf.read_geometry(output).faces.max() > 100
    assert ended(start(scan, output, *keep)) == 0
    assert output.read_bytes() == (tmp_path / "whole.ply").read_bytes()
    assert 1 <= len(list(kept.glob("[!.]*.sasnet"))) <= 2


def test_existing_files_are_not_harmed(scan, tmp_path):
    output = tmp_path / "surface.ply"
    output.write_bytes(b"an earlier surface")
    process = start(scan, output, "--overwrite")
    time.sleep(3)
    process.kill()
    assert ended(process) == -signal.SIGKILL
    assert output.read_bytes() == b"an earlier surface"


def test_an_input_that_vanishes_is_an_error_of_one_line(tmp_path):
    process = start(tmp_path / "gone.ply", tmp_path / "surface.ply")
    _, told = process.communicate()
    assert process.returncode == 3 and len(told.splitlines()) == 1 and "gone.ply" in told


def test_two_runs_into_one_folder_do_not_harm_each_other(scan, tmp_path):
    keep = ["--checkpoint", str(tmp_path / "kept"), "--checkpoint-every", "0"]
    runs = [start(scan, tmp_path / f"{n}.ply", "--seed", str(n // 2), *keep) for n in range(4)]
    assert [ended(run) for run in runs] == [0] * 4
    surfaces = [(tmp_path / f"{n}.ply").read_bytes() for n in range(4)]
    assert surfaces[0] == surfaces[1] != surfaces[2] == surfaces[3]
    names = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert len(names) == 4 and len({name[:16] for name in names}) == 2
