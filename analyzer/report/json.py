"""The JSON of `--format json` and `ndjson`, written flow by flow; `schema.json` beside this file describes it.

Times must keep every digit that the capture has, which a float does not; so the text is composed here rather than by
an encoder, which is also several times faster. Strings alone go through the encoder.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from itertools import starmap
from typing import TYPE_CHECKING, TextIO

import numpy as np

from analyzer.model.captures import CaptureFacts
from analyzer.model.findings import Finding
from analyzer.model.flows import SIDES, Endpoint, Episodes, Estimate, Flow, Heartbeat, HostSettings, Keepalive, Said
from analyzer.model.words import Handshake, How, Outcome, Why
from analyzer.report.analysed import Shown
from analyzer.report.times import seconds, seconds_writer
from analyzer.tables.arrays import Column
from analyzer.tables.frames import in_file
from analyzer.tcp import NANO_DIGITS, SECOND, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from analyzer.model.sockets import Held

SCHEMA_VERSION = 1
text = json.encoder.encode_basestring_ascii
# By number: what an enumeration member is called is found faster in a list.
STATES = [state.label for state in State]
HANDSHAKES = [handshake.name.lower() for handshake in Handshake]
HOWS = [how.name.lower() for how in How]
WHYS = ["null" if why is Why.NONE else text(why.name.lower()) for why in Why]
OUTCOMES = [outcome.name.lower() for outcome in Outcome]
START, END, FRAME, TIME, ANSWER_FRAME, ANSWER_TIME = range(6)  # columns of model.Episodes.steady
# What of these is written, in its order, as places in a row that has after the columns as they are their whole seconds,
# and then what is left of these.
WHOLE, REST = 6, 12
STEADY = [
    *(WHOLE + START, REST + START, WHOLE + END, REST + END),
    *(FRAME, WHOLE + TIME, REST + TIME, ANSWER_FRAME, WHOLE + ANSWER_TIME, REST + ANSWER_TIME),
]
EPISODE = '{"start": %s, "end": %s, "outcome": "%s", "probes": [%s]}'
UNANSWERED = '{"frame": %s, "time": %s, "answer_frame": null, "answer_time": null}'
ANSWERED = '{"frame": %s, "time": %s, "answer_frame": %s, "answer_time": %s}'


class Writer:
    """Composes JSON for one analysis: its time resolution, its way to number frames."""

    def __init__(self, analysis: Shown) -> None:
        self._digits = analysis.digits
        self._one_capture = len(analysis.captures) == 1
        moment = f"%d.%0{self._digits}d" if self._digits else "%d%.0s"
        answered = ANSWERED % ("%d", moment, "%d", moment)
        self._steady = EPISODE % (moment, moment, OUTCOMES[Outcome.ANSWERED], answered) + ", "
        self.time = seconds_writer(analysis.digits)
        # A number for one capture, a string for several.
        self.frame: Callable[[int], str] = str
        if not self._one_capture:
            self.frame = lambda frame: text(analysis.frame_text(frame))

    def optional(self, value: int | None, write: Callable[[int], str]) -> str:
        """`null` for what is not known."""
        return "null" if value is None else write(value)

    def capture(self, place: int, facts: CaptureFacts) -> str:
        """One element of `captures`."""
        skipped = ", ".join(f"{text(reason)}: {count}" for reason, count in facts.skipped.items())
        problems = ", ".join(f'{{"offset": {p.offset}, "reason": {text(p.reason)}}}' for p in facts.problems)
        steps = ", ".join(
            f'{{"frame": {self.frame(in_file(place) + frame)}, "step_s": {seconds(step, NANO_DIGITS)}}}'
            for frame, step in facts.clock_steps
        )
        return (
            f'{{"path": {text(facts.path)}, "format": {text(facts.format)}, '
            f'"link_types": [{", ".join(map(text, facts.link_types))}], '
            f'"packets": {facts.packets}, "tcp_packets": {facts.tcp_packets}, '
            f'"first_time": {self.optional(facts.first_time, self.time)}, '
            f'"last_time": {self.optional(facts.last_time, self.time)}, '
            f'"skipped": {{{skipped}}}, "problems": [{problems}], '
            f'"duplicates": {facts.duplicates}, "clock_steps": [{steps}], '
            f'"same_traffic_as": {same_traffic(facts)}, '
            f'"same_traffic_why": {text(facts.same_traffic_why) if facts.same_traffic_why else "null"}}}'
        )

    def flow(self, flow: Flow) -> str:
        """One element of `flows`."""
        rtt = "null" if flow.handshake_rtt is None else seconds(flow.handshake_rtt, NANO_DIGITS)
        ending = flow.ending
        return (
            f'{{"stream": {flow.stream}, "client": {endpoint(flow.client)}, '
            f'"server": {endpoint(flow.server)}, "roles": "{flow.roles}", '
            f'"start": {self.time(flow.start)}, "end": {self.time(flow.end)}, '
            f'"packets": {pair(flow.packets)}, "bytes": {pair(flow.bytes)}, '
            f'"handshake": "{HANDSHAKES[flow.handshake]}", "handshake_rtt_s": {rtt}, '
            f'"state": {{"client": "{STATES[flow.state[0]]}", "server": "{STATES[flow.state[1]]}"}}, '
            f'"ending": {{"how": "{HOWS[ending.how]}", "by": {"null" if ending.by is None else text(ending.by)}, '
            f'"time": {"null" if ending.time is None else self.time(ending.time)}, "why": {WHYS[ending.why]}}}, '
            f'"verdict": "{flow.verdict}", '
            f'"keepalive": [{", ".join(map(self.keepalive, flow.keepalive)) if flow.keepalive else ""}], '
            f'"heartbeats": [{", ".join(map(self.heartbeat, flow.heartbeats)) if flow.heartbeats else ""}], '
            f'"zero_window_probes": {pair(flow.zero_window_probes)}, '
            f'"tunnel": {"null" if flow.tunnel is None else text(flow.tunnel)}, '
            f'"said": [{", ".join(map(self.said, flow.said)) if flow.said else ""}], '
            f'"sockets": [{self.sockets(flow.sockets) if flow.sockets else ""}]}}'
        )

    def keepalive(self, entry: Keepalive) -> str:
        """One element of a flow's `keepalive`."""
        return (
            f'{{"sender": "{entry.sender}", "probes": {entry.probes}, "answered": {entry.answered}, '
            f'"unanswered": {entry.unanswered}, "reset": {entry.reset}, "icmp": {entry.icmp}, '
            f'"probe_length": {entry.probe_length}, "confidence": "{entry.confidence}", '
            f'"tcp_keepalive_time": {estimate(entry.tcp_keepalive_time)}, '
            f'"tcp_keepalive_intvl": {estimate(entry.tcp_keepalive_intvl)}, '
            f'"tcp_keepalive_probes": {estimate(entry.tcp_keepalive_probes)}, '
            f'"former_tcp_keepalive_time": {estimate(entry.former_tcp_keepalive_time)}, '
            f'"user_timeout_s": {limits(entry.user_timeout_s)}, "profiles": {json.dumps(entry.profiles)}, '
            f'"episodes": [{self.episodes(entry.episodes)}]}}'
        )

    def heartbeat(self, beats: Heartbeat) -> str:
        """One element of a flow's `heartbeats`."""
        return (
            f'{{"protocol": "{beats.protocol}", "sender": "{beats.sender}", "period_s": {beats.period_s}, '
            f'"sent": {beats.sent}, "answered": {beats.answered}, '
            f'"frames": [{", ".join(map(self.frame, beats.frames))}], '
            f'"guess": {text(beats.guess) if beats.guess else "null"}}}'
        )

    def said(self, one: Said) -> str:
        """One element of a flow's `said`."""
        return (
            f'{{"by": "{one.by}", "what": "{one.what}", "protocol": "{one.protocol}", "words": {text(one.words)}, '
            f'"seconds": {"null" if one.seconds is None else f"{one.seconds:g}"}, "frame": {self.frame(one.frame)}, '
            f'"time": {self.time(one.time)}}}'
        )

    def sockets(self, sockets: Iterable[Held]) -> str:
        """A flow's `sockets`, which few have."""
        from analyzer.report.held import held_text

        return ", ".join(map(held_text, sockets))

    def episodes(self, episodes: Episodes) -> str:
        """The idle gaps of one endpoint; a large capture has most of its output here, hence few calls."""
        steady = episodes.steady() if self._one_capture else None
        if steady is not None and steady.min() >= 0:  # a clock before 1970 is written with its sign
            return self.steady_episodes(steady)
        time, frame = self.time, self.frame
        parts = []
        for start, end, outcome, probes in episodes:
            rows, ended = [], ""
            for number, sent, answer_frame, answered in probes:
                if answer_frame is None or answered is None:
                    rows.append(UNANSWERED % (frame(number), time(sent)))
                    continue
                answer_time = time(answered)
                rows.append(ANSWERED % (frame(number), time(sent), frame(answer_frame), answer_time))
                if answered == end:
                    ended = answer_time
            parts.append(EPISODE % (time(start), ended or time(end), OUTCOMES[outcome], ", ".join(rows)))
        return ", ".join(parts)

    def steady_episodes(self, rows: Column) -> str:
        """Idle gaps of one answered probe each, formatted all at once; rows as of model.Episodes.steady."""
        whole = rows // SECOND
        rest = (rows - whole * SECOND) // 10 ** (9 - self._digits)
        values = np.concatenate((rows, whole, rest), axis=1)[:, STEADY]
        return (self._steady * len(rows))[:-2] % tuple(values.reshape(-1).tolist())

    def host(self, host: HostSettings) -> str:
        """One element of `hosts`."""
        return (
            f'{{"address": "{host.address}", "sender": "{host.sender}", "port": {host.port}, '
            f'"streams": [{", ".join(map(str, host.streams))}], '
            f'"tcp_keepalive_time": {estimate(host.tcp_keepalive_time)}, '
            f'"tcp_keepalive_intvl": {estimate(host.tcp_keepalive_intvl)}, '
            f'"tcp_keepalive_probes": {estimate(host.tcp_keepalive_probes)}, '
            f'"profiles": {json.dumps(host.profiles)}}}'
        )

    def finding(self, finding: Finding) -> str:
        """One element of `findings`."""
        stream = f'"stream": {finding.stream}'
        if finding.stream is None:
            stream = f'"stream": null, "streams": [{", ".join(map(str, finding.streams))}]'
        evidence = finding.evidence
        notes = f', "notes": [{", ".join(map(text, finding.notes))}]' if finding.notes else ""
        process = f', "process": {text(finding.process)}' if finding.process else ""
        return (
            f'{{"rule": {text(finding.rule)}, "severity": "{finding.severity}", "confidence": "{finding.confidence}", '
            f'{stream}, "summary": {text(finding.summary)}, "remedy": {text(finding.remedy)}, '
            f'"evidence": {{"frames": [{", ".join(map(self.frame, evidence.frames))}], '
            f'"observed": {text(evidence.observed)}, "expected": {text(evidence.expected)}, '
            f'"source": {text(evidence.source)}, "display_filter": {text(evidence.display_filter)}}}{notes}{process}}}'
        )


