"""What must hold of any file at all: it is read into finite numbers, or refused in one line that names it."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np

from sasnet_sdf.errors import SasnetError
from sasnet_sdf.fitted import FittedSignal, load_model
from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.io import READABLE, read_geometry, read_image, read_volume
from sasnet_sdf.io.atomic import IMAGES, VOLUMES, suffix_of
from sasnet_sdf.io.kinds import signal_kind
from sasnet_sdf.io.validate import validated

logging.disable(logging.CRITICAL)


def check(path: Path) -> int:
    """Put the file through every reader of its extension; how many of them took it.

    Whatever else than a SasnetError is raised, a warning too, is a fault.
    """
    suffix, taken = suffix_of(path), 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signal_kind(path)
        for suffixes, reader in (
            (READABLE, _geometry),
            (IMAGES, _image),
            (VOLUMES, _volume),
            ((".sasnet",), _model),
        ):
            if suffix not in suffixes:
                continue
            try:
                reader(path)
                taken += 1
            except SasnetError as error:
                assert path.name in str(error) and "\n" not in str(error), error
    return taken


def _geometry(path: Path) -> None:
    for most in (None, 11):
        geometry, _ = validated(read_geometry(path, max_points=most), path)
        if isinstance(geometry, PointCloud):
            assert geometry.points.dtype == np.float64 and np.isfinite(geometry.points).all()
            assert geometry.normals is None or np.isfinite(geometry.normals).all()
            assert geometry.sensors is None or np.isfinite(geometry.sensors).all()
            assert geometry.colors is None or geometry.colors.dtype == np.uint8
        else:
            assert np.isfinite(geometry.vertices).all() and len(geometry.faces)
            assert 0 <= geometry.faces.min() and geometry.faces.max() < len(geometry.vertices)


def _image(path: Path) -> None:
    signal, _ = read_image(path)
    assert signal.values.dtype in (np.uint8, np.uint16, np.float32) and signal.values.size
    assert signal.values.shape[:2] == signal.grid.shape and 1 <= signal.channels <= 4


def _volume(path: Path) -> None:
    signal, _ = read_volume(path)
    assert signal.values.dtype.kind in "iuf" and signal.values.size and np.isfinite(signal.grid.affine).all()
    np.array(signal.values)


def _model(path: Path) -> None:
    model = load_model(path, device="cpu", engine="torch")
    if isinstance(model, FittedSignal):
        values = model.render(size=(3,) * model.grid.dim).values
        assert values.dtype.kind != "f" or np.isfinite(values).all()
    else:
        middle = model.frame.to_world(np.array([[0.0, 0, 0], [0.5, -0.2, 0.9]]))
        assert np.isfinite(model.distance(middle)).all()
