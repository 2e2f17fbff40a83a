"""The checks of input data, in order, and the decision which of the file's normals and sensors are used."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..config import SupervisionConfig
from ..errors import Finding, UnusableGeometry, warning
from ..geometry import Array, Frame, PointCloud, TriangleMesh
from ..supervision.planes import in_layers
from . import claims
from .claims import Sketch

# share of points occluded from their sensors above which the sensors are wrong. Measured: 0.03 to 0.10 for
# noisy scans with true sensors; 0.36 to 0.76 for closed objects and one position outside them
_HIDDEN = 0.25
_HIDDEN_BY_GUESS = 0.2  # the same limit for a guessed sensor of a cloud without sensors
_HIDDEN_BY_TREES = 0.5  # the same limit where an airborne laser saw the ground through leaves
_EDGE_ON = 0.3  # least mean cosine at which a guessed sensor must see the planes of the points
# the same limit for sensors in the file. Measured: 0.43 and more for true ones; 0.00 to 0.08 for the center
# of a terrain or a facade
_GRAZED = 0.1
_SAME = 1e-3  # greatest difference between normals that are one direction for all points
# equal normals at all points are plausible if |cos| of their angle to the local plane's normal exceeds
# _ACROSS for a share _MOST of the points; on a flat box, a tenth of the points are on its sides
_ACROSS, _MOST = 0.8, 0.95
_WIDENING = 0.5  # least exponent with which the spacing grows with the distance from a sensor
_FAR = 100.0  # distance, in units of the cube, that counts as infinite
_THIN = 1e-3  # ratio of the second longest side and the longest below which units are likely mixed
_DEGREES = 180.0, 90.0  # limits of longitude and latitude
_COARSE = 0.5  # largest harmless step of rounded coordinates, in spacings between points
_FROM_ORIGIN = Finding(
    "assuming that the scan was taken from 0 0 0: every direction from there meets one surface, and points "
    "are sparser farther away; --viewpoint X,Y,Z overrides that"
)
_FROM_ABOVE = Finding(
    "assuming that the scan was taken from above (+z): nearly every vertical line meets the surface once; "
    "--up -z, or another axis, overrides that"
)
_ROOM = "assuming a room that was scanned from inside; for a solid give --normals estimate"


@dataclass(frozen=True)
class Examined:
    """A geometry after the checks.

    geometry: with the normals and sensors that are used. findings: what the user should know. outside_from:
    the setting or guess that determines the outside, "up" or "viewpoint"; None if the geometry itself does.
    """

    geometry: PointCloud | TriangleMesh
    findings: list[Finding]
    outside_from: str | None = None


def examined(
    geometry: PointCloud | TriangleMesh, frame: Frame, supervision: SupervisionConfig, name: str
) -> Examined:
    """The geometry with the normals and sensors that are consistent with its points, or that were requested.

    frame: from world units to the unit cube. supervision: `up` and `viewpoint` specify the sensor's position;
    `normals` other than auto is obeyed, with a warning if points contradict it. name: the input's name in
    messages. Raises UnusableGeometry where the coordinates are degrees.
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
    found = claims.check_normals(cloud.normals, sketch)
    wrong = ""
    if not _could_have_one(cloud.normals, sketch):
        wrong = "all normals are the same, but parts of the surface face other directions"
    elif found.contradict:
        wrong = f"{found.contradicting:.0%} of the normals contradict the points around them"
    elif found.unoriented:
        wrong = "the normals point to both sides of the surface: they were never oriented consistently"
    if wrong:
        findings.append(warning(f"{wrong}; {_instead('normals', obeyed)}"))
        return cloud if obeyed else replace(cloud, normals=None)
    if found.inward:
        findings.append(Finding(f"the normals point inward: {_ROOM}"))
    return cloud


def _could_have_one(normals: Array, sketch: Sketch) -> bool:
    """Whether one direction can be the normal of all points; True if normals (N, 3) are not all the same.

    It can if all points lie on planes perpendicular to it, such as the floors of a house, or if all points
    are visible from that direction.
    """
    if (np.ptp(normals, axis=0) > _SAME).any():
        return True
    if in_layers(sketch.points):
        return False
    across = (np.abs(sketch.planes @ normals[0]) > _ACROSS).mean() >= _MOST
    return bool(across or claims.hidden_share(sketch, sketch.points + _FAR * normals[0]) <= _HIDDEN)


