"""Errors become one line and an exit code; help is quick."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from sasnet_sdf import errors
from sasnet_sdf.cli import main as program
from sasnet_sdf.cli import options

HEAVY = ("torch", "numpy", "numba", "scipy", "rich", "trimesh")


@pytest.fixture
def failing(monkeypatch):
    """A program whose only command raises what it is given."""

    def program_that_raises(error: BaseException, *words: str) -> int:
        @click.command("fail")
        @options.verbose
        def fail() -> None:
            raise error

        monkeypatch.setattr(program.LazyGroup, "get_command", lambda self, ctx, name: fail)
        return program.run(["fail", *words])

    return program_that_raises


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.UsageError, 2),
        (errors.UnreadableInput, 3),
        (errors.UnusableGeometry, 4),
        (errors.NoSurface, 5),
        (errors.MissingBackend, 6),
        (errors.Interrupted, 130),
        (errors.SasnetError, 1),
    ],
)
def test_every_error_is_one_line_with_its_code(failing, capsys, kind, code):
    assert failing(kind("scan.ply: is empty;\n choose another")) == code
    assert capsys.readouterr() == ("", "error: scan.ply: is empty; choose another\n")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 1, "out of memory"),
        (OSError(28, "No space left on device", "out.ply"), 1, "out.ply: No space left on device"),
        (ZeroDivisionError("division by zero"), 1, "ZeroDivisionError: division by zero; this is a bug"),
        (EOFError("no more data"), 1, "this is a bug"),
    ],
)
def test_unexpected_errors_are_one_line_too(failing, capsys, error, code, says):
    assert failing(error) == code
    told = capsys.readouterr().err.strip()
    assert says in told
    assert len(told.splitlines()) == 1


def test_verbose_shows_the_traceback(failing, capsys):
    assert failing(errors.NoSurface("nothing there"), "-v") == 5
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert told.endswith("error: nothing there\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["reconstruct"], "Missing argument 'INPUT...'"),
        (["reconstruct", "a.ply", "--preset", "best"], "'best'"),
        (["reconstruct", "a.ply", "--preset", "fats"], "unknown value 'fats'; did you mean fast?"),
        (["reconstruct", "a.ply", "--device", "cud"], "unknown value 'cud'; did you mean cuda?"),
        (["render", "a.sasnet", "-o", "b.png", "--progress", "plian"], "did you mean plain?"),
        (["reconstruct", "a.ply", "--normals", "guess"], "one of auto, file, sensors, estimate"),
        (["reconstruct", "a.ply", "--stpes", "3"], "'--steps'"),
        (["reconstruct", "a.ply", "--steps", "0"], "between 1 and"),
        (["reconstruct", "a.ply", "--steps", "many"], "integer"),
        (["reconstruct", "a.ply", "--resolution", "7"], "between 8 and 4096"),
        (["reconstruct", "a.ply", "--edge-length", "nan"], "must be positive"),
        (["reconstruct", "a.ply", "--edge-length", "-1"], "must be positive"),
        (["reconstruct", "a.ply", "--time-limit", "0"], "must be positive"),
        (["reconstruct", "a.ply", "--max-memory", "much"], "4G"),
        (["reconstruct", "a.ply", "--resolution", "64", "--edge-length", "0.1"], "not both"),
        (["extract", "a.sasnet"], "--output"),
        (["extract", "a.sasnet", "-o", "b.ply", "--faces", "1"], "between 4 and"),
        (["paint"], "paint"),
    ],
)
def test_usage_errors_are_one_line_and_2(capsys, words, says):
    assert program.run(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert len(err.splitlines()) == 1


def test_help_and_version(capsys):
    assert program.run(["--help"]) == 0
    assert "reconstruct" in capsys.readouterr().out
    assert program.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("sasnet-sdf ")


@pytest.mark.parametrize(
    "words", [["--help"], *([name, "--help"] for name in program.COMMANDS), ["--version"]]
)
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys; from sasnet_sdf.cli.main import run; code = run(sys.argv[1:]); "
        f"sys.stderr.write(' '.join(name for name in {HEAVY!r} if name in sys.modules)); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout


def test_python_dash_m():
    done = subprocess.run(
        [sys.executable, "-m", "sasnet_sdf", "no-such-command"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


def test_help_without_a_command(capsys):
    assert program.run([]) == 2
    assert "Commands:\n  reconstruct" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("reconstrct", "unknown command 'reconstrct'; did you mean reconstruct?"),
        ("scan.ply", "to make a surface of it: sasnet-sdf reconstruct scan.ply"),
        ("my scan.laz", "sasnet-sdf reconstruct 'my scan.laz'"),
    ],
)
def test_unknown_commands_get_a_suggestion(word, told, capsys):
    assert program.run([word]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
