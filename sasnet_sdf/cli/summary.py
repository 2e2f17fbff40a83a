"""The summary that a command prints at its end, for 80 columns, and the log lines of -v."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import click

from ..errors import printable
from .outputs import Job
from .progress import bar

BAR = 12


def summarize(report: dict[str, Any], written: Sequence[Path]) -> str:
    """The summary of a reconstruction: warnings, the surface, the data, times, files, notes."""
    lines = warning_lines(report["warnings"])
    lines += surface_lines(report["extraction"], report["trim"])
    refined = report["refinement"]
    if "mean" in refined and refined["mode"] != "off":
        mean, most = refined["mean"], refined["maximum"]
        text = f"follows the data: {mean:.2g} from the network's surface on average, {most:.2g} at most"
        lines.append(filled(text))
    if report["attributes"]:
        lines.append(filled(f"carried over: {', '.join(report['attributes'])}"))
    lines += _input_lines(report["input"])
    facts = {"extraction": f"{report['extraction']['resolution']} cells"}
    if tiles := report.get("tiles"):
        facts = {"training": f"{_count(len(tiles), 'tile')}, {_count(report['workers'], 'worker')}"}
    return "\n".join([*lines, "", *_stage_lines(report, facts), *_end(report, written)])


def summarize_fit(report: dict[str, Any], written: Sequence[Path], pictures: Path | None) -> str:
    """The summary of a fit: input, quality, size, times, files, notes."""
    found, metrics = report["input"], report["metrics"]
    image = found["kind"] == "image"
    shape = found["shape"][::-1] if image else found["shape"]
    size = " x ".join(f"{n:,}" for n in shape)
    channels = f", {found['channels']} channels" if found["channels"] > 1 else ""
    psnr, edges = (
        "none" if value is None else f"{value:.2f} dB" for value in (metrics["psnr"], metrics["psnr_edge"])
    )
    ssim = "none" if metrics["ssim"] is None else f"{metrics['ssim']:.4f}"
    bits = report["bits_per_sample"]
    others = ", ".join(
        f"{bits[name]:.1f} of {what}"
        for name, what in (("jpeg", "a JPEG as good"), ("png", "a PNG"))
        if bits.get(name) is not None
    )
    lines = [
        f"{found['kind']} of {size}{channels}, {found['dtype']}",
        f"PSNR {psnr} ({edges} at edges), SSIM {ssim}, {report['training']['parameters']:,} parameters",
        f"{bits['model']:.1f} bits per {'pixel' if image else 'voxel'}" + (f" ({others})" if others else ""),
    ]
    return "\n".join([*map(filled, lines), "", *_stage_lines(report, {}), *_end(report, written, pictures)])


def summarize_batch(results: Sequence[tuple[Job, dict[str, Any] | Exception]]) -> str:
    """A line for each of several inputs, with its warnings: the result, or the error."""
    width = max(len(str(job.source)) for job, _ in results)
    lines, failed, doubtful = [], 0, 0
    for job, found in results:
        if isinstance(found, Exception):
            failed += 1
            reason = " ".join(str(found).split()) or type(found).__name__
            text = f"failed: {reason.removeprefix(f'{job.source}: ')}"
        else:
            vertices, seconds = found["extraction"]["vertices"], found["seconds"]["total"]
            text = f"{vertices:>11,} vertices {seconds:7.1f} s  {job.written(found)[0]}"
            doubtful += bool(found["warnings"])
        lines.append(filled(f"{job.source!s:<{min(width, 30)}}  {text}"))
        if not isinstance(found, Exception):
            lines += warning_lines(found["warnings"], "  ")
    done = len(results) - failed
    counts = f"{done} of {len(results)} done" + f", {failed} failed" * bool(failed)
    counts += f", {doubtful} with warnings" * bool(doubtful)
    return "\n".join([*lines, counts])


def batch_warnings(results: Sequence[tuple[Job, dict[str, Any] | Exception]]) -> list[str]:
    """The warnings about several inputs, each prefixed with its input's name."""
    warnings = [
        f"{job.source}: {text}"
        for job, found in results
        if not isinstance(found, Exception)
        for text in found["warnings"]
    ]
    return warning_lines(warnings)


def surface_lines(extraction: dict[str, Any], trim: dict[str, Any] | None = None) -> list[str]:
    """The size of a surface, whether it is closed, and what was cut away."""
    kind = "closed"
    if extraction["boundary_edges"]:
        kind = f"open, {_count(extraction['boundary_loops'], 'boundary loop')}"
    if extraction["non_manifold_edges"]:
        kind += f", {extraction['non_manifold_edges']:,} non-manifold edges"
    size = f"{extraction['vertices']:,} vertices and {extraction['faces']:,} faces"
    lines = [f"surface of {size}, {kind}"]
    if trim is not None and trim["length"] is not None:
        covered = f"; {_count(trim['holes_filled'], 'hole')} covered" if trim["holes_filled"] else ""
        lines.append(
            f"trimmed {100 * trim['removed']:.0f} % of its area: ends about {trim['reach']:.3g} from the "
            f"data, nowhere more than {trim['length']:.4g}{covered}"
        )
    elif trim is not None and trim["mode"] == "auto" and trim["closed"]:
        lines.append("not trimmed: the data surround it")
    if dropped := extraction.get("components_dropped", 0):
        lines.append(f"dropped {_count(dropped, 'piece')} that few points support")
    return [filled(line) for line in lines]


