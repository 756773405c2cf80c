"""Bad records are rejected with a plain reason, or repaired; all others land."""

import copy
import json
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ledger import A_PERSON

pytestmark = pytest.mark.both_link_stores(if_long=True)

LATER = "2026-01-06T10:00:00Z"
LATEST = "2026-01-07T10:00:00Z"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sku": None}, "the product has no SKU; PowerOffice Go finds products by it"),
        ({"sku": "  "}, "the product has no SKU"),
        ({"sku": "x" * 101}, "sku has 101 characters; PowerOffice Go takes at most 100"),
        ({"name": "x" * 401}, "name has 401 characters; PowerOffice Go takes at most 400"),
        ({"name": "x" * 395, "variant_name": "extra large"}, "name has 407 characters"),
        ({"name": None}, "the product has no name"),
        ({"name": ["Genser"]}, "name should be text but is a list"),
        ({"price_excl": "12,50 kr"}, 'price_excl "12,50 kr" is not a number'),
        ({"price_excl": float("nan")}, "price_excl"),
        ({"price_excl": True}, "price_excl"),
        ({"price_excl": "9" * 30}, "price_excl"),
        ({"price_excl": 10**30}, "price_excl"),
        ({"price_excl": None, "tax_rate": None}, "it has only a price with VAT and no tax_rate"),
        ({"price_excl": None, "tax_rate": "-100"}, "is not a VAT rate"),
        ({"currency": "kroner"}, 'currency "kroner" is not a currency code'),
        ({"description": {"html": "x"}}, "description should be text"),
    ],
)
def test_a_bad_product_is_rejected_and_the_others_land(
    ledger, box, reasons, product, changes, reason
):
    ledger.run(product(**changes), product(id="502", sku="ULL-2"), ends_with=3)

    assert [entry["Code"] for entry in box.go.entries("Products")] == ["ULL-2"]
    assert reason in reasons()["reject", "products", "501"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"email": "not an address"}, "email is not an e-mail address"),
        ({"email": ["kari@example.no"]}, "email should be text but is a list"),
        ({"phone": "9" * 51}, "phone has 51 characters; PowerOffice Go takes at most 50"),
        ({"is_active": "false"}, 'is_active should be true or false but is "false"'),
        ({"tax_exempt": 1}, "tax_exempt should be true or false"),
        ({"addresses": "Storgata 1"}, "addresses should be a list of addresses"),
        ({"addresses": [None]}, "addresses should be a list of addresses"),
        ({"type": "company", "name": None}, "the company has no name"),
        ({"type": "company", "company_name": "x" * 401}, "company_name has 401 characters"),
        ({"currency": "XX"}, "is not a currency code"),
        ({"first_name": {"nb": "Kari"}}, "first_name should be text"),
    ],
)
def test_a_bad_customer_is_rejected_and_the_others_land(
    ledger, box, reasons, customer, changes, reason
):
    ledger.run(customer(**changes), customer(id="1002", email="ola@example.no"), ends_with=3)

    assert [entry["EmailAddress"] for entry in box.go.entries("Customers")] == ["ola@example.no"]
    assert reason in reasons()["reject", "customers", "1001"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"country_code": "XX"}, '"XX" is not a country code'),
        ({"country_code": "Norge"}, "is not a country code"),
        ({"line1": "x" * 201}, "line1 has 201 characters"),
        ({"city": ["Oslo"]}, "city should be text but is a list"),
    ],
)
def test_a_bad_address_rejects_its_customer(ledger, reasons, customer, address, changes, reason):

    assert ledger.run(customer(addresses=[address(**changes)]), ends_with=3).writes == []
    assert reason in reasons()["reject", "customers", "1001"]


@pytest.mark.parametrize(
    ("changes", "missing"), [({"postal_code": None}, "postal code"), ({"city": ""}, "city")]
)
def test_half_an_address_is_left_out_and_logged(ledger, box, customer, address, changes, missing):
    outcome = ledger.run(customer(addresses=[address(**changes)]), ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert entry["MailAddress"] is None
    assert f"the billing address has no {missing} and was left out" in outcome.log
    assert "Storgata" not in outcome.log


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gtin": "7035620000001"}, "is not valid and was left out"),
        ({"unit": "fjong"}, "became EA"),
        ({"price_incl": "125 kr"}, "is not a number; it should be written like"),
        ({"price_incl": "130.00"}, "are not the same price at 25 % VAT; price_excl was used"),
    ],
)
def test_a_value_that_is_not_essential_is_repaired_and_logged(ledger, box, product, changes, words):
    outcome = ledger.run(product(**changes), ends_with=0)

    (entry,) = box.go.entries("Products")
    assert entry["Gtin"] is None
    assert entry["UnitOfMeasureCode"] == "EA"
    assert entry["UnitPrice"] == 100
    assert words in outcome.log


