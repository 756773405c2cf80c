"""Orders wait for their customers and products, in any order, and create missing ones."""

import datetime
import random
import threading

import pytest
from go_sandbox import Sandbox
from ledger import the_order

LATER = "2026-01-06T10:00:00Z"


def in_shop_terms(box):
    """Return everything in Go, with ids replaced by the references and codes of their entries."""
    customers = {
        entry["Id"]: entry["ExternalImportReference"] for entry in box.go.entries("Customers")
    }
    addresses = {
        entry["Id"]: (customers[entry["ContactId"]], entry["AddressLine1"], entry["ZipCode"])
        for entry in box.go.entries("ContactDeliveryAddresses")
    }
    return {
        "customers": sorted(
            (
                entry["ExternalImportReference"],
                entry["EmailAddress"],
                entry["LastName"] or entry["Name"],
            )
            for entry in box.go.entries("Customers")
        ),
        "products": sorted(
            (entry["Code"], entry["Name"], entry["UnitPrice"] or 0)
            for entry in box.go.entries("Products")
        ),
        "addresses": sorted(addresses.values()),
        "orders": sorted(
            (
                entry["ExternalImportReference"],
                customers[entry["CustomerId"]],
                addresses.get(entry["ContactDeliveryAddressId"]),
                entry["TotalAmount"],
                [
                    (line["ProductCode"], line["Description"], line["Quantity"], line["NetAmount"])
                    for line in entry["SalesOrderLines"]
                ],
            )
            for entry in box.go.entries("SalesOrders")
        ),
    }


@pytest.fixture
def shop(customer, product, order, guest_order, line, freight, address):
    """A shop whose orders also have guests, and customers and products that it does not list."""
    people = [customer(id=f"c{n}", email=f"c{n}@example.no", last_name=f"N{n}") for n in range(3)]
    goods = [product(id=f"p{n}", sku=f"SKU-{n}", name=f"Vare {n}") for n in range(4)]
    orders = []
    for n in range(10):
        lines = [
            line(id="a", product_id=f"p{n % 5}", sku=f"SKU-{n % 5}", name=f"Vare {n % 5}"),
            line(id="b", product_id=f"p{n % 3}", sku=f"SKU-{n % 3}", name=f"Vare {n % 3}"),
        ]
        ship = address(type="shipping", line1=f"Kaien {n % 2}", postal_code="5003", city="Bergen")
        members = {"id": f"o{n}", "number": str(n), "lines": lines, "shipping": [freight()]}
        if n % 3 == 2:
            orders.append(guest_order(**members, buyer=_buyer("gjest@example.no")))
        else:
            members |= {"customer_id": f"c{n % 4}", "buyer": _buyer(f"c{n % 4}@example.no")}
            orders.append(order(**members, shipping_address=ship))
    return [*people, *goods, *orders]


