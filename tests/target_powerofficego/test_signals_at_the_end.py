"""A signal also ends a run that has read all its input and settles the rest."""

import signal

import pytest


@pytest.fixture
def people(customer):
    return [customer(id=str(n), email=f"k{n}@example.no") for n in range(1, 31)]


def test_a_signal_after_the_last_line_lets_calls_finish_and_prints_no_state_ahead(
    ledger, box, lines_of, people
):
    running = ledger.start(workers=2)
    box.faults.on(
        "go", "POST", "/customers$", lambda _: running.send_signal(signal.SIGTERM), skip=3
    )
    box.faults.add(method="POST", path="/customers$", times=None, delay_seconds=0.2)

    output, errors = running.communicate(lines_of(*people), timeout=60)

    assert running.returncode == 143
    assert output == ""
    assert "Traceback" not in errors
    assert 4 <= len(box.go.entries("Customers")) <= 6

    box.faults.clear()
    again = ledger.run(*people, ends_with=0)
    assert len(box.go.entries("Customers")) == len(people)
    assert again.count("customers", "unchanged") == len(people) - len(again.writes)


def test_a_signal_during_the_archives_leaves_the_rest_to_the_next_run(
    ledger, box, lines_of, people
):
    ledger.run(*people[:8])
    gone = [{**person, "deleted_at": "2026-02-01T00:00:00Z"} for person in people[:8]]
    running = ledger.start()
    box.faults.on(
        "go", "PATCH", "/customers/", lambda _: running.send_signal(signal.SIGTERM), skip=1
    )
    box.faults.add(method="PATCH", path="/customers/", times=None, delay_seconds=0.2)

    _, errors = running.communicate(lines_of(*gone), timeout=60)

    archived = sum(entry["IsArchived"] for entry in box.go.entries("Customers"))
    assert running.returncode == 143
    assert "Traceback" not in errors
    assert archived < 8

    box.faults.clear()
    assert ledger.run().status == 0
    assert all(entry["IsArchived"] for entry in box.go.entries("Customers"))


def test_a_signal_while_go_cannot_be_reached_at_the_start_ends_the_run(ledger, box):
    running = ledger.start()
    box.faults.on("go", "POST", "/oauth/token", lambda _: running.send_signal(signal.SIGTERM))
    box.faults.add(method="POST", path="/oauth/token", status=503, times=None)

    output, errors = running.communicate(timeout=20)

    assert running.returncode == 143
    assert output == ""
    assert "Traceback" not in errors
