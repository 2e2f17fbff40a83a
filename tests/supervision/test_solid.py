"""What solid a closed mesh encloses: parts beside, inside and across each other, wound in any way."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.geometry import Frame, TriangleMesh
from sasnet_sdf.supervision import CloudTarget, MeshTarget, prepare
from sasnet_sdf.supervision.solid import solid_of
from sasnet_sdf.supervision.targets import signed_volume


def sphere(radius=1.0, center=(0, 0, 0), inward=False):
    import trimesh

    shape = trimesh.creation.icosphere(subdivisions=2, radius=radius)
    faces = np.array(shape.faces, np.int64)
    return np.array(shape.vertices) + center, faces[:, ::-1] if inward else faces


def box(low, high):
    import trimesh

    shape = trimesh.creation.box(bounds=[low, high])
    return np.array(shape.vertices), np.array(shape.faces, np.int64)


def joined(*parts, weld=False):
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    vertices = np.concatenate([v for v, _ in parts])
    faces = np.concatenate([f + start for (_, f), start in zip(parts, starts, strict=False)])
    if weld:
        vertices, index = np.unique(vertices, axis=0, return_inverse=True)
        faces = index.reshape(-1)[faces]
    return TriangleMesh(vertices * 0.2, faces)


def distance_to(mesh, points):
    """The target's distances in the parts' own units, its notes, and the target."""
    frame = Frame.around(mesh.vertices)
    target, facts = prepare(mesh, frame)
    assert isinstance(target, MeshTarget) and facts["watertight"]
    values, _ = target.distance(frame.to_unit(np.array(points, float) * 0.2))
    return values * frame.scale / 0.2, [finding.text for finding in facts["findings"]], target


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("second", [False, True])
def test_bodies_beside_each_other_are_turned_outward(first, second):
    mesh = joined(sphere(1, (0, 0, 0), first), sphere(0.5, (2, 0, 0), second))
    values, notes, _ = distance_to(mesh, [(0, 0, 0), (2, 0, 0), (1.3, 0, 0), (3, 0, 0)])
    assert values == pytest.approx([-1, -0.5, 0.2, 0.5], abs=0.05)
    if first or second:
        (note,) = notes
        assert note == f"{first + second} of 2 closed parts were inside out and have been turned"
    else:
        assert notes == []


@pytest.mark.parametrize("turned", [False, True])
def test_a_body_in_a_body_is_part_of_it(turned):
    """The inner surface is none: far from the outer one nothing is near."""
    mesh = joined(sphere(1, inward=turned), sphere(0.5, inward=turned))
    values, notes, target = distance_to(mesh, [(0, 0, 0), (0.45, 0, 0), (0.55, 0, 0), (1.2, 0, 0)])
    assert values == pytest.approx([-1, -0.55, -0.45, 0.2], abs=0.05)
    assert len(target.faces) == 320 and "320 of 640 faces lie inside the solid" in notes[0]
    assert ("2 of 2 closed parts" in notes[0]) == turned


@pytest.mark.parametrize("turned", [False, True])
def test_a_cavity_stays_one_and_what_lies_in_it_is_solid(turned):
    shells = [sphere(1, inward=turned), sphere(0.7, inward=not turned)]
    for core in (sphere(0.3), sphere(0.3, inward=True)):
        values, _, target = distance_to(
            joined(*shells, core), [(0, 0, 0), (0.5, 0, 0), (0.85, 0, 0), (1.1, 0, 0)]
        )
        assert values == pytest.approx([-0.3, 0.2, -0.15, 0.1], abs=0.05)
        assert len(target.faces) == 960


def test_faces_wound_at_random_are_made_consistent(rng):
    shell, core = sphere(), sphere(0.5, inward=True)
    mesh = joined(shell, core)
    against = rng.random(640) < 0.2
    mesh = TriangleMesh(mesh.vertices, np.where(against[:, None], mesh.faces[:, ::-1], mesh.faces))
    values, notes, _ = distance_to(mesh, [(0, 0, 0), (0.75, 0, 0), (1.2, 0, 0)])
    assert values == pytest.approx([0.5, -0.25, 0.2], abs=0.05)
    assert notes == [f"{against.sum()} of 640 faces were wound against their neighbors and have been turned"]


@pytest.mark.parametrize("inward", [False, True])
def test_boxes_that_share_an_edge_are_closed(inward):
    first, second = box((0, 0, 0), (1, 1, 1)), box((1, 1, 0), (2, 2, 1))
    second = second[0], second[1][:, ::-1] if inward else second[1]
    mesh = joined(first, second, weld=True)
    values, notes, _ = distance_to(mesh, [(0.5, 0.5, 0.5), (1.5, 1.5, 0.5), (1.5, 0.5, 0.5)])
    assert values == pytest.approx([-0.5, -0.5, 0.5], abs=1e-6)
    assert len(notes) == inward


def test_a_wall_between_two_boxes_is_not_a_surface():
    mesh = joined(box((0, 0, 0), (1, 1, 1)), box((1, 0, 0), (2, 1, 1)), weld=True)
    values, notes, target = distance_to(mesh, [(1, 0.5, 0.5), (0.9, 0.5, 0.5), (1.2, 0.5, 0.5)])
    assert values == pytest.approx([-0.5, -0.5, -0.5], abs=1e-6)
    assert len(target.faces) == 20 and "4 of 24 faces" in notes[0]


def test_bodies_across_each_other_keep_their_outside():
    mesh = joined(sphere(1), sphere(1, (1, 0, 0)))
    values, _, target = distance_to(mesh, [(0.5, 0, 0), (-0.9, 0, 0), (2.3, 0, 0), (0.5, 0, 1.2)])
    assert values[1:] == pytest.approx([-0.1, 0.3, 0.36], abs=0.05) and values[0] < -0.4
    assert 300 < len(target.faces) < 560


def test_a_mesh_that_encloses_nothing_is_not_a_solid():
    vertices, faces = sphere()
    two_sided = np.concatenate([faces[:200], faces[:200, ::-1]])
    assert solid_of(vertices * 0.9, two_sided) is None
    assert solid_of(vertices * 0.9, faces[1:]) is None
    assert solid_of(vertices * 0.9, np.concatenate([faces, faces[:1]])) is None
    hemisphere = joined((vertices, faces), (vertices + [3, 0, 0], faces[:160]))
    assert isinstance(prepare(hemisphere, Frame.around(hemisphere.vertices))[0], CloudTarget)
    solid = solid_of(vertices * 0.9, faces)
    assert solid is not None and solid.faces is not None
    assert signed_volume(vertices, solid.faces) > 0 and solid.boundary.all()
