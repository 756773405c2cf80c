"""`powerofficego-links link` and `unlink`: a person links a record with an entry in Go."""

from __future__ import annotations

import pytest
from ledger import A_PERSON


@pytest.fixture
def linked(rows):
    """Returns the Go ids of what is linked, by entity and shop id."""
    return lambda: {(row["entity"], row["shop_id"]): row["go_id"] for row in rows("links")}


@pytest.fixture
def two_karis(ledger, box, customer):
    """Two customers in Go with the e-mail address of customer 1001, who is held because of it."""
    person = {**A_PERSON, "FirstName": "K.", "EmailAddress": "kari@example.no"}
    entries = [box.go.create("Customers", person) for _ in range(2)]
    assert ledger.run(customer()).count("customers", "held") == 1
    return entries


def without_stamps(entry):
    return {name: value for name, value in entry.items() if not name.startswith("LastChanged")}


# Customers


def test_linking_a_held_customer_changes_only_our_reference_in_go(ledger, box, links, two_karis):
    first, second = two_karis
    result = links("link", "customers", "1001", second["Id"])
    outcome = ledger.run()

    assert result.exit_code == 0
    assert result.output == (
        f"customers 1001 is linked to {second['Id']} in Go;"
        " the next run of target-powerofficego continues from there\n"
    )
    assert outcome.status == 0
    assert outcome.count("customers", "linked") == 1
    assert outcome.calls() == [f"PATCH /Customers/{second['Id']}"]
    in_go = {entry["Id"]: entry for entry in box.go.entries("Customers")}
    expected = {**second, "ExternalImportReference": "testshop:1001"}
    assert without_stamps(in_go[second["Id"]]) == without_stamps(expected)
    assert in_go[first["Id"]] == first
    assert ledger.unsettled() == []


def test_without_write_references_linking_changes_nothing_in_go(ledger, links, two_karis):
    links("link", "customers", "1001", two_karis[0]["Id"])

    assert ledger.run(write_references=False).writes == []


def test_a_later_edit_of_the_linked_customer_is_one_patch(ledger, box, links, two_karis, customer):
    links("link", "customers", "1001", two_karis[1]["Id"])
    ledger.run()

    outcome = ledger.run(customer(first_name="Kari Anne"))

    (patch,) = outcome.writes
    assert [operation["path"] for operation in patch.json() if operation["op"] == "replace"] == [
        "/FirstName"
    ]
    assert len(box.go.entries("Customers")) == 2


def test_a_parked_order_is_written_for_the_linked_customer(
    ledger, box, links, two_karis, product, order
):
    ledger.run(product(), order())
    links("link", "customers", "1001", two_karis[1]["Id"])

    outcome = ledger.run()

    assert outcome.status == 0
    (entry,) = box.go.entries("SalesOrders")
    assert entry["CustomerId"] == two_karis[1]["Id"]


def test_a_held_guest_is_linked_by_the_id_in_the_hold(
    ledger, box, links, two_karis, product, guest_order
):
    ledger.run(product(), guest_order())
    (guest,) = [
        record for record in ledger.unsettled("hold") if record.shop_id.startswith("guest:")
    ]
    links("link", "customers", guest.shop_id, two_karis[0]["Id"])
    links("link", "customers", "1001", two_karis[1]["Id"])

    outcome = ledger.run()

    assert outcome.status == 0
    (entry,) = box.go.entries("SalesOrders")
    assert entry["CustomerId"] == two_karis[0]["Id"]


def test_a_linked_customer_whose_entry_was_deleted_is_held_and_not_created(
    ledger, box, links, two_karis
):
    for entry in two_karis:
        box.go.delete("Customers", entry["Id"])
    links("link", "customers", "1001", two_karis[0]["Id"])

    outcome = ledger.run(full_check_hours=0.000001)

    assert outcome.status == 3
    assert outcome.writes == []
    assert "removed in Go" in ledger.unsettled("hold")[0].reason


def test_the_entry_of_another_customer_is_refused_without_follower(
    ledger, box, links, linked, two_karis, customer, product, order
):
    links("link", "customers", "1001", two_karis[0]["Id"])
    ledger.run()

    refused = links("link", "customers", "1002", two_karis[0]["Id"])
    assert refused.exit_code == 1
    assert f"{two_karis[0]['Id']} in Go already belongs to customers 1001" in refused.output
    assert "to share it, add --follower" in refused.output
    assert ("customers", "1002") not in linked()

    followed = links("link", "--yes", "--follower", "customers", "1002", two_karis[0]["Id"])
    assert followed.exit_code == 0
    outcome = ledger.run(
        customer(id="1002", email="ola@example.no", first_name="Ola"),
        product(),
        order(customer_id="1002"),
    )
    assert outcome.status == 0
    assert outcome.calls(entity="Customers") == []
    assert box.go.entries("SalesOrders")[0]["CustomerId"] == two_karis[0]["Id"]


