"""The least that each record needs to be written to Go (docs/shop-api.md)."""

import copy
from decimal import Decimal
from typing import Any

import pytest
from ledger import the_order

ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}
AT = "2026-01-05T10:00:00Z"

LINE = {"id": "1", "sku": "ULL-1", "quantity": "2", "total_incl": "250.00", "tax_rate": "25"}
LEAST: dict[str, dict[str, Any]] = {
    "customers": {"id": "1001", "name": "Kari Nordmann", "updated_at": AT},
    "products": {"id": "501", "sku": "ULL-1", "name": "Lusekofte", "updated_at": AT},
    "orders": {
        "id": "9001",
        "status": "processing",
        "buyer": {"email": "per@example.no"},
        "lines": [LINE],
        "shipping": [{"total_incl": "99.00", "tax_rate": "25"}],
        "fees": [{"total_excl": "40.00", "tax_rate": "25"}],
        "discounts": [{"amount_incl": "25.00"}],
        "refunds": [{"id": "r1", "lines": [{"line_id": "1", "quantity": "1"}]}],
        "total_incl": "374.00",
        "updated_at": AT,
    },
}


def least(entity, *without):
    """Return the least record of an entity, without the member at this path."""
    record = copy.deepcopy(LEAST[entity])
    if without:
        *path, name = without
        part: Any = record
        for step in path:
            part = part[step]
        del part[name]
    return record


def messages(entity, record):
    return [
        {
            "type": "SCHEMA",
            "stream": entity,
            "schema": {"type": "object", "properties": {"id": {"type": "string"}}},
            "key_properties": ["id"],
        },
        {"type": "RECORD", "stream": entity, "record": record, "time_extracted": AT},
    ]


@pytest.fixture
def run(ledger):
    """Runs records of an entity."""

    def write(entity, record, **settings):
        return ledger.run(*messages(entity, record), sales_accounts=ACCOUNTS, **settings)

    return write


def test_the_least_records_land(run, box):
    for entity in LEAST:
        run(entity, least(entity), ends_with=0)

    assert [entry["LastName"] for entry in box.go.entries("Customers")] == [
        "Nordmann",
        "per@example.no",
    ]
    assert {entry["Code"] for entry in box.go.entries("Products")} == {
        *("ULL-1", "FRAKT-25", "GEBYR-25", "RABATT-25")
    }
    # 250, 99 and 50, less the discount of 25, less one of two with its share of the discount
    assert the_order(box)["TotalAmount"] == 374 - 125 + Decimal("12.50")


@pytest.mark.parametrize(
    ("entity", "lacks", "reason"),
    [
        ("customers", ["name"], "the customer has neither a name nor an e-mail address"),
        ("products", ["sku"], "the product has no SKU"),
        ("products", ["name"], "the product has no name"),
        ("orders", ["status"], "the status is missing"),
        ("orders", ["total_incl"], "the order has no total_incl, its total with VAT"),
        ("orders", ["lines", 0, "id"], "line 1 has no id"),
        ("orders", ["lines", 0, "quantity"], "line 1 has no quantity"),
        ("orders", ["lines", 0, "tax_rate"], "line 1 lacks amounts"),
        ("orders", ["lines", 0, "total_incl"], "line 1 lacks amounts"),
        ("orders", ["shipping", 0, "total_incl"], "freight 1 lacks amounts"),
        ("orders", ["fees", 0, "tax_rate"], "fee 1 lacks amounts"),
        ("orders", ["discounts", 0, "amount_incl"], "discount 1 has no amount_incl"),
        ("orders", ["refunds", 0, "id"], "refund 1 has no id"),
        ("orders", ["refunds", 0, "lines"], "refund 1 has no amount_incl, and neither its lines"),
        ("orders", ["refunds", 0, "lines", 0, "line_id"], "refund 1, line 1 has no line_id"),
    ],
)
def test_a_record_that_lacks_a_member_is_rejected_with_its_name(
    run, box, reasons, entity, lacks, reason
):
    run(entity, least(entity, *lacks), ends_with=3)

    assert reason in reasons()["reject", entity, LEAST[entity]["id"]]
    assert box.go.entries("SalesOrders") == []


def test_an_order_without_a_buyer_waits_for_one(run, box, reasons):
    run("orders", least("orders", "buyer"), ends_with=3)

    assert reasons() == {
        ("reject", "customers", "guest:order-9001"): (
            "the customer has neither a name nor an e-mail address"
        ),
        ("parked", "orders", "9001"): "waits for customers guest:order-9001",
    }
    assert box.go.entries("SalesOrders") == []


def test_an_address_without_postal_code_or_city_is_left_out(run, box):
    for number, part in enumerate(("postal_code", "city")):
        address = {"type": "billing", "line1": "Storgata 1", part: "0155"}
        record = {**least("customers"), "id": str(number), "addresses": [address]}
        run("customers", record, ends_with=0)

    assert [entry["MailAddress"] for entry in box.go.entries("Customers")] == [None, None]
