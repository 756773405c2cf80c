"""Links and identity: entries removed in Go, ids reused in the shop, SKUs that change."""

import datetime

import pytest
from clocks import machine_off_by

pytestmark = pytest.mark.both_link_stores(if_slow=True)


def test_a_customer_removed_in_go_is_held_and_never_created_again(ledger, box, customer):
    ledger.run(customer())
    box.go.delete("Customers", box.go.entries("Customers")[0]["Id"])

    ledger.run(customer(phone="+4740000000"), ends_with=3)

    assert box.go.entries("Customers") == []
    (hold,) = ledger.unsettled("hold")
    assert "removed in Go" in hold.reason
    assert ledger.run(customer(phone="+4740000000")).count("customers", "held") == 1
    assert box.go.entries("Customers") == []


def test_a_customer_removed_in_go_and_unchanged_in_the_shop_is_left_alone(ledger, box, customer):
    ledger.run(customer())
    box.go.delete("Customers", box.go.entries("Customers")[0]["Id"])

    assert ledger.run(customer()).writes == []
    assert box.go.entries("Customers") == []


def test_a_removed_customer_that_is_in_go_under_another_id_is_linked_again(ledger, box, customer):
    ledger.run(customer())
    box.go.delete("Customers", box.go.entries("Customers")[0]["Id"])
    box.go.create(
        "Customers",
        {"IsPerson": True, "FirstName": "K", "LastName": "N", "EmailAddress": "kari@example.no"},
    )

    assert ledger.run(customer(phone="+4740000000"), ends_with=0).count("customers", "linked") == 1
    assert len(box.go.entries("Customers")) == 1


def test_a_product_removed_in_go_is_held(ledger, box, product):
    ledger.run(product())
    box.go.delete("Products", box.go.entries("Products")[0]["Id"])

    ledger.run(product(price_excl="120.00"), ends_with=3)

    assert box.go.entries("Products") == []


def test_a_customer_removed_in_go_during_the_run_is_held(ledger, box, customer):
    ledger.run(customer())
    (entry,) = box.go.entries("Customers")
    box.faults.on("go", "PATCH", "/Customers/", lambda _: box.go.delete("Customers", entry["Id"]))

    ledger.run(customer(phone="+4740000000"), ends_with=3)

    assert box.go.entries("Customers") == []
    assert "removed in Go" in ledger.unsettled()[0].reason


@pytest.mark.parametrize("stream", ["customers", "products"])
def test_another_record_under_the_same_id_is_held(ledger, box, customer, product, stream):
    make = customer if stream == "customers" else product
    ledger.run(make())

    outcome = ledger.run(
        make(name="Noe annet", first_name="Ola", created_at="2026-03-01T00:00:00Z"), ends_with=3
    )

    assert outcome.writes == []
    assert "another record under the id" in ledger.unsettled("hold")[0].reason


@pytest.mark.parametrize("created_at", ["2026-01-02T09:00:00.000Z", None])
def test_a_record_with_created_at_written_differently_or_missing_is_the_same(
    ledger, customer, created_at
):
    ledger.run(customer(created_at="2026-01-02T09:00:00Z"))

    outcome = ledger.run(customer(created_at=created_at, phone="+4740000000"), ends_with=0)

    assert len(outcome.writes) == 1


def test_a_changed_sku_changes_the_code_of_the_same_product(ledger, box, product):
    ledger.run(product())

    ledger.run(product(sku="ULL-9"), ends_with=0)

    (entry,) = box.go.entries("Products")
    assert entry["Code"] == "ULL-9"


def test_a_sku_that_another_product_has_is_held(ledger, box, product):
    ledger.run(product(), product(id="502", sku="ULL-2"))

    assert ledger.run(product(id="502", sku="ULL-1"), ends_with=3).writes == []
    assert ledger.unsettled()[0].kind == "hold"
    assert sorted(entry["Code"] for entry in box.go.entries("Products")) == ["ULL-1", "ULL-2"]


def test_a_sku_that_a_product_only_in_go_has_is_held(ledger, box, product):
    ledger.run(product())
    box.go.create("Products", {"Code": "ULL-9", "Name": "Bare i Go"})
    box.go.switches.product_code_unique = False

    assert ledger.run(product(sku="ULL-9"), ends_with=3).writes == []
    assert ledger.unsettled()[0].kind == "hold"


