"""Which captures hold the same traffic, and how far apart their clocks are."""
