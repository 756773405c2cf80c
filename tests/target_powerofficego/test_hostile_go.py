"""An entry of Go that is unusable, in its list and read alone, stops no others."""

import hostile_json
import pytest
import simplejson

pytestmark = pytest.mark.both_link_stores(if_long=True)

RAW = {**hostile_json.RAW, "an object": '{"a": [1]}'}
STAMPS: list[object] = [
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "2026-13-01",
]
STAMPS += ["9999-12-31T23:59:59-14:00", "2199-01-01T00:00:00Z", 5, ["x"], {}, True, "", None]


def spoil(box, resource, go_id, *members, raw):
    """Replace members of an entry in Go's answers from now on, in lists and read alone."""
    entries = [dict(entry) for entry in box.go.entries(resource)]
    (spoilt,) = [entry for entry in entries if str(entry["Id"]) == go_id]
    spoilt.update(dict.fromkeys(members, "spoilt"))
    for path, answer in ((f"/{resource}$", entries), (f"/{resource}/{go_id}(/complete)?$", spoilt)):
        body = simplejson.dumps(answer, use_decimal=True).replace('"spoilt"', raw)
        box.faults.add(system="go", method="GET", path=path, status=200, body=body, times=None)


def program_faults(ledger):
    return [record.reason for record in ledger.unsettled() if "could not read it" in record.reason]


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
@pytest.mark.parametrize(
    ("entity", "shop_ids", "members", "edit", "edited"),
    [
        (
            "customers",
            ("1001", "2001"),
            (
                *("Name", "FirstName", "EmailAddress", "OrganizationNumber", "IsPerson"),
                *("Number", "MailAddress", "IsArchived", "Id2"),
            ),
            {"phone": "+4790000001"},
            ("PhoneNumber", "+4790000001"),
        ),
        (
            "products",
            ("501", "502"),
            ("Name", "Code", "Gtin", "UnitPrice", "UnitCost", "IsActive", "Description"),
            {"cost_price": "41.00"},
            ("UnitCost", 41),
        ),
    ],
    ids=["customer", "product"],
)
def test_a_hostile_customer_or_product_of_go_stops_no_others(
    linked, box, product, raw, entity, shop_ids, members, edit, edited
):
    box.shop.put("products", product(id="502", sku="ULL-2"))
    linked.forward()
    resource, (member, value) = entity.capitalize(), edited
    spoilt, other = (linked.go_id(entity, shop_id) for shop_id in shop_ids)
    spoil(box, resource, spoilt, *members, raw=raw)
    for shop_id in shop_ids:
        box.shop.edit(entity, shop_id, edit)

    outcome = linked.forward(full_check_hours=0)

    assert outcome.status in (0, 3)
    assert outcome.states
    assert box.go.entry(resource, other)[member] == value
    assert program_faults(linked.ledger) == []
    box.faults.clear()
    assert linked.forward(full_check_hours=0).status == 0
    assert box.go.entry(resource, spoilt)[member] == value


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_a_hostile_order_of_go_stops_no_others(linked, box, order, raw):
    spoilt = linked.go_id("orders", "9001")
    members = ("TotalAmount", "NetAmount", "SalesOrderStatus", "CustomerReference", "OrderNo")
    spoil(box, "SalesOrders", spoilt, *members, raw=raw)
    box.shop.edit("orders", "9001", {"reference": "Ola"})
    box.shop.put("orders", order(id="9002", number="9002"))

    outcome = linked.forward(full_check_hours=0)

    assert outcome.status in (0, 3)
    assert outcome.states
    assert len(box.go.entries("SalesOrders")) == 2
    assert program_faults(linked.ledger) == []


@pytest.mark.parametrize("stamp", STAMPS, ids=str)
def test_an_invalid_stamp_of_go_stops_nothing_and_hides_no_change(linked, box, stamp):
    ids = [linked.go_id("customers", shop_id) for shop_id in ("1001", "2001")]
    raw = simplejson.dumps(stamp)
    spoil(box, "Customers", ids[0], "LastChangedDateTimeOffset", raw=raw)
    for shop_id in ("1001", "2001"):
        box.shop.edit("customers", shop_id, {"phone": "+4790000001"})
    assert linked.forward(full_check_hours=0).status == 0
    assert [box.go.entry("Customers", go_id)["PhoneNumber"] for go_id in ids] == ["+4790000001"] * 2

    box.faults.clear()
    box.go.edit("Customers", ids[1], {"EmailAddress": "ny@example.no"})
    box.shop.edit("customers", "2001", {"phone": "+4790000002"})
    outcome = linked.forward()

    (listed,) = [
        request for request in outcome.reads if request.path.lower().endswith("/customers")
    ]
    since = listed.query.get("lastChangedDateTimeOffsetGreaterThan", "")
    assert since < box.go.entry("Customers", ids[1])["LastChangedDateTimeOffset"]


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
@pytest.mark.parametrize("member", ["Code", "Rate"])
def test_a_hostile_vat_code_of_go_ends_the_run_without_a_traceback(linked, box, raw, member):
    codes = [{**entry, member: "spoilt"} for entry in box.go.entries("VatCodes")]
    body = simplejson.dumps(codes, use_decimal=True).replace('"spoilt"', raw)
    box.faults.add(system="go", method="GET", path="/vatcodes$", status=200, body=body, times=None)

    outcome = linked.ledger.command(
        sales_accounts={"25": 3000}, payment_accounts={"vipps": 1920}, ends_with=1
    )

    assert "Traceback" not in outcome.log
    assert " | ERROR " in outcome.log.splitlines()[-1]


def test_an_entry_without_an_id_is_logged_and_left_out(linked, box):
    spoil(box, "Customers", linked.go_id("customers", "1001"), "Id", raw="null")
    box.shop.edit("customers", "2001", {"phone": "+4790000001"})

    outcome = linked.forward(full_check_hours=0)

    assert "GET /Customers: entries without a usable Id are left out" in outcome.log
    firm = box.go.entry("Customers", linked.go_id("customers", "2001"))
    assert firm["PhoneNumber"] == "+4790000001"
