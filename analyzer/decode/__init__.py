"""Records -> Packets; what gave no packet is counted by reason."""

from __future__ import annotations

from analyzer.decode.decoder import Decoder

__all__ = ["Decoder"]
