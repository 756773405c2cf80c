"""Companies and persons are never mixed up: who gets the invoice for an order."""

import contextlib
from dataclasses import replace

import pytest
from click.testing import CliRunner
from target_powerofficego.dataflow.orders.shop_order import guest_id
from target_powerofficego.links_command import main

LATER = "2026-01-06T10:00:00Z"
FJORD, FJELL = "923609016", "974760673"


def by(company=None, number=None, *, email="kari@example.no", name="Kari Nordmann"):
    named = {"company_name": company, "organization_number": number}
    return {"email": email, "name": name, "phone": None, **named}


@pytest.fixture
def bought(guest_order):
    """Makes guest orders with the ids 1, 2, 3 ... of these buyers."""

    def make(*buyers, **changes):
        return [
            guest_order(id=str(n), number=str(n), buyer=buyer, **changes)
            for n, buyer in enumerate(buyers, start=1)
        ]

    return make


@pytest.fixture
def buyers(box):
    """Returns the name of each order's customer in Go."""

    def read():
        names = {
            entry["Id"]: entry["Name"] or f"{entry['FirstName']} {entry['LastName']}"
            for entry in box.go.entries("Customers")
        }
        orders = [*box.go.entries("SalesOrders"), *box.go.entries("OutgoingInvoices")]
        return {
            entry["ExternalImportReference"].removeprefix("testshop:"): names[entry["CustomerId"]]
            for entry in orders
        }

    return read


@pytest.fixture
def store(ledger):
    """Opens the link store of the shop."""

    @contextlib.contextmanager
    def opened():
        with ledger.store() as store:
            store.namespaces.choose(store.namespaces.all()[0])
            yield store

    return opened


@pytest.mark.parametrize("workers", [1, 8])
def test_a_person_and_two_companies_with_the_same_e_mail_make_three_customers(
    ledger, box, product, bought, buyers, workers
):
    orders = bought(
        by(), by("Fjord AS", FJORD), by("Fjell AS", "974 760 673"), by(), by("FJORD", FJORD)
    )

    ledger.run(product(), *orders, workers=workers, ends_with=0)

    names = buyers()
    assert {names[number] for number in ("1", "4")} == {"Kari Nordmann"}
    assert names["2"] == names["5"]
    assert names["2"] in ("Fjord AS", "FJORD")
    assert names["3"] == "Fjell AS"
    assert len(box.go.entries("Customers")) == 3
    assert [entry["LastName"] for entry in box.go.entries("ContactPersons")] == ["Nordmann"] * 2
    assert ledger.run(product(), *orders).writes == []
    ledger.lose_link_store()
    assert ledger.run(product(), *orders).writes == []


def test_a_company_without_a_number_is_recognised_by_name_and_e_mail_together(
    ledger, product, bought, buyers
):
    orders = bought(
        by("Fjord AS"),
        by(" fjord  as", email="KARI@example.no"),
        by("Fjord AS", email="ola@example.no"),
        by("Fjell AS"),
        by(),
    )

    outcome = ledger.run(product(), *orders)

    assert (outcome.status, outcome.count("customers", "created")) == (0, 4)
    assert buyers() == {**dict.fromkeys("123", "Fjord AS"), "4": "Fjell AS", "5": "Kari Nordmann"}
    ledger.lose_link_store()
    assert ledger.run(product(), *orders).writes == []


@pytest.mark.parametrize(
    ("in_go", "buyer", "is_found"),
    [
        ({"Name": "Fjord", "OrganizationNumber": "923 609 016"}, by("Fjord AS", FJORD), True),
        ({"Name": "Fjord AS", "OrganizationNumber": FJELL}, by("Fjord AS", FJORD), False),
        ({"Name": "Fjord AS"}, by("FJORD AS"), True),
        ({"Name": "Fjord AS"}, by("Fjell AS"), False),
        ({"Name": "Fjord AS"}, by(), False),
        ({"IsPerson": True, "FirstName": "K", "LastName": "N"}, by("Fjord AS"), False),
        ({"IsPerson": True, "FirstName": "K", "LastName": "N"}, by(), True),
    ],
)
def test_a_guest_matches_only_customers_of_its_own_kind_in_go(
    ledger, box, product, bought, in_go, buyer, is_found
):
    made = box.go.create("Customers", {"EmailAddress": "kari@example.no", **in_go})

    ledger.run(product(), *bought(buyer), ends_with=0)

    (order,) = box.go.entries("SalesOrders")
    assert (order["CustomerId"] == made["Id"]) is is_found
    assert len(box.go.entries("Customers")) == (1 if is_found else 2)
    contacts = [entry["ContactId"] for entry in box.go.entries("ContactPersons")]
    assert contacts == ([order["CustomerId"]] if buyer["company_name"] else [])
    (kept,) = [entry for entry in box.go.entries("Customers") if entry["Id"] == made["Id"]]
    assert (kept["Name"], kept["FirstName"]) == (in_go.get("Name"), in_go.get("FirstName"))


@pytest.mark.parametrize(
    ("number", "is_the_companys"),
    [(FJORD, True), (None, False), ("privat", False), ("923609017", False)],
)
def test_a_registered_persons_order_with_a_valid_company_number_is_the_companys(
    ledger, customer, product, order, buyers, number, is_the_companys
):
    record = order(buyer=by("Fjord AS", number))

    ledger.run(record, customer(), product(), ends_with=0)

    assert buyers() == {"9001": "Fjord AS" if is_the_companys else "Kari Nordmann"}
    assert ledger.run(record, customer(), product()).writes == []


