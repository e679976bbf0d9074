"""Many captures of many machines: read where they lie, by several workers, with the answer that one would give."""
