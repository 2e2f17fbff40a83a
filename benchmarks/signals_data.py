"""The images and volumes of benchmarks/signals.py: tuning and test data, and volumes that are made here."""

from __future__ import annotations

import numpy as np
from common import data_file
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from sasnet_sdf.io import read_volume
from sasnet_sdf.signals import Grid, Signal

TUNING = {"images": ("kodim13", "test_04"), "volumes": ("phantom", "turbulence")}
"""Signals on which learning rates are chosen."""
KODAK = ("kodim01", "kodim05", "kodim07", "kodim08", "kodim15", "kodim23")
DIV2K = ("test_00", "test_01", "test_02", "test_03")
TEST = {"images": (*KODAK, *DIV2K), "volumes": ("inia19_t1_brain", "neghip", "carotid")}
"""Signals that are reported. No setting was chosen on them."""
OF_A_PIXEL, OF_A_VOXEL, MOST, UP = 0.25, 0.1, 20_000, 20_000
"""Parameters per number of an image and of a volume, and at most; those of images that are enlarged."""


def problem(task: str, name: str, small: bool) -> tuple[Signal, np.ndarray, int, int]:
    """The signal that is fitted, what the fit is compared with, their scale, and the number of parameters."""
    if task == "volumes":
        signal = noise(name, 12) if small else volume(name)
        return signal, signal.values, 1, min(round(OF_A_VOXEL * signal.values.size) + 2000, MOST)
    values = squares(name, 64) if small else picture(name)
    if task == "images":
        reduced = shrunk(values, 4)
        return image_of(reduced), reduced, 1, round(OF_A_PIXEL * reduced.size) + 2000 * small
    scale = {"x4": 4, "x16": 16}[task]
    truth = shrunk(values, 2) if scale == 4 else values
    return image_of(shrunk(truth, scale)), truth, scale, 2500 if small else UP


def picture(name: str) -> np.ndarray:
    folder = "kodak" if name.startswith("kodim") else "div2k"
    return np.asarray(Image.open(data_file("images", folder, f"{name}.png")).convert("RGB"))


def volume(name: str) -> Signal:
    if name in MADE:
        return volume_of(MADE[name]())
    return read_volume(data_file("volumes", f"{name}.npz"))


def shrunk(values: np.ndarray, factor: int) -> np.ndarray:
    """An image (H, W, 3) reduced to the means of blocks of factor x factor pixels."""
    height, width = (n // factor for n in values.shape[:2])
    blocks = values[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    return blocks.mean((1, 3)).round().astype(np.uint8)


def phantom(size: int = 80) -> np.ndarray:
    """A volume as a scanner sees it: 30 ellipsoids of different density, blurred, with noise of 0.5 %."""
    points = np.stack(np.meshgrid(*[np.linspace(-1, 1, size)] * 3, indexing="ij"), -1)
    rng = np.random.default_rng(1)
    values = np.where((points**2).sum(-1) < 0.8, 0.3, 0.0)
    for _ in range(30):
        turned = (points - rng.uniform(-0.5, 0.5, 3)) @ Rotation.random(rng=rng).as_matrix()
        inside = ((turned / rng.uniform(0.04, 0.3, 3)) ** 2).sum(-1) < 1
        values = np.where(inside, rng.uniform(0, 1), values)
    return gaussian_filter(values, 0.7) + rng.normal(scale=0.005, size=values.shape)


def turbulence(size: int = 64) -> np.ndarray:
    """A volume with the spectrum of turbulence, E(k) ~ k^(-5/3), stronger in the middle than outside."""
    rng = np.random.default_rng(2)
    k = np.sqrt(sum(axis**2 for axis in np.meshgrid(*[np.fft.fftfreq(size, 1 / size)] * 3, indexing="ij")))
    spectrum = np.fft.fftn(rng.normal(size=(size,) * 3)) * np.maximum(k, 1) ** (-11 / 6)
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, size)] * 3, indexing="ij")
    return np.fft.ifftn(spectrum).real * np.exp(-2 * (x**2 + y**2 + z**2))


MADE = {"phantom": phantom, "turbulence": turbulence}


def squares(name: str, size: int) -> np.ndarray:
    """A toy image of squares, drawn by the number that ends the name."""
    rng = np.random.default_rng(int(name.split()[-1]))
    return rng.integers(0, 255, (size // 8, size // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)


def noise(name: str, size: int) -> Signal:
    """A toy volume of noise, drawn by the number that ends the name."""
    return volume_of(np.random.default_rng(int(name.split()[-1])).normal(size=(size,) * 3))


def image_of(values: np.ndarray) -> Signal:
    return Signal(values, Grid.of_image(*values.shape[:2]))


def volume_of(values: np.ndarray) -> Signal:
    return Signal(values.astype(np.float32)[..., None], Grid.of_volume(values.shape))