@pytest.mark.parametrize("changes", [{"name": "Annen"}, {"sku": "ull-1"}])
def test_equal_skus_in_any_case_are_held_naming_the_first(ledger, box, product, changes):
    ledger.run(product(), product(id="502", **changes), workers=8, ends_with=3)

    assert len(box.go.entries("Products")) == 1
    (hold,) = ledger.unsettled("hold")
    assert "501" in hold.reason


def test_two_products_with_the_same_code_in_go_are_held(ledger, box, product):
    box.go.switches.product_code_unique = False
    for name in ("A", "B"):
        box.go.create("Products", {"Code": "ULL-1", "Name": name})

    assert ledger.run(product(), ends_with=3).writes == []


def test_stock_is_not_written_by_default(ledger, box, product):
    ledger.run(product())

    assert ledger.run(product(stock_on_hand="99")).writes == []


def test_the_shops_stock_is_written_and_overwrites_gos(ledger, box, product):
    ledger.run(product(), stock="shop")
    (entry,) = box.go.entries("Products")
    assert (entry["IsStockItem"], entry["StockOnHand"]) == (True, 7)
    box.go.edit("Products", entry["Id"], {"StockOnHand": 3})

    ledger.run(product(stock_on_hand="5"), stock="shop", ends_with=0)

    assert box.go.entries("Products")[0]["StockOnHand"] == 5


def test_a_product_deleted_in_go_since_the_last_run_is_not_linked_but_created(
    ledger, box, customer, product, order
):
    deleted = box.go.create("Products", {"Code": "ULL-1", "Name": "Ullgenser"})
    ledger.run(customer(), product(id="77", sku="ANN"))
    box.go.delete("Products", deleted["Id"])

    assert ledger.run(product(), order(), ends_with=0).count("products", "created") == 1
    assert len(box.go.entries("SalesOrders")) == 1


@pytest.mark.parametrize("hours_ahead", [0, 12])
def test_a_customer_deleted_in_go_since_the_last_run_is_not_linked_but_created(
    ledger, box, customer, hours_ahead
):
    members = {"FirstName": "Kari", "LastName": "N", "IsPerson": True}
    ledger.run(customer(id="5", email="x@example.no"))
    deleted = box.go.create("Customers", {**members, "EmailAddress": "kari@example.no"})
    with machine_off_by(datetime.timedelta(hours=hours_ahead)):
        ledger.run(customer(id="6", email="y@example.no"))
    box.go.delete("Customers", deleted["Id"])

    assert ledger.run(customer()).count("customers", "created") == 1


def test_changes_in_go_are_requested_from_minutes_before_the_newest_known(ledger, box, customer):
    box.go.create("Customers", {"FirstName": "Ola", "LastName": "N", "IsPerson": True})
    newest = box.go.entries("Customers")[0]["LastChangedDateTimeOffset"]
    ledger.run(customer(id="5", email="x@example.no"))

    outcome = ledger.run(customer(id="6", email="y@example.no"))

    (listed,) = [call for call in outcome.reads if call.path.lower().endswith("/customers")]
    since = listed.query["lastChangedDateTimeOffsetGreaterThan"]
    assert since < newest  # Go may show a change after a newer one


def test_an_order_of_a_product_that_was_deleted_in_go_creates_it_again(
    ledger, box, customer, order, line
):
    deleted = box.go.create("Products", {"Code": "ULL-1", "Name": "Ullgenser"})
    ledger.run(customer(), order(id="1", number="1", lines=[line(product_id=None, sku="ANN")]))
    box.go.delete("Products", deleted["Id"])

    ledger.run(order(lines=[line(product_id=None)]), ends_with=0)

    assert len(box.go.entries("SalesOrders")) == 2


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_reference_left_unwritten_by_a_killed_run_is_written_by_the_next(
    ledger, box, company, lines_of, moment
):
    members = {"Name": "Fjord og Fjell AS", "OrganizationNumber": "923609016"}
    entry_id = box.go.create("Customers", members)["Id"]
    running = ledger.start()
    box.faults.on("go", "PATCH", "/customers/", lambda _: running.kill(), when=moment)
    if moment == "before":
        box.faults.add(method="PATCH", path="/customers/", reset="before")
    running.communicate(lines_of(company()), timeout=30)
    box.faults.clear()

    ledger.run(company())

    assert box.go.entry("Customers", entry_id)["ExternalImportReference"] == "testshop:2001"
