"""How exactly timers keep time, as a capture shows it."""

from __future__ import annotations

# A keepalive timer's gaps differ by no more than its rounding (1 / tcp.LATE_PART, and a little): a reset this close to
# one interval after the last probe is the timer's, any other the application's.
PACE = 0.13
SLACK_NS = 100_000_000
