"""What Wireshark says of a capture, frame by frame, through pyshark and tshark: its flags of probes, and all else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from analyzer.errors import UsageError
from analyzer.model.findings import Flagged

# Wireshark's fields (epan/dissectors/packet-tcp.c), and our words for them.
FLAGS = {
    "analysis_keep_alive": "keep-alive",
    "analysis_keep_alive_ack": "keep-alive ACK",
    "analysis_zero_window_probe": "zero-window probe",
    "analysis_zero_window_probe_ack": "zero-window probe ACK",
}
FILTER = " || ".join(f"tcp.{name.replace('analysis_', 'analysis.', 1)}" for name in FLAGS)


def wireshark_flags(path: str, notify: Callable[[str], None] = lambda text: None) -> list[Flagged]:
    """The frames of this file that Wireshark takes for probes or answers to them, in order.

    `notify` is told where tshark came to no good end: what it had said until then is returned.
    Raises UsageError where tshark or pyshark is missing.
    """
    found: list[Flagged] = []
    each_packet(path, FILTER, lambda packet: found.append(_flagged(packet)), notify, purpose="crosscheck")
    return found


def each_packet(
    path: str,
    display_filter: str,
    take: Callable[[Any], None],
    notify: Callable[[str], None],
    *,
    purpose: str,
    preferences: Sequence[str] = (),
) -> None:
    """Have pyshark's packets taken that a display filter selects, in order, dissected with these preferences.

    `notify` is told where tshark came to no good end. Raises UsageError, which names the `purpose`, where tshark or
    pyshark is missing.
    """
    errors: list[BaseException] = []

    def work() -> None:
        try:
            _read(path, display_filter, take, notify, purpose, preferences)
        except BaseException as error:  # handed on to who waits
            errors.append(error)

    # pyshark owns an event loop, and wants a thread that has none of another's.
    thread = threading.Thread(target=work, name="pyshark")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def _read(
    path: str,
    display_filter: str,
    take: Callable[[Any], None],
    notify: Callable[[str], None],
    purpose: str,
    preferences: Sequence[str],
) -> None:
    import asyncio

    try:
        import pyshark
        from pyshark.capture.capture import TSharkCrashException
        from pyshark.tshark.tshark import TSharkNotFoundException
    except ImportError as error:
        raise UsageError(f"{purpose} needs pyshark: pip install pyshark") from error
    log = logging.getLogger("asyncio")
    level = log.level
    log.setLevel(logging.ERROR)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        capture = pyshark.FileCapture(
            path,
            display_filter=display_filter,
            keep_packets=False,
            eventloop=loop,
            custom_parameters=["-n", *(word for one in preferences for word in ("-o", one))],
        )
        try:
            for packet in capture:
                take(packet)
            capture.close()
        except TSharkCrashException as error:
            # After its last line asyncio may miss how it exited, and says 255: nothing is missing then.
            if "retcode: 255" not in str(error):
                notify(f"{path}: tshark did not come to its end: {str(error).splitlines()[0]}")
        finally:
            capture._running_processes.clear()  # else it closes them once more, when the loop is gone
    except TSharkNotFoundException as error:
        raise UsageError(f"{purpose} needs tshark, Wireshark's command: apt install tshark") from error
    finally:
        loop.close()
        log.setLevel(level)


def _flagged(packet: Any) -> Flagged:
    tcp = packet.tcp
    return Flagged(
        frame=int(packet.number),
        stream=int(tcp.stream),
        says=next(words for name, words in FLAGS.items() if name in tcp.field_names),
        length=int(tcp.len),
        since_last_s=float(tcp.get_field("time_delta") or 0.0),
    )