def test_letters_of_all_scripts_and_emoji_arrive_unchanged(ledger, box, customer, product):
    names = {"first_name": "Åse Øyvor 🎄", "last_name": "Łukasiewicz-李"}

    ledger.run(customer(**names), product(name="Genser 🧶 «myk» \u2028 'nå'"), ends_with=0)

    (person,) = box.go.entries("Customers")
    (item,) = box.go.entries("Products")
    assert (person["FirstName"], person["LastName"]) == tuple(names.values())
    assert item["Name"] == "Genser 🧶 «myk» \u2028 'nå'"


def test_half_a_character_is_replaced(ledger, box, customer, product):
    ledger.run(
        customer(first_name="Kari\ud83c", note="\udf84"),
        product(id="\ud800", custom={"\ud800": 1}),
        ends_with=0,
    )

    assert box.go.entries("Customers")[0]["FirstName"] == "Kari�"
    assert len(box.go.entries("Products")) == 1


@pytest.mark.parametrize(
    "shop_id", ["i" * 60, "æ" * 255, "a:b", "æøå 1", "1001,1002", "'; drop table", "0", "a\0b"]
)
def test_any_text_is_an_id(ledger, box, customer, shop_id):
    ledger.run(customer(id=shop_id))
    ledger.lose_link_store()
    again = ledger.run(customer(id=shop_id, email="other@example.no"))

    (entry,) = box.go.entries("Customers")
    assert len(entry["ExternalImportReference"]) <= 50
    assert again.writes == []
    assert again.count("customers", "linked") == 1


def test_a_number_is_the_same_id_as_its_text(ledger, box, customer, message):
    ledger.run(customer(id=7), customer(id="7"))

    assert len(box.go.entries("Customers")) == 1


@pytest.mark.parametrize("stamp", [["2026"], {"at": 1}, 1.5, 10**40, True, "once", " "])
def test_an_invalid_created_at_is_ignored(ledger, box, customer, product, guest_order, stamp):
    records = [
        customer(created_at=stamp),
        product(created_at=stamp),
        guest_order(created_at=stamp),
    ]

    assert ledger.run(*records).status == 0
    assert ledger.run(*records).writes == []
    assert len(box.go.entries("SalesOrders")) == 1


@pytest.mark.parametrize("shop_id", [None, "", "   ", True, ["1"], {"id": 1}, 1.5, "x" * 256])
def test_a_record_without_an_id_is_rejected_and_the_next_record_lands(
    ledger, box, reasons, customer, shop_id
):
    ledger.run(customer(id=shop_id), customer(id="1002", email="ola@example.no"), ends_with=3)

    assert len(box.go.entries("Customers")) == 1
    ((kind, entity, shown_id), reason) = next(iter(reasons().items()))
    assert (kind, entity) == ("reject", "customers")
    assert shown_id.startswith("without id")
    assert "the record has no id" in reason
    assert "give it one in the shop, then acknowledge this" in reason


@pytest.mark.parametrize(
    "changes", [{"customer_id": "x" * 256}, {"lines": [{"product_id": "x" * 256}]}]
)
def test_an_order_that_names_an_impossible_id_is_rejected(ledger, box, order, line, changes):
    lines = [line(**members) for members in changes.get("lines", [{}])]

    assert ledger.run(order(**{**changes, "lines": lines})).count("orders", "rejected") == 1
    (reject,) = ledger.unsettled("reject")
    assert "an id may have at most 255" in reject.reason
    assert box.go.entries("SalesOrders") == []


def test_an_email_too_long_for_an_index_of_a_database_still_matches(ledger, box, customer):
    email = f"{'k' * 5000}@example.no"
    box.go.create("Customers", {**A_PERSON, "EmailAddress": email})

    assert ledger.run(customer(email=email)).count("customers", "linked") == 1


def test_a_record_without_an_id_is_one_reject_however_often_it_is_sent(ledger, reasons, customer):
    for _ in range(3):
        ledger.run(customer(id=None))

    assert len(reasons()) == 1


def test_every_run_ends_with_3_until_the_record_is_fixed_at_its_source(
    ledger, box, reasons, product
):
    bad, good = product(sku=None), product(updated_at=LATER)

    assert [ledger.run(bad).status, ledger.run().status] == [3, 3]
    assert ledger.run(good).status == 0
    assert reasons() == {}
    assert [entry["Code"] for entry in box.go.entries("Products")] == ["ULL-1"]
    assert ledger.run().status == 0


