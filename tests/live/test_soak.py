"""A soak in small, as a process: every connection told and listed, none of the long ones lost, memory flat."""

from __future__ import annotations

from commands import KEEPALIVE
from soak import Soak
from soaking import put_through

# So many that some leave memory three times: from then on as many leave as come.
SMALL = Soak(seconds=205, short_each=190, long=1000, dying=10)
EARLY, LATE = 6, 9  # tenths


def test_two_hundred_thousand_packets() -> None:
    assert SMALL.packets > 200_000
    soaked = put_through(SMALL, [*KEEPALIVE, "live"])
    assert soaked.judge() == []
    (_, early), (_, late) = (soaked.tenths()[tenth] for tenth in (EARLY, LATE))
    assert late < 1.1 * early


def test_what_is_missing_is_said() -> None:
    """The judge, of a run in which nothing was told and one packet fewer came than was said."""
    soaked = put_through(Soak(seconds=130, short_each=1, long=2, dying=1), [*KEEPALIVE, "live"])
    assert soaked.judge() == []
    soaked.told["closed"] -= 1
    assert soaked.judge() == ["129 closed, not 130"]
