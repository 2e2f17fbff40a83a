"""The closing summary of a reconstruction, for a terminal of 80 columns."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import click

from ..errors import printable

BAR = 12


def summarise(report: dict[str, Any], written: Sequence[Path]) -> str:
    """What may be wrong, what came out, where the time went, what it took, and what else is to be known."""
    lines = warning_lines(report["warnings"])
    lines += surface_lines(report["extraction"], report["trim"])
    lines += refinement_lines(report["refinement"])
    if report["attributes"]:
        lines.append(filled(f"carried over: {', '.join(report['attributes'])}", "  "))
    lines += found_lines(report["input"])
    lines.append("")
    lines += stage_lines(report, {"extraction": f"{report['extraction']['resolution']} cells"})
    lines.append("")
    lines += [f"wrote {path} ({human_bytes(path.stat().st_size)})" for path in written]
    notes = list(report["notes"])
    if report["training"]["ended_by"] == "time":
        notes.append("training ended at the time limit, before its last step")
    lines += note_lines(notes)
    return "\n".join(lines)


def summarise_batch(results: Sequence[tuple[Any, dict[str, Any] | Exception]]) -> str:
    """A line for each input of several, with its warnings: what came of it, or why nothing did."""
    width = max(len(str(job.source)) for job, _ in results)
    lines, failed, doubtful = [], 0, 0
    for job, found in results:
        if isinstance(found, Exception):
            failed += 1
            reason = " ".join(str(found).split()) or type(found).__name__
            text = f"failed: {reason.removeprefix(f'{job.source}: ')}"
        else:
            vertices, seconds = found["extraction"]["vertices"], found["seconds"]["total"]
            text = f"{vertices:>11,} vertices {seconds:7.1f} s  {job.output}"
            doubtful += bool(found["warnings"])
        lines.append(filled(f"{job.source!s:<{min(width, 30)}}  {text}", "  "))
        if not isinstance(found, Exception):
            lines += warning_lines(found["warnings"], "  ")
    done = len(results) - failed
    counts = f"{done} of {len(results)} done" + f", {failed} failed" * bool(failed)
    counts += f", {doubtful} with warnings" * bool(doubtful)
    return "\n".join([*lines, counts])


def batch_warnings(results: Sequence[tuple[Any, dict[str, Any] | Exception]]) -> list[str]:
    """The warnings about the inputs of several, each after its input's name."""
    warnings = [
        f"{job.source}: {text}"
        for job, found in results
        if not isinstance(found, Exception)
        for text in found["warnings"]
    ]
    return warning_lines(warnings)


def stage_lines(report: dict[str, Any], facts: dict[str, str]) -> list[str]:
    """Where the time went, with what there is to say of a stage, and what the run took."""
    seconds, facts = report["seconds"], {"training": _training(report), **facts}
    total = seconds["total"]
    stages = {name: value for name, value in seconds.items() if name != "total"}
    stages["start-up"] = max(0.0, total - sum(stages.values()))
    lines = [
        f"  {name:<11} {value:7.1f} s  {_bar(value / total)}  {facts.get(name, '')}".rstrip()
        for name, value in stages.items()
        if name in facts or value >= 0.005 * total
    ]
    return [*lines, f"  {'total':<11} {total:7.1f} s  {_machine(report)}"]


def human_bytes(size: float) -> str:
    """A size in the unit that keeps it short, as 1.2 GB."""
    units = ["TB", "GB", "MB", "kB", "bytes"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop()
    return f"{size:.0f} {units[-1]}" if units[-1] == "bytes" or size >= 100 else f"{size:.1f} {units[-1]}"


def surface_lines(extraction: dict[str, Any], trim: dict[str, Any] | None = None) -> list[str]:
    """What the surface is, and what was cut away of it."""
    kind = "closed"
    if extraction["boundary_edges"]:
        loops = extraction["boundary_loops"]
        kind = f"open, {loops:,} boundary loop{'s'[: loops != 1]}"
    if extraction["non_manifold_edges"]:
        kind += f", {extraction['non_manifold_edges']:,} non-manifold edges"
    size = f"{extraction['vertices']:,} vertices and {extraction['faces']:,} faces"
    lines = [filled(f"surface of {size}, {kind}", "  ")]
    if trim is not None:
        lines += map(filled, _trimming(trim))
    dropped = extraction.get("components_dropped", 0)
    if dropped:
        lines.append(f"dropped {dropped:,} piece{'s'[: dropped != 1]} that few points bear out")
    return lines


def refinement_lines(refinement: dict[str, Any]) -> list[str]:
    """How far the mesh is from the saved field; nothing where it is the field's own surface."""
    if refinement["mode"] == "off":
        return []
    mean, most = refinement["mean"], refinement["maximum"]
    return [filled(f"follows the data: {mean:.2g} from the network's surface on average, {most:.2g} at most")]


def found_lines(found: dict[str, Any]) -> list[str]:
    """What was found in a cloud: its noise, its outliers, which side is outside; nothing of a closed mesh."""
    if "normals_from" not in found:
        return []
    noise = "no noise to speak of"
    if found["noise"] is not None:
        share = 100 * found["noise"] / found["diagonal"]
        noise = f"noise {found['noise']:.3g} ({share:.2g} % of the diagonal)"
    removed = found["outliers_removed"] + found["far_points"]
    outliers = f"{removed:,} outlier{'s'[: removed != 1]} removed" if removed else "no outliers"
    return [filled(f"used {found['used_points']:,} points: {noise}, {outliers}, {_orientation(found)}")]


_SEEN = {"up": "the side that is up", "viewpoint": "the viewpoint"}


def _orientation(found: dict[str, Any]) -> str:
    if found["normals_from"] in _SEEN:
        return f"outside told by {_SEEN[found['normals_from']]}"
    if found["normals_from"] == "estimate":
        sure = f"{100 * found['orientation_confidence']:.4g} % sure"
        return f"outside estimated, {sure} unless it is a room seen from inside"
    return f"outside told by {found['normals_from']}".replace("by file", "by the normals")


def warning_lines(warnings: Sequence[str], indent: str = "") -> list[str]:
    """What may make the result wrong, a paragraph each, in bold and yellow where the terminal can."""
    told = [f"{indent}warning: {printable(text)}" for text in warnings]
    paragraphs = [filled(text, f"{indent}  ") for text in told]
    return [click.style(paragraph, fg="yellow", bold=True) for paragraph in paragraphs]


def note_lines(notes: Sequence[str]) -> list[str]:
    """What the user should know, a paragraph each."""
    return [filled(f"note: {printable(note)}", "      ") for note in notes]


def _trimming(trim: dict[str, Any]) -> list[str]:
    """What was trimmed, in a line or none."""
    if trim["length"] is None:
        closed = trim["mode"] == "auto" and trim["closed"]
        return ["not trimmed: the data lie all around it"] if closed else []
    holes = trim["holes_filled"]
    covered = f"; {holes:,} hole{'s'[: holes != 1]} covered" if holes else ""
    return [
        f"trimmed {100 * trim['removed']:.0f} % of its area: ends about {trim['reach']:.3g} from the data, "
        f"nowhere more than {trim['length']:.4g}{covered}"
    ]


def filled(text: str, indent: str = "  ") -> str:
    return fill(text, 80, subsequent_indent=indent)


def _training(report: dict[str, Any]) -> str:
    training = report["training"]
    loss = "" if training["loss"] is None else f", loss {training['loss']:.3g}"
    return f"{training['steps']:,} steps of {training['ms_per_step']:.1f} ms{loss}"


def _machine(report: dict[str, Any]) -> str:
    threads = report["threads"]
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
