"""Compare the analyzer's time and memory with tshark, tcptrace, tcpdump and NFStream on large captures."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from limits import (
    NFSTREAM,
    OURS,
    OURS_JSON,
    OURS_ONE,
    TCPDUMP,
    TCPTRACE,
    TSHARK,
    UNPACK,
    Measurements,
    Subject,
    verdicts,
)
from measure import ProcessFailed, Usage, run_interleaved
from readme_table import write_table
from report import as_json, report

GENERATOR = Path(__file__).with_name("generate.py")
Commands = dict[str, list[str]]
# All that it does without being asked for is left out: no payload is looked into, nothing is added up.
NFSTREAM_PROGRAM = (
    "import sys, nfstream; "
    "print(sum(1 for _ in nfstream.NFStreamer(source=sys.argv[1], n_dissections=0, statistical_analysis=False)))"
)


@dataclass(frozen=True, slots=True)
class Workload:
    """A capture to generate and the tools to run on it."""

    packets: int
    connections: int
    tools: tuple[str, ...]
    options: tuple[str, ...] = ()  # of the generator
    packed: tuple[str, ...] = ()  # the command that compresses the capture of the workload named after it


WORKLOADS = {
    "5k": Workload(5_000, 100, (OURS, OURS_ONE, TSHARK, TCPTRACE, TCPDUMP, NFSTREAM)),
    "1m": Workload(1_000_000, 10_000, (OURS, OURS_ONE, TSHARK, TCPTRACE, TCPDUMP, NFSTREAM)),
    # The capture that the memory of ten million packets is compared with: as many connections.
    "1m-50k": Workload(1_000_000, 50_000, (OURS,)),
    # tshark would take minutes for each run, of ten times as many tcptrace and NFStream, too.
    "10m": Workload(10_000_000, 50_000, (OURS, OURS_ONE, OURS_JSON, TCPTRACE, TCPDUMP, NFSTREAM)),
    "100m": Workload(100_000_000, 500_000, (OURS, OURS_ONE, TCPDUMP)),
    # As many packets in other wrappings.
    "3m": Workload(3_000_000, 30_000, (OURS,)),
    "3m-pcapng": Workload(3_000_000, 30_000, (OURS,), ("--format", "pcapng")),
    "3m-ipv6-vlan": Workload(3_000_000, 30_000, (OURS,), ("--ipv6", "--vlan", "--snaplen", "120")),
    "3m-vxlan": Workload(3_000_000, 30_000, (OURS,), ("--vxlan", "--snaplen", "146")),
    "10m-gzip": Workload(10_000_000, 50_000, (OURS, UNPACK), packed=("gzip", "-1", "-c", "10m")),
    "10m-zstd": Workload(10_000_000, 50_000, (OURS, UNPACK), packed=("zstd", "-q", "-c", "10m")),
}


# Whose measurements the limits of a workload need, too.
COMPARED_WITH = {
    "10m": {"1m-50k"},
    "100m": {"1m"},
    **{name: {"3m"} for name in ("3m-pcapng", "3m-ipv6-vlan", "3m-vxlan")},
    **{name: {"10m", "1m-50k"} for name in ("10m-gzip", "10m-zstd")},
}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=parse_sizes, default="5k,1m,10m", help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument("--runs", type=parse_runs, default=5, help="runs after a warm-up (default: 5)")
    directory = Path(tempfile.gettempdir()) / "keepalive-benchmarks"
    parser.add_argument("--dir", type=Path, default=directory, help="of the captures (default: %(default)s)")
    parser.add_argument(
        "--command", type=shlex.split, default=["keepalive", "analyze"], help="ours (default: keepalive analyze)"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every run and verdict to OUT")
    parser.add_argument("--nfstream", default=sys.executable, help="a Python that has NFStream (default: this one)")
    parser.add_argument("--table", type=Path, metavar="README", help="write the table there, between its marks")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a limit does not hold")
    return parser.parse_args(arguments)


def parse_sizes(text: str) -> list[str]:
    """Return the workloads named in a comma-separated list, with those they are compared with."""
    named = set(text.split(","))
    if unknown := named - WORKLOADS.keys():
        raise argparse.ArgumentTypeError(f"no such size: {', '.join(sorted(unknown))}")
    for name in tuple(named):
        named |= COMPARED_WITH.get(name, set())
    return [name for name in WORKLOADS if name in named]


def parse_runs(text: str) -> int:
    """Return a number of runs, of which there must be one."""
    if (runs := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return runs


def tool_commands(ours: list[str], nfstream: str, capture: str) -> Commands:
    """Return the command line of every tool for a capture file."""
    return {
        OURS: [*ours, capture],
        OURS_ONE: [*ours, "--threads", "1", capture],
        OURS_JSON: [*ours, "--format", "json", capture],
        TSHARK: ["tshark", "-n", "-r", capture, "-Y", "tcp.analysis.keep_alive"],
        TCPTRACE: ["tcptrace", "-n", "--csv", capture],
        TCPDUMP: ["tcpdump", "-n", "-r", capture, "-w", "/dev/null"],
        NFSTREAM: [nfstream, "-c", NFSTREAM_PROGRAM, capture],
        UNPACK: ["zstdcat" if capture.endswith("-zstd.pcap") else "zcat", "-f", capture],
    }


def missing_tools(commands: Commands) -> set[str]:
    """Return the tools whose programs are not installed, after saying so."""
    missing = {tool for tool, command in commands.items() if shutil.which(command[0]) is None}
    if subprocess.run([commands[NFSTREAM][0], "-c", "import nfstream"], capture_output=True, check=False).returncode:
        missing.add(NFSTREAM)
    for tool in sorted(missing):
        print(f"{tool} is left out: {commands[tool][0]} is not there, or lacks it", file=sys.stderr)
    return missing


def ensure_capture(directory: Path, name: str) -> Path:
    """Return the capture of a workload, generated if absent."""
    path, workload = directory / f"{name}.pcap", WORKLOADS[name]
    if path.exists():
        return path
    print(f"generating {path}", file=sys.stderr)
    unfinished = path.with_suffix(".part")
    if workload.packed:
        *command, source = workload.packed
        with unfinished.open("wb") as packed:
            subprocess.run([*command, str(ensure_capture(directory, source))], check=True, stdout=packed)
        return unfinished.rename(path)
    subprocess.run(
        [
            sys.executable,
            str(GENERATOR),
            str(unfinished),
            "--packets",
            str(workload.packets),
            "--connections",
            str(workload.connections),
            "--truth",
            str(path.with_suffix(".json")),
            *workload.options,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    # Renamed when complete, so that an interrupted run leaves no capture that looks finished.
    return unfinished.rename(path)


def measure_workloads(options: argparse.Namespace, missing: set[str]) -> Iterator[tuple[Subject, list[Usage]]]:
    """Yield the usages of every installed tool on every workload."""
    for name in options.sizes:
        capture = ensure_capture(options.dir, name)
        every = tool_commands(options.command, options.nfstream, str(capture))
        commands = {tool: every[tool] for tool in WORKLOADS[name].tools if tool not in missing}
        if not commands:
            continue
        print(f"measuring {name}: {', '.join(commands)}", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=options.dir) as outputs:
            usages = run_interleaved(commands, options.runs, Path(outputs))
        for tool, runs in usages.items():
            yield Subject(name, tool), runs


def main() -> int:
    """Measure, print the report, and with --check turn limits that do not hold into the exit status."""
    options = parse_arguments()
    options.dir.mkdir(parents=True, exist_ok=True)
    missing = missing_tools(tool_commands(options.command, options.nfstream, ""))
    try:
        measurements: Measurements = dict(measure_workloads(options, missing))
    except ProcessFailed as error:
        print(f"bench_analyze.py: {error}", file=sys.stderr)
        return 2
    judged = verdicts(measurements)
    print("\n".join(report(measurements, judged)))
    if options.json:
        options.json.write_text(json.dumps(as_json(measurements, judged), indent=2) + "\n", encoding="utf-8")
    if options.table:
        write_table(options.table, measurements, {name: WORKLOADS[name].packets for name in options.sizes})
    broken = OURS in missing or any(verdict.held is False for verdict in judged)
    return 1 if options.check and broken else 0


if __name__ == "__main__":
    sys.exit(main())