def _with_true_sensors(
    cloud: PointCloud, frame: Frame, sketch: Sketch, obeyed: bool, findings: list[Finding]
) -> PointCloud:
    assert cloud.sensors is not None
    sensors = frame.to_unit(cloud.sensors[sketch.rows])
    inside = claims.inward(claims.turned(sensors, sketch), sketch)
    hidden = claims.hidden_share(sketch, sensors)
    wrong = ""
    if hidden > _HIDDEN:
        wrong = f"the sensors cannot have seen {hidden:.0%} of the points: others lie in between"
    elif inside and not cloud.sensors.any() and claims.widening(sketch, sensors[0]) < _WIDENING:
        wrong = (
            "the sensor at 0 0 0 is likely a value that was never set: the points around it do not lie "
            "wider apart the farther away they are"
        )
    if wrong:
        findings.append(warning(f"{wrong}; {_instead('sensors', obeyed)}"))
        return cloud if obeyed else replace(cloud, sensors=None)
    both = claims.seen_from_both(sensors, sketch)
    if both > claims.SEEN_FROM_BOTH:
        wrong = f"the sensors saw {both:.1%} of neighboring points from opposite sides: the sensors are wrong"
        findings.append(
            warning(f"{wrong}, or walls are thinner than the distance between points or the noise")
        )
    elif claims.faces(sketch, sensors) < _GRAZED:
        findings.append(warning("the sensors lie edge on to the surface: which side is outside is a guess"))
    if inside:
        findings.append(Finding(f"the sensors stand inside what they saw: {_ROOM}"))
    return cloud


def _instead(what: str, obeyed: bool) -> str:
    return f"used anyway, as --normals {what} says" if obeyed else "which side is outside is estimated"


def _seen(cloud: PointCloud, frame: Frame, sketch: Sketch, findings: list[Finding]) -> Examined:
    """A cloud without normals and sensors, with a guess: seen from the origin, from above, or no guess."""
    origin = frame.to_unit(np.zeros((1, 3)))[0]
    from_origin = np.broadcast_to(origin, sketch.points.shape)
    if claims.widening(sketch, origin) > _WIDENING and _could_see(
        sketch, from_origin, _HIDDEN_BY_GUESS, claims.CLEAR
    ):
        findings.append(_FROM_ORIGIN)
        return Examined(_seen_from(cloud, np.zeros(3)), findings, "viewpoint")
    if in_layers(sketch.points):  # the two sides of a plate look like one surface from above
        return Examined(cloud, findings)
    up = np.array([0.0, 0.0, 1.0])
    most = _HIDDEN_BY_TREES if _airborne(cloud) else _HIDDEN_BY_GUESS
    if _could_see(sketch, sketch.points + _FAR * up, most, claims.CLEAR_FROM_ABOVE):
        findings.append(_FROM_ABOVE)
        return Examined(_seen_along(cloud, up, frame), findings, "up")
    return Examined(cloud, findings)


def _could_see(sketch: Sketch, sensors: Array, most: float, clear: float) -> bool:
    return claims.faces(sketch, sensors) > _EDGE_ON and claims.hidden_share(sketch, sensors, clear) <= most


def _airborne(cloud: PointCloud) -> bool:
    """Whether a LAS file has pulses with several returns, or varying scan angles."""
    returns = cloud.scalars.get("number_of_returns")
    angles = cloud.scalars.get("scan_angle", cloud.scalars.get("scan_angle_rank"))
    return bool((returns is not None and returns.max() > 1) or (angles is not None and np.ptp(angles) > 0))


def _seen_from(cloud: PointCloud, place: Array) -> PointCloud:
    return replace(cloud, normals=None, sensors=np.broadcast_to(place, cloud.points.shape))


def _seen_along(cloud: PointCloud, up: Array, frame: Frame) -> PointCloud:
    """The cloud, with sensors far away in the direction `up`, so that rays are parallel."""
    away = _FAR * frame.scale * up / np.linalg.norm(up)
    return replace(cloud, normals=None, sensors=cloud.points + away)


def check_units(cloud: PointCloud, name: str) -> list[Finding]:
    """Warnings about mixed units. Raises UnusableGeometry where x and y are degrees. name: the input's."""
    sides = np.ptp(cloud.points, axis=0)
    advice = "project the file to meters first, as PDAL's filters.reprojection, CloudCompare or QGIS do"
    if cloud.geographic and sides[2] > 0:
        raise UnusableGeometry(
            f"{name}: x and y are degrees (its reference system is geographic) and z is not: {advice}"
        )
    _, second, longest = np.sort(sides)
    if second >= _THIN * longest:
        return []
    sizes = " x ".join(f"{side:.3g}" for side in sides)
    told = f"the sides of the input differ {longest / max(second, 1e-300):,.0f}-fold ({sizes})"
    most = np.abs(cloud.points[:, :2]).max(0)
    if (most <= _DEGREES).all() and sides[:2].max() < _THIN * sides[2]:
        return [warning(f"{told}: x and y may be degrees and z meters; {advice}")]
    return [warning(f"{told}: are units mixed, or should far points be cut off with --crop?")]


def check_digits(points: Array, spacing: float) -> list[Finding]:
    """A warning where points (N, 3) were rounded more coarsely than their spacing allows."""
    largest = np.float32(np.abs(points).max())
    step = float(np.spacing(largest))
    if step <= _COARSE * spacing or not (points.astype(np.float32) == points).all():
        return []
    return [
        warning(
            f"the coordinates are rounded to steps of {step:.2g}, which the distance between points "
            f"({spacing:.2g}) does not allow: single precision cannot hold numbers as large as {largest:.3g};"
            " export double precision, or shift the scan to its origin before it is exported"
        )
    ]
