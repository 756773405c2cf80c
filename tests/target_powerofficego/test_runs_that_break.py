"""A fault that breaks a run ends it with one line, and the next run continues from there."""

import os
import resource
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import commands
import pytest


@pytest.fixture
def people(customer):
    return [customer(id=str(n), email=f"k{n}@example.no") for n in range(1, 41)]


def followed_by_states(people):
    """Return the records, each followed by a STATE."""
    return [
        message
        for n, record in enumerate(people, start=1)
        for message in (record, {"type": "STATE", "value": {"read": n}})
    ]


def test_a_disk_that_fills_up_ends_the_run_with_one_line_and_the_next_run_goes_on(
    ledger, box, lines_of, people
):
    ledger.run()

    name, *arguments = ledger.command_line(workers=1)
    ended = subprocess.run(
        [commands.script(name), *arguments],
        input=lines_of(*people),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (180_000, 180_000)),
    )

    (error,) = [line for line in ended.stderr.splitlines() if "| ERROR" in line]
    landed = len(box.go.entries("Customers"))
    assert ended.returncode == 1
    assert f"the link store {ledger.link_store} cannot be read or written" in error
    assert "Traceback" not in ended.stderr
    assert "example.no" not in ended.stderr
    assert ended.stdout == ""
    assert 0 < landed < len(people)

    ledger.run(*people, ends_with=0)

    assert len(box.go.entries("Customers")) == len(people)


def test_a_link_store_of_a_newer_version_ends_the_run_and_is_left_alone(ledger, box, customer):
    ledger.run(customer())
    with closing(sqlite3.connect(ledger.link_store)) as store, store:
        store.execute("UPDATE about SET schema_version = 99")

    outcome = ledger.run(customer(phone="+4798765432"), ends_with=1)

    assert "was written by a newer version" in outcome.log
    assert outcome.writes == []


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_changes_file_on_a_full_disk_is_an_error_after_all_else_is_done(
    ledger, box, customer, dry_run
):
    outcome = ledger.run(customer(), changes_file="/dev/full", dry_run=dry_run, ends_with=1)

    assert "changes_file: /dev/full cannot be written: No space left on device" in outcome.log
    assert outcome.count("customers", "created") == 1
    assert len(box.go.entries("Customers")) == (0 if dry_run else 1)
    assert bool(outcome.states) is not dry_run
    assert ledger.run(customer()).status == 0
    assert len(box.go.entries("Customers")) == 1


def test_states_on_a_full_disk_end_the_run_with_one_line_and_the_next_run_goes_on(
    ledger, box, lines_of, people
):
    name, *arguments = ledger.command_line()
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [commands.script(name), *arguments],
            input=lines_of(*people),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    (error,) = [line for line in ended.stderr.splitlines() if "| ERROR" in line]
    assert ended.returncode == 1
    assert "the states of this run cannot be written (No space left on device)" in error
    assert "Traceback" not in ended.stderr
    assert ledger.run(*people).status == 0
    assert len(box.go.entries("Customers")) == len(people)


@pytest.mark.parametrize("name", ["target-powerofficego", "powerofficego-links"])
def test_a_command_with_standard_output_closed_ends_with_an_error_and_does_nothing(
    ledger, box, customer, lines_of, name
):
    ledger.run()
    _, *arguments = ledger.command_line()
    if name == "powerofficego-links":
        arguments = ["--link-store", ledger.link_store, "export"]
    ended = subprocess.run(
        [commands.script(name), *arguments],
        input=lines_of(customer()),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        preexec_fn=lambda: os.close(1),
    )

    assert ended.returncode == 1
    assert "standard output is closed, so nothing can be printed" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert box.go.entries("Customers") == []


@pytest.mark.parametrize("is_full", [True, False])
def test_a_run_whose_log_cannot_be_written_does_its_work(ledger, box, customer, lines_of, is_full):
    name, *arguments = ledger.command_line()
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [commands.script(name), *arguments],
            input=lines_of(customer()),
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            check=False,
            preexec_fn=None if is_full else lambda: os.close(2),
        )

    assert ended.returncode == 0
    assert ended.stdout.count("bookmarks") == 1
    assert len(box.go.entries("Customers")) == 1


@pytest.mark.parametrize("words", [["export"], ["links"], ["runs", "--format", "json"], ["check"]])
def test_the_links_command_on_a_full_disk_gives_one_line(ledger, customer, words):
    ledger.run(customer())
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [commands.script("powerofficego-links"), "--link-store", ledger.link_store, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    error = "Error: the output could not be written in full: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (1, error)


def test_a_write_that_the_link_store_could_not_record_is_not_an_edit_in_go(ledger, box, customer):
    ledger.run(customer())
    with closing(sqlite3.connect(ledger.link_store)) as store:
        refusal = "SELECT RAISE(ABORT, 'broken')"
        store.execute(f"CREATE TRIGGER broken BEFORE UPDATE ON links BEGIN {refusal}; END")
        ledger.run(customer(phone="+4740000000"), ends_with=1)
        store.execute("DROP TRIGGER broken")

    ledger.run(customer(phone="+4798765432"), ends_with=0)

    assert [entry["PhoneNumber"] for entry in box.go.entries("Customers")] == ["+4798765432"]


def test_a_privilege_revoked_during_the_run_ends_it_with_one_line(ledger, box, people):
    missing = {"title": "Missing privilege", "detail": "Customer_Full", "status": 400}
    fault = {"method": "POST", "path": "/customers$", "status": 400, "body": missing}
    box.faults.add(**fault, skip=5, times=None)
    outcome = ledger.run(*followed_by_states(people), workers=1, ends_with=1)

    (error,) = [line for line in outcome.log.splitlines() if "Missing privilege" in line]
    assert "POST /Customers: 400 Missing privilege; give the integration this" in error
    assert len(box.go.entries("Customers")) == 5
    assert outcome.states[-1:] == [{"read": 5}]
    assert ledger.unsettled() == []

    box.faults.clear()
    assert ledger.run(*people).status == 0
    assert len(box.go.entries("Customers")) == len(people)


@pytest.mark.parametrize(
    "fault",
    [{"status": 503}, {"reset": "before"}, {"status": 429, "headers": {"Retry-After": "60"}}],
)
def test_a_go_that_fails_every_call_ends_the_run_with_one_line_and_rejects_nothing(
    ledger, box, people, fault
):
    box.faults.add(path="/v2/", skip=10, times=None, **fault)
    outcome = ledger.run(*followed_by_states(people), retry_seconds=10, ends_with=1)

    assert "PowerOffice Go does not answer any call" in outcome.log.splitlines()[-1]
    assert ledger.unsettled() == []
    landed = len(box.go.entries("Customers"))
    assert 0 < landed < 10
    assert all(state["read"] <= landed for state in outcome.states)

    box.faults.clear()
    assert ledger.run(*people).status == 0
    assert len(box.go.entries("Customers")) == len(people)


def test_a_record_that_go_never_answers_is_rejected_and_the_others_land(
    ledger, box, customer, product, order
):
    ledger.run(customer(), product(), order())
    (entry,) = box.go.entries("SalesOrders")
    fault = box.faults.add(path=f"/salesorders/{entry['Id']}", status=500, times=None)

    outcome = ledger.run(
        order(reference="B7"), customer(id="2", email="x@example.no"), retry_seconds=10, ends_with=3
    )

    assert fault.struck
    assert outcome.count("orders", "rejected") == 1
    assert outcome.count("customers", "created") == 1
