"""The turns of several clients that share a limit: the rule, on a simulated clock."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from target_powerofficego.go_api.turns import (
    WIDE_SECONDS,
    WIDE_WINDOW_SECONDS,
    WINDOW_SECONDS,
    QueuePlace,
    Turns,
)

START = 1000.0
TINY = 1e-6
_NOBODY = -1

MOST = st.integers(1, 12)
GAPS = st.lists(st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 3)), max_size=20)
LATE = st.one_of(st.just(0.0), st.floats(0, 0.02), st.floats(0, 2))
ON_TIME = st.just(0.0)


@dataclass
class Client:
    """Asks for a turn after each gap; `late` are the seconds by which it misses its moments."""

    gaps: list[float]
    late: list[float] = field(default_factory=lambda: [0.0])
    dies_at: float = math.inf


@dataclass
class Simulation:
    """Clients that share turns, on a clock that runs from one event to the next."""

    most: int
    clients: list[Client]
    pauses: dict[float, float] = field(default_factory=dict)
    turns: Turns = field(default_factory=Turns)
    taken: list[tuple[float, int]] = field(default_factory=list)
    """When turns were taken, and by which client."""
    queued: list[int] = field(default_factory=list)
    """Which client each turn was given to, in the order in which they were given."""

    def run(self) -> Simulation:
        order = itertools.count()
        events: list[tuple[float, int, int, QueuePlace | float]] = [
            (START + at, next(order), _NOBODY, seconds) for at, seconds in self.pauses.items()
        ]
        calls = [iter(client.gaps) for client in self.clients]
        late = [itertools.cycle(client.late) for client in self.clients]

        def call(number: int, now: float) -> None:
            gap = next(calls[number], None)
            if gap is not None:
                heapq.heappush(events, (now + gap, next(order), number, QueuePlace(str(number))))

        for number in range(len(self.clients)):
            call(number, START)
        heapq.heapify(events)
        while events:
            now, _, number, given = heapq.heappop(events)
            if not isinstance(given, QueuePlace):
                self.turns.pause(now, given)
            elif now < START + self.clients[number].dies_at:
                had_none = given.reserved is None
                turn = self.turns.take(now, self.most, math.inf, given)
                if had_none and given.reserved is not None:
                    self.queued.append(number)
                if turn <= now:
                    self.taken.append((now, number))
                    call(number, now)
                else:
                    heapq.heappush(events, (turn + next(late[number]), next(order), number, given))
        return self

    def closest(self, most: int) -> float:
        """Return the shortest time in which there was one turn more than `most`."""
        moments = [moment for moment, _ in self.taken]
        apart = [later - first for first, later in zip(moments, moments[most:], strict=False)]
        return min(apart, default=math.inf)


def clients(late=LATE):
    return st.lists(
        st.builds(
            Client,
            GAPS,
            st.lists(late, min_size=1, max_size=5),
            st.one_of(st.just(math.inf), st.floats(0, 10)),
        ),
        min_size=1,
        max_size=4,
    )


def busy(count: int, calls: int, late: float = 0.0) -> list[Client]:
    return [Client([0.0] * calls, [late]) for _ in range(count)]


@given(
    most=MOST,
    clients=clients(),
    pauses=st.dictionaries(st.floats(0, 10), st.floats(0, 3), max_size=3),
)
def test_no_window_has_more_turns_than_allowed_whoever_comes_late_dies_or_is_rejected(
    most, clients, pauses
):
    simulation = Simulation(most, clients, pauses).run()

    assert simulation.closest(most) >= WINDOW_SECONDS - TINY
    for at, seconds in pauses.items():
        assert not [
            moment
            for moment, _ in simulation.taken
            if START + at < moment < START + at + seconds - TINY
        ]


@given(most=MOST, clients=clients(late=ON_TIME))
def test_turns_come_in_the_order_in_which_they_were_reserved(most, clients):
    for client in clients:
        client.dies_at = math.inf
    simulation = Simulation(most, clients).run()

    moments: dict[int, list[float]] = {number: [] for number in range(len(clients))}
    for moment, number in simulation.taken:
        moments[number].append(moment)
    of_each = {number: iter(taken) for number, taken in moments.items()}
    as_queued = [next(of_each[number]) for number in simulation.queued]
    assert as_queued == sorted(as_queued)
    assert len(as_queued) == sum(len(client.gaps) for client in clients)


@given(far=st.lists(st.tuples(st.floats(0, 0.02), st.floats(0, 0.015)), min_size=1, max_size=6))
def test_clients_that_always_want_to_call_use_95_percent_and_none_gets_less_than_two_thirds(far):
    """However far from the store each is: how long it takes to ask, and how late it wakes up."""
    calls = 600 // len(far)
    simulation = Simulation(10, [Client([gap] * calls, [late]) for gap, late in far]).run()

    used = simulation.taken[:401]
    assert 400 / (used[400][0] - used[0][0]) >= 0.95 * 10
    shares = Counter(number for _, number in used)
    assert min(shares[number] for number in range(len(far))) >= 400 / len(far) * 2 / 3


def test_a_client_that_dies_while_it_waits_loses_the_others_that_one_turn_only():
    turns = Turns()
    for number in range(10):
        turns.take(START, 10, math.inf, QueuePlace(f"first {number}"))
    turns.take(START, 10, math.inf, QueuePlace("dies"))

    reserved = [turns.take(START, 10, math.inf, QueuePlace(f"next {n}")) - START for n in range(19)]

    assert reserved == pytest.approx([WINDOW_SECONDS] * 9 + [2 * WINDOW_SECONDS] * 10)


def test_a_turn_that_is_not_waited_for_is_not_lost_to_others():
    turns = Turns()
    for _ in range(10):
        turns.take(START, 10, math.inf, QueuePlace("a client"))

    turn = turns.take(START, 10, 0.5, QueuePlace("another"))

    assert turn == pytest.approx(START + WINDOW_SECONDS)
    assert len(turns.given) == 10


def test_after_a_rejection_the_window_is_wide_for_all_and_a_minute_later_as_before():
    refused = Simulation(10, busy(3, 230), pauses={1.5: 1.0}).run()
    wide_until = START + 2.5 + WIDE_SECONDS
    moments = [moment for moment, _ in refused.taken]
    wide = [moment for moment in moments if START + 2.5 <= moment < wide_until]
    after = [moment for moment in moments if moment >= wide_until + 2 * WIDE_WINDOW_SECONDS]

    assert 10 * 40 / (wide[400] - wide[0]) == pytest.approx(10 / WIDE_WINDOW_SECONDS, rel=0.01)
    assert 10 * 5 / (after[50] - after[0]) == pytest.approx(10 / WINDOW_SECONDS, rel=0.01)
