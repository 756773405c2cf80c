"""The examples of docs/other-shops.md run unchanged, and their amounts reach Go to the øre.

What other taps print is reproduced here; tap-postgres itself is run with --long.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from members import assert_members

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def messages(stream, keys, schema, records):
    """Yield what taps print of a stream: its SCHEMA, and a RECORD for each record."""
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
    """Yield what tap-csv 1.2.0 prints of these files: every cell is text, even an empty one."""
    config = json.loads((folder / "tap-csv.json").read_text(encoding="utf-8"))
    for table in config["files"]:
        path = folder / table["path"]
        with path.open(encoding=table["encoding"], newline="") as file:
            rows = list(csv.DictReader(file, delimiter=table["delimiter"]))
        schema = {name: {"type": ["string", "null"]} for name in rows[0]}
        yield from messages(table["entity"], table["keys"], schema, rows)
        yield json.dumps({"type": "STATE", "value": {"bookmarks": {table["entity"]: {}}}})


@pytest.fixture
def run(ledger):
    """Runs the target with the maps of an example on lines of Singer messages."""

    def run(name, lines, ends_with=0, **settings):
        maps = json.loads((EXAMPLES / name / "stream_maps.json").read_text(encoding="utf-8"))
        accounts = {"25": 3000, "15": 3001, "0": 3100}
        text = "".join(f"{line}\n" for line in lines)
        return ledger.command_on(text, ends_with, sales_accounts=accounts, **maps, **settings)

    return run


def test_customers_and_products_of_a_spreadsheet_reach_go(run, box):
    lines = [*by_tap_csv(EXAMPLES / "spreadsheet")]

    assert len(run("spreadsheet", lines).writes) == 4
    person, company = sorted(box.go.entries("Customers"), key=lambda entry: entry["Name"] or "")
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
    products = {
        entry["Code"]: (entry["UnitPrice"], entry["StandardSalesAccount"])
        for entry in box.go.entries("Products")
    }
    assert products == {"ULL-1": (Decimal("1039.68"), 3000), "KAFFE": (Decimal("78.1739"), 3001)}

    assert run("spreadsheet", lines).writes == []


def test_a_cell_that_is_not_a_price_rejects_only_its_own_row(run, ledger, box):
    lines = [*by_tap_csv(EXAMPLES / "spreadsheet")]
    wrong = [line.replace("1 299,60", "1 299,60 kr") for line in lines]

    assert run("spreadsheet", wrong, ends_with=3).count("products", "rejected") == 1
    assert [entry["Code"] for entry in box.go.entries("Products")] == ["KAFFE"]
    assert [*ledger.reasons()] == [("reject", "products", "ULL-1")]

    run("spreadsheet", lines)
    assert len(box.go.entries("Products")) == 2


@pytest.fixture
def warehouse(database):
    """The tables and views of the example, in PostgreSQL."""
    for name in ("warehouse", "shop"):
        database.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
    for name in ("views.sql", "rows.sql"):
        database.execute((EXAMPLES / "warehouse" / name).read_text(encoding="utf-8"))
    yield database
    for name in ("shop", "warehouse"):
        database.execute(f"DROP SCHEMA {name} CASCADE")


def by_tap_postgres(database):
    """Yield what meltanolabs-tap-postgres 0.10.0 prints of the views of the schema `shop`."""
    for name in ("customers", "orders", "products"):
        rows = [row for (row,) in database.execute(f"SELECT to_jsonb(v) FROM shop.{name} v")]
        schema: dict[str, Any] = {member: {"type": ["string", "null"]} for member in rows[0]}
        if name == "orders":
            types = ["string", "number", "integer", "array", "object", "boolean", "null"]
            schema["lines"] = {"type": types, "additionalProperties": True}
        yield from messages(f"shop-{name}", [], schema, rows)
    yield json.dumps({"type": "STATE", "value": {"bookmarks": {}}})


def run_tap_postgres(database, folder):
    """Return the lines that the tap itself prints, installed into a folder."""
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv
    places = ("--python", sys.executable, folder / "tap")
    subprocess.run([uv, "venv", "--quiet", *places], check=True)
    install = ("pip", "install", "--quiet", "--python", folder / "tap" / "bin" / "python")
    subprocess.run([uv, *install, "meltanolabs-tap-postgres"], check=True)
    address = f"postgresql://postgres:none@localhost/postgres?host={database.socket_folder}"
    config = {"sqlalchemy_url": address, "filter_schemas": ["shop"]}
    (folder / "tap.json").write_text(json.dumps(config), encoding="utf-8")

    def tap(*arguments):
        line = (folder / "tap" / "bin" / "tap-postgres", "--config", folder / "tap.json")
        return subprocess.run([*line, *arguments], capture_output=True, check=True).stdout

    catalog = json.loads(tap("--discover"))
    for stream in catalog["streams"]:
        (stream_metadata,) = [entry for entry in stream["metadata"] if not entry["breadcrumb"]]
        stream_metadata["metadata"]["selected"] = True
    (folder / "catalog.json").write_text(json.dumps(catalog), encoding="utf-8")
    return tap("--catalog", folder / "catalog.json").decode().splitlines()


@pytest.mark.parametrize("is_real", [False, True])
def test_orders_of_views_in_a_database_reach_go_to_the_ore(
    run, box, warehouse, is_real, tmp_path, pytestconfig
):
    lines = [*by_tap_postgres(warehouse)]
    if is_real:
        if not pytestconfig.getoption("--long"):
            pytest.skip("it installs tap-postgres: --long")
        real = run_tap_postgres(warehouse, tmp_path)
        assert records_of(real) == records_of(lines)
        lines = real

    run("warehouse", lines)

    (order,) = box.go.entries("SalesOrders")
    assert_members(
        order, TotalAmount=Decimal("2868.69"), SalesOrderDate="2026-01-06", ImportedOrderNo=9001
    )
    (customer,) = box.go.entries("Customers")
    assert order["CustomerId"] == customer["Id"]
    assert {entry["Code"]: entry["UnitPrice"] for entry in box.go.entries("Products")} == {
        "ULL-1": Decimal("1039.60"),
        "KAFFE": Decimal("78.17"),
    }
    assert run("warehouse", lines).writes == []


def records_of(lines):
    messages = map(json.loads, lines)
    return [(line["stream"], line["record"]) for line in messages if line["type"] == "RECORD"]


def money(amount):
    return {"shopMoney": {"amount": amount, "currencyCode": "NOK"}}


def vat(rate, amount):
    return [{"rate": rate, "priceSet": money(amount), "title": "MVA"}]


ADDRESS = {
    "name": "Kari Nordmann",
    "company": None,
    "address1": "Storgata 1",
    "address2": None,
    "zip": "0155",
    "city": "Oslo",
    "countryCodeV2": "NO",
    "phone": None,
}
STAMP = "2026-01-05T10:00:00.000000Z"


def shopify_line(number, sku, quantity, price, amount, rate):
    gid = "gid://shopify"
    return {
        "id": f"{gid}/LineItem/{number}",
        "isGiftCard": False,
        "variant": {"id": f"{gid}/ProductVariant/{number}"},
        "sku": sku,
        "name": sku,
        "quantity": quantity,
        "originalUnitPriceSet": money(price),
        "discountedTotalSet": money(amount),
        "taxLines": vat(rate, 0),
    }


def shopify_order(**changes):
    return {
        "id": "gid://shopify/Order/9001",
        "number": 1001,
        "test": False,
        "cancelledAt": None,
        "displayFulfillmentStatus": "FULFILLED",
        "displayFinancialStatus": "PAID",
        "currencyCode": "NOK",
        "taxesIncluded": True,
        "customer": {"id": "gid://shopify/Customer/7"},
        "email": "kari@example.no",
        "phone": None,
        "billingAddress": ADDRESS,
        "shippingAddress": ADDRESS,
        "processedAt": STAMP,
        "updatedAt": STAMP,
        "lineItems": [
            shopify_line(1, "ULL-1", 2, 1299.6, 2599.2, 0.25),
            shopify_line(2, "KAFFE", 3, 100.0, 269.7, 0.15),
        ],
        "shippingLine": {
            "title": "Posten",
            "discountedPriceSet": money("99.0"),
            "taxLines": vat(0.25, "19.8"),
        },
        "totalPriceSet": money(2967.9),
        "totalTaxSet": money(574.82),
        "totalRefundedSet": money(0.0),
        **changes,
    }


def by_tap_shopify(*orders):
    """Yield a customer, a variant and orders, by the schemas and queries of tap-shopify 3.13.0.

    It was not run, because it needs a shop. Amounts are numbers, or text where the schema says so.
    """
    customer = {
        "id": "gid://shopify/Customer/7",
        "email": "kari@example.no",
        "firstName": "Kari",
        "lastName": "Nordmann",
        "phone": None,
        "defaultAddress": ADDRESS,
        "updatedAt": STAMP,
    }
    for stream, records in (
        ("customers", [customer]),
        ("product_variants", [{"id": "gid://shopify/ProductVariant/1"}]),
        ("orders", orders),
    ):
        schema: dict[str, dict[str, str]] = {name: {} for name in records[0]}
        yield from messages(stream, ["id"], schema, records)
    yield json.dumps({"type": "STATE", "value": {"bookmarks": {}}})


def test_a_plain_order_of_shopify_reaches_go_to_the_ore(run, box):
    guest = shopify_order(id="gid://shopify/Order/9002", number=1002, customer=None, test=True)

    lines = [*by_tap_shopify(shopify_order(), guest)]
    run("shopify", lines)

    (order,) = box.go.entries("SalesOrders")
    assert_members(
        order,
        ExternalImportReference="testshop:9001",
        TotalAmount=Decimal("2967.90"),
    )
    (customer,) = box.go.entries("Customers")
    products = box.go.entries("Products")
    accounts = {entry["Code"]: entry["StandardSalesAccount"] for entry in products}
    assert accounts == {"ULL-1": 3000, "KAFFE": 3001, "FRAKT-25": 3000}
    assert (order["CustomerId"], customer["LastName"]) == (customer["Id"], "Nordmann")
    assert run("shopify", lines).writes == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"totalPriceSet": money(2867.9), "totalTaxSet": money(554.82)},
            "total_incl is 2867.90, but the lines come to 2967.90",
        ),
        ({"totalRefundedSet": money(100.0)}, "100.00 was paid back, but its refunds come to 0"),
    ],
    ids=["a code took 100 kroner off the whole order", "100 kroner were paid back"],
)
def test_an_order_of_shopify_that_stream_maps_cannot_express_waits_for_a_person(
    run, ledger, box, changes, reason
):
    run("shopify", by_tap_shopify(shopify_order(**changes)), ends_with=3)

    assert reason in ledger.reasons()["hold", "orders", "9001"]
    assert box.go.entries("SalesOrders") == []