def test_a_registered_companys_order_is_anothers_only_by_another_number(
    ledger, company, product, order, buyers
):
    registered = {"customer_id": "2001", "is_guest": False}
    numbers = {"1": FJORD, "2": None, "3": FJELL, "4": "NO923609016MVA"}
    orders = [
        order(**registered, id=order_id, number=order_id, buyer=by("Fjell AS", number))
        for order_id, number in numbers.items()
    ]

    ledger.run(company(), product(), *orders, guests="reject", ends_with=0)

    assert buyers() == {**dict.fromkeys("124", "Fjord og Fjell AS"), "3": "Fjell AS"}


def test_guests_of_a_registered_company_are_that_company(
    ledger, box, company, product, bought, buyers
):
    """It may register before or after its orders."""
    orders = bought(by("Fjord", FJORD), by("Fjell", FJELL))
    ledger.run(company(), product(), *orders)

    ledger.run(company(id="2002", organization_number=FJELL, name="Fjell AS"), ends_with=0)

    assert buyers() == {"1": "Fjord og Fjell AS", "2": "Fjell"}
    assert len(box.go.entries("Customers")) == 2


@pytest.mark.parametrize("number", ["privat", "-", "12345678", "923609017"])
def test_an_invalid_organisation_number_is_left_out_with_a_warning(
    ledger, box, product, customer, bought, number
):
    registered = customer(email="per@example.no", type=None, organization_number=number)

    outcome = ledger.run(registered, product(), *bought(by("-", number)), ends_with=0)

    warning = "the organisation number is not valid and was left out"
    assert f"customers 1001: {warning}" in outcome.log
    assert f"orders 1: {warning}" in outcome.log
    assert number not in outcome.log.replace("127.0.0.1", "") or number == "-"
    for entry in box.go.entries("Customers"):
        assert (entry["IsPerson"], entry["OrganizationNumber"]) == (True, None)
    assert ledger.run(registered, product(), *bought(by("-", number))).writes == []


@pytest.mark.parametrize(("number", "kept"), [("556703-7485", "5567037485"), ("privat", None)])
def test_whether_a_number_is_valid_depends_on_the_billing_country(
    ledger, box, product, bought, address, number, kept
):
    abroad = address(country_code="SE", postal_code="11122", city="Stockholm")

    ledger.run(product(), *bought(by("Berg AB", number), billing_address=abroad))

    (company,) = box.go.entries("Customers")
    assert (company["Name"], company["OrganizationNumber"]) == ("Berg AB", kept)


def as_the_version_before(store, *, guest_company):
    """Rewrite links as an earlier version did: guests by e-mail alone, person or company."""
    with store() as opened:
        for order in list(opened.links.of_entity("orders")):
            base = {
                name: agreement for name, agreement in order.base.items() if name != "buyer_told"
            }
            agreed = replace(base["buyer_id"], shop=[guest_id("kari@example.no")])
            opened.links.put(replace(order, base={**base, "buyer_id": agreed}))
        if guest_company:
            (company,) = opened.links.of_entity("customers")
            opened.links.delete("customers", company.shop_id)
            opened.links.put(replace(company, shop_id=guest_id("kari@example.no")))


@pytest.mark.parametrize("buyer", [by(), by("Fjord AS"), by("Fjord AS", FJORD)])
def test_links_of_an_earlier_version_still_work_and_nothing_is_written(
    ledger, box, store, product, bought, buyer
):
    (first,) = bought(buyer)
    ledger.run(product(), first)
    as_the_version_before(store, guest_company=bool(buyer["company_name"]))

    seen = ledger.run(product(), {**first, "updated_at": LATER}, anonymised_marks=["[gone]"])
    edited = ledger.run({**first, "updated_at": LATER, "reference": "PO 7"})
    (_, second) = bought(buyer, buyer)
    ledger.run(second, ends_with=0)

    assert (seen.status, seen.writes) == (0, [])
    assert [call.split("/")[0] for call in edited.calls()] == ["PATCH "]
    assert len(box.go.entries("Customers")) == 1


def test_a_private_order_after_a_company_order_of_an_earlier_version_is_a_persons(
    ledger, box, store, product, bought, buyers
):
    company, private = bought(by("Fjord AS", FJORD), by())
    ledger.run(product(), company)
    as_the_version_before(store, guest_company=True)

    ledger.run(product(), company, private, ends_with=0)

    assert buyers() == {"1": "Fjord AS", "2": "Kari Nordmann"}
    assert ledger.run(product(), company, private).writes == []


def test_a_draft_moves_when_the_guest_turns_out_to_be_a_company(
    ledger, box, product, bought, buyers
):
    (private,) = bought(by())
    ledger.run(product(), private)

    (record,) = bought(by("Fjord AS", FJORD), updated_at=LATER)
    ledger.run(record, ends_with=0)

    assert buyers() == {"1": "Fjord AS"}


def test_another_buyer_of_an_invoiced_guest_order_is_listed_and_refunds_are_credited(
    ledger, box, product, bought, buyers
):
    ledger.run(product(), *bought(by()))
    box.go.send_invoice(box.go.entries("SalesOrders")[0]["Id"])
    other = by(email="ola@example.no", name="Ola Berg")
    refund = {
        "id": "r1",
        "amount_incl": "250.00",
        "lines": [],
        "created_at": "2026-01-07T09:00:00Z",
    }

    outcome = ledger.run(*bought(other, updated_at=LATER))
    address = str(ledger.link_store)
    listed = CliRunner().invoke(main, ["differences", "--link-store", address]).stdout
    ledger.run(*bought(other, refunds=[refund], updated_at="2026-01-07T10:00:00Z"), ends_with=0)

    assert (outcome.status, box.go.entries("SalesOrders")[1:]) == (0, [])
    assert "customer" in listed
    assert "buyer" in listed
    (note,) = box.go.entries("SalesOrders")
    assert note["TotalAmount"] == -250
    assert set(buyers().values()) == {"Kari Nordmann"}
