"""The memory that the stages of a run need: measured figures, and the plan made from them.

Figures are upper bounds, in bytes unless stated, in addition to what the process already holds. Work that
would exceed the limit (`max_memory`) is refused with a UsageError before it begins, and the message names a
size that would fit. Figures of NumPy's work were measured as the growth of the process's peak (Linux,
x86-64); what PyTorch keeps is counted for a few samples of the given network (problems/problem.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .system import check_memory, format_memory, held_bytes

LIBRARIES = 64 << 20
"""Code that is loaded or compiled during a run."""

PREPARED_POINT, KEPT_POINT = 900, 300
"""Per point of a cloud. PREPARED_POINT: while distances are prepared (835 measured on a clean cloud without
normals, 810 on a noisy one); KEPT_POINT: after that."""

FACE = 300
"""Per triangle of a closed mesh, while distances from the mesh are computed."""

DRAWN_TARGET, KEPT_TARGET = 170, 60
"""Per target. DRAWN_TARGET: while it is drawn; KEPT_TARGET: while the network is trained on it."""

PARAMETER, CHECKPOINTED = 44, 24
"""Per trained parameter. PARAMETER: its value, its gradient, Adam's two moments, and two copies of the last
good state; CHECKPOINTED: in addition, if checkpoints are written."""

SAMPLE = 100
"""Per sample of a batch, in addition to what the network keeps for it."""

LARGEST = 3
"""What the backward pass needs in addition to what was kept, as a multiple of a sample's largest array."""

MEASURED = {2: 60, 3: 140}
"""Per number of an image (2-D) or a volume (3-D) that a fit is compared with."""

MAPPED, SCATTERED = 32 << 20, 2.4
"""Arrays of at least MAPPED bytes are returned to the system when they are freed. Smaller ones leave gaps in
the heap, which SCATTERED accounts for: three steps on layers of 19 MB took 2.4 times the memory that one step
held."""

VERTEX = 220
"""The peak of marching cubes, per vertex of the surface (closed surfaces: 215 to 230)."""

TRIMMED_VERTEX = 350
"""The peak per vertex if the surface is trimmed as well."""

DECIMATED_VERTEX = 490
"""The peak per vertex if the surface is then decimated: 293 for that, in addition to the two surfaces."""

BLOCK, EXTRACTION = 12, 32 << 20
"""BLOCK: per block of the lattice, used or not. EXTRACTION: the part that does not grow with the surface."""

DETAIL = 1.02
"""Factor for rough fields: halving the cell gives slightly more than four times the vertices."""

RENDERED_COPIES = 2
"""Number of copies (not bytes) of a rendering's samples, since writing may need one."""

RENDERED_PLACE, RENDERING = 100, 200 << 20
"""RENDERED_PLACE: per place, and per channel, of the part of a rendering that is computed at once. RENDERING:
the passes through the network."""

USED_POINT = 1000
"""Per used point, from reading to extraction; determines the number of points used from a scan."""

POINTS_SHARE, RESERVED = 0.5, 450 << 20
"""POINTS_SHARE: the share of the machine's memory that is for points. RESERVED: the part of a limit that is
not for points: Python, the libraries, and code that they compile. Neither depends on the memory that is
currently free, so the same scan is always thinned to the same points."""


@dataclass(frozen=True)
class NetworkMemory:
    """The CPU memory for passes through a network, in bytes.

    parameters: all trained parameters, during training. drawn: per sample of a batch, in addition to what
    PyTorch keeps. kept: per sample, what PyTorch keeps for the backward pass and allocates during it.
    largest: the largest array per sample.
    """

    parameters: float = 0.0
    drawn: float = SAMPLE
    kept: float = 0.0
    largest: float = 0.0

    def with_gradients(self, count: int) -> float:
        """The memory of a pass of `count` points with gradients with respect to the points."""
        return count * self.kept * (1.0 if count * self.largest >= MAPPED else SCATTERED)

    def without_gradients(self, count: int) -> float:
        """The memory of a pass of `count` points without gradients."""
        return count * LARGEST * self.largest * SCATTERED

    def step(self, batch: int) -> float:
        """The memory of a training step, in addition to the parameters."""
        return batch * self.drawn + self.with_gradients(batch)

    def batch_that_fits(self, free: float) -> int:
        """The largest batch of a step that fits into `free` bytes."""
        return int(0.97 * free / (self.drawn + SCATTERED * self.kept))


@dataclass(frozen=True)
class SurfaceMemory:
    """The memory for extracting a surface, and its limit (None: no limit).

    vertex: bytes per vertex. field: bytes for a chunk of points with gradients of the field.

    The surface's size is not known before it is sampled. But with cells of twice the size it has about a
    quarter of the vertices, so each level of the descent predicts the memory of the next ones. Before the
    last two levels, four fifths of the memory are still free.
    """

    limit: int | None = None
    vertex: float = VERTEX
    field: float = 0.0

    def needed(self, blocks: float, vertices: float) -> int:
        """The memory for extracting so many vertices from a lattice of so many blocks."""
        return int(EXTRACTION + self.field + BLOCK * blocks + self.vertex * vertices)

    def check(self, resolution: int, blocks: float, vertices: float, held: float) -> None:
        """Refuse an extraction that would exceed the limit; held: bytes in use at its beginning.

        Raises UsageError, with the resolution that would fit.
        """
        if self.limit is None:
            return
        limit, needed = self.limit, self.needed(blocks, vertices)

        def advice() -> str:
            # vertices grow with the square of the resolution, blocks with its cube
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
    """The limit of a run (None: no limit) and the memory of its network; created once, used by every stage.

    network: during training. field: when values and gradients are computed for extraction.
    """

    limit: int | None = None
    network: NetworkMemory = NetworkMemory()
    field: NetworkMemory = NetworkMemory()

    def surface(self, chunk: int, decimates: bool) -> SurfaceMemory:
        """The plan for extracting, trimming and possibly decimating, with `chunk` points at once."""
        vertex = DECIMATED_VERTEX if decimates else TRIMMED_VERTEX
        return SurfaceMemory(self.limit, vertex, self.field.with_gradients(chunk))

    def check_targets(self, points: int, faces: int, targets: int, batch: int, *, thins: bool) -> None:
        """Refuse geometry whose supervision and training would exceed the limit. Raises UsageError.

        points, faces: number of those that distances are computed from. thins: whether fewer points can be
        requested.
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

        measured: count of numbers that the fit is compared with. chunk: number of points evaluated at once.
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

        The surface may turn out larger if it extends beyond the data, so extraction checks again. Raises
        UsageError.
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
