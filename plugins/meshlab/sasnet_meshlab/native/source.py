"""MeshLab's source, as Debian and its relatives package it."""

from __future__ import annotations

import platform
from pathlib import Path

from sasnet_sdf import MissingBackend

from .tools import run


def fetch_source(folder: Path, suite: str | None = None) -> Path:
    """Download the source package of MeshLab and return its root; needs apt-get, not root.

    folder: an empty folder for it, and for a list of sources of its own: that of the system stays as
        it is.
    suite: a release of the distribution, such as trixie; by default that of this system, whose MeshLab
        the plugin is then for.

    Raises MissingBackend where there is no apt-get, or it knows no sources.
    """
    folder = folder.resolve()
    for name in ("lists/partial", "cache/archives/partial", "parts", "meshlab"):
        (folder / name).mkdir(parents=True)
    (folder / "sources.list").write_text("\n".join(_source_lines(suite)) + "\n", encoding="utf-8")
    private = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": folder / "parts",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        # apt's own user cannot write into the folder
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-qq", *(word for key, value in private.items() for word in ("-o", f"{key}={value}"))]
    run([*apt, "update"], "fetching MeshLab's source", folder)
    run([*apt, "source", "--tar-only", "--download-only", "meshlab"], "fetching MeshLab's source", folder)
    archive = next(folder.glob("meshlab_*.orig.tar.*"))
    root = folder / "meshlab"
    run(["tar", "-xf", archive, "-C", root, "--strip-components=1"], "unpacking MeshLab's source")
    return root


def _source_lines(suite: str | None) -> list[str]:
    """The sources of this system's distribution, as lines of a list."""
    distribution = _distribution()
    fields = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    words = ["apt-get", "indextargets", "--format", fields]
    told = run([*words, f"Origin: {distribution.capitalize()}", "Created-By: Packages"], "listing sources")
    targets = [line.split() for line in told.splitlines()]
    if not targets:
        raise MissingBackend("apt-get knows no packages of this system: run apt-get update first")
    if suite:
        targets = [[targets[0][0], suite, component] for component in {target[2] for target in targets}]
    keyring = Path(f"/usr/share/keyrings/{distribution}-archive-keyring.gpg")
    signed = f"[signed-by={keyring}] " if keyring.exists() else ""
    return [f"deb-src {signed}{' '.join(target)}" for target in targets]


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["ID"]
    except OSError as error:
        raise MissingBackend(
            "MeshLab's source can be fetched on Debian and Ubuntu only: name a folder with --meshlab-source"
        ) from error
