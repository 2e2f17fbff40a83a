"""What an extraction takes is told before it is taken, and refused where it would be too much."""

import re
import tracemalloc

import pytest

from sasnet_sdf.errors import UsageError
from sasnet_sdf.extraction import drop_small_components, estimated_bytes, extract_surface, memory
from sasnet_sdf.geometry import TriangleMesh
from sasnet_sdf.system import peak_memory_bytes

MEBI = 1 << 20


@pytest.fixture
def holding_nothing(monkeypatch):
    monkeypatch.setattr(memory, "held_bytes", lambda: 0)


def test_refused_up_front_where_no_surface_would_fit(shapes, holding_nothing):
    asked = []
    with pytest.raises(UsageError, match="no useful resolution"):
        extract_surface(asked.append, asked.append, shapes["torus"].lattice(256), max_memory=10 * MEBI)
    assert not asked


def test_what_the_process_holds_counts(shapes, monkeypatch):
    torus = shapes["torus"]
    limit = memory.WORKING + 100 * MEBI
    monkeypatch.setattr(memory, "held_bytes", lambda: 0)
    extract_surface(torus.distance, torus.with_gradient, torus.lattice(64), max_memory=limit)
    monkeypatch.setattr(memory, "held_bytes", lambda: limit)
    with pytest.raises(UsageError, match="holds 280M already"):
        extract_surface(torus.distance, torus.with_gradient, torus.lattice(64), max_memory=limit)


def test_refusal_comes_before_most_of_the_work_and_names_a_resolution_that_fits(shapes, holding_nothing):
    torus, asked = shapes["torus"], []

    def distance(points):
        asked.append(len(points))
        return torus.distance(points)

    limit = memory.WORKING + 20 * MEBI
    with pytest.raises(UsageError, match=r"resolution 512 needs about \d+M.* 200M of max-memory") as refused:
        extract_surface(distance, torus.with_gradient, torus.lattice(512), max_memory=limit)
    vertices = 6e5
    assert sum(asked) < vertices / 4
    fitting = int(re.search(r"resolution (\d+) would fit", str(refused.value))[1])
    assert 130 < fitting < 180
    extract_surface(torus.distance, torus.with_gradient, torus.lattice(fitting), max_memory=limit)
    with pytest.raises(UsageError):
        extract_surface(
            torus.distance, torus.with_gradient, torus.lattice(int(1.3 * fitting)), max_memory=limit
        )


def test_what_is_held_is_between_nothing_and_the_peak():
    assert 10 * MEBI < memory.held_bytes() <= peak_memory_bytes() + MEBI


def test_bytes_a_vertex_are_what_is_taken(shapes):
    def peak(resolution):
        tracemalloc.start()
        surface = shapes["torus"].surface(resolution)
        drop_small_components(TriangleMesh(surface.vertices, surface.faces, surface.normals), 0.01)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert size < estimated_bytes(shapes["torus"].lattice(resolution), len(surface.vertices))
        return size, len(surface.vertices)

    small, large = peak(128), peak(288)
    # Some of what a process takes is lost between its allocations, which this does not see.
    assert 0.55 < (large[0] - small[0]) / (large[1] - small[1]) / memory.PER_VERTEX < 1
