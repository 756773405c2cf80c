"""How a record of a shop file is converted into the contract's form."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tap_customwebshop import schemas
from tap_customwebshop.shop.contract import Contract, WrongRecordError

CONTRACT = Contract(schemas.ORDERS)
EACH_KIND = {
    name: schemas.ORDERS["properties"][name]
    for name in ("id", "number", "status", "is_guest", "total_incl", "paid_at", "note")
}
OF_EACH_KIND = {
    "properties": {
        **EACH_KIND,
        "invoice": schemas.ORDERS["properties"]["invoice"],
        "taxes": schemas.ORDERS["properties"]["taxes"],
        "custom": schemas.ORDERS["properties"]["custom"],
    }
}
NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


class Text(str):
    """A subclass of text, so that its record is checked member by member."""


values: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=True, places=2)
    | st.floats()
    | st.sampled_from(
        ["", "12.50", "1e5", "NaN", "product", "2026-01-31T12:00:00Z", "2026-01-31", NOON, (), []]
    )
    | st.just({})
)


def _objects(schema):
    """Objects of a schema, whose members mostly have the type that the contract requires."""
    fields = {name: _mostly_valid(field) for name, field in schema["properties"].items()}
    return st.fixed_dictionaries({}, optional=fields)


def _mostly_valid(field):
    return st.integers(0, 40).flatmap(lambda n: values if n == 0 else _valid(field))


def _valid(field):
    if "properties" in field.get("items", {}):
        return st.lists(_objects(field["items"]), max_size=2)
    if field.get("properties"):
        return _objects(field)
    if "object" in field["type"]:
        return st.just({"a": Decimal("1.5"), "b": [1]})
    if "boolean" in field["type"]:
        return st.booleans()
    text = {"date-time": "2026-01-31T12:00:00+01:00"}.get(field.get("format"), "12.50")
    return st.none() | st.just(text) | st.just(Decimal("7.10"))


def _conformed(record):
    try:
        return CONTRACT.conform(record)
    except WrongRecordError as error:
        return str(error)


@given(_objects(OF_EACH_KIND), st.sampled_from(["note", "notes"]))
def test_the_fast_check_agrees_with_the_check_of_each_member(order, member):
    assert _conformed({**order, member: "x"}) == _conformed({**order, member: Text("x")})


def test_numbers_and_times_become_text_and_the_rest_is_unchanged():
    order = {
        "id": 7,
        "number": 12,
        "total_incl": Decimal("1.20E+3"),
        "paid_at": NOON,
        "is_guest": False,
        "note": None,
        "lines": [{"id": Decimal(1), "quantity": 2, "type": "product"}],
        "custom": {"weight": Decimal("1.50")},
    }

    assert CONTRACT.conform(order) == {
        "id": "7",
        "number": "12",
        "total_incl": "1200",
        "paid_at": "2026-01-31T12:00:00.000000Z",
        "is_guest": False,
        "note": None,
        "lines": [{"id": "1", "quantity": "2", "type": "product"}],
        "custom": {"weight": Decimal("1.50")},
    }


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("total_incl", 1.5, "'total_incl' is not a decimal"),
        ("total_incl", Decimal("NaN"), "'total_incl' is not a decimal"),
        ("total_incl", True, "'total_incl' is not a decimal"),
        ("id", Decimal("Infinity"), "'id' must be text"),
        ("status", "sent", "'status' must be one of draft, pending"),
        ("paid_at", "2026-01-31T12:00:00", "'paid_at' is not a time with a zone"),
        ("lines", [None], "'lines' must be an object"),
        ("lines", ({"id": "1"},), "'lines' must be a list"),
        ("lines", [{"id": "1", "skuu": "A"}], "no member 'lines.skuu'; did you mean 'lines.sku'?"),
        ("is_guest", 0, "'is_guest' must be True or False"),
    ],
)
def test_a_fault_in_a_record_is_reported_with_its_place(member, value, message):
    with pytest.raises(WrongRecordError) as failure:
        CONTRACT.conform({"id": "1", member: value})
    assert message in str(failure.value)
