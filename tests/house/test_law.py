"""The house law: who imports whom, how long things may be, and that everything is documented."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from commands import inside
from results import ROOT

from analyzer.diagnose import VERDICTS, load_rules
from analyzer.tables.fields import SKIP_REASONS

PACKAGE = ROOT / "analyzer"
SOURCES = sorted(PACKAGE.rglob("*.py"))
EVERY_SOURCE = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
MAX_FILE, MAX_FUNCTION, MAX_KERNEL = 300, 40, 60
Function = ast.FunctionDef | ast.AsyncFunctionDef
CHARTS = (
    "axis",
    "hosts",
    "idle",
    "intervals",
    "ladder",
    "notes",
    "overview",
    "saw_tooth",
    "style",
    "themes",
    "timeline",
)
# Where heavy libraries may be imported at all.
HOMES = {
    "subprocess": [
        "capture/interface/processes.py",
        "kernels/engine/building.py",
        "kernels/engine/compiling.py",
        "live/hook.py",
    ],
    "multiprocessing": [],
    "matplotlib": [f"report/charts/{name}.py" for name in CHARTS],
    "jinja2": ["report/incident/html.py"],
    "pyarrow": ["fleet/results.py", "report/arrow.py", "report/socket_records.py"],
    "dask": ["fleet/cluster.py"],
    "distributed": ["fleet/cluster.py"],
    "duckdb": ["fleet/asking.py"],
    "fsspec": ["fleet/places.py"],
    "pandas": [],
    "polars": [],
    "scapy": ["capture/interface/scapy_sniffer.py", "decode/scapy_links.py"],
    "pyshark": ["crosscheck/tshark.py"],
    "prometheus_client": ["report/metrics.py"],
}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Top-level names of what a file imports, by statement or by import_module with a literal."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from (str(a.value).partition(".")[0] for a in node.args if isinstance(a, ast.Constant))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def public(path: Path) -> Iterator[ast.AST]:
    """The module, and its public classes, functions and methods."""
    stack: list[ast.AST] = [tree_of(path)]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, ast.Module | ast.ClassDef):
            inner = (child for child in node.body if isinstance(child, Function | ast.ClassDef))
            stack += [child for child in inner if not child.name.startswith("_")]


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"Contracts: \d+ kept, 0 broken\.", run.stdout)


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_at_home_alone(library: str) -> None:
    places = [str(path.relative_to(PACKAGE)) for path in SOURCES if library in imports(path)]
    assert set(places) <= set(HOMES[library])


def test_nothing_heavy_is_imported_when_a_module_is() -> None:
    heavy = {"scapy", "pyshark", "matplotlib", "pandas", "polars", "pyarrow", "jinja2", "prometheus_client"}
    heavy |= {"dask", "distributed", "duckdb", "fsspec"}
    for path in SOURCES:
        top = [node for node in tree_of(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {ast.unparse(node).split()[1].partition(".")[0] for node in top}
        assert not names & heavy, path


@EVERY_SOURCE
def test_a_file_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE


@EVERY_SOURCE
def test_a_function_is_short_enough_to_read(path: Path) -> None:
    limit = MAX_KERNEL if PACKAGE / "kernels" in path.parents else MAX_FUNCTION
    assert {f.name: body_lines(f) for f in functions(path) if body_lines(f) > limit} == {}


@EVERY_SOURCE
def test_everything_public_is_documented(path: Path) -> None:
    bare = [getattr(n, "name", path.name) for n in public(path) if not ast.get_docstring(n)]  # type: ignore[arg-type]
    overloads = {"readable", "readinto"}  # of io.RawIOBase, documented there
    assert set(bare) <= overloads


@EVERY_SOURCE
def test_no_word_of_any_machine_stands_in_the_source(path: Path) -> None:
    assert not re.search(r"/home/|/root\b|/Users/|/work/", path.read_text(encoding="utf-8"))


@cache
def explanations() -> str:
    """All that `keepalive explain` can say."""
    topics = re.findall(r"^(\S+) ", inside("explain"), re.MULTILINE)
    return "\n".join([inside("explain"), *(inside("explain", topic) for topic in topics)])


@pytest.mark.parametrize("word", [*SKIP_REASONS, *(verdict.word for verdict in VERDICTS), *load_rules()])
def test_every_reason_verdict_and_rule_is_explained(word: str) -> None:
    assert re.search(rf"(?<![\w-]){word}(?![\w-])", explanations())


def test_every_rule_says_what_to_look_at() -> None:
    for name, rule in load_rules().items():
        first, *rest = rule.explanation.strip().splitlines()
        assert first.endswith("."), f"{name}: the first line of the docstring ends with a full stop"
        assert any("Look at" in line for line in rest), f"{name}: the docstring has a line `Look at: ...`"


def test_the_readme_mentions_every_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^  (\w+)  ", inside("--help").partition("Commands:")[2], re.MULTILINE)
    assert {"analyze", "explain"} <= set(commands)
    assert [command for command in commands if f"keepalive {command}" not in readme] == []
