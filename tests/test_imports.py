"""The house stands as it was drawn: who imports whom, and what an import costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sasnet_sdf

PACKAGE = Path(__file__).resolve().parent.parent / "sasnet_sdf"

ROOMS = (
    "errors",
    "runtime",
    "settings",
    "engines",
    "grid_config",
    "model_config",
    "tiles_config",
    "config",
    "signal_config",
    "geometry",
    "signals",
    "mesh",
    "spatial",
    "io",
    "networks",
    "supervision",
    "training",
    "extraction",
    "metrics",
    "plausibility",
    "views",
    "field",
    "fitted",
    "problems",
    "tiles",
    "comparison",
    "api",
    "cli",
)

BACKWARDS = {("geometry", "io")}
"""TriangleMesh.save, a convenience for users, imports its writer when it is called."""

OPTIONAL = {
    *("open3d", "pymeshlab", "matplotlib", "pyvista", "laspy", "pye57"),
    *("nibabel", "nrrd", "tinycudann", "dask", "distributed"),
}

SOURCES = sorted(PACKAGE.rglob("*.py"))

PLUGINS = sorted(path.parent for path in (PACKAGE.parent / "plugins").glob("*/sasnet_*/__init__.py"))

DOOR = "runtime.system"
"""The one module that plugins use beside the public names."""


def imports(path: Path, top: Path = PACKAGE) -> Iterator[tuple[str, bool]]:
    """The modules that a file of a package imports, as absolute names, and whether at module level."""
    package = (top.name, *path.relative_to(top).parent.parts)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        at_top = id(node) not in inside
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            if module == "sasnet_sdf":
                yield from ((f"{module}.{alias.name}", at_top) for alias in node.names)
            else:
                yield module, at_top


def room_of(module: str) -> str | None:
    """The room that a module of the package lies in; None for the package itself and for others."""
    parts = module.split(".")
    return parts[1] if parts[0] == "sasnet_sdf" and len(parts) > 1 and parts[1] != "__version__" else None


def test_relative_imports_are_resolved():
    found = set(imports(PACKAGE / "problems" / "loading.py"))
    assert ("sasnet_sdf.errors", True) in found
    assert any(module.startswith("sasnet_sdf.io") for module, _ in found)


def test_every_room_is_on_the_list():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert folders | files <= set(ROOMS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_import_from_above_only(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room in ("__init__", "__main__"):
        return
    below = [
        module
        for module, at_top in imports(path)
        if (other := room_of(module)) is not None
        and ROOMS.index(other) > ROOMS.index(room)
        and (at_top or (room, other) not in BACKWARDS)
    ]
    assert not below, f"{room} lies above {below}"


def test_optional_libraries_are_imported_where_they_are_used():
    at_module_level = {(path.name, module) for path in SOURCES for module, at_top in imports(path) if at_top}
    assert not {entry for entry in at_module_level if entry[1].split(".")[0] in OPTIONAL}


def test_the_core_knows_no_plugin():
    plugins = {plugin.name for plugin in PLUGINS}
    assert len(plugins) >= 2
    used = {
        (path.name, at_top)
        for path in SOURCES
        for module, at_top in imports(path)
        if module.split(".")[0] in plugins
    }
    # a command hands over to a plugin, once it is called
    assert used == {("meshlab.py", False)}


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_plugins_use_public_names_and_import_libraries_where_they_are_used(plugin):
    used, at_module_level = set(), set()
    for path in plugin.rglob("*.py"):
        for module, at_top in imports(path, plugin):
            first, *rest = module.split(".")
            name = ".".join(rest)
            used |= {name if name == DOOR else rest[0]} if first == "sasnet_sdf" and rest else set()
            at_module_level |= {first} if at_top else set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "sasnet_sdf":
                used.add(node.attr)
    assert used <= {*sasnet_sdf.__all__, DOOR}
    assert not at_module_level & (OPTIONAL | {"torch", "numba"})


@pytest.mark.parametrize(
    "statement",
    ["import sasnet_sdf", "from sasnet_sdf.cli.main import run; run(['--help'])"]
    + [
        f"from sasnet_sdf.cli.main import run; run(['{c}', '--help'])"
        for c in ("reconstruct", "extract", "query", "evaluate", "compare", "info", "doctor", "meshlab")
    ],
)
def test_help_imports_neither_torch_nor_numba(statement):
    heavy = "{'torch', 'numba', 'skimage', 'igl', 'trimesh'}"
    code = f"import sys; {statement}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_core_runs_without_optional_libraries():
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(OPTIONAL)!r}))\n"
        "import sasnet_sdf; [getattr(sasnet_sdf, name) for name in sasnet_sdf.__all__]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_nothing_tells_where_it_was_written(root):
    hosts = ["pypi" + r"\.org", "pythonhosted" + r"\.org", "download" + r"\.pytorch", "local" + "host"]
    folders = [f"/{name}/" for name in ("work", "root", "home", "Users", "opt")]
    telling = re.compile("|".join([*hosts, *(rf"(?<![\w.~}}]){folder}" for folder in folders)]))
    texts = [
        path
        for top in ("sasnet_sdf", "plugins", "samples", "tests", "benchmarks", "docs", ".ci")
        for path in sorted((root / top).rglob("*"))
        if path.suffix in {".py", ".md", ".json", ".txt", ""} and path.is_file()
    ]
    texts += [root / name for name in ("README.md", "CHANGELOG.md", "pyproject.toml", "constraints.txt")]
    assert len(texts) > 50
    found = [
        f"{path.relative_to(root)}: {match[0]}"
        for path in texts
        if (match := telling.search(path.read_text(encoding="utf-8")))
    ]
    assert not found
