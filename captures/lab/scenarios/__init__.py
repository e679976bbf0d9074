"""One file per case: its name, its settings, its events in time."""
