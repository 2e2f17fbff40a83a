"""The checks in their order, and what follows from them: what of the file's claims is believed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..config import SupervisionConfig
from ..errors import Finding, warning
from ..geometry import Array, Frame, PointCloud, TriangleMesh
from ..supervision.planes import in_layers
from .claims import (
    CLEAR,
    CLEAR_FROM_ABOVE,
    SEEN_FROM_BOTH,
    claims_of,
    faces,
    hidden_share,
    inward,
    seen_from_both,
    turned,
    widening,
)
from .scale import Sketch, check_digits, check_units

HIDDEN = 0.25
"""The share of points that others hide from their sensors, above which nobody saw them from there.

Measured: of noisy scans and their true sensors, 0.03 to 0.10; of closed objects and a place outside
them, 0.36 to 0.76.
"""

HIDDEN_BY_GUESS = 0.2
"""The same of a cloud without sensors, and of a guess at one."""

HIDDEN_BY_TREES = 0.5
"""The same where an airborne laser is known to have seen the ground through leaves."""

EDGE_ON = 0.3
"""The mean cosine at which a place must see the points' planes to tell their sides."""

GRAZED = 0.1
"""The same of sensors that a file has. Measured: of true ones, 0.43 and more; of the middle of a terrain
or a facade, 0.00 to 0.08."""

SAME = 1e-3
"""How far normals differ that are one direction for all points."""

ACROSS, MOST = 0.8, 0.95
"""The cosine of the angle between planes and the one normal of all points, and the share of points at
which it is larger, for the points to lie on floors across it: of a flat box, a tenth are at its sides."""

WIDENING = 0.5
"""How the spacing must grow with the distance from the origin for a sensor to have stood there."""

FAR = 100.0
"""Units of the cube: as good as infinitely far away."""


@dataclass(frozen=True)
class Examined:
    """A geometry as it is used, what was found, and what says where outside is (None: what it has)."""

    geometry: PointCloud | TriangleMesh
    findings: list[Finding]
    outside_from: str | None = None


def examined(
    geometry: PointCloud | TriangleMesh, frame: Frame, supervision: SupervisionConfig, name: str
) -> Examined:
    """The geometry with the normals and sensors that its points bear out, and those that were asked for.

    supervision: `up` and `viewpoint` say where it was seen from; `normals` other than auto is obeyed,
    and contradictions are told. name: of the input, for messages. Raises UnusableGeometry where the
    coordinates are degrees.
    """
    if isinstance(geometry, TriangleMesh):
        return Examined(geometry, [])
    findings = check_units(geometry, name)
    sketch = Sketch.of(geometry, frame)
    if sketch is not None:
        spacing = float(np.median(sketch.spacing)) * np.sqrt(sketch.share) * frame.scale
        findings += check_digits(geometry.points, spacing)
    if supervision.viewpoint is not None:
        return Examined(_seen_from(geometry, np.array(supervision.viewpoint)), findings, "viewpoint")
    if supervision.up is not None:
        return Examined(_seen_along(geometry, np.array(supervision.up), frame), findings, "up")
    if sketch is None:
        return Examined(geometry, findings)
    obeyed = supervision.normals != "auto"
    if geometry.normals is not None:
        geometry = _with_true_normals(geometry, sketch, obeyed, findings)
    if geometry.normals is None and geometry.sensors is not None:
        geometry = _with_true_sensors(geometry, frame, sketch, obeyed, findings)
    if geometry.normals is None and geometry.sensors is None:
        return _seen(geometry, frame, sketch, findings)
    return Examined(geometry, findings)


def _with_true_normals(
    cloud: PointCloud, sketch: Sketch, obeyed: bool, findings: list[Finding]
) -> PointCloud:
    assert cloud.normals is not None
    claims = claims_of(cloud.normals, sketch)
    wrong = ""
    if not _could_have_one(cloud.normals, sketch):
        wrong = "the normals are the same at all points, some of which look elsewhere"
    elif claims.contradict:
        wrong = f"{claims.contradicting:.0%} of the normals contradict the points around them"
    elif claims.unlike:
        wrong = "the normals look to both sides of the surface: they were never turned alike"
    if wrong:
        findings.append(warning(f"{wrong}; {_instead('normals', obeyed)}"))
        return cloud if obeyed else replace(cloud, normals=None)
    if claims.inward:
        findings.append(Finding(f"the normals look inward: {_ROOM}"))
    return cloud


