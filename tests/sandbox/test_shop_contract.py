"""The sandbox's shop checks values by its own copy of the contract, which the tap's matches."""

from __future__ import annotations

import re

import pytest
from go_sandbox.shop.contract import STREAMS
from tap_customwebshop import schemas

SCHEMAS = {
    "customers": schemas.CUSTOMERS,
    "products": schemas.PRODUCTS,
    "orders": schemas.ORDERS,
}
FORMS = {
    "amount": "singer.decimal",
    "number": "singer.decimal",
    "stamp": "date-time",
    "day": "date",
    "flag": "boolean",
    "object": "object",
    "list": "array",
}


def assert_same(fields, properties):
    assert fields.keys() == properties.keys()
    for name, field in fields.items():
        schema = properties[name]
        form = schema.get("format") or next(kind for kind in schema["type"] if kind != "null")
        assert form == FORMS.get(field.kind, "string"), name
        _, _, listed = schema["description"].partition(" One of ")
        assert field.words == tuple(re.findall("`(.+?)`", listed)), name
        assert_same(field.inner or {}, schema.get("items", schema).get("properties", {}))


@pytest.mark.parametrize("stream", STREAMS)
def test_every_field_has_the_form_and_the_words_of_the_taps_schema(stream):
    assert_same(STREAMS[stream], SCHEMAS[stream]["properties"])
