"""Link types that the kernels do not know: scapy finds where IP starts, and the kernels do the rest."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from analyzer.model.columns import Records
from analyzer.tables.fields import CAPLEN, LINK_TYPE, OFFSET, ORIGLEN, RECORD_SIZE
from analyzer.wire import DECODED_LINK_TYPES, LINKTYPE_RAW, NO_IP

# Enough of an IP header to find it again in the frame: version to destination address of IPv4.
HEADER = 20


class Dissector:
    """Points records of unusual link types at the IP header in them."""

    def find_ip(self, records: Records) -> bool:
        """Change such records in place to the IP packet they hold, or to none; False when there is nothing to do."""
        changed = False
        for at in range(0, records.size * RECORD_SIZE, RECORD_SIZE):
            link = int(records.rows[at + LINK_TYPE])
            if link in DECODED_LINK_TYPES or link not in self._layers:
                continue
            start, size = int(records.rows[at + OFFSET]), int(records.rows[at + CAPLEN])
            offset = self._ip_offset(link, bytes(records.buffer[start : start + size]))
            changed = True
            if offset is None:
                records.rows[at + LINK_TYPE] = NO_IP
                continue
            records.rows[at + LINK_TYPE] = LINKTYPE_RAW
            records.rows[at + OFFSET] += offset
            records.rows[at + CAPLEN] -= offset
            records.rows[at + ORIGLEN] -= offset
        return changed

    @cached_property
    def _layers(self) -> Any:
        """Scapy's dissectors by link type; importing them takes about a second. None where it cannot be read."""
        import logging

        logging.getLogger("scapy").setLevel(logging.CRITICAL)  # it tells of interfaces and routes on standard error
        try:
            import scapy.layers.all  # noqa: F401
            from scapy.config import conf
        except (ImportError, OSError):
            return {}

        return conf.l2types.num2layer

    def _ip_offset(self, link: int, frame: bytes) -> int | None:
        """Where the first IP header of this frame starts; None where scapy finds none."""
        try:
            layer = self._layers[link](frame)
        except Exception:  # scapy's dissectors raise whatever struct and they themselves make of damaged frames
            return None
        while layer:
            if layer.name in ("IP", "IPv6"):
                found = frame.find(bytes(layer.original[:HEADER]))
                return found if found >= 0 else None
            layer = layer.payload
        return None
