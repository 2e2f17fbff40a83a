"""What the stages of a run take of the memory: the measured figures, and the plan that is made from them.

Figures are upper bounds, in bytes unless stated, in addition to what the process already holds. Work that
would exceed the limit (`max_memory`) is refused with a UsageError before it begins, and the message names a
size that would fit. Figures of NumPy's work were measured as the growth of the process's peak (Linux,
x86-64); what PyTorch keeps is counted on a few samples of the network at hand (problems/problem.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .system import check_memory, format_memory, held_bytes

LIBRARIES = 64 << 20
"""Code that is loaded, or compiled, on the way."""

PREPARED_POINT, KEPT_POINT = 900, 300
"""A point of a cloud: while distances are prepared (835 measured on a clean cloud without normals, 810 on a
noisy one), and from then on."""

FACE = 300
"""A triangle of a closed mesh, while distances from it are computed."""

DRAWN_TARGET, KEPT_TARGET = 170, 60
"""A target: while it is drawn, and while the network is trained on it."""

PARAMETER, CHECKPOINTED = 44, 24
"""A trained number: itself, its gradient, Adam's two moments, and two copies of the last good state; and in
addition where checkpoints are written."""

SAMPLE = 100
"""A sample of a batch, beside what the network keeps of it."""

LARGEST = 3
"""What the backward pass takes in addition to what was kept, as a multiple of a sample's largest array."""

MEASURED = {2: 60, 3: 140}
"""A number of an image (2-D) or a volume (3-D) that a fit is compared with."""

MAPPED, SCATTERED = 32 << 20, 2.4
"""Arrays from MAPPED bytes on go back to the system when they are freed. Smaller ones leave gaps in the
heap: three steps on layers of 19 MB took 2.4 times what one held."""

VERTEX = 220
"""The peak of marching cubes, for each vertex of the surface (closed surfaces: 215 to 230)."""

TRIMMED_VERTEX = 350
"""The peak for each vertex where the surface is trimmed as well."""

DECIMATED_VERTEX = 490
"""The peak for each vertex where it is then decimated: 293 for that, beside the two surfaces."""

BLOCK, EXTRACTION = 12, 32 << 20
"""A block of the lattice, used or not; and what does not grow with the surface."""

DETAIL = 1.02
"""A lattice of half the cell finds a little more than four times the vertices where the field is rough."""

RENDERED_COPIES = 2
"""Copies of a rendering's samples, as writing may need one (a number, not bytes)."""

RENDERED_PLACE, RENDERING = 100, 200 << 20
"""A place of the part of a rendering that is computed at once, and each of its channels; and the passes
through the network."""

USED_POINT = 1000
"""A point that is used, from reading to extraction: by it the number of points of a scan is chosen."""

POINTS_SHARE, RESERVED = 0.5, 450 << 20
"""The share of the machine's memory that is for points, and the part of a limit that is not: Python, the
libraries, and what they compile. Neither depends on what is free at the moment, so the same scan is thinned
to the same points again."""


@dataclass(frozen=True)
class NetworkMemory:
    """What passes through a network take of the CPU's memory, in bytes.

    parameters: all trained numbers, while they are trained. drawn: a sample of a batch, beside what PyTorch
    keeps. kept: what PyTorch keeps of a sample for the backward pass, and takes in addition during it.
    largest: the largest array of a sample.
    """

    parameters: float = 0.0
    drawn: float = SAMPLE
    kept: float = 0.0
    largest: float = 0.0

    def with_gradients(self, count: int) -> float:
        """A pass with gradients by the points, of `count` points at once."""
        return count * self.kept * (1.0 if count * self.largest >= MAPPED else SCATTERED)

    def without_gradients(self, count: int) -> float:
        """A pass of `count` points without gradients."""
        return count * LARGEST * self.largest * SCATTERED

    def step(self, batch: int) -> float:
        """A step of training, beside the parameters."""
        return batch * self.drawn + self.with_gradients(batch)

    def batch_that_fits(self, free: float) -> int:
        """The largest batch of a step that `free` bytes hold."""
        return int(0.97 * free / (self.drawn + SCATTERED * self.kept))