def test_an_entry_with_the_reference_of_another_record_is_refused(ledger, box, links, customer):
    box.go.create("Customers", {"Name": "Fjell AS", "ExternalImportReference": "othershop:7"})
    ledger.run(customer())
    (other,) = [entry for entry in box.go.entries("Customers") if entry["Name"] == "Fjell AS"]

    result = links("link", "customers", "1005", other["Id"])

    assert result.exit_code == 1
    assert "the entry with the reference othershop:7" in result.output


# Products


def test_linking_a_held_product_changes_nothing_in_go(ledger, box, links, product):
    first, second = (
        box.go.create("Products", {"Code": code, "Name": "Genser", "Gtin": "7038010009457"})
        for code in ("A-1", "A-2")
    )
    record = product(gtin="7038010009457")
    assert ledger.run(record).count("products", "held") == 1

    assert links("link", "products", "501", second["Id"]).exit_code == 0
    outcome = ledger.run()

    assert outcome.status == 0
    assert outcome.count("products", "linked") == 1
    assert outcome.writes == []
    assert box.go.entries("Products") == [first, second]

    (patch,) = ledger.run(product(gtin="7038010009457", cost_price="41.00")).writes
    assert patch.path.endswith(f"/Products/{second['Id']}")
    assert [operation["path"] for operation in patch.json() if operation["op"] == "replace"] == [
        "/UnitCost"
    ]


# Orders


@pytest.fixture
def two_orders(ledger, box, customer, product, order):
    """Order 9001, held because an invoice and a Draft in Go have its reference."""
    ledger.run(customer(), product(), order(), order(id="9002"))
    by_reference = {
        entry["ExternalImportReference"]: entry for entry in box.go.entries("SalesOrders")
    }
    invoiced, draft = by_reference["testshop:9002"], by_reference["testshop:9001"]
    box.go.send_invoice(invoiced["Id"])
    reference = {"ExternalImportReference": "testshop:9001"}
    box.go.edit("OutgoingInvoices", invoiced["Id"], reference)
    ledger.lose_link_store()
    assert ledger.run(customer(), product(), order()).count("orders", "held") == 1
    return invoiced, draft


def test_linking_a_held_order_changes_nothing_in_go(ledger, box, links, two_orders):
    _, second = two_orders
    before = box.go.entries("SalesOrders")

    assert links("link", "orders", "9001", second["Id"]).exit_code == 0
    outcome = ledger.run()

    assert outcome.status == 0
    assert outcome.count("orders", "linked") == 1
    assert outcome.writes == []
    assert box.go.entries("SalesOrders") == before


def test_a_later_edit_of_the_linked_order_is_one_patch(ledger, box, links, two_orders, order):
    invoiced, second = two_orders
    links("link", "orders", "9001", second["Id"])
    ledger.run()
    # Go refuses any patch of an order whose reference another order has
    box.go.edit("OutgoingInvoices", invoiced["Id"], {"ExternalImportReference": None})

    outcome = ledger.run(order(reference="PO 7"))

    assert outcome.calls() == [f"PATCH /SalesOrders/{second['Id']}"]
    (entry,) = box.go.entries("SalesOrders")
    assert entry["PurchaseOrderReference"] == "PO 7"
    assert len(entry["SalesOrderLines"]) == 1


def test_an_order_linked_by_hand_gets_our_reference_and_is_found_by_it(
    ledger, box, links, customer, product, order
):
    ledger.run(customer(), product())
    by_hand = box.go.create(
        "SalesOrders",
        {
            "CustomerId": box.go.entries("Customers")[0]["Id"],
            "SalesOrderDate": "2026-01-05",
            "CurrencyCode": "NOK",
            "SalesOrderLines": [
                {
                    "ProductId": box.go.entries("Products")[0]["Id"],
                    "Quantity": 2,
                    "ProductUnitPrice": 100,
                }
            ],
        },
    )
    ledger.run(order(id="9002"))  # the index has then read the orders
    links("link", "--yes", "orders", "9001", by_hand["Id"])

    outcome = ledger.run(order())

    assert outcome.calls() == [f"PATCH /SalesOrders/{by_hand['Id']}"]
    (entry,) = [entry for entry in box.go.entries("SalesOrders") if entry["Id"] == by_hand["Id"]]
    assert entry["ExternalImportReference"] == "testshop:9001"
    assert len(entry["SalesOrderLines"]) == 1

    ledger.lose_link_store()
    assert ledger.run(customer(), product(), order(), order(id="9002")).writes == []


