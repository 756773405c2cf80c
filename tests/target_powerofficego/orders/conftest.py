"""What the tests of orders share: freight, and an order that has landed."""

import pytest


@pytest.fixture
def freight():
    """Makes freight of 99 kr with VAT, with changes."""

    def make(**changes):
        return {
            "id": "f1",
            "name": "Posten",
            "total_excl": "79.20",
            "total_tax": "19.80",
            "total_incl": "99.00",
            "tax_rate": "25",
            **changes,
        }

    return make


@pytest.fixture
def landed(ledger, customer, product, order):
    """An order of two at 125 kr that has landed as a Draft."""
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    assert ledger.run(customer(), product(), order()).status == 0
    return order()


@pytest.fixture
def invoiced(box, landed):
    """The same, once a person has sent its invoice."""
    (there,) = box.go.entries("SalesOrders")
    box.go.send_invoice(there["Id"])
    return landed
