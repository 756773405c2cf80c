"""Work is done in parallel if it can be, and in order if it must be."""

from __future__ import annotations

import functools
import io
import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from target_powerofficego.settle.schedule import Schedule, StateGate

KEYS = st.sets(st.sampled_from("abcd"), max_size=3)


def fail() -> None:
    raise ZeroDivisionError


@given(st.lists(st.tuples(KEYS, KEYS), max_size=40), st.integers(1, 6))
@settings(max_examples=60)
def test_work_comes_after_all_earlier_work_that_writes_one_of_its_keys(tasks, workers):
    schedule = Schedule(workers)
    done: list[int] = []
    for number, (writes, reads) in enumerate(tasks):
        schedule.submit(functools.partial(done.append, number), writes=writes, reads=reads)
    schedule.drain()
    schedule.stop()
    assert sorted(done) == list(range(len(tasks)))
    assert schedule.settled == len(tasks)
    for later, (writes, reads) in enumerate(tasks):
        for earlier in range(later):
            if tasks[earlier][0] & (writes | reads):
                assert done.index(earlier) < done.index(later)


def test_work_without_a_common_key_is_done_at_the_same_time():
    schedule = Schedule(2)
    both = threading.Barrier(2, timeout=10)
    schedule.submit(both.wait, writes={"a"})
    schedule.submit(both.wait, writes={"b"})
    schedule.drain()
    schedule.stop()
    assert schedule.settled == 2


def test_a_failure_stops_work_that_has_not_begun_and_reaches_the_waiting_thread():
    schedule = Schedule(1)
    begun: list[str] = []

    schedule.submit(fail, writes={"a"})
    with pytest.raises(ZeroDivisionError):
        schedule.drain()
    with pytest.raises(ZeroDivisionError):
        schedule.submit(lambda: begun.append("later"), writes={"a"})
    schedule.stop()
    assert begun == []
    assert schedule.settled == 0


def test_a_state_is_held_until_the_work_before_it_is_done_and_the_last_true_one_is_printed():
    schedule = Schedule(2)
    output = io.StringIO()
    gate = StateGate(schedule, output)
    release = threading.Event()
    schedule.submit(lambda: None, writes={"a"})
    gate.add({"bookmarks": {"orders": 1}})
    schedule.submit(release.wait, writes={"b"})
    gate.add({"bookmarks": {"orders": 2}})
    schedule.submit(lambda: None, writes={"b"})
    gate.add({"bookmarks": {"orders": 3}})
    release.set()
    schedule.drain()
    gate.close()
    schedule.stop()
    assert [json.loads(line) for line in output.getvalue().splitlines()][-1] == {
        "bookmarks": {"orders": 3}
    }


def test_no_state_is_printed_ahead_of_work_that_never_ended():
    schedule = Schedule(2)
    output = io.StringIO()
    gate = StateGate(schedule, output)

    schedule.submit(lambda: None, writes={"a"})
    schedule.submit(lambda: None, writes={"a"})
    gate.add({"bookmarks": {"orders": 1}})
    schedule.submit(fail, writes={"a"})
    gate.add({"bookmarks": {"orders": 2}})
    with pytest.raises(ZeroDivisionError):
        schedule.drain()
    gate.close()
    schedule.stop()
    assert [json.loads(line) for line in output.getvalue().splitlines()] == [
        {"bookmarks": {"orders": 1}}
    ]
