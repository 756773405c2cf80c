"""A STATE is emitted once everything before it is in Go or in the link store."""

import contextlib
import json
import signal
import threading

import pytest


@pytest.fixture
def customers(customer):
    """Eight customers."""
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


def send(running, text):
    running.stdin.write(text)
    running.stdin.flush()


def with_states(records):
    return [message for n, record in enumerate(records, 1) for message in (record, state(n))]


def number_in(line):
    return json.loads(line)["bookmarks"]["read"]


@pytest.mark.parametrize("slow", [2, 5])
def test_no_state_after_a_record_in_progress_is_emitted_even_if_later_records_are_done(
    start, box, lines_of, customers, slow
):
    others_are_done, go_on = threading.Event(), threading.Event()

    def delay(request):
        if f'"k{slow}@example.no"'.encode() in request.body:
            go_on.wait(timeout=30)

    def count(_):
        if len(box.go.entries("Customers")) == len(customers) - 1:
            others_are_done.set()

    box.faults.on("go", "POST", "/customers$", delay, times=None)
    box.faults.on("go", "POST", "/customers$", count, times=None, when="after")
    running = start(workers=4)
    send(running, lines_of(*with_states(customers)))

    assert others_are_done.wait(timeout=30)
    first = number_in(running.stdout.readline())
    go_on.set()
    output, _ = running.communicate(timeout=30)

    assert 1 <= first < slow
    assert number_in(output.splitlines()[-1]) == len(customers)
    assert len(box.go.entries("Customers")) == len(customers)


def test_a_parked_record_whose_state_was_emitted_survives_a_kill(
    start, ledger, box, lines_of, customer, product, order
):
    running = start()
    send(running, lines_of(order(), state(1)))
    assert number_in(running.stdout.readline()) == 1
    running.kill()
    running.communicate()

    ledger.run(customer(), product(), ends_with=0)

    assert [entry["ExternalImportReference"] for entry in box.go.entries("SalesOrders")] == [
        "testshop:9001"
    ]


def test_a_rejected_record_does_not_delay_its_state_and_survives_a_kill(
    start, ledger, lines_of, product
):
    running = start()
    send(running, lines_of(product(sku=None), state(1)))
    assert number_in(running.stdout.readline()) == 1
    running.kill()
    running.communicate()

    assert [record.shop_id for record in ledger.unsettled("reject")] == ["501"]
    assert ledger.run().status == 3


def test_a_signal_ends_a_wait_that_go_asked_for(start, ledger, box, lines_of, customers):
    box.faults.add(
        method="POST",
        path="/customers$",
        status=429,
        headers={"Retry-After": "120"},
        skip=3,
        times=None,
    )
    running = start(workers=1)
    is_refused = threading.Event()
    box.faults.on("go", "POST", "/customers$", lambda _: is_refused.set(), skip=3)
    send(running, lines_of(*with_states(customers)))

    assert is_refused.wait(timeout=30)
    running.send_signal(signal.SIGTERM)
    output, errors = running.communicate(timeout=30)

    assert running.returncode == 143
    assert number_in(output.splitlines()[-1]) == 3
    assert "Traceback" not in errors
    assert ledger.unsettled() == []

    box.faults.clear()
    assert ledger.run(*customers).status == 0
    assert len(box.go.entries("Customers")) == len(customers)


def test_further_signals_do_not_change_how_a_run_ends(start, box, lines_of, customers):
    def send_signals(_):
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            running.send_signal(number)

    box.faults.on("go", "POST", "/customers$", send_signals, skip=3)
    box.faults.add(method="POST", path="/customers$", delay_seconds=0.3, skip=3)
    running = start(workers=1)
    send(running, lines_of(*with_states(customers)))

    output, errors = running.communicate(timeout=30)

    assert running.returncode in (143, 130)
    assert len(box.go.entries("Customers")) == 4
    assert all(number_in(line) <= 4 for line in output.splitlines())
    assert "Traceback" not in errors


def test_a_state_with_a_fraction_is_emitted_unchanged(ledger, customer):
    state = {"bookmarks": {"customers": {"cursor": 1.5}}}

    assert ledger.run(customer(), {"type": "STATE", "value": state}, ends_with=0).states == [state]