def _buyer(email):
    return {
        "email": email,
        "name": "Kari Nordmann",
        "first_name": "Kari",
        "last_name": "Nordmann",
        "phone": None,
        "company_name": None,
        "organization_number": None,
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_input_does_not_change_what_ends_up_in_go(
    ledger, box, shop, seed, tmp_path
):
    ledger.run(*shop, workers=1)
    expected = in_shop_terms(box)
    shuffled = random.Random(seed).sample(shop, len(shop))

    with Sandbox.start() as other:
        folder = tmp_path / "other"
        folder.mkdir()
        type(ledger)(other, folder).run(*shuffled, workers=8, ends_with=0)
        result = in_shop_terms(other)

    assert result == expected
    assert len(result["orders"]) == 10


def test_orders_that_all_come_before_their_parties_are_all_created(ledger, box, shop):
    ledger.run(*reversed(shop), workers=4, ends_with=0)

    assert len(box.go.entries("SalesOrders")) == 10
    assert sorted(entry["Code"] for entry in box.go.entries("Products")) == [
        "FRAKT-25",
        *(f"SKU-{n}" for n in range(5)),
    ]
    assert ledger.run(*shop).writes == []


def test_an_order_whose_customer_is_rejected_is_parked_until_a_later_run(
    ledger, box, reasons, customer, product, order
):
    ledger.run(order(), product(), customer(email="wrong"), ends_with=3)

    assert box.go.entries("SalesOrders") == []
    assert "customers 1001" in reasons()["parked", "orders", "9001"]
    assert ledger.run().status == 3

    ledger.run(customer(updated_at=LATER), ends_with=0)

    assert len(box.go.entries("SalesOrders")) == 1
    assert reasons() == {}


def test_an_order_that_waits_is_not_posted_once_a_newer_version_of_it_is_rejected(
    ledger, box, message, customer, product, order
):
    input_is_read = threading.Event()
    box.faults.on("go", "POST", "/Customers$", lambda _: input_is_read.wait(timeout=30))
    box.faults.on("go", "POST", "/Products$", lambda _: input_is_read.set())
    records = [order(), customer(), {**order(), "fees": [1]}, product()]
    page_read_at = datetime.datetime.now(datetime.timezone.utc)

    ledger.run(*(message(record, at=page_read_at) for record in records), workers=2, ends_with=3)

    assert len(box.go.entries("Customers")) == len(box.go.entries("Products")) == 1
    assert box.go.entries("SalesOrders") == []
    assert [record.kind for record in ledger.unsettled()] == ["reject"]


def test_an_order_whose_product_is_rejected_waits_for_it(
    ledger, box, reasons, customer, product, order
):
    ledger.run(customer(), product(price_excl="mye"), order())

    assert box.go.entries("Products") == []
    assert box.go.entries("SalesOrders") == []
    assert set(reasons()) == {("reject", "products", "501"), ("parked", "orders", "9001")}

    assert ledger.run(product(updated_at=LATER)).status == 0
    assert len(box.go.entries("SalesOrders")) == 1


def test_an_order_whose_product_is_held_waits_although_go_has_its_sku(
    ledger, box, reasons, customer, product, order, line
):
    twin = product(id="502", sku="ULL-1", name="En annen")

    ledger.run(customer(), product(), twin, order(lines=[line(product_id="502")]), ends_with=3)

    assert box.go.entries("SalesOrders") == []
    assert ("hold", "products", "502") in reasons()
    assert "products 502" in reasons()["parked", "orders", "9001"]


def test_a_customer_that_the_shop_does_not_list_is_made_from_the_buyer(ledger, box, product, order):
    ledger.run(product(), order(customer_id="77"), ends_with=0)

    (person,) = box.go.entries("Customers")
    assert person["ExternalImportReference"] == "testshop:77"
    assert (person["FirstName"], person["LastName"]) == ("Kari", "Nordmann")
    assert person["MailAddress"]["City"] == "Oslo"
    assert the_order(box)["CustomerId"] == person["Id"]


def test_a_customer_made_from_a_buyer_follows_the_shop_once_it_is_listed(
    ledger, box, product, order, customer
):
    ledger.run(product(), order(customer_id="77"))

    ledger.run(customer(id="77", phone="+4798765432", updated_at=LATER), ends_with=0)

    (person,) = box.go.entries("Customers")
    assert person["PhoneNumber"] == "+4798765432"


def test_a_customer_that_cannot_be_made_is_made_once_the_order_is_corrected(
    ledger, box, reasons, product, order
):
    invalid = order(customer_id="77", buyer=_buyer("feil"))
    assert ledger.run(product(), invalid).status == 3
    assert box.go.entries("SalesOrders") == []

    ledger.run(order(customer_id="77", updated_at=LATER), ends_with=0)

    assert reasons() == {}
    assert len(box.go.entries("SalesOrders")) == 1


def test_a_product_that_the_shop_does_not_list_is_made_from_the_line(
    ledger, box, customer, order, line
):
    ledger.run(customer(), order(lines=[line(product_id=None, id=" 1 ")]), ends_with=0)

    (item,) = box.go.entries("Products")
    assert (item["Code"], item["Name"], item["UnitPrice"]) == ("ULL-1", "Ullgenser", 100)
    assert the_order(box)["TotalAmount"] == 250


def test_many_orders_with_one_missing_product_make_one_product(ledger, box, customer, order, line):
    box.go.switches.product_code_unique = False
    orders = [
        order(id=str(n), number=str(n), lines=[line(product_id=(None, "501")[n % 2])])
        for n in range(10)
    ]

    ledger.run(customer(), *orders, workers=8, ends_with=0)

    assert [entry["Code"] for entry in box.go.entries("Products")] == ["ULL-1"]
    assert len(box.go.entries("SalesOrders")) == 10


def test_without_create_missing_products_the_order_is_rejected(
    ledger, box, reasons, customer, product, order
):
    ledger.run(customer(), order(), create_missing_products=False, ends_with=3)

    assert box.go.entries("Products") == []
    assert "create_missing_products is off" in reasons()["reject", "orders", "9001"]

    assert ledger.run(product(), create_missing_products=False).status == 0
    assert len(box.go.entries("SalesOrders")) == 1


def test_a_product_that_a_bookkeeper_made_is_found_by_its_code(ledger, box, customer, order):
    made = box.go.create("Products", {"Name": "Ullgenser", "Code": "ULL-1"})

    ledger.run(customer(), order(), ends_with=0)

    assert the_order(box)["SalesOrderLines"][0]["ProductId"] == made["Id"]
    assert len(box.go.entries("Products")) == 1


def test_an_order_with_neither_customer_nor_email_makes_its_own_customer(
    ledger, box, product, guest_order
):
    orders = [guest_order(id=order_id, buyer=_buyer(None)) for order_id in ("9001", "9002")]

    ledger.run(product(), *orders, ends_with=0)

    assert len(box.go.entries("Customers")) == 2


def test_another_delivery_address_is_created_and_equal_ones_are_reused(
    ledger, box, customer, product, order, address
):
    cabin = address(type="shipping", line1="Hytteveien 9", postal_code="2630", city="Ringebu")
    same = {**cabin, "line1": " hytteveien  9", "id": "a-7"}
    addresses = [cabin, same, None, address(type="shipping"), cabin]
    orders = [
        order(id=str(n), number=str(n), shipping_address=shipping)
        for n, shipping in enumerate(addresses)
    ]

    ledger.run(customer(), product(), *orders, ends_with=0)

    entries = {entry["Id"]: entry for entry in box.go.entries("ContactDeliveryAddresses")}
    ids = {
        entry["ExternalImportReference"]: entry["ContactDeliveryAddressId"]
        for entry in box.go.entries("SalesOrders")
    }
    assert len(entries) <= 2
    for n in (0, 1, 4):
        assert "hytteveien" in entries[ids[f"testshop:{n}"]]["AddressLine1"].casefold()


@pytest.mark.parametrize(("first_id", "other_id"), [("s1", "s2"), ("s1", "s1"), (None, None)])
def test_equal_delivery_addresses_of_different_guests_are_an_entry_each(
    ledger, box, product, guest_order, address, first_id, other_id
):
    """Go accepts a code only once, whichever customer it belongs to."""
    orders = [
        guest_order(
            id=order_id,
            number=order_id,
            buyer=_buyer(f"gjest{order_id}@example.no"),
            shipping_address=address(id=address_id, type="shipping", line1=line1),
        )
        for order_id, address_id, line1 in (
            ("9001", first_id, "Veien 5"),
            ("9002", other_id, "Veien 11"),
            ("9003", other_id, "Veien 11"),
        )
    ]

    ledger.run(product(), *orders, ends_with=0)

    assert _sent_to(box) == {"9001": "Veien 5", "9002": "Veien 11", "9003": "Veien 11"}
    assert ledger.run(product(), *orders, full_check_hours=0).writes == []


def _sent_to(box):
    entries = {entry["Id"]: entry for entry in box.go.entries("ContactDeliveryAddresses")}
    orders = box.go.entries("SalesOrders")
    addresses = {entry["Id"]: entries[entry["ContactDeliveryAddressId"]] for entry in orders}
    assert all(addresses[entry["Id"]]["ContactId"] == entry["CustomerId"] for entry in orders)
    return {
        entry["ExternalImportReference"].removeprefix("testshop:"): addresses[entry["Id"]][
            "AddressLine1"
        ]
        for entry in orders
    }


@pytest.mark.parametrize("address_id", ["s1", None])
def test_an_order_to_an_address_of_its_own_moves_to_another_customer(
    ledger, box, customer, product, order, address, address_id
):
    ola = customer(id="1002", email="ola@example.no", first_name="Ola")
    cabin = address(id=address_id, type="shipping", line1="Hytteveien 9")
    ledger.run(customer(), ola, product(), order(shipping_address=cabin))

    moved = order(customer_id="1002", shipping_address=cabin, updated_at=LATER)
    ledger.run(moved, ends_with=0)

    assert _sent_to(box) == {"9001": "Hytteveien 9"}
    assert ledger.run(moved, full_check_hours=0).writes == []


@pytest.mark.parametrize("code", ["testshop:s1", "testshop:6a09b2a1a0a8e7d3"])
def test_an_address_that_the_previous_version_made_for_an_order_is_used_again(
    ledger, box, customer, product, order, address, code
):
    cabin = address(id="s1", type="shipping", line1="Hytteveien 9")
    ledger.run(customer(), product(), order(shipping_address=cabin))
    made = box.go.entries("ContactDeliveryAddresses")
    box.go.edit("ContactDeliveryAddresses", made[-1]["Id"], {"ExternalCode": code})

    assert ledger.run(order(shipping_address=cabin), full_check_hours=0).writes == []
    outcome = ledger.run(order(id="9002", number="9002", shipping_address=cabin))

    assert outcome.calls() == ["POST /SalesOrders/Complete"]
    assert _sent_to(box) == {"9001": "Hytteveien 9", "9002": "Hytteveien 9"}


def test_an_edit_of_a_customers_address_does_not_move_an_order_to_its_own_address(
    ledger, box, customer, product, order, address
):
    """The shop may number the addresses of customers and those of orders separately."""
    cabin = address(id="7", type="shipping", line1="Hytteveien 9")
    ledger.run(customer(), product(), order(shipping_address=cabin))
    addresses = [address(), address(id="7", type="shipping", line1="Kaien 2")]

    ledger.run(customer(addresses=addresses, updated_at=LATER))

    assert _sent_to(box) == {"9001": "Hytteveien 9"}


def test_an_order_to_the_mail_address_stays_there_when_another_address_is_added(
    ledger, box, customer, product, order, address
):
    ledger.run(customer(), product(), order())
    cabin = address(type="shipping", line1="Hytteveien 9", postal_code="2630", city="Ringebu")

    ledger.run(order(id="9002", number="9002", shipping_address=cabin))

    entries = {entry["Id"]: entry for entry in box.go.entries("ContactDeliveryAddresses")}
    usual = next(entry for entry in entries.values() if entry["IsPrimary"])
    goes_to = {
        entry["ExternalImportReference"]: entries.get(entry["ContactDeliveryAddressId"], usual)
        for entry in box.go.entries("SalesOrders")
    }
    assert goes_to["testshop:9001"]["AddressLine1"] == "Storgata 1"
    assert goes_to["testshop:9002"]["AddressLine1"] == "Hytteveien 9"


def test_an_address_without_a_city_is_not_a_delivery_address(
    ledger, box, customer, product, order, address
):
    nowhere = address(type="shipping", city=None)

    ledger.run(customer(), product(), order(shipping_address=nowhere), ends_with=0)

    assert box.go.entries("ContactDeliveryAddresses") == []


def test_an_order_moves_to_another_customer_by_one_patch(ledger, box, customer, product, order):
    ola = customer(id="1002", email="ola@example.no", first_name="Ola")
    ledger.run(customer(), ola, product(), order())

    outcome = ledger.run(order(customer_id="1002", updated_at=LATER), ends_with=0)

    assert [write.method for write in outcome.writes] == ["PATCH"]
    in_go = the_order(box)
    names = {entry["Id"]: entry["FirstName"] for entry in box.go.entries("Customers")}
    assert names[in_go["CustomerId"]] == "Ola"
    assert in_go["TotalAmount"] == 250


def test_buyers_with_the_same_email_make_one_customer(ledger, box, product, order, line):
    box.faults.add(method="POST", path="/customers", delay_seconds=0.2, times=None)
    products = [product(id=f"p{n}", sku=f"S{n}") for n in range(4)]
    orders = [
        order(
            id=f"o{n}",
            number=str(n),
            customer_id=f"unlisted {n}",
            lines=[line(product_id=f"p{n}", sku=f"S{n}")],
        )
        for n in range(4)
    ]

    ledger.run(*products, *orders, workers=8)

    assert len(box.go.entries("Customers")) == 1
    assert len(box.go.entries("SalesOrders")) == 1
