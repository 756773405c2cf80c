"""An edited order changes in Go, while it is a Draft, by one call for each change."""

import datetime
from dataclasses import replace
from decimal import Decimal

import pytest
from ledger import the_order

pytestmark = pytest.mark.both_link_stores(if_slow=True)

LATER = "2026-01-06T10:00:00Z"
MOST_READS_OF_AN_EDIT = 2


@pytest.fixture
def two_lines(line):
    """Two lines of the same product."""
    return [line(), line(id="2", quantity="1", **totals("100.00", "25.00", "125.00"))]


@pytest.fixture
def landed(ledger, customer, product, order, two_lines):
    """An order of two lines that has landed as a Draft."""
    shop_order = order(lines=two_lines)
    assert ledger.run(customer(), product(), shop_order).status == 0
    return shop_order


def totals(excl, tax, incl):
    return {"total_excl": excl, "total_tax": tax, "total_incl": incl}


def edited(shop_order, **changes):
    """Return the order after an edit, with the total of its lines."""
    record = {**shop_order, "updated_at": LATER, **changes}
    parts = [*record["lines"], *record["shipping"]]
    for name in ("total_excl", "total_tax", "total_incl"):
        record[name] = str(sum((Decimal(part[name]) for part in parts), Decimal(0)))
    return record


def line_in_go(box, reference):
    lines = the_order(box)["SalesOrderLines"]
    return next(line for line in lines if line["ExternalImportReference"] == reference)


def edit_line(box, reference, changes):
    """Have a person edit a line of the order in Go, or remove it if the changes are None."""
    edit = {"lines": {line_in_go(box, reference)["Id"]: changes}}
    box.go.edit("SalesOrders", the_order(box)["Id"], edit)


def order_reads(outcome):
    return [read for read in outcome.reads if "/SalesOrders/" in read.path]


def test_a_header_edit_is_one_patch_of_what_changed(ledger, box, landed):
    outcome = ledger.run(edited(landed, reference="PO 17", shipped_at="2026-01-07T08:00:00Z"))

    (write,) = outcome.writes
    replaced = {
        operation["path"]: operation["value"]
        for operation in write.json()
        if operation["op"] == "replace"
    }
    assert write.method == "PATCH"
    assert replaced == {"/PurchaseOrderReference": "PO 17", "/DeliveryDate": "2026-01-07"}
    assert the_order(box)["PurchaseOrderReference"] == "PO 17"
    assert len(order_reads(outcome)) <= MOST_READS_OF_AN_EDIT


def test_a_changed_line_is_one_patch(ledger, box, landed, two_lines):
    three = {**two_lines[1], "quantity": "3", **totals("300.00", "75.00", "375.00")}

    outcome = ledger.run(edited(landed, lines=[two_lines[0], three]), ends_with=0)

    assert [write.method for write in outcome.writes] == ["PATCH"]
    assert line_in_go(box, "2")["Quantity"] == 3
    assert the_order(box)["TotalAmount"] == 625
    assert len(order_reads(outcome)) <= MOST_READS_OF_AN_EDIT


def test_an_added_line_is_one_post(ledger, box, landed, two_lines):
    outcome = ledger.run(
        edited(landed, lines=[*two_lines, {**two_lines[1], "id": "3", "name": "En til"}])
    )

    assert [write.method for write in outcome.writes] == ["POST"]
    assert line_in_go(box, "3")["Description"] == "En til"
    assert the_order(box)["TotalAmount"] == 500
    assert len(order_reads(outcome)) <= MOST_READS_OF_AN_EDIT


def test_a_removed_line_is_one_delete(ledger, box, landed, two_lines):
    outcome = ledger.run(edited(landed, lines=two_lines[:1]))

    assert [write.method for write in outcome.writes] == ["DELETE"]
    assert the_order(box)["TotalAmount"] == 250
    assert len(order_reads(outcome)) <= MOST_READS_OF_AN_EDIT


