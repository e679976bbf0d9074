"""Have a compiled kernel read beyond its buffer: an IndexError with NUMBA_BOUNDSCHECK=1, and nothing without."""

from __future__ import annotations

import numpy as np

from analyzer.kernels import compiled
from analyzer.tables.fields import CAPLEN, COUNTS_SIZE, LINK_TYPE, ORIGLEN, PACKET_SIZE, RECORD_SIZE
from analyzer.wire import LINKTYPE_ETHERNET

kernels = compiled()
records = kernels.ints(RECORD_SIZE)
records[CAPLEN] = records[ORIGLEN] = 60
records[LINK_TYPE] = LINKTYPE_ETHERNET
# Twelve bytes of a larger array: the kernel is told of sixty, and what it reads beyond is still ours.
octets = np.zeros(4096, np.uint8)[:12]
kernels.decode(octets, records, 1, 1, kernels.ints(PACKET_SIZE), kernels.ints(COUNTS_SIZE))
print("read beyond the end")
