"""The examples of docs/other-shops.md: each runs as it stands, and comes to Go to the øre.

What a tap writes is recorded from it, but for taps that an index has: those run by --long.
"""

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest
from members import assert_members

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def messages(stream, keys, schema, records):
    """Return the text of a stream as taps print it: its SCHEMA, and a RECORD for each record."""
    yield json.dumps(
        {
            "type": "SCHEMA",
            "stream": stream,
            "schema": {"type": "object", "properties": schema},
            "key_properties": keys,
        }
    )
    for record in records:
        yield json.dumps(
            {
                "type": "RECORD",
                "stream": stream,
                "record": record,
                "time_extracted": "2026-01-31T08:00:00.000000+00:00",
            }
        )


def by_tap_csv(folder):
    """Yield what tap-csv 1.2.0 prints of these files: every cell is text, an empty one too."""
    config = json.loads((folder / "tap-csv.json").read_text(encoding="utf-8"))
    for one in config["files"]:
        path = folder / one["path"]
        with path.open(encoding=one["encoding"], newline="") as file:
            rows = list(csv.DictReader(file, delimiter=one["delimiter"]))
        schema = {name: {"type": ["string", "null"]} for name in rows[0]}
        yield from messages(one["entity"], one["keys"], schema, rows)
        yield json.dumps({"type": "STATE", "value": {"bookmarks": {one["entity"]: {}}}})


@pytest.fixture
def run(ledger):
    """Runs the target with the maps of an example on lines of Singer messages."""

    def run(name, lines, ends_with=0, **settings):
        maps = json.loads((EXAMPLES / name / "stream_maps.json").read_text(encoding="utf-8"))
        accounts = {"25": 3000, "15": 3001, "0": 3100}
        text = "".join(f"{line}\n" for line in lines)
        return ledger.command_on(text, ends_with, sales_accounts=accounts, **maps, **settings)

    return run


def test_customers_and_products_of_a_spreadsheet_come_to_go(run, box):
    lines = [*by_tap_csv(EXAMPLES / "spreadsheet")]

    assert len(run("spreadsheet", lines).writes) == 4
    person, company = sorted(box.go.entries("Customers"), key=lambda one: one["Name"] or "")
    assert_members(
        company,
        ExternalImportReference="testshop:0101",
        IsPerson=False,
        Name="Fjord og Fjell AS",
        OrganizationNumber="923609016",
        EmailAddress="post@fjordogfjell.example.no",
    )
    assert_members(company["MailAddress"], ZipCode="0155", City="Oslo")
    assert_members(person, FirstName="Åse", LastName="Ødegård", IsPerson=True)
    told = {one["Code"]: (one["UnitPrice"], one["StandardSalesAccount"]) for one in products(box)}
    assert told == {"ULL-1": (Decimal("1039.68"), 3000), "KAFFE": (Decimal("78.1739"), 3001)}

    assert run("spreadsheet", lines).writes == []


def test_a_cell_that_is_no_price_keeps_only_its_own_row_out(run, ledger, box):
    lines = [*by_tap_csv(EXAMPLES / "spreadsheet")]
    wrong = [line.replace("1 299,60", "1 299,60 kr") for line in lines]

    assert run("spreadsheet", wrong, ends_with=3).count("products", "rejected") == 1
    assert [one["Code"] for one in products(box)] == ["KAFFE"]
    assert [*ledger.reasons()] == [("reject", "products", "ULL-1")]

    run("spreadsheet", lines)
    assert len(products(box)) == 2


def products(box):
    return box.go.entries("Products")
