"""The tables of what benchmarks/distances.py and benchmarks/sheets.py found."""

from __future__ import annotations

from typing import Any

from common import table


def distances(found: dict[str, Any]) -> str:
    columns = ["cloud", "", "within 1 % of the size", "99 % of them off by at most", "slope 0.9 to 1.1"]
    rows = [
        [
            shape,
            f"`{preset}`",
            f"{row['within_1_percent']:.2%}",
            f"{row['off_99']:.3%}",
            f"{row['slope_within_10_percent']:.1%}",
        ]
        for shape, rows_of in found["shapes"].items()
        for preset, row in rows_of.items()
    ]
    return f"Measured at commit {found['commit']}.\n\n{table(columns, rows)}"


def sheets(found: dict[str, Any]) -> str:
    columns = ["shape", "points", "side from", "noise (mm)", "", "area / true", "off (mm)", "edge (spacings)"]
    columns += ["turned", "right"]
    rows = [
        [
            row["shape"],
            f"{row['points']:,}",
            row["side"],
            f"{1000 * row['noise']:g}",
            "no surface" if "open" not in row else "open" if row["open"] else "closed",
            f"{row['area']:.3f}" if "area" in row else "",
            f"{1000 * row['off']:.1f}" if "off" in row else "",
            f"{row['edge']:.1f}" if "edge" in row else "",
            "" if row.get("turned") is None else f"{row['turned']:.1%}",
            "yes" if row["right"] else "no",
        ]
        for row in found["rows"]
    ]
    return f"Preset `{found['settings']['preset']}`, commit {found['commit']}.\n\n{table(columns, rows)}"