def _could_have_one(normals: Array, sketch: Sketch) -> bool:
    """Whether normals (N, 3) that are one direction can be that of all points; True of others.

    They can where all lie on planes across it, as the floors of a house do, or are seen from there.
    """
    if (np.ptp(normals, axis=0) > SAME).any():
        return True
    if in_layers(sketch.points):
        return False
    across = (np.abs(sketch.planes @ normals[0]) > ACROSS).mean() >= MOST
    return bool(across or hidden_share(sketch, sketch.points + FAR * normals[0]) <= HIDDEN)


def _with_true_sensors(
    cloud: PointCloud, frame: Frame, sketch: Sketch, obeyed: bool, findings: list[Finding]
) -> PointCloud:
    assert cloud.sensors is not None
    sensors = frame.to_unit(cloud.sensors[sketch.rows])
    inside = inward(turned(sensors, sketch), sketch)
    hidden = hidden_share(sketch, sensors)
    wrong = ""
    if hidden > HIDDEN:
        wrong = f"the sensors cannot have seen {hidden:.0%} of the points: others lie in between"
    elif inside and not cloud.sensors.any() and widening(sketch, sensors[0]) < WIDENING:
        wrong = (
            "the sensor at 0 0 0 is likely one that nobody filled in: the points around it lie no wider "
            "apart the farther away they are"
        )
    if wrong:
        findings.append(warning(f"{wrong}; {_instead('sensors', obeyed)}"))
        return cloud if obeyed else replace(cloud, sensors=None)
    both = seen_from_both(sensors, sketch)
    if both > SEEN_FROM_BOTH:
        findings.append(
            warning(
                f"the sensors saw {both:.1%} of neighboring points from opposite sides: the sensors are "
                "wrong, or walls are thinner than the distance between points and the noise"
            )
        )
    elif faces(sketch, sensors) < GRAZED:
        findings.append(warning("the sensors lie edge on to the surface: which side is outside is a guess"))
    if inside:
        findings.append(Finding(f"the sensors stand inside what they saw: {_ROOM}"))
    return cloud


_ROOM = "taken for a room that was seen from inside; of a solid give --normals estimate"


def _instead(what: str, obeyed: bool) -> str:
    return (
        f"used all the same, as --normals says ({what})" if obeyed else "which side is outside is estimated"
    )


def _seen(cloud: PointCloud, frame: Frame, sketch: Sketch, findings: list[Finding]) -> Examined:
    """A bare cloud: from the origin, as a depth camera's, or from above, as terrain; else as it is."""
    origin = frame.to_unit(np.zeros((1, 3)))[0]
    from_origin = np.broadcast_to(origin, sketch.points.shape)
    if widening(sketch, origin) > WIDENING and _could_see(sketch, from_origin, HIDDEN_BY_GUESS, CLEAR):
        findings.append(
            Finding(
                "taken as seen from 0 0 0, a guess: in every direction from there is one surface, and the "
                "points lie wider apart the farther away; --viewpoint X,Y,Z says otherwise"
            )
        )
        return Examined(_seen_from(cloud, np.zeros(3)), findings, "viewpoint")
    if in_layers(sketch.points):  # both sides of a plate, which look like one from above
        return Examined(cloud, findings)
    up = np.array([0.0, 0.0, 1.0])
    most = HIDDEN_BY_TREES if _airborne(cloud) else HIDDEN_BY_GUESS
    if _could_see(sketch, sketch.points + FAR * up, most, CLEAR_FROM_ABOVE):
        findings.append(
            Finding(
                "taken as seen from above (+z), a guess: nearly every vertical line meets it once; --up -z, "
                "or another axis, says otherwise"
            )
        )
        return Examined(_seen_along(cloud, up, frame), findings, "up")
    return Examined(cloud, findings)


def _could_see(sketch: Sketch, sensors: Array, most: float, clear: float) -> bool:
    return faces(sketch, sensors) > EDGE_ON and hidden_share(sketch, sensors, clear) <= most


def _airborne(cloud: PointCloud) -> bool:
    """Whether a laser's pulses came back more than once, or its mirror swung, as a LAS file tells."""
    returns = cloud.scalars.get("number_of_returns")
    angles = cloud.scalars.get("scan_angle", cloud.scalars.get("scan_angle_rank"))
    return bool((returns is not None and returns.max() > 1) or (angles is not None and np.ptp(angles) > 0))


def _seen_from(cloud: PointCloud, place: Array) -> PointCloud:
    return replace(cloud, normals=None, sensors=np.broadcast_to(place, cloud.points.shape))


def _seen_along(cloud: PointCloud, up: Array, frame: Frame) -> PointCloud:
    """Seen by parallel rays, from where `up` points to."""
    away = FAR * frame.scale * up / np.linalg.norm(up)
    return replace(cloud, normals=None, sensors=cloud.points + away)
