"""What must hold of any file at all: it is read into finite numbers, or refused in one line that names it."""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sasnet_sdf.config import InputConfig
from sasnet_sdf.errors import NoSurface, SasnetError, UnusableGeometry
from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.io import read_geometry, read_image, read_volume
from sasnet_sdf.io.formats import extensions, signal_kind, suffix_of
from sasnet_sdf.io.validate import validated
from sasnet_sdf.runtime.system import peak_memory_bytes


def check(path: Path) -> tuple[int, list[str]]:
    """Put the file through every reader of its extension: how many of them took it, what the others say.

    Whatever else than a SasnetError is raised, a warning too, is a fault.
    """
    suffix, taken, messages = suffix_of(path), 0, []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signal_kind(path)
        for kinds, reader in (
            (("cloud", "mesh"), _geometry),
            (("image",), _image),
            (("volume",), _volume),
            (("model",), _model),
        ):
            if suffix not in extensions(*kinds):
                continue
            try:
                reader(path)
                taken += 1
            except SasnetError as error:
                named = path.name in str(error) or isinstance(error, (NoSurface, UnusableGeometry))
                assert named and "\n" not in str(error), error
                messages.append(str(error))
    return taken, messages


def _geometry(path: Path) -> None:
    for most, wanted in ((None, None), (11, InputConfig())):
        geometry, _ = validated(read_geometry(path, most, wanted=wanted), path)
        if isinstance(geometry, PointCloud):
            assert geometry.points.dtype == np.float64 and np.isfinite(geometry.points).all()
            assert geometry.normals is None or np.isfinite(geometry.normals).all()
            assert geometry.sensors is None or np.isfinite(geometry.sensors).all()
            assert geometry.colors is None or geometry.colors.dtype == np.uint8
        else:
            assert np.isfinite(geometry.vertices).all() and len(geometry.faces)
            assert geometry.faces.min() >= 0 and geometry.faces.max() < len(geometry.vertices)


def _image(path: Path) -> None:
    signal = read_image(path)
    assert signal.values.dtype in (np.uint8, np.uint16, np.float32) and signal.values.size
    assert signal.values.shape[:2] == signal.grid.shape and 1 <= signal.channels <= 4


def _volume(path: Path) -> None:
    signal = read_volume(path)
    assert signal.values.dtype.kind in "iuf" and signal.values.size and np.isfinite(signal.grid.affine).all()
    np.array(signal.values)


def _model(path: Path) -> None:
    from sasnet_sdf.api import extract, load_model
    from sasnet_sdf.fitted import FittedSignal

    model = load_model(path, device="cpu", engine="torch")
    if isinstance(model, FittedSignal):
        values = model.render(size=(3,) * model.grid.dim).values
        assert values.dtype.kind != "f" or np.isfinite(values).all()
    else:
        mesh, _ = extract(model, resolution=8, trim="off")
        assert np.isfinite(mesh.vertices).all()


def measured(paths: list[Path], most: int) -> Iterator[dict[str, Any]]:
    """What `check` finds of each file, the memory that the process grew by, and the seconds it took.

    most: bytes of address space beyond which the process gets no more.
    """
    import resource

    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + most, held + most))
    for path in paths:
        before, started = peak_memory_bytes(), time.perf_counter()
        taken, messages = check(path)
        grown, seconds = peak_memory_bytes() - before, time.perf_counter() - started
        yield {"name": path.name, "taken": taken, "messages": messages, "grown": grown, "seconds": seconds}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    # whole files first, so that what their readers need for themselves is there
    whole, claims = (sorted(Path(folder).iterdir()) for folder in sys.argv[1:3])
    for path in whole:
        check(path)
    for row in measured(claims, 2 << 30):
        print(json.dumps(row), flush=True)
