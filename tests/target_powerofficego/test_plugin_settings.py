"""Stream maps of the target, settings that are null, and Meltano's test of a loader."""

import json
import re

import pytest
from singer_sdk.exceptions import ConfigValidationError


def names(box):
    return sorted(entry["FirstName"] for entry in box.go.entries("Customers"))


def test_meltanos_test_does_not_count_as_the_first_run(ledger, box, customer, message):
    box.go.create("Customers", {"IsPerson": False, "Name": "Fjord AS"})
    ledger.run(message({"id": 1}, "meltano_test_stream"))

    assert ledger.run(customer(), first_run="plan", ends_with=1).writes == []


def test_stream_maps_rename_change_filter_and_drop(ledger, box, customer, message):
    maps = {
        "kunder": {"__alias__": "customers", "first_name": "first_name + '!'"},
        "customers": {"__filter__": "first_name != 'Per'"},
        "invoices": None,
    }

    ledger.run(
        message(customer(), "kunder"),
        message(customer(id="2", first_name="Per", email="p@example.no")),
        message(customer(id="3", first_name="Eva", email="e@example.no")),
        message({"id": "4"}, "invoices"),
        stream_maps=maps,
        ends_with=0,
    )

    assert names(box) == ["Eva", "Kari!"]


@pytest.mark.parametrize("number", [900, "900"])
def test_the_stream_maps_of_the_readme_turn_rows_of_a_file_into_customers(
    ledger, box, message, request, number
):
    readme = (request.config.rootpath / "target-powerofficego" / "README.md").read_text("utf-8")
    (settings,) = [
        json.loads(block)
        for block in re.findall(r"^```json\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
        if "stream_maps" in block
    ]
    row = {"nr": number, "navn": "Fjord AS", "epost": "post@fjord.example", "by": "Bergen"}
    properties = {name: {"type": ["string", "number"]} for name in row}
    schema = {
        "type": "SCHEMA",
        "stream": "kunder",
        "schema": {"type": "object", "properties": properties},
        "key_properties": ["nr"],
    }

    outcome = ledger.run(schema, message(row, "kunder"), **settings)

    assert outcome.status == 0, outcome.log
    (company,) = box.go.entries("Customers")
    assert company["ExternalImportReference"].endswith(":900")
    assert (company["Name"], company["EmailAddress"]) == ("Fjord AS", "post@fjord.example")


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("1 / 0", 'stream_maps: the map of "customers" fails on a record (ZeroDivisionError)'),
        ("(((", "Failed to parse expression (((."),
    ],
)
def test_an_invalid_stream_map_is_reported_in_one_line(ledger, box, customer, expression, error):
    outcome = ledger.run(
        customer(), stream_maps={"customers": {"first_name": expression}}, ends_with=1
    )

    assert outcome.log.splitlines()[-1] == error
    assert box.go.entries("Customers") == []


def test_a_setting_that_is_null_takes_its_default(ledger, box, customer):
    nulls = dict.fromkeys(
        ("workers", "first_run", "max_creates", "order_statuses", "properties", "stream_maps")
    )

    assert ledger.run(customer(), **nulls).status == 0
    assert names(box) == ["Kari"]


@pytest.mark.parametrize("name", ["application_key", "client_key", "subscription_key"])
@pytest.mark.parametrize("value", [["hemmelig"], {"key": "hemmelig"}, 12345])
def test_a_key_that_is_not_text_is_reported_without_its_value(ledger, name, value):
    with pytest.raises(ConfigValidationError) as failure:
        ledger.run(**{name: value})

    assert failure.value.errors == [f"{name} must be text"]