def same_traffic(facts: CaptureFacts) -> str:
    """Which other capture holds the same packets, how many, and how far this one's clock is ahead."""
    if facts.same_traffic is None:
        return "null"
    ahead = seconds(facts.same_traffic.clock_ahead, NANO_DIGITS)
    # Across a translation of addresses no packet is counted once for both: what was compared tells how many there are.
    packets = facts.shared or facts.same_traffic.packets
    return f'{{"capture": {facts.same_traffic.capture}, "clock_ahead_s": {ahead}, "packets": {packets}}}'


def endpoint(one: Endpoint) -> str:
    """An address and a port."""
    return f'{{"address": "{one.address}", "port": {one.port}}}'


def pair(values: tuple[int, ...]) -> str:
    """A number for each side."""
    return f'{{"{SIDES[0]}": {values[0]}, "{SIDES[1]}": {values[1]}}}'


def estimate(value: Estimate | None) -> str:
    """A setting with its bounds."""
    if value is None:
        return "null"
    fields = {"value": value.value, "low": value.low, "high": value.high, "samples": value.samples}
    return json.dumps(fields)


def limits(bounds: tuple[float, float] | None) -> str:
    """Bounds of a time in seconds."""
    return "null" if bounds is None else f'{{"low": {bounds[0]}, "high": {bounds[1]}}}'


