"""The rate limit of a client, on a simulated clock."""

from __future__ import annotations

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from target_powerofficego.go_api import ConfigurationError
from target_powerofficego.go_api.sender import NoTurnInTime, RateLimit

LIMITS = st.integers(1, 12)
GAPS = st.lists(
    st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 3)), min_size=1, max_size=120
)


class SimulatedClock:
    """Time that passes only when someone waits."""

    def __init__(self, start: float = 1000.0) -> None:
        self.time = start

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += seconds


def limit_on(clock: SimulatedClock, requests_per_second: int = 10) -> RateLimit:
    return RateLimit(requests_per_second, threading.Event(), clock.now, clock.wait)


def turns(limit: RateLimit, clock: SimulatedClock, gaps: list[float]) -> list[float]:
    taken = []
    for gap in gaps:
        clock.time += gap
        limit.take_turn(math.inf)
        taken.append(clock.time)
    return taken


@given(requests_per_second=LIMITS, gaps=GAPS, start=st.floats(0, 10_000))
def test_no_second_holds_more_turns_than_allowed_however_calls_arrive(
    requests_per_second, gaps, start
):
    clock = SimulatedClock(start)
    taken = turns(limit_on(clock, requests_per_second), clock, gaps)

    for first, one_too_many in zip(taken, taken[requests_per_second:], strict=False):
        assert one_too_many - first >= 1


@given(gaps=GAPS, data=st.data())
def test_go_counts_no_more_than_allowed_when_requests_travel_up_to_30_ms_longer(gaps, data):
    clock = SimulatedClock()
    taken = turns(limit_on(clock), clock, gaps)
    journey = st.floats(0, 0.03)
    arrived = sorted(moment + data.draw(journey) for moment in taken)

    for first, one_too_many in zip(arrived, arrived[10:], strict=False):
        assert one_too_many - first >= 1


@given(requests_per_second=LIMITS)
def test_a_steady_queue_uses_more_than_95_percent(requests_per_second):
    clock = SimulatedClock()
    taken = turns(limit_on(clock, requests_per_second), clock, [0.0] * requests_per_second * 21)

    assert requests_per_second * 20 / (taken[-1] - taken[0]) >= requests_per_second * 0.95


def test_a_pause_holds_every_turn_back():
    clock = SimulatedClock()
    limit = limit_on(clock)
    limit.take_turn(math.inf)
    limit.pause(7)
    limit.pause(2)

    assert turns(limit, clock, [0, 0])[0] == pytest.approx(1007)


def arrivals_after_a_429(clock: SimulatedClock, journeys: list[float]) -> list[float]:
    limit = limit_on(clock)
    turns(limit, clock, [0.0] * 25)
    limit.pause(1)
    taken = turns(limit, clock, [0.0] * len(journeys))
    return sorted(moment + journey for moment, journey in zip(taken, journeys, strict=True))


@given(journeys=st.lists(st.floats(0, 0.25), min_size=11, max_size=120))
def test_after_a_429_requests_may_bunch_up_more_on_their_way(journeys):
    arrived = arrivals_after_a_429(SimulatedClock(), journeys)

    for first, one_too_many in zip(arrived, arrived[10:], strict=False):
        assert one_too_many - first >= 0.999


def test_a_minute_after_a_429_turns_come_as_fast_as_before():
    clock = SimulatedClock()
    limit = limit_on(clock)
    turns(limit, clock, [0.0] * 25)
    limit.pause(1)

    wide = turns(limit, clock, [0.0] * 400)
    clock.time = max(clock.time, 1000 + 65)
    usual = turns(limit, clock, [0.0] * 401)

    assert 390 / (wide[390] - wide[0]) == pytest.approx(8, rel=0.01)
    assert 400 / (usual[-1] - usual[0]) >= 9.5


def test_a_turn_that_comes_too_late_is_reported_at_once():
    clock = SimulatedClock()
    limit = limit_on(clock)
    limit.pause(3600)

    with pytest.raises(NoTurnInTime) as caught:
        limit.take_turn(give_up_at=clock.now() + 300)

    assert caught.value.seconds == pytest.approx(3600)
    assert clock.now() == 1000


@pytest.mark.parametrize("rate", [0, -1, 2.5])
def test_a_rate_that_is_not_a_whole_number_above_0_is_refused(rate):
    with pytest.raises(ConfigurationError, match="requests_per_second must be a whole number"):
        RateLimit(rate, threading.Event())
