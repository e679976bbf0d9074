"""What is shipped: wheel and sdist hold what they must and nothing else, and the wheel works wherever it is put."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from commands import PLAIN_ENVIRONMENT
from results import ROOT, result

from analyzer.kernels.engine.cache import cache_folder

CAPTURE = ROOT / "captures" / "dead-peer" / "capture.pcap"
NO_HOME = f"{os.devnull}/home"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the sdist, and the wheel that was built from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked into a directory of its own, which everybody may read and nobody may write."""
    target = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return target


def test_the_sdist_holds_what_building_and_testing_need(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert not [name for name in names if name.startswith(("captures", "notebooks", ".git/", ".venv"))]
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    shipped = ("pyproject.toml", "README.md", "LICENSE", "analyzer/cli.py", "tests/house/test_package.py", "PKG-INFO")
    for name in shipped:
        assert name in names
    assert path.stat().st_size < 5 << 18  # the recordings alone would be several times that


def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    data = [name for name in names if name.partition("/")[0].endswith(".data")]
    assert [name.partition("/")[2] for name in data] == ["data/share/man/man1/keepalive.1"]
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == {"analyzer"}
    for name in ("analyzer/report/schema.json", "analyzer/py.typed", "analyzer/__main__.py"):
        assert name in names
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "analyzer").rglob("*.py")}
    assert sources <= set(names)
    assert not [name for name in names if name.endswith(".pyc")]


def test_the_wheel_says_who_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
        entries = archive.read(metadata.replace("METADATA", "entry_points.txt")).decode()
    for line in ("Name: tcp-keepalive-analyzer", "Requires-Python: >=3.11", "License-Expression: MIT"):
        assert line in text.splitlines()
    assert "keepalive = analyzer.cli:main" in entries


def run_installed(installed: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[bytes]:
    """Run Python in `folder`, with the wheel, for a user whose HOME can be neither written nor made, root included."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "NUMBA_CACHE_"))}
    variables |= {**PLAIN_ENVIRONMENT, "PYTHONPATH": str(installed), "HOME": NO_HOME, "TMPDIR": str(folder)}
    return subprocess.run([sys.executable, *command], capture_output=True, cwd=folder, env=variables, check=False)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A directory that is neither the repository nor anybody's home, with a capture in it."""
    (tmp_path / "small.pcap").write_bytes(CAPTURE.read_bytes())
    return tmp_path


def test_the_wheel_analyses_from_anywhere_without_a_home_to_write_to(installed: Path, elsewhere: Path) -> None:
    run = run_installed(installed, elsewhere, "-m", "analyzer", "analyze", "small.pcap", "--format", "json")
    assert (run.returncode, run.stderr) == (0, b"")
    (flow,) = json.loads(run.stdout)["flows"]
    assert flow["verdict"] == result(CAPTURE)["flows"][0]["verdict"]
    assert [path.name for path in elsewhere.iterdir()] == ["small.pcap"]


# To compile all of them takes as long as many tests together: the largest come ready from the cache of this run.
COMPILE = """
import os, sys
import analyzer, analyzer.kernels as kernels
from analyzer.kernels.engine import compiling

assert analyzer.__file__.startswith(os.environ["PYTHONPATH"])
compiling.PROGRAM = sys.argv[1]
for engine in ("plain", "compiled", "compiled"):
    print(engine, [flow.verdict for flow in analyzer.analyze("small.pcap", engine=engine).flows])
print(kernels.cached())
"""
COMPILER = """
import pathlib
from analyzer.kernels.engine import cache, compiling, machine

genuine, ready = machine.compile_kernels, cache.stored(pathlib.Path({ours!r}))

def compile_kernels(numba, names):
    every, small = machine.KERNELS, ("merge", "records", "arithmetic")
    machine.KERNELS = {{name: made for name, made in every.items() if made.__module__.rpartition(".")[2] in small}}
    compiled = genuine(numba, [name for name in names if name in machine.KERNELS])
    machine.KERNELS = every
    with open("compiled", "a") as log:
        print(*sorted(compiled), file=log)
    return ready | compiled

compiling.compile_kernels = compile_kernels
compiling.main()
"""


@pytest.mark.usefixtures("compiled")
def test_the_wheel_compiles_without_a_home_to_write_to(installed: Path, elsewhere: Path) -> None:
    ours = cache_folder()
    assert ours is not None
    run = run_installed(installed, elsewhere, "-c", COMPILE, COMPILER.format(ours=str(ours)))
    assert (run.returncode, run.stderr) == (0, b"")
    verdicts = [flow["verdict"] for flow in result(CAPTURE)["flows"]]
    plain, compiled = (f"{engine} {verdicts}" for engine in ("plain", "compiled"))
    assert run.stdout.decode().splitlines() == [plain, compiled, compiled, "True"]
    assert (elsewhere / "compiled").read_text() == "merge scan_pcapng scan_records\n"
    (cache,) = elsewhere.glob("tcp-keepalive-analyzer*")
    (folder,) = cache.iterdir()
    assert not [path for path in (cache, folder) if path.stat().st_mode & 0o022]
    assert folder.name == ours.name  # by their sources: what is compiled in the repository compiles in the wheel


def test_the_schema_is_found_in_the_installed_package(installed: Path, elsewhere: Path) -> None:
    code = "import importlib.resources as r; print(r.files('analyzer').joinpath('report/schema.json').read_text())"
    run = run_installed(installed, elsewhere, "-c", code)
    assert json.loads(run.stdout)["properties"]["schema_version"] == {"const": 1}