def test_an_acknowledged_reject_is_silent_until_its_reason_changes(ledger, product):
    ledger.run(product(sku=None))
    ledger.acknowledge_all()

    assert ledger.run(product(sku=None)).status == 0
    assert ledger.run().status == 0
    assert ledger.run(product(name=None, updated_at=LATER)).status == 3


def test_fail_on_never_ends_with_0(ledger, reasons, product):
    assert ledger.run(product(sku=None), fail_on="never").status == 0
    assert len(reasons()) == 1


def test_a_bad_version_of_a_landed_record_leaves_go_as_it_is(ledger, box, reasons, product):
    ledger.run(product())

    bad = ledger.run(product(name="x" * 401, price_excl="120.00", updated_at=LATER), ends_with=3)
    (entry,) = box.go.entries("Products")

    assert bad.writes == []
    assert (entry["Name"], entry["UnitPrice"]) == ("Ullgenser", 100)
    assert ledger.run(product(updated_at=LATEST)).status == 0
    assert reasons() == {}


def test_a_record_that_is_bad_and_then_good_again_in_one_run_is_settled(ledger, reasons, product):
    ledger.run(product())

    bad = product(name="x" * 401, updated_at=LATER)

    ledger.run(bad, product(updated_at=LATEST), ends_with=0)

    assert reasons() == {}


def test_a_reject_lists_everything_that_is_wrong(ledger, reasons, product):
    ledger.run(product(sku=None, name=["x"], price_excl="mye"))

    reason = reasons()["reject", "products", "501"]
    assert all(part in reason for part in ("no SKU", "name should be text", "price_excl"))


def test_a_refusal_of_go_is_quoted_in_the_reason(ledger, box, reasons, customer):
    body = {"title": "Customer validation error(s)", "detail": "Huff", "status": 400}
    box.faults.add(system="go", method="POST", path="/Customers", status=400, body=body)

    ledger.run(customer(), ends_with=3)

    assert "Customer validation error(s)" in reasons()["reject", "customers", "1001"]


def test_values_of_a_bad_record_are_not_logged(ledger, customer):
    outcome = ledger.run(
        customer(
            email="hemmelig.adresse", phone="SecretPhone" * 9, first_name=["Hemmelig"], id="x-1"
        ),
        ends_with=3,
    )

    assert "hemmelig" not in outcome.log.lower()
    assert "secretphone" not in outcome.log.lower()


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**40)
    | st.floats()
    | st.text()
    | st.sampled_from(["12,50 kr", "NaN", "-1", "1e9", "\ud800", "2026-01-31", "NO", "x" * 500]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.sampled_from(["id", "sku", "name"]), inner, max_size=3)
    ),
    max_leaves=5,
)


names = st.text() | st.sampled_from(
    ["id", "sku", "name", "type", "lines", "shipping", "status", "addresses", "buyer", "email"]
)


