"""The settings told from timers that fire as Linux's do, whatever its tick rate and the phase of its clock."""

from __future__ import annotations

import random

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import only_flow
from sides import START_S

from analyzer.model.flows import Estimate, Keepalive

RATES = (100, 250, 1000)
COUNT = 4


def arm(now: int, jiffies: int) -> int:
    """When a timer fires that is set for so many jiffies (kernel/time/timer.c calc_wheel_index)."""
    expires = now + jiffies
    level = 0
    while jiffies >= 63 * 8**level:
        level += 1
    if level == 0:
        return expires
    step: int = 8**level
    return (expires // step + 1) * step


class Prober:
    """A client whose kernel probes by these settings (net/ipv4/tcp_timer.c tcp_keepalive_timer)."""

    def __init__(self, idle: int, intvl: int, hz: int, rng: random.Random) -> None:
        self.idle, self.intvl, self.hz = idle * hz, intvl * hz, hz
        self.phase = rng.randrange(1 << 20)
        self.talk = Conversation(rtt=0.001).handshake().data(CLIENT, 100).data(SERVER, 300)
        self.received = self.now()
        self.fires = arm(self.received, self.idle)

    def now(self) -> int:
        """The kernel's clock, in ticks since it started."""
        return self.phase + int((self.talk.now / 1e9 - START_S) * self.hz)

    def wait_for_probe(self) -> None:
        """Let the timer fire, again where too little time has passed since something was received."""
        while self.fires - self.received < self.idle:
            self.fires = arm(self.fires, self.idle - (self.fires - self.received))
        self.wait_until(self.fires)
        self.fires = arm(self.fires, self.intvl)

    def wait_until(self, tick: int) -> None:
        at = START_S + (tick - self.phase) / self.hz
        self.talk.idle(max(0.0, at - self.talk.now / 1e9))

    def answered(self, rounds: int) -> None:
        for _ in range(rounds):
            self.wait_for_probe()
            self.talk.probe(CLIENT)
            self.received = self.now()

    def hear(self, after: float) -> None:
        """Something is received so many seconds later, which sets no timer; none that is over sooner fires."""
        assert self.now() + after * self.hz < self.fires
        self.talk.idle(after).data(SERVER, 50)
        self.received = self.now()

    def exhausted(self) -> None:
        self.wait_for_probe()
        for _ in range(COUNT):
            self.talk.ask(CLIENT)
            self.wait_until(self.fires)
            self.fires = arm(self.fires, self.intvl)
        self.talk.rst(CLIENT)

    @property
    def keepalive(self) -> Keepalive:
        [entry] = only_flow(self.talk).keepalive
        return entry


def holds(estimate: Estimate | None, true: float) -> bool:
    return estimate is None or ((estimate.low or 0) <= true <= (estimate.high or float("inf")))


def tcp_keepalive(talk: Conversation) -> Keepalive:
    [entry] = only_flow(talk).keepalive
    return entry


SETTINGS = [
    (1, 1), (2, 1), (3, 2), (5, 1), (5, 5), (7, 2), (9, 4), (10, 3), (13, 6), (15, 15), (20, 5), (30, 10),
    (45, 10), (60, 60), (75, 75), (120, 75), (300, 100), (1, 5), (3, 10), (7200, 75),
]  # fmt: skip


@pytest.mark.parametrize("hz", RATES)
@pytest.mark.parametrize(("idle", "intvl"), SETTINGS)
def test_a_dead_peer_after_answered_rounds_shows_all_three(idle: int, intvl: int, hz: int) -> None:
    prober = Prober(idle, intvl, hz, random.Random(idle * 1000 + intvl))
    prober.answered(3)
    prober.exhausted()
    found = prober.keepalive
    for estimate, true in (
        (found.tcp_keepalive_time, idle),
        (found.tcp_keepalive_intvl, intvl),
        (found.tcp_keepalive_probes, COUNT),
    ):
        assert estimate is not None
        assert estimate.value == true
        assert holds(estimate, true)


@pytest.mark.parametrize("hz", RATES)
@pytest.mark.parametrize(("idle", "intvl"), SETTINGS)
def test_answered_rounds_alone_show_neither_interval_nor_count(idle: int, intvl: int, hz: int) -> None:
    prober = Prober(idle, intvl, hz, random.Random(idle * 1000 + intvl))
    prober.answered(4)
    found = prober.keepalive
    assert found.tcp_keepalive_time is not None
    assert found.tcp_keepalive_time.value == idle
    assert (found.tcp_keepalive_intvl, found.tcp_keepalive_probes) == (None, None)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_told_of_odd_settings_is_true(seed: int) -> None:
    """Where several whole seconds explain what was seen, none is told, or a usual one: the bounds hold in any case."""
    rng = random.Random(seed)
    idle, intvl, hz = rng.randint(1, 400), rng.randint(1, 90), rng.choice(RATES)
    prober = Prober(idle, intvl, hz, rng)
    prober.answered(rng.randint(0, 4))
    prober.exhausted()
    found = prober.keepalive
    assert holds(found.tcp_keepalive_time, idle)
    assert holds(found.tcp_keepalive_intvl, intvl)
    for estimate, true in ((found.tcp_keepalive_time, idle), (found.tcp_keepalive_intvl, intvl)):
        if true <= 15:  # the wheel's slots are shorter than a second at every rate
            assert estimate is not None
            assert estimate.value in (true, None if idle < intvl else true)


NEAR_USUAL = [(31, 20, 250), (22, 8, 250), (21, 6, 250), (21, 5, 100), (31, 8, 100), (16, 15, 250)]
AMBIGUOUS = [(49, 10, 1000), (47, 9, 250), (58, 7, 250)]


@pytest.mark.parametrize(("idle", "intvl", "hz"), [*NEAR_USUAL, *AMBIGUOUS])
@pytest.mark.parametrize("rounds", [2, 4])
def test_a_usual_value_is_told_only_where_the_wheel_shows_it(idle: int, intvl: int, hz: int, rounds: int) -> None:
    prober = Prober(idle, intvl, hz, random.Random(idle + hz))
    prober.answered(rounds)
    found = prober.keepalive.tcp_keepalive_time
    assert found is not None
    assert found.value == (None if (idle, intvl, hz) in AMBIGUOUS and found.value is None else idle)
    assert holds(found, idle)


@pytest.mark.parametrize(("waits", "true"), [([7.53], 8), ([9.7], 10), ([7.8, 7.55], 8), ([59.6], 60), ([29.9], 30)])
@pytest.mark.parametrize("v6", [False, True])
def test_timers_of_half_seconds_fire_early(waits: list[float], true: int, v6: bool) -> None:
    """Those of stacks that count ticks of half a second, whose probes have no timestamps."""
    talk = Conversation(rtt=0.001, v6=v6, timestamps=False).handshake().data(CLIENT, 100).data(SERVER, 300)
    for wait in waits:
        talk.idle(wait).probe(CLIENT).idle(0.3).data(CLIENT, 10).data(SERVER, 30)
    [entry] = only_flow(talk).keepalive
    assert entry.tcp_keepalive_time is not None
    assert holds(entry.tcp_keepalive_time, true)
    assert entry.tcp_keepalive_time.value in (true, None)


def test_timers_of_linux_do_not() -> None:
    talk = Conversation(rtt=0.001).handshake().data(CLIENT, 100).data(SERVER, 300).idle(7.168).probe(CLIENT)
    [entry] = only_flow(talk).keepalive
    assert entry.tcp_keepalive_time is not None
    assert (entry.tcp_keepalive_time.value, holds(entry.tcp_keepalive_time, 8)) == (7, False)


def test_waits_that_contradict_answered_rounds_give_a_limit_alone() -> None:
    """Probes lost before the point of capture: what is seen first after traffic may be the third."""
    talk = Conversation(rtt=0.001, timestamps=False).handshake().data(CLIENT, 100).data(SERVER, 300)
    for wait in (16.38, 3.08, 16.38, 3.07, 10.24, 12.29, 3.07):
        talk.idle(wait).probe(CLIENT)
    [entry] = only_flow(talk).keepalive
    assert entry.tcp_keepalive_time is not None
    assert entry.tcp_keepalive_time.value is None
    assert holds(entry.tcp_keepalive_time, 10)


@pytest.mark.parametrize("seed", range(60))
def test_traffic_in_the_middle_of_a_longer_interval_proves_nothing(seed: int) -> None:
    """The first probe after it comes when the timer set before is over: any time from idle time to interval."""
    rng = random.Random(seed)
    idle, hz = rng.randint(1, 20), rng.choice(RATES)
    intvl = idle + rng.randint(2, 60)
    prober = Prober(idle, intvl, hz, rng)
    prober.answered(rng.randint(3, 5))
    for _ in range(rng.randint(1, 3)):
        prober.hear(rng.uniform(0.1, 0.9) * intvl)
        prober.answered(rng.randint(1, 3))
    found = prober.keepalive
    assert holds(found.tcp_keepalive_time, idle)
    assert found.tcp_keepalive_time is not None
    assert found.tcp_keepalive_time.value in (idle, None)


@pytest.mark.parametrize("seed", range(12))
def test_a_run_that_ended_in_a_reset_has_bounds_for_a_user_timeout(seed: int) -> None:
    """Linux would have given up at the first timer at which the silence had lasted as long: this one, not the last."""
    rng = random.Random(seed)
    idle, intvl, hz = rng.randint(2, 60), rng.randint(1, 30), rng.choice(RATES)
    prober = Prober(idle, intvl, hz, rng)
    prober.exhausted()
    limits = prober.keepalive.user_timeout_s
    assert limits is not None
    low, high = limits
    assert low <= (idle + (COUNT - 1) * intvl) * 9 / 8 + 0.1
    assert idle + COUNT * intvl <= high <= (idle + COUNT * intvl) * 9 / 8 + 0.5
    assert high - low <= intvl * 9 / 8 + 0.1


def test_without_a_reset_nothing_is_said_of_a_user_timeout() -> None:
    prober = Prober(10, 5, 250, random.Random(1))
    prober.answered(3)
    assert prober.keepalive.user_timeout_s is None


def test_a_setting_that_changes_is_two_in_sequence() -> None:
    talk = Conversation(rtt=0.001).handshake().data(CLIENT, 100).data(SERVER, 300)
    for every in (5.12, 5.12, 5.12, 20.224, 20.224, 20.224):
        talk.idle(every).probe(CLIENT)
    [found] = only_flow(talk).keepalive
    assert found.former_tcp_keepalive_time is not None
    assert found.tcp_keepalive_time is not None
    assert (found.former_tcp_keepalive_time.value, found.tcp_keepalive_time.value) == (5, 20)


def test_a_setting_that_stays_has_no_former() -> None:
    prober = Prober(10, 5, 250, random.Random(1))
    prober.answered(5)
    assert prober.keepalive.former_tcp_keepalive_time is None


@pytest.mark.parametrize(("idle", "rtt"), [(22, 0.06), (46, 0.12), (61, 0.03), (31, 0.06)])
@pytest.mark.parametrize("at", [CLIENT, SERVER])
def test_timers_that_an_answer_sets_anew_show_rounds_longer_by_the_way(idle: int, rtt: float, at: str) -> None:
    """Windows and the BSDs: from the answer it is the setting, from probe to probe no wheel of Linux shows that."""
    talk = Conversation(rtt=rtt, at=at).handshake().data(CLIENT)
    for _ in range(4):
        talk.idle(idle).probe(CLIENT, octets=1)
    time = tcp_keepalive(talk).tcp_keepalive_time
    assert holds(time, idle)
    assert time is not None
    assert time.value == idle


def test_rounds_that_no_setting_shows_claim_none() -> None:
    """A TCP that counts half seconds and waits for more than the setting (lwIP): 31 s are 31.5, and not 30."""
    talk = Conversation(timestamps=False, rtt=0.002).handshake().data(CLIENT)
    for _ in range(4):
        talk.idle(31.498).probe(CLIENT)
    time = tcp_keepalive(talk).tcp_keepalive_time
    assert holds(time, 31)
    assert time is not None
    assert time.value is None


@pytest.mark.parametrize("intvl", [7, 10])
def test_several_intervals_of_a_path_that_loses_are_not_taken_for_one(intvl: int) -> None:
    """Each second probe is lost before the point of capture, and so are the answers behind it."""
    talk = Conversation(at=SERVER).handshake().data(CLIENT).capture_begins()
    for wait in (intvl, intvl, 40, intvl, 26):
        talk.idle(wait).probe(CLIENT)
    talk.probe(CLIENT, answered=False).idle(2 * intvl).probe(CLIENT, answered=False).idle(2 * intvl).probe(CLIENT)
    entry = tcp_keepalive(talk)
    assert entry.tcp_keepalive_intvl is not None
    assert entry.tcp_keepalive_intvl.value is None
    assert holds(entry.tcp_keepalive_intvl, intvl)


def test_one_length_of_rounds_leaves_the_interval_as_it_is() -> None:
    """Where the answer sets the timer anew, rounds may be shorter than the interval."""
    talk = Conversation(rtt=0.002).handshake().data(CLIENT)
    for _ in range(3):
        talk.idle(5).probe(CLIENT)
    talk.idle(5).probes(CLIENT, 3, every=30, answered=False)
    entry = tcp_keepalive(talk)
    assert entry.tcp_keepalive_intvl is not None
    assert entry.tcp_keepalive_intvl.value == 30


def rounds_of(*waits: float, end: str = SERVER, timestamps: bool = True) -> Conversation:
    """Answered probes after these waits, then a run whose second probe is answered: it shows an interval of 3 s."""
    talk = Conversation(at=end, rtt=0.04, timestamps=timestamps).handshake().data(CLIENT).idle(12.28)
    for wait in waits:
        talk.probe(CLIENT).idle(wait - 0.04)
    return talk.probe(CLIENT, answered=False).idle(3.03).probe(CLIENT)


@pytest.mark.parametrize("timestamps", [True, False])
def test_rounds_that_are_longer_by_intervals_are_of_probes_lost_on_the_way(timestamps: bool) -> None:
    """Answers that were not heard would show the interval, which is another."""
    entry = tcp_keepalive(rounds_of(12.288, 15.36, 12.288, 12.288, 18.432, 12.288, timestamps=timestamps))
    time = entry.tcp_keepalive_time
    assert time is not None
    assert time.value == 12
    assert holds(time, 12)


def test_rounds_of_two_lengths_without_an_interval_to_compare_bound_from_above() -> None:
    """20 s and answers that are not heard, or 10 s and probes that are lost."""
    talk = Conversation(timestamps=False).handshake().data(CLIENT).idle(20)
    for wait in (20.48, 10.24, 20.48, 10.24, 10.24, 20.48):
        talk.probe(CLIENT).idle(wait - 0.05)
    time = tcp_keepalive(talk.probe(CLIENT)).tcp_keepalive_time
    assert time is None or time.value is None
    assert holds(time, 10)
    assert holds(time, 20)


def test_an_interval_shorter_than_a_slot_does_not_turn_the_bounds_around() -> None:
    """23 s at 250 ticks are 24.576 s at most; a probe that was lost adds an interval of 2 s."""
    talk = Conversation(at=SERVER, rtt=0.04, timestamps=False).handshake().data(CLIENT).idle(24.4)
    for wait in (24.576, 26.6, 24.7, 26.6):
        talk.probe(CLIENT).idle(wait - 0.04)
    talk.probe(CLIENT, answered=False).idle(2.01).probe(CLIENT)
    time = tcp_keepalive(talk).tcp_keepalive_time
    assert time is not None
    assert (time.low or 0) <= 23 <= (time.high or 0)


def test_one_gap_longer_than_the_rounds_is_no_interval() -> None:
    """Answered every 20 s, and once not for a minute: probes were lost on the way, or answers set timers anew."""
    talk = Conversation(at=SERVER, rtt=0.04, timestamps=False).handshake().data(CLIENT).idle(20.48)
    for _ in range(2):
        talk.probe(CLIENT).idle(20.44)
    talk.probe(CLIENT, answered=False).idle(61.44).probe(CLIENT).idle(20.44).probe(CLIENT)
    intvl = tcp_keepalive(talk).tcp_keepalive_intvl
    assert intvl is None or intvl.value is None
    assert holds(intvl, 20)


def test_a_first_round_of_any_phase_does_not_rule_the_setting_out() -> None:
    """47/9 at 250 ticks: 47.104 s once timers of that pace follow each other, up to a slot more before."""
    talk = Conversation(rtt=0.06).handshake().data(CLIENT).idle(47.3)
    for wait in (47.456, 47.104, 47.104, 47.104):
        talk.probe(CLIENT).idle(wait - 0.06)
    talk.probe(CLIENT, answered=False).idle(9.156).probe(CLIENT, answered=False)
    time = tcp_keepalive(talk).tcp_keepalive_time
    assert time is not None
    assert time.value in (47, None)
    assert holds(time, 47)


@pytest.mark.parametrize("timestamps", [True, False])
@pytest.mark.parametrize("v6", [True, False])
def test_a_silence_with_a_hole_in_it_is_no_wait(v6: bool, timestamps: bool) -> None:
    """What was said before the first probe was not captured: its rounds alone tell."""
    talk = Conversation(rtt=0.001, v6=v6, timestamps=timestamps).handshake().idle(4)
    talk.data(CLIENT, 500, captured=False, ack_captured=False).data(SERVER, 300, captured=False, ack_captured=False)
    for _ in range(3):
        talk.idle(6.08).probe(CLIENT)
    found = tcp_keepalive(talk).tcp_keepalive_time
    assert found is not None
    assert (found.value, holds(found, 6)) == (6, True)


def test_a_silence_without_a_hole_is_one() -> None:
    talk = Conversation(rtt=0.001).handshake().data(CLIENT, 500).data(SERVER, 300).idle(10.08)
    for _ in range(3):
        talk.probe(CLIENT).idle(6.08)
    found = tcp_keepalive(talk).tcp_keepalive_time
    assert found is not None
    assert found.value is None
