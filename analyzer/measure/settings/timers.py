"""How exactly timers keep time, as a capture shows it."""

from __future__ import annotations

# A keepalive timer's gaps differ by no more than its rounding, an eighth (kernel/time/timer.c): a reset this close to
# one interval after the last probe is the timer's, any other the application's.
PACE = 0.13
SLACK_NS = 100_000_000
# No keepalive interval is shorter than 1 s; a tenth is left for what the path adds.
SHORTEST_INTERVAL_NS = 900_000_000
