"""What is shipped: wheel and sdist hold what they must and nothing else, and the wheel works wherever it is put."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from commands import PLAIN_ENVIRONMENT
from results import ROOT, result

from analyzer.kernels.engine.cache import LIBRARY, stored

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
    shipped = (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "analyzer/cli.py",
        "hatch_build.py",
        "tests/house/test_package.py",
        "PKG-INFO",
    )
    for name in shipped:
        assert name in names
    assert path.stat().st_size < 6 << 18  # the recordings alone would be several times that


def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    data = [name for name in names if name.partition("/")[0].endswith(".data")]
    assert [name.partition("/")[2] for name in data] == ["data/share/man/man1/keepalive.1"]
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == {"analyzer"}
    for name in ("analyzer/report/schema.json", "analyzer/py.typed", "analyzer/__main__.py"):
        assert name in names
    assert f"analyzer/kernels/engine/{LIBRARY}" in names
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
    variables = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
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


ENGINES = """
import os, sys
import analyzer
from analyzer.kernels.engine import cache, compiling

assert analyzer.__file__.startswith(os.environ["PYTHONPATH"])
compiling.PROGRAM = sys.argv[1]
for engine in ("plain", "compiled", "auto"):
    print(engine, [flow.verdict for flow in analyzer.analyze("small.pcap", engine=engine).flows])
print(cache.stored().parent.name)
"""
VERDICTS = [flow["verdict"] for flow in result(CAPTURE)["flows"]]
SAID = [f"{engine} {VERDICTS}" for engine in ("plain", "compiled", "auto")]


def test_the_wheel_has_machine_code_and_compiles_nothing(installed: Path, elsewhere: Path) -> None:
    run = run_installed(installed, elsewhere, "-c", ENGINES, "raise SystemExit('this compiles')")
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout.decode().splitlines() == [*SAID, "engine"]
    assert [path.name for path in elsewhere.iterdir()] == ["small.pcap"]


# Compiling takes as long as many tests together: what it would make comes ready from the cache of this run.
COMPILER = """
import shutil
from analyzer.kernels.engine import compiling

compiling.build = lambda target: shutil.copy({ours!r}, target)
compiling.main()
"""


@pytest.mark.usefixtures("compiled")
def test_a_wheel_without_machine_code_compiles_without_a_home_to_write_to(
    installed: Path, elsewhere: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ours = stored()
    assert ours is not None
    bare = tmp_path_factory.mktemp("bare") / "site"
    shutil.copytree(installed, bare, ignore=shutil.ignore_patterns(LIBRARY))
    run = run_installed(bare, elsewhere, "-c", ENGINES, COMPILER.format(ours=str(ours)))
    assert (run.returncode, run.stderr) == (0, b"")
    # By their sources: what is compiled in the repository serves the wheel.
    assert run.stdout.decode().splitlines() == [*SAID, ours.parent.name]
    (cache,) = elsewhere.glob("tcp-keepalive-analyzer*")
    assert not [path for path in (cache, *cache.iterdir()) if path.stat().st_mode & 0o022]


def test_where_nothing_compiles_a_wheel_is_made_all_the_same(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    variables = {**os.environ, "CC": "false"}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert run.returncode == 0, run.stdout + run.stderr
    [path] = tmp_path.iterdir()
    assert path.name.endswith("-py3-none-any.whl")


def test_the_schema_is_found_in_the_installed_package(installed: Path, elsewhere: Path) -> None:
    code = "import importlib.resources as r; print(r.files('analyzer').joinpath('report/schema.json').read_text())"
    run = run_installed(installed, elsewhere, "-c", code)
    assert json.loads(run.stdout)["properties"]["schema_version"] == {"const": 1}
