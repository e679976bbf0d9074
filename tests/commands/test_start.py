"""What a command imports before it does its work: nothing that it does not need, for most captures are small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from commands import environment, output
from results import ROOT

import analyzer
from analyzer.cli import COMMANDS, app

DEAD_PEER = ROOT / "captures" / "dead-peer" / "capture.pcap"
OTHERS = ["scapy", "pyshark", "matplotlib", "pandas", "polars", "pyarrow", "jinja2", "rich"]
OF_NUMPY = ["numpy.ma", "numpy.typing", "numpy.random", "numpy.fft"]  # see analyzer/tables/arrays.py
OF_PYTHON = ["asyncio", "difflib", "email", "http", "importlib.metadata", "importlib.resources", "multiprocessing"]
OF_PYTHON += ["shlex", "socket", "ssl", "subprocess", "tomllib", "unittest"]
OURS = ["analyzer.advise", "analyzer.crosscheck", "analyzer.live", "analyzer.manual", "analyzer.model.advice"]
OURS += ["analyzer.report.charts", "analyzer.report.incident"]


def imported(*arguments: str | Path) -> set[str]:
    """All modules that a command has imported when it ends."""
    code = f"""
import contextlib, io, sys
from analyzer.cli import app
with contextlib.redirect_stdout(io.StringIO()):
    app({list(map(str, arguments))}, standalone_mode=False)
print(*sys.modules)
"""
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True, cwd=ROOT)
    return set(run.stdout.split())


def test_a_small_capture_imports_nothing_heavy() -> None:
    modules = imported("analyze", DEAD_PEER)
    assert modules.isdisjoint([*OTHERS, *OF_NUMPY, *OF_PYTHON, *OURS])
    commands = {f"analyzer.commands.{module}" for module in COMMANDS.values()}
    assert modules & commands == {"analyzer.commands.analyze"}


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_other_forms_import_nothing_heavy(form: str) -> None:
    assert imported("analyze", DEAD_PEER, "--format", form).isdisjoint([*OTHERS, *OF_NUMPY, *OURS])


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("analyze", "--help"), ("schema",), ("profiles",)])
def test_numpy_is_imported_for_captures_alone(arguments: tuple[str, ...]) -> None:
    assert imported(*arguments).isdisjoint(["numpy", *OTHERS])


def test_the_version_imports_no_command() -> None:
    assert {name for name in imported("--version") if name.startswith("analyzer.commands.")} <= {
        f"analyzer.commands.{name}" for name in ("console", "declared", "exits", "options")
    }


def test_every_command_is_where_it_is_looked_for() -> None:
    context = click.Context(app)
    for name in COMMANDS:
        command = app.get_command(context, name)
        assert command is not None
        assert (command.name, bool(command.help)) == (name, True)
    assert app.get_command(context, "words") is None


def test_all_names_of_the_package_are_there() -> None:
    assert set(analyzer.__all__) <= set(dir(analyzer))
    assert all(getattr(analyzer, name) for name in analyzer.__all__)
    with pytest.raises(AttributeError):
        _ = analyzer.nothing


def test_linear_algebra_starts_no_threads() -> None:
    """It is not used; a user who wants them in a process of ours may still say so."""
    code = "import atexit, os, sys; sys.argv[1:] = ['--version']\nfrom analyzer.cli import main\n"
    code += "atexit.register(lambda: print(os.environ['OPENBLAS_NUM_THREADS']))\nmain()"
    for variables, threads in (({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")):
        kept = {name: value for name, value in environment().items() if name != "OPENBLAS_NUM_THREADS"}
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, env={**kept, **variables}, check=True)
        assert run.stdout.split()[-1].decode() == threads
    assert output("--version").startswith("keepalive ")
