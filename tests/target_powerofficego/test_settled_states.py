"""A STATE is emitted only when everything before it is in Go, or stored in the link store."""

import contextlib
import json
import signal
import threading

import pytest


@pytest.fixture
def people(customer):
    return [customer(id=str(n), email=f"k{n}@example.no") for n in range(1, 9)]


@pytest.fixture
def start(ledger):
    """Starts the command; kills it at the end of the test, if it still runs."""
    with contextlib.ExitStack() as opened:

        def run(**settings):
            running = opened.enter_context(ledger.start(**settings))
            opened.callback(running.kill)
            return running

        yield run


def state(number):
    return {"type": "STATE", "value": {"bookmarks": {"read": number}}}


def with_states(records):
    return [message for n, record in enumerate(records, 1) for message in (record, state(n))]


def read_in(line):
    return json.loads(line)["bookmarks"]["read"]


@pytest.mark.parametrize("slow", [2, 5])
def test_no_state_is_emitted_past_a_record_under_way_even_if_all_later_ones_are_done(
    start, box, lines_of, people, slow
):
    others_are_done, go_on = threading.Event(), threading.Event()

    def hold_the_slow_one(request):
        if f'"k{slow}@example.no"'.encode() in request.body:
            go_on.wait(timeout=30)

    def note_when_the_others_are_done(_):
        if len(box.go.entries("Customers")) == len(people) - 1:
            others_are_done.set()

    box.faults.on("go", "POST", "/customers$", hold_the_slow_one, times=None)
    box.faults.on(
        "go", "POST", "/customers$", note_when_the_others_are_done, times=None, when="after"
    )
    running = start(workers=4)
    running.stdin.write(lines_of(*with_states(people)))
    running.stdin.flush()

    assert others_are_done.wait(timeout=30)
    first = read_in(running.stdout.readline())
    go_on.set()
    output, _ = running.communicate(timeout=30)

    assert 1 <= first < slow
    assert read_in(output.splitlines()[-1]) == len(people)
    assert len(box.go.entries("Customers")) == len(people)


def test_a_record_that_waits_for_another_survives_a_kill_after_its_state_was_emitted(
    start, ledger, box, lines_of, customer, product, order
):
    running = start()
    running.stdin.write(lines_of(order(), state(1)))
    running.stdin.flush()
    assert read_in(running.stdout.readline()) == 1
    running.kill()
    running.communicate()

    ledger.run(customer(), product(), ends_with=0)

    assert [entry["ExternalImportReference"] for entry in box.go.entries("SalesOrders")] == [
        "testshop:9001"
    ]


def test_a_rejected_record_delays_no_state_and_survives_a_kill(start, ledger, lines_of, product):
    running = start()
    running.stdin.write(lines_of(product(sku=None), state(1)))
    running.stdin.flush()
    assert read_in(running.stdout.readline()) == 1
    running.kill()
    running.communicate()

    assert [record.shop_id for record in ledger.unsettled("reject")] == ["501"]
    assert ledger.run().status == 3


def test_a_signal_also_ends_a_wait_that_go_asked_for(start, ledger, box, lines_of, people):
    box.faults.add(
        method="POST",
        path="/customers$",
        status=429,
        headers={"Retry-After": "120"},
        skip=3,
        times=None,
    )
    running = start(workers=1)
    turned_away = threading.Event()
    box.faults.on("go", "POST", "/customers$", lambda _: turned_away.set(), skip=3)
    running.stdin.write(lines_of(*with_states(people)))
    running.stdin.flush()

    assert turned_away.wait(timeout=30)
    running.send_signal(signal.SIGTERM)
    output, errors = running.communicate(timeout=30)

    assert running.returncode == 143
    assert read_in(output.splitlines()[-1]) == 3
    assert "Traceback" not in errors
    assert ledger.unsettled() == []

    box.faults.clear()
    assert ledger.run(*people).status == 0
    assert len(box.go.entries("Customers")) == len(people)


def test_a_second_signal_changes_nothing_about_the_end(start, box, lines_of, people):
    def ask_twice(_):
        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGINT)

    box.faults.on("go", "POST", "/customers$", ask_twice, skip=3)
    box.faults.add(method="POST", path="/customers$", delay_seconds=0.3, skip=3)
    running = start(workers=1)
    running.stdin.write(lines_of(*with_states(people)))
    running.stdin.flush()

    output, errors = running.communicate(timeout=30)

    landed = len(box.go.entries("Customers"))
    assert running.returncode in (143, 130)
    assert landed == 4
    assert all(read_in(line) <= landed for line in output.splitlines())
    assert "Traceback" not in errors


def test_a_state_with_a_fraction_is_printed_as_it_came(ledger, customer):
    state = {"bookmarks": {"customers": {"cursor": 1.5}}}

    assert ledger.run(customer(), {"type": "STATE", "value": state}, ends_with=0).states == [state]
