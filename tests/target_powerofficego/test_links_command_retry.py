"""`powerofficego-links retry`: the next run retries what Go refused, instead of hours later."""

from __future__ import annotations

import pytest


@pytest.fixture
def refused(ledger, box, customer, product):
    """The numbers of the rejects of a customer and a product that Go refused once, by entity."""
    for path in ("/Customers$", "/Products$"):
        box.faults.add(method="POST", path=path, status=400, body={"title": "No", "status": 400})
    ledger.run(customer(), product())
    return {record.entity: str(record.id) for record in ledger.unsettled("reject")}


def test_a_refused_record_is_neither_retried_nor_counted_by_the_next_run(ledger, refused):
    outcome = ledger.run()

    assert (outcome.writes, outcome.summary["records"]) == ([], {})


def test_the_next_run_retries_a_record(ledger, box, links, refused):
    result = links("retry", refused["customers"])
    outcome = ledger.run()

    assert result.exit_code == 0
    assert result.output == (
        f"{refused['customers']}: the reject of customers 1001 will be retried by the next run\n"
    )
    assert outcome.calls() == ["POST /Customers"]
    assert len(box.go.entries("Customers")) == 1


def test_several_records_are_retried_at_once_and_printed_as_json(ledger, rows, refused):
    retried = rows("retry", *refused.values())

    assert {row["entity"] for row in retried} == {"customers", "products"}
    assert {row["next_attempt_at"] for row in retried} == {None}
    assert sorted(ledger.run().calls()) == ["POST /Customers", "POST /Products"]


def test_all_postponed_records_are_retried(ledger, links, refused):
    assert len(links("retry", "--all").output.splitlines()) == 2
    assert sorted(ledger.run().calls()) == ["POST /Customers", "POST /Products"]


def test_all_postponed_records_of_an_entity_are_retried(ledger, links, refused):
    links("retry", "--all", "--entity", "products")

    assert ledger.run().calls() == ["POST /Products"]


def test_an_unknown_number_is_refused_and_nothing_is_changed(ledger, links, refused):
    result = links("retry", refused["customers"], "77")

    assert result.exit_code == 1
    assert "there is no waiting record with the number 77; nothing was changed" in result.output
    assert ledger.run().writes == []


def test_retry_reports_that_no_record_is_postponed(ledger, links, product):
    ledger.run(product(sku=None))

    result = links("retry", "--all")

    assert result.exit_code == 0
    assert result.output == "no record is postponed; each run retries what waits\n"


@pytest.mark.parametrize("words", [(), ("1", "--all"), ("1", "--entity", "orders")])
def test_retry_takes_either_numbers_or_all(links, words):
    assert links("retry", *words).exit_code == 2


def test_a_second_refusal_postpones_a_record_for_longer(ledger, box, links, refused):
    box.faults.add(method="POST", path="/Customers$", status=400, body={"title": "No"})
    links("retry", refused["customers"])
    ledger.run()

    (reject,) = [record for record in ledger.unsettled("reject") if record.entity == "customers"]
    assert reject.attempts == 2
    assert (reject.next_attempt_at - reject.last_seen).total_seconds() > 3600
