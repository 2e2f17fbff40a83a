"""What can be seen from where."""

from __future__ import annotations

import numpy as np

from sasnet_sdf.plausibility.claims import faces, hidden_share, widening


def test_half_of_a_closed_surface_is_hidden(sketch_of, shapes, rng):
    sketch = sketch_of(shapes["ellipsoid"](rng)[0])
    assert 0.35 < hidden_share(sketch, sketch.points + [0, 0, 100.0]) < 0.5
    assert hidden_share(sketch, np.zeros_like(sketch.points)) == 0


def test_terrain_is_seen_from_above_and_not_from_the_side(sketch_of, shapes, rng):
    sketch = sketch_of(shapes["terrain"](rng)[0])
    above, aside = (sketch.points + np.array(way) for way in ([0, 0, 100.0], [100.0, 0, 0]))
    assert hidden_share(sketch, above) == 0
    assert faces(sketch, above) > 0.95 and faces(sketch, aside) < 0.2


def test_points_lie_wider_apart_far_from_their_scanner(sketch_of, shapes, rng):
    seen = sketch_of(shapes["room"](rng)[0])
    assert 0.8 < widening(seen, np.zeros(3)) < 1.6
    even = sketch_of(shapes["ellipsoid"](rng)[0])
    assert abs(widening(even, np.zeros(3))) < 0.5


def test_no_widening_where_all_points_are_equally_far(sketch_of, rng):
    points = rng.normal(size=(3000, 3))
    sketch = sketch_of(points / np.linalg.norm(points, axis=1, keepdims=True))
    assert widening(sketch, np.zeros(3)) == 0