def test_an_order_linked_by_hand_with_another_total_is_held(ledger, links, two_orders, order, line):
    edited = line(quantity="3", total_excl="300.00", total_tax="75.00", total_incl="375.00")
    links("link", "orders", "9001", two_orders[1]["Id"])

    outcome = ledger.run(order(lines=[edited]))

    assert outcome.status == 3
    assert outcome.writes == []
    assert "375.00" in ledger.unsettled("hold")[0].reason


# What is refused


def test_an_unknown_entry_is_refused(links, linked, two_karis):
    result = links("link", "customers", "1001", "77")

    assert result.exit_code == 1
    assert "at the last run, Go had no entry 77 among its customers; nothing was changed" in (
        result.output
    )
    assert linked() == {}


def test_a_linked_record_is_refused_with_the_command_to_unlink_it(
    ledger, box, links, linked, customer
):
    other = box.go.create("Customers", {"Name": "Fjell AS"})
    ledger.run(customer())
    (before,) = linked().values()

    result = links("link", "customers", "1001", other["Id"])

    assert result.exit_code == 1
    assert f"customers 1001 is linked to {before} in Go; nothing was changed" in result.output
    assert "powerofficego-links unlink customers 1001" in result.output
    assert linked() == {("customers", "1001"): before}
    assert links("link", "customers", "1001", before).exit_code == 0


def test_a_record_that_the_shop_never_sent_is_linked_only_after_confirmation(
    links, linked, two_karis
):
    result = links("link", "customers", "zzz", two_karis[0]["Id"])

    assert result.exit_code == 1
    assert "the shop has not sent customers zzz yet" in result.output
    assert "this needs confirmation" in result.output
    assert linked() == {}
    assert links("link", "--yes", "customers", "zzz", two_karis[0]["Id"]).exit_code == 0
    assert list(linked()) == [("customers", "zzz")]


def test_products_and_orders_cannot_have_followers(links, two_karis):
    assert links("link", "--follower", "products", "501", "1").exit_code == 2


@pytest.mark.parametrize(
    "words", [("unlink", "--yes", "customers", "1001"), ("link", "customers", "1", "1")]
)
def test_no_record_is_linked_or_unlinked_while_a_run_is_under_way(
    ledger, links, linked, customer, under_way, words
):
    ledger.run(customer())
    before = linked()
    with under_way():
        result = links(*words)

    assert result.exit_code == 1
    assert result.output.startswith("Error: a run for the shop testshop is under way")
    assert linked() == before


def test_with_two_shops_in_the_link_store_the_shop_must_be_named(ledger, links, linked, customer):
    ledger.run(customer())
    ledger.run(customer(id="7"), shop_name="othershop", new_namespace=True)

    result = links("unlink", "--yes", "customers", "1001")

    assert result.exit_code == 1
    assert (
        "the link store has several shops; choose one with --shop-name: othershop, testshop"
        in result.output
    )
    assert links("unlink", "--yes", "customers", "1001", "--shop-name", "nosuch").exit_code == 1
    assert links("unlink", "--yes", "customers", "1001", "--shop-name", "testshop").exit_code == 0
    assert ("customers", "1001") not in linked()


# Unlink


def test_an_unlinked_customer_is_found_again_by_our_reference(ledger, links, linked, customer):
    ledger.run(customer())
    before = linked()

    result = links("unlink", "--yes", "customers", "1001")

    assert result.exit_code == 0
    assert f"customers 1001 is linked to {before['customers', '1001']} in Go" in result.output
    assert "found by our reference" in result.output
    assert linked() == {}
    outcome = ledger.run(customer())
    assert outcome.count("customers", "linked") == 1
    assert outcome.writes == []
    assert linked() == before


def test_an_unlinked_order_is_found_again_and_not_posted_twice(
    ledger, box, links, customer, product, order
):
    ledger.run(customer(), product(), order())

    result = links("unlink", "--yes", "orders", "9001")
    outcome = ledger.run(order())

    assert "its entry in Go, if it still exists, is found by our reference" in result.output
    assert outcome.writes == []
    assert len(box.go.entries("SalesOrders")) == 1


def test_without_a_terminal_unlink_requires_yes(ledger, links, linked, customer):
    ledger.run(customer())

    result = links("unlink", "customers", "1001")

    assert result.exit_code == 1
    assert "this needs confirmation" in result.output
    assert ("customers", "1001") in linked()


def test_a_record_that_is_not_linked_cannot_be_unlinked(ledger, links, customer):
    ledger.run(customer())

    result = links("unlink", "--yes", "products", "501")

    assert result.exit_code == 1
    assert result.output == "Error: products 501 is not linked; nothing was changed\n"