def test_header_and_lines_are_a_call_each(ledger, box, landed, two_lines):
    lines = [{**two_lines[0], "name": "Genser i ull"}, {**two_lines[1], "id": "3"}]
    record = edited(landed, reference="PO 17", lines=lines)

    outcome = ledger.run(record, ends_with=0)

    methods = sorted(write.method for write in outcome.writes)
    # the new line also takes the removed one's place in the order of lines
    assert methods == ["DELETE", "PATCH", "PATCH", "POST"]
    go_lines = the_order(box)["SalesOrderLines"]
    assert {go_line["ExternalImportReference"] for go_line in go_lines} == {"1", "3"}
    assert len(order_reads(outcome)) <= MOST_READS_OF_AN_EDIT
    assert ledger.run(record).writes == []


def test_freight_that_is_added_later_becomes_a_line(ledger, box, landed, freight):
    ledger.run(edited(landed, shipping=[freight()]), ends_with=0)

    assert the_order(box)["TotalAmount"] == Decimal("474.00")
    assert line_in_go(box, "shipping:f1")["ProductCode"] == "FRAKT-25"


def test_edits_that_a_person_made_in_go_survive_an_edit_in_the_shop(ledger, box, landed, two_lines):
    box.go.edit(
        "SalesOrders",
        the_order(box)["Id"],
        {
            "ContractNo": "K-1",
            "CustomerReference": "Kontor 3",
            "lines": {
                line_in_go(box, "2")["Id"]: {"Quantity": 5},
                "new": {"LineType": "Text", "Description": "Hentes på lager"},
            },
        },
    )
    renamed = {**two_lines[0], "name": "Genser i ull"}

    outcome = ledger.run(
        edited(landed, reference="PO 17", lines=[renamed, two_lines[1]]), ends_with=0
    )

    in_go = the_order(box)
    assert [write.method for write in outcome.writes] == ["PATCH", "PATCH"]
    assert in_go["ContractNo"] == "K-1"
    assert in_go["CustomerReference"] == "Kontor 3"
    assert in_go["PurchaseOrderReference"] == "PO 17"
    assert line_in_go(box, "1")["Description"] == "Genser i ull"
    assert line_in_go(box, "2")["Quantity"] == 5
    assert "Hentes på lager" in {line["Description"] for line in in_go["SalesOrderLines"]}


def test_two_members_of_one_line_can_be_edited_on_either_side(ledger, box, landed, two_lines):
    edit_line(box, "1", {"Quantity": 4})

    ledger.run(edited(landed, lines=[{**two_lines[0], "name": "Ny"}, two_lines[1]]), ends_with=0)

    go_line = line_in_go(box, "1")
    assert (go_line["Description"], go_line["Quantity"]) == ("Ny", 4)


def test_a_line_that_a_person_removed_in_go_stays_away(ledger, box, landed):
    edit_line(box, "2", None)

    ledger.run(edited(landed, reference="PO 17"), ends_with=0)

    assert len(the_order(box)["SalesOrderLines"]) == 1
    assert the_order(box)["PurchaseOrderReference"] == "PO 17"


def test_a_line_edited_differently_on_both_sides_is_held_and_nothing_written(
    ledger, box, reasons, landed, two_lines
):
    edit_line(box, "1", {"Quantity": 4})
    three = {**two_lines[0], "quantity": "3", **totals("300.00", "75.00", "375.00")}
    record = edited(landed, reference="PO 17", lines=[three, two_lines[1]])

    assert ledger.run(record, ends_with=3).writes == []
    assert reasons()["hold", "orders", "9001"] == "line 1: both sides changed Quantity"


def test_a_held_conflict_is_resolved_once_go_has_the_shops_value(
    ledger, box, reasons, landed, two_lines
):
    edit_line(box, "1", {"Quantity": 4})
    three = {**two_lines[0], "quantity": "3", **totals("300.00", "75.00", "375.00")}
    record = edited(landed, lines=[three, two_lines[1]])
    ledger.run(record)

    edit_line(box, "1", {"Quantity": 3})

    assert ledger.run().status == 0
    assert reasons() == {}
    assert ledger.run(record).writes == []


