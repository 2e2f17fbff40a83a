"""Tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SURFACES = {
    "error": ("error", ".3f"),
    "hausdorff": ("hausdorff", ".1f"),
    "normal_consistency": ("normals", ".4f"),
    "eikonal_error_near": ("eikonal", ".3f"),
    "parameters": ("parameters", ",d"),
    "ms_per_step": ("ms/step", ".1f"),
}
SIGNALS = {
    "psnr": ("PSNR", ".2f"),
    "ssim": ("SSIM", ".4f"),
    "psnr_edge": ("edges", ".2f"),
    "noisiness": ("noisiness", ".2f"),
    "parameters": ("parameters", ",d"),
    "ms_per_step": ("ms/step", ".1f"),
}


def comparison(rows: Sequence[Mapping[str, Any]], kind: str = "surface") -> str:
    """The rows of a comparison, one for each model; of one without a result the reason.

    kind: of what was compared: surface, image or volume.
    """
    of_signal = kind != "surface"
    columns, first = (SIGNALS, "psnr") if of_signal else (SURFACES, "error")
    name_width = max(len(str(row["model"])) for row in rows)
    lines = ["  ".join([f"{'model':<{name_width}}", *(head for head, _ in columns.values())])]
    for row in rows:
        cells = [f"{row['model']:<{name_width}}"]
        if row.get(first) is None:
            cells.append(str(row.get("failure", "no surface")))
        else:
            for key, (head, form) in columns.items():
                value = row.get(key)
                cells.append(f"{'' if value is None else format(value, form):>{len(head)}}")
        lines.append("  ".join(cells).rstrip())
    units = "PSNR in dB" if of_signal else "error and hausdorff in 1e-4 of the reference's diagonal"
    return "\n".join([*lines, units])
