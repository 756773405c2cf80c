"""Which failures are repeated, and how long the waits between them are."""

from __future__ import annotations

import contextlib
import time

import pytest
from target_powerofficego.go_api import (
    Refused,
    StopRequested,
    TryAgainLater,
    UnknownOutcome,
    Unreachable,
    WrongKeys,
)
from target_powerofficego.go_api.sender import Repetition


class Failing:
    """Fails with the errors given, in order, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.attempts = 0

    def __call__(self) -> str:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def asking_to_wait(seconds: float) -> TryAgainLater:
    error = TryAgainLater("busy")
    error.retry_after = seconds
    return error


def test_a_call_that_did_nothing_is_repeated_until_it_succeeds():
    waits: list[float] = []
    call = Failing(TryAgainLater("a"), Unreachable("b"), asking_to_wait(17))

    assert Repetition(300, waits.append).run(call) == "answer"
    assert call.attempts == 4
    assert waits[2] == 17


def test_waits_grow_to_half_a_minute_and_differ():
    waits: list[float] = []
    Repetition(10_000, waits.append).run(Failing(*[TryAgainLater("busy")] * 200))

    assert all(0 <= wait <= 0.5 * 2**number for number, wait in enumerate(waits[:6]))
    assert 15 < max(waits) <= 30
    assert len(set(waits)) > 190


def test_there_is_a_wait_even_if_go_asks_for_none():
    waits: list[float] = []
    Repetition(10_000, waits.append).run(Failing(*[asking_to_wait(0)] * 200))

    assert sum(wait > 1 for wait in waits) > 150
    assert 15 < max(waits) <= 30


def no_wait(seconds):
    pytest.fail(f"waited {seconds} seconds")


@pytest.mark.parametrize("error", [UnknownOutcome("x"), Refused("x"), WrongKeys("x")])
def test_any_other_error_is_final(error):
    call = Failing(error)

    with pytest.raises(type(error)):
        Repetition(300, no_wait).run(call)

    assert call.attempts == 1


def test_a_wait_longer_than_the_budget_is_not_begun():
    with pytest.raises(TryAgainLater):
        Repetition(300, no_wait).run(Failing(asking_to_wait(301)))


def test_the_budget_ends_repeats():
    call = Failing(*[asking_to_wait(0.01)] * 10_000)

    with pytest.raises(TryAgainLater):
        Repetition(1, time.sleep).run(call)

    assert 1 < call.attempts < 15


def test_an_exception_during_the_wait_ends_the_call():
    def stopped(seconds: float) -> None:
        raise StopRequested("stop")

    with pytest.raises(StopRequested):
        Repetition(300, stopped).run(Failing(TryAgainLater("busy")))


def forever(*errors: Exception) -> Failing:
    return Failing(*errors, *[Unreachable("down")] * 10_000)


def test_a_go_that_was_never_reached_is_given_up_earlier():
    call = forever()

    with pytest.raises(Unreachable):
        Repetition(300, time.sleep, first_contact_seconds=0.5).run(call)

    assert 1 < call.attempts < 100


@pytest.mark.parametrize("first", [TryAgainLater("busy"), Refused("no"), None])
def test_a_go_that_was_reached_once_is_tried_for_the_full_budget(first):
    def waited(seconds: float) -> None:
        raise StopRequested("it would be tried again")

    repetition = Repetition(300, waited, first_contact_seconds=0)
    with contextlib.suppress(Refused, StopRequested):
        repetition.run(Failing(*[first] if first else []))

    with pytest.raises(StopRequested):
        repetition.run(forever())


def test_each_wait_is_reported_with_what_went_wrong():
    lines: list[str] = []
    errors = [TryAgainLater("GET /Products: 503; try later"), Unreachable("down; check it")]

    Repetition(300, lambda _: None, on_retry=lines.append).run(Failing(*errors))

    assert [line.rpartition(" in ")[0] for line in lines] == [
        "GET /Products: 503; asking again",
        "down; asking again",
    ]