def write_json(
    analysis: Shown, flows: Iterable[Flow], findings: Iterable[Finding], hosts: Iterable[HostSettings], out: TextIO
) -> None:
    """One object, for `--format json`."""
    writer = Writer(analysis)
    captures = ",\n  ".join(starmap(writer.capture, enumerate(analysis.captures)))
    out.write(f'{{"schema_version": {SCHEMA_VERSION},\n "captures": [{captures}],\n "flows": [')
    _join(out, map(writer.flow, flows))
    out.write('],\n "findings": [')
    _join(out, map(writer.finding, findings))
    out.write('],\n "hosts": [')
    _join(out, map(writer.host, hosts))
    out.write("]}\n")


def json_text(
    analysis: Shown, flows: Iterable[Flow], findings: Iterable[Finding], hosts: Iterable[HostSettings]
) -> str:
    """The same object as text."""
    out = io.StringIO()
    write_json(analysis, flows, findings, hosts, out)
    return out.getvalue()


def write_ndjson(
    analysis: Shown, flows: Iterable[Flow], findings: Iterable[Finding], hosts: Iterable[HostSettings], out: TextIO
) -> None:
    """One object a line, each with its `type`, for `--format ndjson`."""
    writer = Writer(analysis)
    for kind, lines in (
        ("capture", starmap(writer.capture, enumerate(analysis.captures))),
        ("flow", map(writer.flow, flows)),
        ("finding", map(writer.finding, findings)),
        ("host", map(writer.host, hosts)),
    ):
        for line in lines:
            out.write(f'{{"type": "{kind}", {line[1:]}\n')


def _join(out: TextIO, parts: Iterable[str]) -> None:
    separator = "\n  "
    for part in parts:
        out.write(separator)
        out.write(part)
        separator = ",\n  "
