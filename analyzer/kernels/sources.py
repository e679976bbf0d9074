"""All kernels, registered: to import this takes longer than to load what was compiled of them."""

from __future__ import annotations

from analyzer.kernels import merge, packing, records
from analyzer.kernels.decode import transport
from analyzer.kernels.engine.registry import KERNELS
from analyzer.kernels.track import copies, flows, segments

__all__ = ["KERNELS", "copies", "flows", "merge", "packing", "records", "segments", "transport"]
