"""Write a large synthetic capture of consistent TCP conversations, some of them idle and probing."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from capture_files import FrameFormat, write_capture
from conversations import Table, plan_conversations
from segments import expand_plan

Truth = dict[str, int | str | bool]


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, metavar="OUT", help="capture file to write")
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--snaplen", type=int, default=96, help="bytes kept of each frame (default: 96)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ipv6", action="store_true")
    parser.add_argument("--vlan", action="store_true", help="tag every frame with IEEE 802.1Q")
    parser.add_argument("--vxlan", action="store_true", help="put every frame into a VXLAN tunnel")
    parser.add_argument("--format", choices=("pcap", "pcapng"), default="pcap")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="also write the printed counts to FILE")
    return parser.parse_args(arguments)


def truth_of(plan: Table, options: argparse.Namespace) -> Truth:
    """Return the counts that an analyzer of the capture should find."""
    answered, unanswered = int(plan["answered_probes"].sum()), int(plan["unanswered_probes"].sum())
    return {
        "packets": options.packets,
        "connections": options.connections,
        "snaplen": options.snaplen,
        "seed": options.seed,
        "ipv6": options.ipv6,
        "vlan": options.vlan,
        "vxlan": options.vxlan,
        "format": options.format,
        "keepalive_probes": answered + unanswered,
        "answered_probes": answered,
        "unanswered_probes": unanswered,
        "probing_connections": int(np.count_nonzero(plan["probing"])),
        "dead_peers": int(np.count_nonzero(plan["unanswered_probes"])),
        "closed_connections": int(np.count_nonzero(plan["closes"])),
    }


def generate(options: argparse.Namespace) -> Truth:
    """Write the capture and return its counts."""
    frame = FrameFormat(options.snaplen, options.ipv6, options.vlan, options.format == "pcapng", options.vxlan)
    if options.snaplen < frame.longest_header:
        raise ValueError(f"a snaplen of {options.snaplen} cuts TCP options; at least {frame.longest_header}")
    plan = plan_conversations(options.packets, options.connections, options.seed)
    write_capture(options.output, frame, plan, expand_plan(plan, options.seed, frame.largest_payload))
    return truth_of(plan, options)


def main() -> int:
    """Generate one capture and print its counts as JSON."""
    options = parse_arguments()
    try:
        truth = json.dumps(generate(options), indent=2)
    except ValueError as error:
        print(f"generate.py: {error}", file=sys.stderr)
        return 2
    print(truth)
    if options.truth:
        options.truth.write_text(truth + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
