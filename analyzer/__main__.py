"""`python -m analyzer` is the console command `keepalive`."""

from __future__ import annotations

from analyzer.cli import main

main()
