"""`powerofficego-links retry`: the next run retries what Go refused, without waiting for hours."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from target_powerofficego.links_command import main


@pytest.fixture
def links(ledger):
    """Runs the command on the link store of the test's runs."""

    def run(*words):
        return CliRunner().invoke(main, ["--link-store", str(ledger.link_store), *words])

    return run


@pytest.fixture
def refused(ledger, box, customer, product):
    """A customer and a product that Go refused once; returns the numbers of their rejects."""
    for path in ("/Customers$", "/Products$"):
        box.faults.add(method="POST", path=path, status=400, body={"title": "No", "status": 400})
    ledger.run(customer(), product())
    return {record.entity: str(record.id) for record in ledger.unsettled("reject")}


def test_what_go_refused_rests_without_a_retry_and_is_not_counted(ledger, refused):
    outcome = ledger.run()

    assert (outcome.writes, outcome.summary["records"]) == ([], {})


def test_the_next_run_tries_a_record_at_once(ledger, box, links, refused):
    result = links("retry", refused["customers"])
    outcome = ledger.run()

    assert result.exit_code == 0
    assert result.output == (
        f"{refused['customers']}: the reject of customers 1001 will be retried by the next run\n"
    )
    assert outcome.calls() == ["POST /Customers"]
    assert len(box.go.entries("Customers")) == 1


def test_several_numbers_are_accepted_and_printed_as_json(ledger, links, refused):
    result = links("retry", "--format", "json", *refused.values())

    rows = [json.loads(line) for line in result.output.splitlines()]
    assert {row["entity"] for row in rows} == {"customers", "products"}
    assert {row["next_attempt_at"] for row in rows} == {None}
    assert sorted(ledger.run().calls()) == ["POST /Customers", "POST /Products"]


def test_all_that_rests_may_be_tried(ledger, links, refused):
    assert len(links("retry", "--all").output.splitlines()) == 2
    assert sorted(ledger.run().calls()) == ["POST /Customers", "POST /Products"]


def test_all_of_one_entity_may_be_tried(ledger, links, refused):
    links("retry", "--all", "--entity", "products")

    assert ledger.run().calls() == ["POST /Products"]


def test_an_unknown_number_is_one_line_and_changes_nothing(ledger, links, refused):
    result = links("retry", refused["customers"], "77")

    assert result.exit_code == 1
    assert "there is no waiting record with the number 77; nothing was changed" in result.output
    assert ledger.run().writes == []


def test_when_nothing_rests_it_says_so(ledger, links, product):
    ledger.run(product(sku=None))

    result = links("retry", "--all")

    assert result.exit_code == 0
    assert result.output == "no record is postponed; each run retries what waits\n"


@pytest.mark.parametrize("words", [(), ("1", "--all"), ("1", "--entity", "orders")])
def test_it_asks_which_records_are_meant(links, words):
    assert links("retry", *words).exit_code == 2


def test_a_second_refusal_rests_longer_than_the_first(ledger, box, links, refused):
    box.faults.add(method="POST", path="/Customers$", status=400, body={"title": "No"})
    links("retry", refused["customers"])
    ledger.run()

    (again,) = [record for record in ledger.unsettled("reject") if record.entity == "customers"]
    assert again.attempts == 2
    assert (again.next_attempt_at - again.last_seen).total_seconds() > 3600
