"""Record the cases of `captures/` on this machine's kernel, side by side, each in namespaces of its own."""

import argparse
import contextlib
import importlib
import json
import os
import pkgutil
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from types import FrameType
from typing import Any

import checks
import dictated
import dissected
import draw
import gallery
import network
import readers
import readme
import scenarios
import truth
from stage import Interrupted, Scenario, Stage

CAPTURES = Path(__file__).resolve().parent.parent
WORK_PREFIX = f"{network.PREFIX}-"
# Building a network is dozens of short commands; more at a time would disturb recordings that already run.
BUILDERS = threading.Semaphore(2)


def all_scenarios() -> dict[str, Scenario]:
    """Every scenario by name."""
    found: dict[str, Scenario] = {}
    for module in pkgutil.iter_modules(scenarios.__path__):
        loaded = importlib.import_module(f"scenarios.{module.name}")
        for scenario in getattr(loaded, "SCENARIOS", None) or [loaded.SCENARIO]:
            found[scenario.name] = scenario
    return found


def record(scenario: Scenario, number: int, work: Path, out: Path, stopping: threading.Event) -> str:
    """Play one scenario, check it and publish it; says what was recorded."""
    folder = work / scenario.name
    folder.mkdir()
    net = network.Network(str(number), scenario.offload, scenario.single_host)
    stage = Stage(scenario, net, folder, stopping)
    try:
        with BUILDERS:
            if stopping.is_set():
                raise Interrupted
            stage.open()
        stage.begin()
        scenario.play(stage)
        stage.finish()
        dissected.count(stage)
        found = truth.gather(stage)
        checks.check(stage, found)
        found = [readers.as_recorded(one) for one in found]
        publish(stage, found, out / scenario.name)
    finally:
        stage.close()
    packets = sum(len(one.published) for one in found)
    return f"{scenario.name}: {len(found)} connections, {packets} segments"


def publish(stage: Stage, found: Sequence[truth.Evidence], target: Path) -> None:
    """Put recording, truth and README into the case's directory."""
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob("capture.*"):
        old.unlink()
    if stage.scenario.capture.publish is not None:
        stage.scenario.capture.publish(stage.capture_path(), target)
    else:
        shutil.copyfile(stage.capture_path(), target / stage.capture_path().name)
    whole = readers.with_packets(truth.truth(stage, found), stage, found)
    (target / "truth.json").write_text(as_text(whole), encoding="utf-8")
    readme.write(target / "README.md", stage, found)


def remove_leftovers() -> None:
    """Remove what runs that were killed have left: namespaces, processes in them, and work directories."""
    for name in network.remove_leftovers():
        print(f"removed leftover {name}", file=sys.stderr)
    for path in Path(tempfile.gettempdir()).glob(f"{WORK_PREFIX}*"):
        if not network.is_recorder(int(path.name.split("-")[1])):
            shutil.rmtree(path, ignore_errors=True)


def run_all(chosen: Sequence[Scenario], out: Path, keep: bool, stopping: threading.Event) -> int:
    """Record scenarios side by side; the number that failed."""
    work = Path(tempfile.mkdtemp(prefix=f"{WORK_PREFIX}{os.getpid()}-"))
    work.chmod(0o711)  # a database that runs as a user of its own must get at its directory
    failed = 0
    try:
        with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
            jobs = {
                pool.submit(record, scenario, number, work, out, stopping): scenario
                for number, scenario in enumerate(chosen)
            }
            for job in as_completed(jobs):
                failed += not _report(job, jobs[job])
    finally:
        if keep:
            print(f"kept {work}, until the next run", file=sys.stderr)
        else:
            shutil.rmtree(work, ignore_errors=True)
    return failed


def _report(job: Future[str], scenario: Scenario) -> bool:
    try:
        print(job.result(), flush=True)
        return True
    except Interrupted:
        print(f"{scenario.name}: interrupted", file=sys.stderr)
    except checks.Disagreement as disagreement:
        print(f"{scenario.name}: not published: {disagreement}", file=sys.stderr)
    except Exception:
        print(f"{scenario.name}: failed", file=sys.stderr)
        traceback.print_exc()
    return False


def renew(chosen: Sequence[Scenario], out: Path) -> Iterator[Path]:
    """Write what these scenarios dictate into the recordings that are there; the files that were other than that."""
    for folder, scenario in ((out / scenario.name, scenario) for scenario in chosen):
        if not folder.exists():
            print(f"{scenario.name}: not recorded yet", file=sys.stderr)
            continue
        for path, made in ((folder / "truth.json", renewed_truth), (folder / "README.md", readme.renewed)):
            before = path.read_text(encoding="utf-8")
            after = made(before, scenario)
            if after != before:
                path.write_text(after, encoding="utf-8")
                yield path


def renewed_truth(text: str, scenario: Scenario) -> str:
    """A truth file with what its scenario dictates now."""
    return as_text(dictated.renewed(json.loads(text), scenario))


def as_text(whole: dict[str, Any]) -> str:
    """A truth as it stands in its file."""
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def parse_arguments() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these cases alone")
    parser.add_argument("--random", type=int, metavar="SEED", help="record scenarios drawn at random instead")
    parser.add_argument("--count", type=int, help="how many of those (default: one of each kind)")
    parser.add_argument("--kinds", nargs="+", metavar="KIND", default=(), help="draw these kinds alone")
    parser.add_argument("--out", type=Path, default=CAPTURES, help="directory of the cases (default: captures)")
    parser.add_argument("--keep", action="store_true", help="keep the witnesses' recordings and say where")
    parser.add_argument("--list", action="store_true", help="list the cases and leave")
    parser.add_argument(
        "--findings",
        action="store_true",
        help="record nothing, which needs no root: rewrite what scenarios dictate of recordings that are there, namely "
        "in truth.json scenario, capture, vantage, findings, not_shown, shown_instead and chance, in README.md title, "
        "play, place and what to look at; and the page of all recordings",
    )
    arguments = parser.parse_args()
    if arguments.random is not None and arguments.findings:
        parser.error("--findings is of recordings that are there; --random makes others")
    if arguments.random is not None and arguments.out == CAPTURES:
        parser.error("--random needs --out: what is drawn is no case to keep")
    if set(arguments.kinds) - set(draw.every_kind()):
        parser.error(f"kinds are {', '.join(draw.every_kind())}")
    return parser, arguments


def main() -> int:
    """The front door."""
    parser, arguments = parse_arguments()
    drawn = draw.draw(arguments.random, arguments.count, arguments.kinds) if arguments.random is not None else None
    known = all_scenarios() if drawn is None else {scenario.name: scenario for scenario in drawn}
    unknown = set(arguments.only or []) - set(known)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    chosen = [known[name] for name in arguments.only or known]
    if arguments.list:
        for scenario in chosen:
            print(f"{scenario.name:34} {scenario.title}")
        return 0
    if arguments.findings:
        for path in renew(chosen, arguments.out):
            print(path)
        gallery.write(arguments.out, known)
        return 0
    return record_all(chosen, known, arguments)


def record_all(chosen: Sequence[Scenario], known: Mapping[str, Scenario], arguments: argparse.Namespace) -> int:
    """Record these, unless told to stop; the exit status."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    remove_leftovers()
    began = time.monotonic()
    failed = run_all(chosen, arguments.out, arguments.keep, stopping)
    if arguments.random is None:
        gallery.write(arguments.out, known)
    print(f"{len(chosen) - failed} recorded in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return 130 if stopping.is_set() else int(bool(failed))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