def warning_lines(warnings: Sequence[str], indent: str = "") -> list[str]:
    """The warnings, a paragraph each, in bold and yellow if the terminal supports it."""
    paragraphs = [filled(f"{indent}warning: {printable(text)}", f"{indent}  ") for text in warnings]
    return [click.style(paragraph, fg="yellow", bold=True) for paragraph in paragraphs]


def note_lines(notes: Sequence[str]) -> list[str]:
    """The notes, a paragraph each."""
    return [filled(f"note: {printable(note)}", "      ") for note in notes]


def filled(text: str, indent: str = "  ") -> str:
    """The text wrapped to 80 columns; all lines but the first are indented."""
    return fill(text, 80, subsequent_indent=indent)


def human_bytes(size: float) -> str:
    """A size in the unit that keeps it short, such as 1.2 GB."""
    units = ["TB", "GB", "MB", "kB", "bytes"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop()
    return f"{size:.0f} {units[-1]}" if units[-1] == "bytes" or size >= 100 else f"{size:.1f} {units[-1]}"


def log(text: str) -> None:
    """Log a line about a choice, which -v shows."""
    logging.getLogger("sasnet_sdf").info(text)


def log_network(model: Any, device: object) -> None:
    """Log the device and the architecture of a saved network."""
    engine = getattr(model, "engine", "torch")
    log(f"device {device}, engine {engine}, model {model.config.name}")


def log_choices(report: dict[str, Any]) -> None:
    """Log the choices of a run, from its report: device, network, data, lattice and memory."""
    if not logging.getLogger("sasnet_sdf").isEnabledFor(logging.INFO):
        return
    asked, training, found = report["settings"], report["training"], report["input"]
    lines = [
        f"device {report['device']}, engine {report['engine']}, {_count(report['threads'], 'thread')}, "
        f"seed {report['seed']}",
        f"preset {asked['preset']}, model {report['model']} of {training['parameters']:,} parameters, "
        f"{training['steps']:,} steps on batches of {asked['training']['batch']:,}",
    ]
    if "normals_from" in found:
        noise = "none" if found["noise"] is None else f"{found['noise']:.3g}"
        used = f"{found['used_points']:,} of {found['points']:,} points used"
        lines.append(f"{used}, noise {noise}, outside from {found['normals_from']}")
    if surface := report.get("extraction"):
        cells = " x ".join(f"{n:,}" for n in surface["lattice"])
        edge = f"{surface['edge_length']:.3g}, resolution {surface['resolution']}"
        lines.append(f"lattice of {cells} cells of {edge}")
    limit = "not limited" if asked["max_memory"] is None else f"limit {human_bytes(asked['max_memory'])}"
    lines.append(f"memory {limit}, peak {human_bytes(report['peak_memory_bytes'])}")
    for line in lines:
        log(line)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s'[: number != 1]}"


def _input_lines(found: dict[str, Any]) -> list[str]:
    """Facts about a cloud: noise, outliers, which side is outside; nothing for a closed mesh."""
    if "normals_from" not in found:
        return []
    noise = "no measurable noise"
    if found["noise"] is not None:
        share = 100 * found["noise"] / found["diagonal"]
        noise = f"noise {found['noise']:.3g} ({share:.2g} % of the diagonal)"
    removed = found["outliers_removed"] + found["far_points"]
    outliers = f"{_count(removed, 'outlier')} removed" if removed else "no outliers"
    names = {
        "up": "the direction up",
        "viewpoint": "the viewpoint",
        "file": "the normals",
        "sensors": "the sensors",
    }
    outside = f"from {names.get(found['normals_from'], found['normals_from'])}"
    if found["normals_from"] == "estimate":
        sure = f"{100 * found['orientation_confidence']:.4g} % sure"
        outside = f"estimated, {sure} unless it is a room seen from inside"
    return [filled(f"used {found['used_points']:,} points: {noise}, {outliers}, outward side {outside}")]


def _stage_lines(report: dict[str, Any], facts: dict[str, str]) -> list[str]:
    """The time of each stage, with a fact about some stages, and the total time."""
    seconds, training, threads = report["seconds"], report["training"], report["threads"]
    loss = "" if training["loss"] is None else f", loss {training['loss']:.3g}"
    steps = f"{training['steps']:,} steps of {training['ms_per_step']:.1f} ms{loss}"
    facts, total = {"training": steps, **facts}, seconds["total"]
    stages = {name: value for name, value in seconds.items() if name != "total"}
    stages["start-up"] = max(0.0, total - sum(stages.values()))
    lines = [
        f"  {name:<11} {value:7.1f} s  {bar(value / total, BAR)}  {facts.get(name, '')}".rstrip()
        for name, value in stages.items()
        if name in facts or value >= 0.005 * total
    ]
    machine = f"{report['device']}, {report['engine']}, {_count(threads, 'thread')}"
    memory = f"peak memory {human_bytes(report['peak_memory_bytes'])}"
    return [*lines, f"  {'total':<11} {total:7.1f} s  {memory}, {machine}"]


def _size(path: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    return sum(part.stat().st_size for part in path.rglob("*")) if path.is_dir() else path.stat().st_size


def _end(report: dict[str, Any], written: Sequence[Path], pictures: Path | None = None) -> list[str]:
    """The files that were written, and the notes."""
    lines = ["", *(f"wrote {path} ({human_bytes(_size(path))})" for path in written)]
    lines += [f"wrote pictures into {pictures}"] * bool(pictures)
    notes = list(report["notes"])
    if report["training"]["ended_by"] == "time":
        notes.append("training ended at the time limit, before its last step")
    return lines + note_lines(notes)
