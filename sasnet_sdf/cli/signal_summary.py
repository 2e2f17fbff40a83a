"""The closing summary of a fit, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .summary import filled, human_bytes, note_lines, stage_lines


def summarise_fit(report: dict[str, Any], written: Sequence[Path], pictures: Path | None) -> str:
    """How good the fit is, where the time went, what it took, and what the user should know."""
    found, metrics, training = report["input"], report["metrics"], report["training"]
    shape = found["shape"][::-1] if found["kind"] == "image" else found["shape"]
    size = " x ".join(f"{n:,}" for n in shape)
    channels = f", {found['channels']} channels" if found["channels"] > 1 else ""
    lines = [
        filled(f"{found['kind']} of {size}{channels}, {found['dtype']}"),
        filled(
            f"PSNR {_decibels(metrics['psnr'])} ({_decibels(metrics['psnr_edge'])} at edges), "
            f"SSIM {_share(metrics['ssim'])}, {training['parameters']:,} parameters"
        ),
        filled(_bits(report["bits_per_sample"], "pixel" if found["kind"] == "image" else "voxel")),
        "",
        *stage_lines(report, {}),
        "",
    ]
    lines += [f"wrote {path} ({human_bytes(path.stat().st_size)})" for path in written]
    if pictures:
        lines.append(f"wrote pictures into {pictures}")
    notes = list(report["notes"])
    if training["ended_by"] == "time":
        notes.append("training ended at the time limit, before its last step")
    return "\n".join(lines + note_lines(notes))


def _decibels(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f} dB"


def _bits(bits: dict[str, float | None], sample: str) -> str:
    others = ", ".join(
        f"{bits[name]:.1f} of {what}"
        for name, what in (("jpeg", "a JPEG as good"), ("png", "a PNG"))
        if bits.get(name) is not None
    )
    return f"{bits['model']:.1f} bits a {sample}" + (f" ({others})" if others else "")


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