def test_a_member_that_both_sides_changed_alike_is_agreed_though_another_is_not(
    ledger, box, landed, two_lines
):
    edit_line(box, "1", {"Quantity": 9, "Description": "Ny"})
    ledger.run(edited(landed, lines=[{**two_lines[0], "name": "Ny"}, two_lines[1]]))

    later = edited(landed, lines=[{**two_lines[0], "name": "Nyere"}, two_lines[1]])
    ledger.run({**later, "updated_at": "2026-01-07T10:00:00Z"}, ends_with=0)

    assert line_in_go(box, "1")["Description"] == "Nyere"
    assert line_in_go(box, "1")["Quantity"] == 9


@pytest.fixture
def edited_during_the_run(box, landed):
    """Has a person edit the order in Go just before the run patches it."""
    go_id, edit = the_order(box)["Id"], {"PurchaseOrderReference": "Bilag 3"}
    box.faults.on("go", "PATCH", "/SalesOrders/", lambda _: box.go.edit("SalesOrders", go_id, edit))


@pytest.mark.usefixtures("edited_during_the_run")
def test_an_edit_made_in_go_during_the_run_is_kept_by_reading_again(ledger, box, landed):
    ledger.run(edited(landed, shipped_at="2026-01-07T08:00:00Z"), ends_with=0)

    assert the_order(box)["PurchaseOrderReference"] == "Bilag 3"
    assert the_order(box)["DeliveryDate"] == "2026-01-07"


@pytest.mark.usefixtures("edited_during_the_run")
def test_an_edit_of_the_same_value_during_the_run_is_not_overwritten(ledger, box, landed):
    ledger.run(edited(landed, reference="PO 17"))

    assert the_order(box)["PurchaseOrderReference"] == "Bilag 3"


def test_a_line_edited_in_go_during_the_run_does_not_hold_the_order(ledger, box, landed, two_lines):
    box.faults.on("go", "PATCH", "/Lines/", lambda _: edit_line(box, "1", {"Quantity": 4}))

    ledger.run(edited(landed, lines=[{**two_lines[0], "name": "Ny"}, two_lines[1]]), ends_with=0)

    go_line = line_in_go(box, "1")
    assert (go_line["Description"], go_line["Quantity"]) == ("Ny", 4)


def test_a_record_read_before_the_last_one_changes_nothing(ledger, box, landed, message):
    now = datetime.datetime.now(datetime.timezone.utc)
    ledger.run(edited(landed, reference="PO 17"))

    stale = message(edited(landed, reference="Gammel"), "orders", now - datetime.timedelta(hours=1))
    assert ledger.run(stale).writes == []
    assert the_order(box)["PurchaseOrderReference"] == "PO 17"


def test_an_edit_with_the_wrong_total_is_held_after_it_was_written_and_corrected_in_the_shop(
    ledger, box, reasons, landed, two_lines, odd_line
):
    box.go.switches.price_decimals = 2
    odd = odd_line(id="2")
    ledger.run(edited(landed, lines=[two_lines[0], odd]), ends_with=3)

    assert "375.00" in reasons()["hold", "orders", "9001"]
    assert "374.99" in reasons()["hold", "orders", "9001"]
    assert the_order(box)["SalesOrderStatus"] == "Draft"

    even = {**odd, "quantity": "4"}
    corrected = edited(landed, lines=[two_lines[0], even], updated_at="2026-01-07T10:00:00Z")
    assert ledger.run(corrected).status == 0
    assert the_order(box)["TotalAmount"] == 375


def test_a_property_without_a_base_is_left_as_it_is_and_then_follows_the_shop(ledger, box, landed):
    with ledger.store() as store:
        store.namespaces.choose(store.namespaces.all()[0])
        link = store.links.get("orders", landed["id"])
        base = {name: agreed for name, agreed in link.base.items() if name != "reference"}
        store.links.put(replace(link, base=base))

    first = ledger.run(edited(landed, reference="PO 1"), ends_with=0)
    assert first.writes == []
    assert len(order_reads(first)) == 1

    again = ledger.run(edited(landed, reference="PO 1", updated_at="2026-01-07T10:00:00Z"))
    assert order_reads(again) == []
    ledger.run(edited(landed, reference="PO 2", updated_at="2026-01-08T10:00:00Z"))
    assert the_order(box)["PurchaseOrderReference"] == "PO 2"