few_runs = settings(
    max_examples=10,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def paths(value, at=()):
    """Return the path of every part of a record."""
    own_path = [at] if at else []
    if not isinstance(value, (dict, list)):
        return own_path
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return own_path + [path for name, part in parts for path in paths(part, (*at, name))]


def spoilt(record, path, value):
    record = copy.deepcopy(record)
    part = record
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return record


RAW = {
    "nested too deeply": "[" * 100_000 + "]" * 100_000,
    "nested deeply": '{"a":' * 500 + "1" + "}" * 500,
    "half a character": '"\\ud800"',
    "character 0": '"\\u0000"',
    "a huge exponent": "1e99999999999999999999",
    "a tiny exponent": "-1E-99999999999999999999",
    "a huge number": "1e999999999",
    "thousands of digits": "9" * 5000,
    "not a number": "NaN",
    "infinite": "-Infinity",
}


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_a_line_with_unusable_json_is_one_reject_or_lands(
    ledger, box, customer, product, order, lines_of, raw
):
    spoilt = dict.fromkeys(("name", "custom", "updated_at", "created_at"), "spoilt")
    text = lines_of(
        customer(**{**spoilt, "email": "spoilt"}),
        product(**spoilt, price_excl="spoilt", tax_rate="spoilt"),
        {**order(**spoilt, total_incl="spoilt", placed_at="spoilt"), "lines": "spoilt"},
        customer(id="1002", email="ola@example.no"),
        product(id="502", sku="ULL-2"),
        order(id="9002", number="9002", customer_id="1002", lines=[]),
    ).replace('"spoilt"', raw)

    outcome = ledger.command_on(text)

    assert outcome.status == 3
    assert outcome.states
    assert "Traceback" not in outcome.log
    assert "could not read it" not in _all_reasons(ledger)
    assert "ola@example.no" in {entry["EmailAddress"] for entry in box.go.entries("Customers")}
    assert "ULL-2" in {entry["Code"] for entry in box.go.entries("Products")}


@few_runs
@given(data=st.data())
def test_no_junk_anywhere_in_a_record_breaks_the_run_or_reaches_go(
    ledger, box, customer, product, order, data
):
    templates = (customer(), product(), order(shipping=[_freight()]))
    bad = []
    for number in range(24):
        record = data.draw(st.sampled_from(templates))
        path = data.draw(st.sampled_from(paths(record)))
        record = {**record, "id": f"{number}"} if path != ("id",) else record
        bad.append(spoilt(record, path, data.draw(junk)))
    messages = [{"type": "RECORD", "stream": _stream(record), "record": record} for record in bad]
    schemas = [_schema(stream) for stream in ("customers", "products", "orders")]

    outcome = ledger.run(*schemas, *messages, customer(id="good", email="good@example.no"))

    assert outcome.status in (0, 3)
    assert outcome.states
    assert "this program could not read it" not in _all_reasons(ledger)
    assert "testshop:good" in {
        entry["ExternalImportReference"] for entry in box.go.entries("Customers")
    }
    for entry in box.go.entries("SalesOrders"):
        assert entry["CustomerId"]
        lines = [line for line in entry["SalesOrderLines"] if line["LineType"] == "Normal"]
        assert all(line["ProductId"] and line["Quantity"] is not None for line in lines)
        json.dumps(entry, default=_finite)


@few_runs
@given(records=st.lists(st.dictionaries(names, junk), max_size=20))
def test_no_record_of_random_members_ends_the_run(ledger, box, customer, records):
    messages = [
        {"type": "RECORD", "stream": stream, "record": record}
        for record in records
        for stream in ("customers", "products", "orders")
    ]
    schemas = [_schema(stream) for stream in ("customers", "products", "orders")]

    assert ledger.run(*schemas, *messages, customer(id="good")).status in (0, 3)
    assert "testshop:good" in {
        entry["ExternalImportReference"] for entry in box.go.entries("Customers")
    }
    assert "this program could not read it" not in _all_reasons(ledger)


def _freight():
    return {
        "id": "f",
        "name": "Posten",
        "total_excl": "80.00",
        "total_tax": "20.00",
        "total_incl": "100.00",
        "tax_rate": "25",
    }


def _stream(record):
    if "lines" in record:
        return "orders"
    return "products" if "sku" in record else "customers"


def _schema(stream):
    return {
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"properties": {"id": {"type": "string"}}},
        "key_properties": ["id"],
    }


def _finite(value):
    assert isinstance(value, Decimal)
    assert value.is_finite()
    return str(value)


def _all_reasons(ledger):
    return "\n".join(record.reason for record in ledger.unsettled())


def test_a_customer_without_name_and_email_is_rejected(ledger, box, reasons, customer):
    nobody = {"name": None, "first_name": None, "last_name": None, "email": None}

    ledger.run(customer(**nobody))

    (reason,) = reasons().values()
    assert "neither a name nor an e-mail address" in reason
    assert box.go.entries("Customers") == []


@pytest.mark.parametrize("customer_id", ["unknown", None])
def test_an_order_without_a_known_buyer_waits_and_its_buyer_is_rejected(
    ledger, box, product, order, customer_id
):
    ledger.run(product(), order(customer_id=customer_id, buyer=None), ends_with=3)

    assert box.go.entries("Customers") == []
    assert box.go.entries("SalesOrders") == []
    assert {(record.kind, record.entity) for record in ledger.unsettled()} == {
        ("parked", "orders"),
        ("reject", "customers"),
    }


def test_an_order_waits_for_its_customer_and_is_posted_to_it(ledger, box, company, product, order):
    ledger.run(product(), order(customer_id="2001", buyer=None))

    ledger.run(company(), ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert entry["Name"] == "Fjord og Fjell AS"
    assert len(box.go.entries("SalesOrders")) == 1


def test_an_unknown_word_is_rejected(ledger, box, customer, product):
    ledger.run(customer(type="alien"), product(status="finnes ikke"), ends_with=3)

    reasons = sorted(record.reason for record in ledger.unsettled("reject"))
    assert "status" in reasons[0]
    assert "is not one of active, draft, archived" in reasons[0]
    assert "is not one of person, company" in reasons[1]
    assert box.go.entries("Customers") == box.go.entries("Products") == []
