"""A signal ends a run at once with a true state, and the next run continues from there."""

import json
import signal
import threading

import pytest


@pytest.fixture
def records(customer):
    return [customer(id=str(n), email=f"k{n}@example.no") for n in range(1, 9)]


def state(number):
    return {"type": "STATE", "value": {"bookmarks": {"read": number}}}


def states_of(output):
    return [json.loads(line)["bookmarks"]["read"] for line in output.splitlines()]


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_whose_tap_is_silent_with_the_last_state(
    ledger, box, lines_of, records, sent, status
):
    running = ledger.start()
    running.stdin.write(lines_of(*records, state(8)))
    running.stdin.flush()

    printed = running.stdout.readline()  # the state is printed while the tap holds the pipe open
    running.send_signal(sent)
    running.wait(timeout=20)
    output, log = running.communicate()

    assert states_of(printed + output) == [8]
    assert running.returncode == status
    assert "Traceback" not in log
    assert len(box.go.entries("Customers")) == 8


def test_a_signal_before_any_input_ends_the_run_without_a_state(ledger, box):
    running = ledger.start()
    is_asked = threading.Event()
    box.faults.on("go", "GET", "/clientintegrationinformation", lambda _: is_asked.set())
    assert is_asked.wait(timeout=20)
    running.send_signal(signal.SIGTERM)
    running.wait(timeout=20)
    output, _ = running.communicate()

    assert (running.returncode, output) == (143, "")


@pytest.mark.parametrize("at", [1, 4, 8])
def test_a_signal_while_go_writes_lets_the_call_finish_and_prints_no_state_ahead_of_it(
    ledger, box, lines_of, records, at
):
    running = ledger.start(workers=1)
    box.faults.on(
        "go",
        "POST",
        "/customers$",
        lambda _: running.send_signal(signal.SIGTERM),
        skip=at - 1,
        when="before",
    )
    box.faults.add(system="go", method="POST", path="/customers$", delay_seconds=0.3, skip=at - 1)
    messages = [message for n, record in enumerate(records, 1) for message in (record, state(n))]

    output, errors = running.communicate(lines_of(*messages), timeout=30)

    created = {entry["ExternalImportReference"] for entry in box.go.entries("Customers")}
    assert running.returncode == 143
    assert len(created) == at
    assert all(number <= at for number in states_of(output))
    assert "Traceback" not in errors

    box.faults.clear()
    again = ledger.run(*records, ends_with=0)
    assert len(again.writes) == 8 - at
    assert len(box.go.entries("Customers")) == 8


def test_a_state_is_printed_before_the_end_of_input_and_never_ahead_of_the_writes_to_go(
    ledger, box, lines_of, records
):
    running = ledger.start(workers=2)
    held = threading.Event()
    box.faults.on(
        "go",
        "POST",
        "/customers$",
        lambda _: held.wait(timeout=20),
        skip=4,
        when="before",
    )
    messages = [message for n, record in enumerate(records, 1) for message in (record, state(n))]
    running.stdin.write(lines_of(*messages))
    running.stdin.flush()

    first = json.loads(running.stdout.readline())["bookmarks"]["read"]
    held.set()
    output, _ = running.communicate(timeout=30)

    assert first < 8
    assert states_of(output)[-1] == 8
    assert running.returncode == 0
    assert len(box.go.entries("Customers")) == 8


def test_states_are_few_and_the_last_one_is_always_printed(ledger, records):
    messages = [message for n, record in enumerate(records, 1) for message in (record, state(n))]
    outcome = ledger.run(*messages)
    assert outcome.states[-1] == {"bookmarks": {"read": 8}}
    assert len(outcome.states) <= 3
