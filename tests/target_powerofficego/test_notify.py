"""`notify`: who set it is told what is new, once, without personal data or keys."""

from __future__ import annotations

import pytest
from ledger import A_PERSON


@pytest.fixture
def run(ledger, receiver):
    """Runs the target with `notify` set to the receiver."""

    def run(*messages, **settings):
        return ledger.run(*messages, **{"notify": receiver.address, **settings})

    return run


def test_new_rejects_and_holds_are_said_once_and_that_all_is_well_again(
    run, receiver, box, customer, product
):
    run(customer(id="1000", email="ola@example.no"))
    assert receiver.messages == []

    for _ in range(2):
        box.go.create("Customers", {**A_PERSON, "EmailAddress": "kari@example.no"})
    run(customer(), product(sku=None))
    assert receiver.titles == ["testshop: 1 hold and 1 reject are new"]
    run(customer(), product(sku=None))
    assert len(receiver.messages) == 1
