"""Curves of losses, sweeps and spectra. Needs matplotlib, the viz extra."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..geometry import Array
from ..io import atomic_write
from ..metrics import radial_spectrum
from ..runtime.system import require

COLORS = ("#000000", "#e69f00", "#0072b2", "#009e73", "#d55e00", "#cc79a7", "#56b4e9")
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)))
"""Seven colors safe for color blindness (Okabe and Ito), as solid, then dashed, then dotted lines."""

MOST_POINTS = 60
"""Maximum number of points of a curve: with more, its noise hides the other curves."""

DPI = 150


def convergence(rows: Sequence[tuple[str, ArrayLike, ArrayLike, ArrayLike]], path: str | Path) -> None:
    """Plot the curves of (label, steps, seconds, losses), with log loss, over steps and over time.

    steps, seconds and losses: (K,) each, for any K. A curve of many points is drawn as geometric
    means of neighboring points. The legend is in the order of the last losses, the highest first.
    """
    figure = _figure((10, 4.2))
    left, right = figure.subplots(1, 2, sharey=True)
    ends = []
    for n, (label, *numbers) in enumerate(rows):
        steps, seconds, losses = _thinned(*(np.asarray(column, np.float64) for column in numbers))
        style = {"color": COLORS[n % len(COLORS)], "linestyle": DASHES[n // len(COLORS) % len(DASHES)]}
        handle = left.plot(steps, losses, linewidth=1.4, label=label, **style)[0]
        right.plot(seconds, losses, linewidth=1.4, **style)
        ends.append((-losses[-1] if len(losses) else 0.0, n, handle))
    left.set_yscale("log")
    left.set_ylabel("loss")
    for axes, label in ((left, "steps"), (right, "seconds")):
        axes.set_xlabel(label)
        axes.set_xlim(left=0)
        _plain(axes)
    figure.legend(handles=[handle for *_, handle in sorted(ends)], loc="outside right center", frameon=False)
    _write(figure, path)


def sweep(
    points: Sequence[tuple[float, float, float]],
    reference: tuple[float, float],
    path: str | Path,
    error_label: str = "error",
) -> None:
    """Plot error (log) and normal consistency of SIRENs over omega0 (log), in two panels.

    points: (omega0, error, consistency) of each SIREN. reference: SASNet's (error, consistency), a horizontal
    line in each panel. error_label: the label of the first panel's axis.
    """
    omega, *columns = np.array(sorted(points), np.float64).reshape(-1, 3).T
    figure = _figure((8, 3.6))
    panels = zip(figure.subplots(1, 2), columns, reference, (error_label, "normal consistency"), strict=True)
    for axes, values, level, label in panels:
        axes.plot(omega, values, color=COLORS[2], marker="o", markersize=4, linewidth=1.4, label="SIREN")
        axes.axhline(level, color=COLORS[4], linewidth=1.4, linestyle=DASHES[1], label="SASNet")
        axes.margins(y=0.08)
        axes.set_xscale("log")
        _plain_numbers(axes.xaxis)
        axes.set_xlabel("$\\omega_0$")
        axes.set_ylabel(label)
        _plain(axes)
    figure.axes[0].set_yscale("log")
    _plain_numbers(figure.axes[0].yaxis)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    _write(figure, path)


def spectrum(fit: NDArray[Any], original: NDArray[Any], path: str | Path) -> None:
    """Plot the power (log) of a fit and of its original, (H, W, C) or (I, J, K, C), over frequency.

    See `radial_spectrum`. Where the fit has less power it lacks detail; where it has more, it has noise.
    """
    figure = _figure((6.4, 4.0))
    axes = figure.subplots()
    curves = (original, "original", COLORS[0], DASHES[0]), (fit, "fit", COLORS[4], DASHES[1])
    for values, label, color, dash in curves:
        frequencies, power = radial_spectrum(values)
        shown = power > 0  # the axis is logarithmic, and a constant signal has no power
        axes.plot(frequencies[shown], power[shown], color=color, linestyle=dash, linewidth=1.4, label=label)
    axes.set_yscale("log")
    axes.set_xlim(0, 0.5)
    axes.set_xlabel("frequency (cycles per sample)")
    axes.set_ylabel("power")
    axes.legend(frameon=False)
    _plain(axes)
    _write(figure, path)


def _thinned(steps: Array, seconds: Array, losses: Array) -> list[Array]:
    """At most MOST_POINTS points of a curve: means of neighboring points, geometric ones for losses."""
    shown = np.isfinite(losses) & (losses > 0)
    kept = np.count_nonzero(shown)
    if kept == 0:
        return [np.empty(0)] * 3
    count = math.ceil(kept / math.ceil(kept / MOST_POINTS))  # so that all windows have about equal width
    parts = [np.array_split(column[shown], count) for column in (steps, seconds, np.log(losses[shown]))]
    means = [np.array([part.mean() for part in column]) for column in parts]
    return [means[0], means[1], np.exp(means[2])]


def _figure(inches: tuple[float, float]) -> Any:
    # a Figure without pyplot: no global state, no window, and no choice of a display
    figure = require("matplotlib.figure", "viz", "drawing curves")
    return figure.Figure(inches, layout="constrained")


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)


def _plain_numbers(axis: Any) -> None:
    """Put the ticks of a log axis at 1, 2, 5, 10, 20, ..., written as plain numbers."""
    ticker = require("matplotlib.ticker", "viz", "drawing curves")
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_locator(ticker.NullLocator())


def _write(figure: Any, path: str | Path) -> None:
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=DPI)
