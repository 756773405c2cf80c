"""Schemas that need no thorough check: those of our taps, and none that is invalid."""

import jsonschema  # type: ignore[import-untyped]
import pytest
import tap_powerofficego.streams
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.exceptions import InvalidJSONSchema
from singer_sdk.sinks.core import JSONSchemaValidator
from tap_customwebshop import schemas
from target_powerofficego.sinks import is_plain_schema

OF_THE_TAPS = {
    **{name: getattr(schemas, name.upper()) for name in ("customers", "products", "orders")},
    **{stream.__name__: stream.entry_schema for stream in tap_powerofficego.streams.STREAMS},
}
KINDS = st.sampled_from(["null", "boolean", "integer", "string", "array", "object", "text"])
WORDS = st.one_of(KINDS, st.none(), st.booleans(), st.integers(0, 2), st.lists(KINDS, max_size=3))
SCHEMAS = st.recursive(
    WORDS,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": WORDS,
            "properties": st.one_of(WORDS, st.dictionaries(KINDS, inner, max_size=2)),
            "items": inner,
            "required": WORDS,
            "additionalProperties": WORDS,
            "description": WORDS,
            "title": WORDS,
            "format": WORDS,
            "$schema": WORDS,
            "minimum": WORDS,
        },
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("name", OF_THE_TAPS)
def test_the_schemas_of_the_taps_are_plain(name):
    assert is_plain_schema(OF_THE_TAPS[name])


@given(SCHEMAS)
def test_a_plain_schema_is_valid(schema):
    assert not is_plain_schema(schema) or is_valid(schema)


def is_valid(schema):
    try:
        JSONSchemaValidator(schema)
    except InvalidJSONSchema:
        return False
    return True


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"id": {"type": "text"}}},
        {"properties": {"id": {"type": []}}},
        {"properties": {"id": {"type": ["null", "null"]}}},
        {"items": None},
        {"required": ["id", "id"]},
        ["id"],
    ],
)
def test_an_invalid_schema_is_not_plain(schema):
    with pytest.raises(jsonschema.SchemaError):
        jsonschema.Draft202012Validator.check_schema(schema)
    assert not is_plain_schema(schema)
