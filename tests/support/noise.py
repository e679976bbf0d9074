"""Segments that no TCP would send: for trackers that must agree, and stay upright, whatever they are given."""

from __future__ import annotations

from conversation import CLIENT, SERVER, Conversation
from hypothesis import strategies as st

# Around the places where something happens: the initial number, what was sent, half the space away.
OFFSETS = st.one_of(st.integers(-2, 3), st.sampled_from([-(2**31), 2**31 - 1, 2**30, 1000]))
FLAGS = st.sampled_from(["A", "A", "A", "PA", "FA", "S", "SA", "R", "RA", "F", "", "SF", "SR", "SFRA"])
GAPS = st.sampled_from([0.0, 0.001, 0.004, 0.3, 0.95, 1.0, 5.0, 30.0, -0.01])


@st.composite
def noise(draw: st.DrawFn) -> Conversation:
    """Up to thirty segments on one pair of addresses and ports, with or without a handshake before them."""
    isns = st.sampled_from([0, 1, 5000, 2**31, 2**32 - 1])
    talk = Conversation(timestamps=draw(st.booleans()), client_isn=draw(isns), server_isn=draw(isns))
    if draw(st.booleans()):
        talk.handshake()
    for _ in range(draw(st.integers(1, 30))):
        sender = draw(st.sampled_from([CLIENT, SERVER]))
        side, peer = talk.sides[sender], talk.sides[SERVER if sender == CLIENT else CLIENT]
        talk.idle(draw(GAPS))
        talk.send(
            sender,
            draw(FLAGS),
            draw(st.sampled_from([b"", b"", b"\0", b"x", b"xyz"])),
            seq=side.iss + draw(OFFSETS),
            ack=peer.iss + draw(OFFSETS),
            window=draw(st.sampled_from([0, 502])),
            in_window=False,
        )
    return talk