@dataclass(frozen=True)
class SurfaceMemory:
    """What extracting a surface takes, and the limit that it is held to (None: no limit).

    vertex: bytes a vertex. field: what the field takes for a chunk of points with gradients.

    The surface's size is not known before it is sampled. But a lattice of twice the cell holds about a
    quarter of its vertices, so each level of the descent predicts what the next ones will take; before the
    last two, four fifths of the memory are still free.
    """

    limit: int | None = None
    vertex: float = VERTEX
    field: float = 0.0

    def needed(self, blocks: float, vertices: float) -> int:
        """What extracting so many vertices from a lattice of so many blocks takes."""
        return int(EXTRACTION + self.field + BLOCK * blocks + self.vertex * vertices)

    def check(self, resolution: int, blocks: float, vertices: float, held: float) -> None:
        """Refuse what would exceed the limit, where the process holds `held` bytes as extraction begins.

        Raises UsageError, with the resolution that would fit.
        """
        if self.limit is None:
            return
        limit, needed = self.limit, self.needed(blocks, vertices)

        def advice() -> str:
            # vertices grow with the resolution's square, blocks with its cube
            fixed = EXTRACTION + self.field
            fits = int(0.97 * resolution * max((limit - held - fixed) / (needed - fixed), 0.0) ** 0.5)
            if fits < 16:
                return f"the process holds {format_memory(held)} already, so no useful resolution would fit"
            return f"resolution {fits} would fit"

        check_memory(f"extraction at resolution {resolution}", held + needed, limit, advice)

    def guard(self, resolution: int, blocks: float) -> Callable[[int, int], None]:
        """A function (stride, vertices at every stride-th point of the lattice) that checks a descent."""
        held = held_bytes()

        def check(stride: int, vertices: int) -> None:
            self.check(resolution, blocks, DETAIL * stride**2 * vertices, held)

        return check


@dataclass(frozen=True)
class MemoryPlan:
    """The limit of a run (None: no limit) and what its network takes: made once, asked by every stage.

    network: in training. field: where values and gradients are computed for extraction.
    """

    limit: int | None = None
    network: NetworkMemory = NetworkMemory()
    field: NetworkMemory = NetworkMemory()

    def surface(self, chunk: int, decimates: bool) -> SurfaceMemory:
        """The plan of extracting, trimming and perhaps decimating; `chunk` points at once."""
        vertex = DECIMATED_VERTEX if decimates else TRIMMED_VERTEX
        return SurfaceMemory(self.limit, vertex, self.field.with_gradients(chunk))

    def check_targets(self, points: int, faces: int, targets: int, batch: int, *, thins: bool) -> None:
        """Refuse geometry whose supervision and training would exceed the limit. Raises UsageError.

        points, faces: those that distances are computed from. thins: whether fewer points can be asked for.
        """
        if self.limit is None:
            return
        limit, held, network = self.limit, held_bytes() + LIBRARIES, self.network
        drawing = FACE * faces + DRAWN_TARGET * targets
        later, training = held + KEPT_POINT * points, KEPT_TARGET * targets + network.parameters

        def points_that_fit() -> str:
            least = min(
                (limit - held) / PREPARED_POINT,
                (limit - held - max(drawing, training + network.step(batch))) / KEPT_POINT,
            )
            return f"max-points {int(0.97 * least)} would fit" if thins and least >= 1000 else _held(held)

        def targets_that_fit() -> str:
            fits = min(
                (limit - later - FACE * faces) / DRAWN_TARGET,
                (limit - later - network.parameters - network.step(batch)) / KEPT_TARGET,
            )
            return f"supervision.targets={int(fits)} would fit" if fits >= 50_000 else points_that_fit()

        check_memory(f"preparing {points} points", held + PREPARED_POINT * points, limit, points_that_fit)
        check_memory(f"drawing {targets} targets", later + drawing, limit, targets_that_fit)
        self._check_batch(later + training, batch, limit, points_that_fit)

    def check_samples(self, batch: int, measured: int, dim: int, chunk: int) -> None:
        """Refuse a fit of an image or a volume that would exceed the limit. Raises UsageError.

        measured: numbers that the fit is compared with. chunk: points that are evaluated at once.
        """
        if self.limit is None:
            return
        held = held_bytes() + LIBRARIES
        trained = held + self.network.parameters
        self._check_batch(trained, batch, self.limit, lambda: _held(held))
        needed = trained + MEASURED[dim] * measured + self.network.without_gradients(chunk)
        check_memory("measuring the fit", needed, self.limit, lambda: _held(held))

    def check_lattice(self, surface: SurfaceMemory, resolution: int, blocks: float, vertices: float) -> None:
        """Refuse a lattice on which the surface of the data would exceed the limit, before training.

        The surface may turn out larger, where it goes on beyond the data: extraction asks again.
        Raises UsageError.
        """
        surface.check(resolution, blocks, vertices, held_bytes() + LIBRARIES + self.network.parameters)

    def _check_batch(self, held: float, batch: int, limit: int, otherwise: Callable[[], str]) -> None:
        def advice() -> str:
            fits = self.network.batch_that_fits(limit - held)
            return f"training.batch={fits} would fit" if fits >= min(256, batch) else otherwise()

        work = f"training on batches of {batch}"
        check_memory(work, held + self.network.step(batch), limit, advice)


def _held(held: float) -> str:
    return f"the process holds {format_memory(held - LIBRARIES)} already; give it more"
