"""The closing summary of a reconstruction, for a terminal of 80 columns."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from ..geometry import TriangleMesh
from .facts import edge_counts

BAR = 12


def summarise(report: dict[str, Any], mesh: TriangleMesh, written: Sequence[Path]) -> str:
    """What came out, where the time went, what it took, and what the user should know."""
    lines = [surface_line(mesh), ""]
    seconds = report["seconds"]
    total = seconds["total"]
    stages = {name: value for name, value in seconds.items() if name != "total"}
    stages["start-up"] = max(0.0, total - sum(stages.values()))
    facts = {"training": _training(report), "extraction": _extraction(report)}
    for name, value in stages.items():
        if name in facts or value >= 0.005 * total:
            lines.append(
                f"  {name:<11} {value:7.1f} s  {_bar(value / total)}  {facts.get(name, '')}".rstrip()
            )
    lines.append(f"  {'total':<11} {total:7.1f} s  {_machine(report)}")
    lines.append("")
    lines += [f"wrote {path} ({human_bytes(path.stat().st_size)})" for path in written]
    notes = list(report["notes"])
    if report["training"]["ended_by"] == "time":
        notes.append("training ended at the time limit, before its last step")
    lines += [fill(f"note: {note}", 80, subsequent_indent="      ") for note in notes]
    return "\n".join(lines)


def human_bytes(size: float) -> str:
    """A size in the unit that keeps it short, as 1.2 GB."""
    units = ["TB", "GB", "MB", "kB", "bytes"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop()
    return f"{size:.0f} {units[-1]}" if units[-1] == "bytes" or size >= 100 else f"{size:.1f} {units[-1]}"


def surface_line(mesh: TriangleMesh) -> str:
    boundary, branching = edge_counts(mesh.faces)
    kind = "closed" if not boundary else f"open, {boundary:,} boundary edges"
    if branching:
        kind += f", {branching:,} non-manifold edges"
    return f"surface of {len(mesh.vertices):,} vertices and {len(mesh.faces):,} faces, {kind}"


def _training(report: dict[str, Any]) -> str:
    training = report["training"]
    loss = "" if training["loss"] is None else f", loss {training['loss']:.3g}"
    return f"{training['steps']:,} steps of {training['ms_per_step']:.1f} ms{loss}"


def _extraction(report: dict[str, Any]) -> str:
    extraction = report["extraction"]
    per_vertex = extraction["evaluations"] / max(1, extraction["vertices"])
    return f"{extraction['resolution']} cells, {per_vertex:.1f} evaluations a vertex"


def _machine(report: dict[str, Any]) -> str:
    threads = max(report["threads"].values())
    return (
        f"peak memory {human_bytes(report['peak_memory_bytes'])}, "
        f"{report['device']}, {report['engine']}, {threads} thread{'s'[: threads != 1]}"
    )


def _bar(share: float) -> str:
    full, half = _blocks()
    halves = round(2 * BAR * min(1.0, share))
    return (full * (halves // 2) + half * (halves % 2)).ljust(BAR)


def _blocks() -> tuple[str, str]:
    """A full and a half block, in characters that stderr can show."""
    blocks = "━╸"
    try:
        blocks.encode(sys.stderr.encoding or "ascii")
    except UnicodeEncodeError:
        blocks = "##"
    return blocks[0], blocks[1]
