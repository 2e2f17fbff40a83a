"""Loading PyMeshLab, and differences between its versions."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasnet_sdf import MissingBackend
from sasnet_sdf.runtime.system import require

FIRST_FOR_NUMPY_2 = (2023, 12, 3)
"""Version 2023.12.post3: earlier versions crash when they get arrays of NumPy 2."""


def load() -> Any:
    """Return the module pymeshlab. Raises MissingBackend where it is missing, broken or would crash."""
    try:
        found = version("pymeshlab")
    except PackageNotFoundError:
        found = ""
    numbers = tuple(int(number) for number in re.findall(r"\d+", found))
    if numbers and numbers < FIRST_FOR_NUMPY_2 and int(np.__version__.split(".")[0]) > 1:
        raise MissingBackend(
            f"pymeshlab {found} crashes with NumPy {np.__version__}: pip install --upgrade pymeshlab"
        )
    try:
        return require("pymeshlab", "meshlab", "the SASNet filter")
    except MissingBackend as error:
        if "libGL" not in str(error):
            raise
        raise MissingBackend(f"pymeshlab needs libGL: apt-get install libgl1 ({error.__cause__})") from error


def length_classes() -> tuple[type[Any], type[Any]]:
    """Return the classes of lengths: a percentage of the bounding box's diagonal, and an absolute length."""
    pymeshlab = load()
    if hasattr(pymeshlab, "PercentageValue"):  # the names since 2023
        return pymeshlab.PercentageValue, pymeshlab.PureValue
    return pymeshlab.Percentage, pymeshlab.AbsoluteValue


def transform_of(layer: Any) -> NDArray[np.float64]:
    """Return the matrix (4, 4) from a layer's own coordinates to those in which it is shown."""
    # in 2022 versions the name of the method is misspelled
    return layer.transform_matrix() if hasattr(layer, "transform_matrix") else layer.trasform_matrix()
