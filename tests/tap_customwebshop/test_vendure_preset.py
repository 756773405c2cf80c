"""A Vendure shop is read, and its orders reach Go to the øre."""

from __future__ import annotations

import random
import zlib
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from go_sandbox.shops.vendure.shop import KARI
from members import assert_members
from own_shop import FileBoth
from preset_reader import ACCOUNTS, in_go
from tap_customwebshop.errors import ShopError
from tap_customwebshop.shop.reading import SingleRecords, configured_file
from tap_customwebshop.stamps import parse_stamp
from tap_customwebshop.tap import TapCustomWebShop
from vendures import LocalVendure, RefusedError, Session, or_error

FJORD = {**KARI, "company": "Fjord AS", "city": "Bergen", "defaultBillingAddress": True}
FJORD_ADDRESS = {**KARI, "company": "Fjord AS"}
HOME = {**KARI, "defaultBillingAddress": True, "defaultShippingAddress": True}

EDIT_CUSTOMER, EDIT_ADDRESS, EDIT_VARIANT = (
    f"mutation($input: Update{kind}Input!) {{update{name}(input: $input)"
    for kind, name in (
        ("Customer", "Customer"),
        ("Address", "CustomerAddress"),
        ("ProductVariant", "ProductVariant"),
    )
)


class Reader:
    """Reads a shop with the tap, in runs that each begin where the previous one ended.

    Args:
        kept: the state and the records after the runs of all tests so far.
    """

    def __init__(self, vendure, read_shop, kept):
        self.vendure = vendure
        self._read_shop = read_shop
        self._kept = kept

    @property
    def config(self):
        """The config of the tap."""
        return {
            "api_url": self.vendure.url,
            "shop": "vendure",
            "shop_settings": {"username": self.vendure.user, "password": self.vendure.password},
            "lookback_seconds": 0,
            "page_size": 10,
        }

    def messages(self):
        """Return the RECORD messages of a run."""
        read = self._read_shop(self.config, state=self._kept.get("state"))
        self._kept["state"] = read.states()[-1]
        return read.record_messages()

    def changed(self):
        """Return the records of a run that differ from the previous ones, by stream and id.

        Stamps here are of whole seconds, so what changed in the last second is read again.
        """
        previous = self._kept.setdefault("records", {})
        read = {
            (message["stream"], message["record"]["id"]): message["record"]
            for message in self.messages()
        }
        changed = {key: record for key, record in read.items() if previous.get(key) != record}
        previous |= read
        return changed

    def records(self, stream):
        """Do a run, and return all records of a stream by their ids."""
        self.changed()
        return {
            key: record for (name, key), record in self._kept["records"].items() if name == stream
        }

    @property
    def singles(self):
        """Reads and changes single records through the preset."""
        connect = TapCustomWebShop(config=self.config).connect
        return SingleRecords(configured_file(self.config), self.config, connect)

    def change(self, entity, record_id, patch):
        """Send an edit as the preset makes it, and return the record after it."""
        singles = self.singles
        for call in singles.calls(entity, record_id, patch):
            singles.client.send(*call)
        return singles.read(entity, record_id)


@pytest.fixture(scope="module")
def kept(vendure):
    """State and records, separate for each Vendure."""
    return {}


@pytest.fixture
def reader(vendure, read_shop, kept):
    return Reader(vendure, read_shop, kept)


@pytest.fixture
def number(request):
    """Return a word that only this test has, for names that must be unique in a Vendure."""
    return f"{zlib.crc32(request.node.nodeid.encode()):x}"


@pytest.fixture
def wool(vendure, number):
    return vendure.add_product(f"Ull {number}", (f"ULL-{number}", 19990, "25"))[0]


@pytest.fixture
def coffee(vendure, number):
    return vendure.add_product(f"Kaffe {number}", (f"KAFFE-{number}", 8950, "15"))[0]


@pytest.fixture
def guest(number):
    names = {"firstName": "Gjest", "lastName": "Hansen"}
    return {**names, "emailAddress": f"{number}@example.com", "phoneNumber": "+4799887766"}


def by_rate(entry):
    """Return the sums of an order in Go at each rate, with VAT."""
    sums: Counter[int] = Counter()
    for line in entry["SalesOrderLines"]:
        sums[int(line["VatRate"] * 100)] += line["TotalAmount"]
    return {rate: amount for rate, amount in sums.items() if amount}


def vendures_by_rate(vendure, order):
    """Return the sums of an order in Vendure at each rate, with VAT."""
    sums: Counter[int] = Counter()
    for tax in vendure.order(order, "taxSummary {taxRate taxBase taxTotal}")["taxSummary"]:
        sums[tax["taxRate"]] += kroner(tax["taxBase"] + tax["taxTotal"])
    return {rate: amount for rate, amount in sums.items() if amount}


def kroner(amount):
    """Return øre as kroner."""
    return Decimal(amount) / 100


def lines_of(vendure, order):
    """Return the ids of an order's lines."""
    return [line["id"] for line in vendure.order(order, "lines {id}")["lines"]]


def test_customers_have_a_user_and_a_company_is_in_the_address_for_invoices(vendure, reader, guest):
    kari = vendure.add_customer("a-kari@example.com", "Kari", "Nordmann", HOME, phoneNumber="+4722")
    fjord = vendure.add_customer("a-fjord@example.com", "Ola", "Hansen", HOME, FJORD)
    read = reader.records("customers")
    person, company = read[kari], read[fjord]
    assert_members(person, type="person", name="Kari Nordmann", phone="+4722")
    uses = [(address["type"], address["postal_code"]) for address in person["addresses"]]
    assert uses == [("billing", "0155"), ("shipping", "0155")]
    assert_members(company, type="company", name="Fjord AS", first_name="Ola")
    assert [(address["type"], address["city"]) for address in company["addresses"]] == [
        ("shipping", "Oslo"),
        ("billing", "Bergen"),
    ]


def test_a_guests_temporary_customer_is_left_out_and_the_order_is_a_guests(
    vendure, reader, coffee, guest
):
    order = vendure.place_order(
        [(coffee, 1)], guest=guest, billing=FJORD | {"streetLine1": "Kai 1"}
    )
    customer = vendure.order(order, "customer {id}")["customer"]["id"]
    assert customer not in reader.records("customers")
    record = reader.records("orders")[order]
    assert_members(record, customer_id=None, is_guest=True)
    assert_members(record["buyer"], name="Fjord AS", email=guest["emailAddress"])
    assert record["billing_address"]["line1"] == "Kai 1"
    assert record["shipping_address"]["line1"] == "Storgata 1"


def test_each_variant_is_a_product_with_the_price_as_entered(vendure, reader, number):
    skus = [f"S-{number}", f"M-{number}"]
    variants = [(skus[0], 19990, "25"), (skus[1], 20990, "25")]
    small, middle = vendure.add_product("Skjorte", *variants, options="S M")
    vendure.edit_variant(middle, enabled=False)
    read = reader.records("products")
    assert (read[small]["name"], read[middle]["name"]) == ("Skjorte S", "Skjorte M")
    assert_members(
        read[small],
        sku=skus[0],
        price_incl="199.90",
        tax_rate="25",
        stock_on_hand="1000",
        prices_include_tax=True,
    )
    assert (read[small]["status"], read[middle]["status"]) == ("active", "archived")
    assert read[small]["parent_id"] == read[middle]["parent_id"]


def test_an_order_has_vendures_own_amounts(vendure, reader, wool, coffee, guest):
    order = vendure.place_order([(wool, 3), (coffee, 2)], guest=guest, freight="Matbud")
    record = reader.records("orders")[order]
    shirt, bag = record["lines"]
    assert_members(shirt, total_incl="599.70", tax_rate="25")
    assert_members(bag, total_excl="155.65", unit_price_excl="77.83", total_incl="179.00")
    (freight,) = record["shipping"]
    assert_members(freight, name="Matbud", total_incl="79.90")
    assert_members(
        record,
        taxes=[
            {"rate": "25", "base": "479.76", "amount": "119.94"},
            {"rate": "15", "base": "225.13", "amount": "33.77"},
        ],
        total_incl="858.60",
        total_tax="153.71",
        status="processing",
        payment_status="paid",
    )
    (payment,) = record["payments"]
    assert_members(payment, method="vipps", amount="858.60", status="paid")


def test_promotions_are_discounts_in_the_lines(vendure, reader, wool, coffee, guest, number):
    vendure.add_coupon(f"TI-{number}", "order_percentage_discount", discount=10)
    order = vendure.place_order([(wool, 3), (coffee, 1)], guest=guest, coupons=(f"TI-{number}",))
    record = reader.records("orders")[order]
    assert record["discounts"] == [
        {
            "code": f"TI-{number}",
            "name": f"Kupong TI-{number}",
            "amount_excl": "55.76",
            "amount_incl": "68.92",
            "is_in_lines": True,
        }
    ]
    assert [line["total_incl"] for line in record["lines"]] == ["539.73", "80.55"]
    assert [line["discount_incl"] for line in record["lines"]] == ["59.97", "8.95"]
    assert record["total_incl"] == "719.28"


def test_carts_and_drafts_are_not_orders(vendure, reader, coffee, guest):
    vendure.fill_cart([(coffee, 1)], guest=guest)
    draft = vendure.draft()
    placed = vendure.place_order([(coffee, 1)], guest=guest)
    read = reader.records("orders")
    assert (placed in read, draft in read) == (True, False)
    assert all(record["source_status"] != "AddingItems" for record in read.values())


@pytest.mark.parametrize("vendure", ["local"], indirect=True)
def test_sellers_shares_of_an_order_are_not_orders(vendure, reader, wool, guest):
    order, share = (vendure.place_order([(wool, 1)], guest=guest) for _ in range(2))
    vendure.get("Order", share)["type"] = "Seller"
    read = reader.records("orders")
    assert (order in read, share in read) == (True, False)


def test_a_refund_counts_once_its_money_is_paid_back(vendure, reader, wool, coffee, guest):
    order = vendure.place_order([(wool, 2), (coffee, 1)], guest=guest)
    (line, _) = lines_of(vendure, order)
    vendure.refund(order, 19990, {line: 1})
    assert reader.records("orders")[order]["refunds"] == []
    vendure.settle_refunds(order)
    vendure.refund(order, 1000)
    vendure.settle_refunds(order)
    record = reader.records("orders")[order]
    first, second = record["refunds"]
    assert_members(
        first, amount_incl="199.90", reason="Angret", lines=[{"line_id": line, "quantity": "1"}]
    )
    assert_members(second, amount_incl="10.00", lines=[])
    assert_members(
        record, total_incl="588.30", total_refunded="209.90", payment_status="partially_refunded"
    )


@pytest.mark.parametrize("cancelled", [(2, 0), (0, 3), (3, 0)], ids=str)
def test_cancelled_and_refunded_goods_stay_in_the_order_and_are_refunded_once(
    vendure, reader, wool, coffee, guest, number, cancelled
):
    vendure.add_coupon(f"K-{number}", "order_fixed_discount", discount=3333)
    lines = [(wool, 3), (coffee, 3)]
    order = vendure.place_order(lines, guest=guest, coupons=(f"K-{number}",))
    before = reader.records("orders")[order]
    quantities = zip(lines_of(vendure, order), cancelled, strict=True)
    vendure.cancel(order, {line: count for line, count in quantities if count}, shipping=True)
    after = reader.records("orders")[order]
    for name in ("total_incl", "total_tax", "taxes", "shipping"):
        assert after[name] == before[name]
    sold = [(line["quantity"], line["total_incl"]) for line in before["lines"]]
    assert [(line["quantity"], line["total_incl"]) for line in after["lines"]] == sold
    remaining = vendure.order(order, "totalWithTax")["totalWithTax"]
    vendure.refund(order, int(Decimal(before["total_incl"]) * 100) - remaining)
    vendure.settle_refunds(order)
    record = reader.records("orders")[order]
    assert record["total_incl"] == before["total_incl"]
    assert Decimal(record["total_incl"]) - Decimal(record["total_refunded"]) == kroner(remaining)


def test_an_unpaid_order_does_not_include_what_was_cancelled(vendure, reader, wool, guest):
    order = vendure.place_order([(wool, 3)], guest=guest, method="faktura")
    (line,) = lines_of(vendure, order)
    assert reader.records("orders")[order]["payment_status"] == "authorized"
    vendure.cancel(order, {line: 1})
    record = reader.records("orders")[order]
    assert (record["lines"][0]["quantity"], record["total_incl"]) == ("2", "498.80")
    vendure.cancel(order)
    assert reader.records("orders")[order]["status"] == "cancelled"


SURCHARGE = {
    "description": "Gebyr",
    "price": 3900,
    "priceIncludesTax": True,
    "taxRate": 25,
    "taxDescription": "mva",
}


def test_surcharges_are_fees_and_one_that_is_paid_back_is_not_a_refund(
    vendure, reader, wool, guest
):
    raised = vendure.place_order([(wool, 1)], guest=guest)
    vendure.modify(raised, surcharges=[SURCHARGE])
    reduced = vendure.place_order([(wool, 1)], guest=guest)
    (payment,) = vendure.order(reduced, "payments {id}")["payments"]
    vendure.modify(
        reduced,
        surcharges=[{**SURCHARGE, "description": "Rabatt", "price": -3900}],
        refunds=[{"paymentId": payment["id"], "amount": 3900}],
    )
    vendure.settle_refunds(reduced)
    read = reader.records("orders")
    (fee,), (discount,) = read[raised]["fees"], read[reduced]["fees"]
    assert_members(fee, name="Gebyr", total_incl="39.00", tax_rate="25")
    assert (read[raised]["total_incl"], len(read[raised]["payments"])) == ("337.90", 2)
    assert discount["total_incl"] == "-39.00"
    assert_members(read[reduced], total_incl="259.90", refunds=[])


def test_what_changed_without_its_stamp_is_read_by_the_next_run(
    vendure, reader, wool, coffee, guest, number
):
    kari = vendure.add_customer(f"{number}@x.example.com", "Kari", "Nordmann", HOME)
    paid, refunded, shipped = (
        vendure.place_order([(wool, 1)], guest=guest, method=method)
        for method in ("faktura", "vipps", "vipps")
    )
    vendure.refund(refunded, 100)
    reader.changed()
    vendure.settle_payment(paid)
    vendure.settle_refunds(refunded)
    vendure.ship(shipped)
    (home,) = vendure.customer(kari, "addresses {id}")["addresses"]
    address = {"id": home["id"], "city": "Bergen"}
    vendure.admin.do("updateCustomerAddress", "input: UpdateAddressInput!", "id", input=address)
    vendure.describe(coffee, "Ny")
    vendure.edit_variant(wool, price=21000, stock=7)
    read = reader.changed()
    assert set(read) == {
        *(("customers", kari), ("products", wool), ("products", coffee)),
        *(("orders", order) for order in (paid, refunded, shipped)),
    }
    assert read["orders", paid]["payment_status"] == "paid"
    assert read["orders", refunded]["total_refunded"] == "1.00"
    assert read["orders", shipped]["status"] == "completed"
    assert [address["city"] for address in read["customers", kari]["addresses"]] == ["Bergen"] * 2
    assert (read["products", wool]["price_incl"], read["products", wool]["stock_on_hand"]) == (
        "210.00",
        "7",
    )
    assert read["products", coffee]["description"] == "Ny"


def test_an_address_that_was_removed_is_read_by_the_next_run(vendure, reader, number):
    kari = vendure.add_customer(f"{number}@example.com", "Kari", "Nordmann", HOME, FJORD)
    reader.changed()
    vendure.remove_address(kari, 1)
    assert {key: record["type"] for key, record in reader.changed().items()} == {
        ("customers", kari): "person"
    }


def test_edits_of_a_customer_go_back(vendure, reader, number):
    kari = vendure.add_customer(f"{number}@example.com", "Kari", "Nordmann", HOME)
    before = reader.records("customers")[kari]
    billing, shipping = before["addresses"]
    patch = {
        "phone": None,
        "last_name": "Hansen",
        "company_name": "Fjord AS",
        "addresses": [{**billing, "line1": "Kaien 2", "line2": None}, shipping],
    }
    after = reader.change("customers", kari, patch)
    assert_members(after, phone=None, last_name="Hansen", name="Fjord AS")
    billing = after["addresses"][0]
    assert_members(billing, line1="Kaien 2", city="Oslo", company="Fjord AS")
    assert reader.change("customers", kari, {"company_name": None})["type"] == "person"


def test_a_first_address_goes_back(vendure, reader, number):
    kari = vendure.add_customer(f"{number}@example.com", "Kari", "Nordmann")
    new = {"type": "billing", "is_default": True, "city": "Oslo"}
    after = reader.change("customers", kari, {"addresses": [new]})
    assert [(address["type"], address["city"]) for address in after["addresses"]] == [
        ("billing", "Oslo")
    ]


def test_an_email_address_of_another_customer_is_refused(vendure, reader, number):
    vendure.add_customer(f"a-{number}@example.com", "Kari", "Nordmann")
    ola = vendure.add_customer(f"b-{number}@example.com", "Ola", "Nordmann")
    with pytest.raises(ShopError, match="refused"):
        reader.change("customers", ola, {"email": f"a-{number}@example.com"})


def test_edits_of_a_variant_go_back(vendure, reader, wool, number):
    patch = {"sku": f"NY-{number}", "name": "Ny", "price_incl": "210.50", "status": "archived"}
    after = reader.change("products", wool, patch)
    assert {name: after[name] for name in patch} == patch


def test_edits_of_orders_are_not_sent(vendure, reader, wool, guest):
    order = vendure.place_order([(wool, 1)], guest=guest)
    before = reader.records("orders")[order]
    assert reader.change("orders", order, {"note": "x"}) == before


def test_a_wrong_password_ends_the_run_with_what_to_check(reader):
    settings = {"username": reader.vendure.user, "password": "x"}
    with pytest.raises(ShopError, match="log-in"):
        TapCustomWebShop(config={**reader.config, "shop_settings": settings}).sync_all()


def test_a_session_that_vendure_forgets_is_opened_again(vendure, reader, number):
    if not isinstance(vendure, LocalVendure):
        pytest.skip("only the local Vendure can be made to forget a session")
    kari = vendure.add_customer(f"{number}@example.com", "Kari", "Nordmann")
    others, singles = set(vendure.tokens), reader.singles
    assert singles.read("customers", kari)["last_name"] == "Nordmann"

    vendure.tokens &= others
    (call,) = singles.calls("customers", kari, {"last_name": "Hansen"})
    vendure.tokens &= others
    singles.send(call)
    vendure.tokens &= others

    assert singles.read("customers", kari)["last_name"] == "Hansen"


def test_free_freight_keeps_its_rate(vendure, reader, coffee, guest, number):
    vendure.add_coupon(f"FRITT-{number}", "free_shipping")
    order = vendure.place_order([(coffee, 1)], guest=guest, coupons=(f"FRITT-{number}",))
    (freight,) = reader.records("orders")[order]["shipping"]
    assert_members(freight, total_incl="0.00", tax_rate="25")


def test_stamps_and_histories_change_as_the_preset_expects(vendure, wool, guest, number):
    kari = vendure.add_customer(f"kari-{number}@example.com", "Kari", "Nordmann", HOME)
    paid, reserved, modified = (
        vendure.place_order([(wool, 2)], guest=guest, method=method)
        for method in ("vipps", "faktura", "vipps")
    )
    phone = {"id": kari, "phoneNumber": "+4799887766"}

    def set_phone():
        answer = or_error("Customer")
        vendure.admin.do("updateCustomer", "input: UpdateCustomerInput!", answer, input=phone)

    def effect_of(kind, record_id, act):
        def query():
            members = "updatedAt history(options: {sort: {id: ASC}}) {items {type}}"
            return vendure.admin(f"query($id: ID!) {{{kind}(id: $id) {{{members}}}}}", id=record_id)

        before = query()
        vendure.pass_second()
        act()
        after = query()
        entries = after["history"]["items"][len(before["history"]["items"]) :]
        types = [entry["type"].removeprefix(f"{kind.upper()}_") for entry in entries]
        return after["updatedAt"] != before["updatedAt"], " ".join(types)

    (line,) = lines_of(vendure, paid)
    acts = [
        ("order", paid, lambda: vendure.refund(paid, 100)),
        ("order", paid, lambda: vendure.settle_refunds(paid)),
        ("order", paid, lambda: vendure.cancel(paid, {line: 1}, shipping=True)),
        ("order", modified, lambda: vendure.modify(modified, surcharges=[SURCHARGE])),
        ("order", reserved, lambda: vendure.settle_payment(reserved)),
        ("order", reserved, lambda: vendure.ship(reserved)),
        ("customer", kari, set_phone),
        ("customer", kari, set_phone),
        ("customer", kari, lambda: vendure.remove_address(kari, 0)),
    ]
    assert [effect_of(*act) for act in acts] == [
        (False, ""),
        (False, "REFUND_TRANSITION"),
        (True, "CANCELLATION"),
        (
            True,
            "STATE_TRANSITION MODIFIED STATE_TRANSITION PAYMENT_TRANSITION STATE_TRANSITION",
        ),
        (False, "PAYMENT_TRANSITION STATE_TRANSITION"),
        (
            False,
            "FULFILLMENT FULFILLMENT_TRANSITION FULFILLMENT_TRANSITION STATE_TRANSITION",
        ),
        (True, "DETAIL_UPDATED"),
        (False, "DETAIL_UPDATED"),
        (False, "ADDRESS_DELETED"),
    ]
    stamps = vendure.order(reserved, "updatedAt orderPlacedAt")
    placed_at, updated_at = map(parse_stamp, (stamps["orderPlacedAt"], stamps["updatedAt"]))
    assert placed_at
    assert updated_at
    assert updated_at - placed_at < timedelta(seconds=1)  # updatedAt is rounded to seconds


@pytest.mark.parametrize(
    ("query", "values", "status", "code"),
    [
        ("{customers {nonsense}}", {}, 400, "GRAPHQL_VALIDATION_FAILED"),
        ("{customers {", {}, 400, "GRAPHQL_PARSE_FAILED"),
        ("{customers(options: {take: 1001}) {totalItems}}", {}, 200, "USER_INPUT_ERROR"),
        (f"{EDIT_CUSTOMER} {{__typename}}}}", {"id": "99999"}, 200, "ENTITY_NOT_FOUND"),
        (f"{EDIT_CUSTOMER} {{__typename}}}}", {"id": "1", "lastName": None}, 200, ""),
        (f"{EDIT_CUSTOMER} {{__typename}}}}", {"id": "1", "city": "Oslo"}, 200, "BAD_USER_INPUT"),
        (f"{EDIT_ADDRESS} {{id}}}}", {"id": "99999"}, 200, "ENTITY_NOT_FOUND"),
        (f"{EDIT_VARIANT} {{id}}}}", {"id": "99999"}, 200, "ENTITY_NOT_FOUND"),
    ],
)
def test_what_the_api_refuses(vendure, number, query, values, status, code):
    vendure.add_customer(f"{number}@example.com", "Kari", "Nordmann")
    with pytest.raises(RefusedError) as refused:
        vendure.admin(query, **({"input": values} if values else {}))
    assert (refused.value.status, refused.value.code) == (status, code)


def test_the_api_refuses_a_session_that_is_not_logged_in(vendure):
    with pytest.raises(RefusedError) as refused:
        Session(f"{vendure.url}/admin-api")("{orders {totalItems}}")
    assert (refused.value.status, refused.value.code) == (200, "FORBIDDEN")


def test_everything_reaches_go_once_and_an_edit_crosses_once(
    vendure, reader, to_go, ledger, wool, coffee, guest, number
):
    email = f"{number}@company.example.com"
    fjord = vendure.add_customer(email, "Ola", "Hansen", FJORD)
    first = vendure.place_order([(wool, 3), (coffee, 1)], email=email, billing=FJORD_ADDRESS)
    second = vendure.place_order([(coffee, 2)], guest=guest)
    cancelled = vendure.place_order([(coffee, 2)], guest=guest, method="faktura")
    vendure.cancel(cancelled)
    vendure.refund(second, 8950, {lines_of(vendure, second)[0]: 1})
    vendure.settle_refunds(second)
    outcome = to_go()
    assert (outcome.status, ledger.reasons()) == (0, {})
    assert by_rate(in_go(ledger, first)) == vendures_by_rate(vendure, first)
    assert in_go(ledger, second)["TotalAmount"] == Decimal("188.50")
    assert to_go().writes == []
    changes = {"id": fjord, "phoneNumber": "+4799887766"}
    vendure.admin.do(
        "updateCustomer", "input: UpdateCustomerInput!", or_error("Customer"), input=changes
    )
    assert [call.split("/")[1] for call in to_go().calls()] == ["Customers"]
    assert to_go().writes == []


def test_edits_in_go_cross_back_once(vendure, reader, both, wool, number):
    kari = vendure.add_customer(f"{number}@example.com", "Kari", "Nordmann", HOME)
    of_tap = {"lookback_seconds", "page_size"}
    settings = {name: value for name, value in reader.config.items() if name not in of_tap}
    ways = FileBoth(both, settings)
    assert ways.forward(sales_accounts=ACCOUNTS).status == 0
    address = {"AddressLine1": "Kaien 3", "City": "Moss", "ZipCode": "1530"}
    both.edit_in_go("customers", kari, PhoneNumber="+4790000001", MailAddress=address)
    both.edit_in_go("products", wool, Name="Ullgarn", UnitPrice=Decimal("120.00"))
    ways.back(ends_with=0)
    customer, product = reader.records("customers")[kari], reader.records("products")[wool]
    assert customer["phone"] == "+4790000001"
    assert [(address["line1"], address["city"]) for address in customer["addresses"]] == [
        ("Kaien 3", "Moss")
    ] * 2
    assert_members(product, name="Ullgarn", price_incl="150.00")
    before = change_marks(vendure)
    assert ways.forward(sales_accounts=ACCOUNTS).writes == []
    ways.back(ends_with=0)
    assert (change_marks(vendure), both.open_ones()) == (before, {})


def change_marks(vendure):
    """Return what differs once a customer or a variant has been changed."""
    return [
        vendure.admin("{customers {items {id updatedAt history {totalItems}}}}"),
        vendure.admin("{productVariants {items {id updatedAt}}}"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("included", [True, False], ids=["prices with VAT", "prices without VAT"])
def test_orders_of_all_kinds_reach_go_to_the_oere(vendure, reader, ledger, number, included):
    chance = random.Random(7)
    vendure.enter_prices_with_vat(included)
    try:
        goods = [
            vendure.add_product(f"{size} {rate}", (f"{size}-{rate}-{number}", price, rate))[0]
            for rate in ("25", "15", "0")
            for size, price in (
                ("Liten", chance.randint(100, 20000)),
                ("Stor", chance.randint(20000, 200000)),
            )
        ]
        coupons = [f"{kind}-{number}" for kind in ("TI", "KR", "FRITT")]
        vendure.add_coupon(coupons[0], "order_percentage_discount", discount=13)
        vendure.add_coupon(coupons[1], "order_fixed_discount", discount=3333)
        vendure.add_coupon(coupons[2], "free_shipping")
        orders = [
            place_random_order(vendure, chance, goods, coupons, f"{index}-{number}")
            for index in range(10)
        ]
        outcome = ledger.run(*reader.messages(), sales_accounts=ACCOUNTS)
        assert (outcome.status, ledger.reasons()) == (0, {})
    finally:
        vendure.enter_prices_with_vat()
    assert amounts_of(vendure, orders) == AMOUNTS[included]
    for order in orders:
        stated = vendure.order(order, "totalWithTax total payments {amount refunds {total}}")
        paid_back = sum(
            refund["total"] for payment in stated["payments"] for refund in payment["refunds"]
        )
        entry = in_go(ledger, order)
        assert entry["TotalAmount"] == kroner(stated["totalWithTax"] - paid_back)
        if not paid_back:
            assert by_rate(entry) == vendures_by_rate(vendure, order)
            lines = len(entry["SalesOrderLines"])
            assert abs(entry["NetAmount"] - kroner(stated["total"])) <= lines * Decimal("0.005")


AMOUNTS = {
    True: {
        "total": 5253351,
        "totalWithTax": 6064977,
        "amount": -311644,
        "amountWithTax": -364913,
        "unitPrice": 1264884,
        "linePrice": 5490655,
        "linePriceWithTax": 6340440,
        "proratedLinePrice": 5215695,
        "proratedLinePriceWithTax": 6019297,
    },
    False: {
        "total": 4767601,
        "totalWithTax": 5613058,
        "amount": -275415,
        "amountWithTax": -322486,
        "unitPrice": 1516446,
        "linePrice": 4953566,
        "linePriceWithTax": 5827728,
        "proratedLinePrice": 4705941,
        "proratedLinePriceWithTax": 5539177,
    },
}
"""The sums of these orders in a real Vendure, by whether prices include VAT."""


def amounts_of(vendure, orders):
    """Return the sum of each amount of the orders and their lines."""
    sums: Counter[str] = Counter()
    for order in orders:
        stated = vendure.order(
            order,
            "total totalWithTax discounts {amount amountWithTax} lines {unitPrice linePrice"
            " linePriceWithTax proratedLinePrice proratedLinePriceWithTax}",
        )
        for row in (stated, *stated["discounts"], *stated["lines"]):
            sums.update({name: value for name, value in row.items() if isinstance(value, int)})
    return dict(sums)


def place_random_order(vendure, chance, goods, coupons, name):
    """Place an order for some of the goods, and perhaps refund a part of it."""
    order = vendure.place_order(
        [(variant, chance.randint(1, 7)) for variant in chance.sample(goods, 3)],
        guest={"firstName": "Gjest", "lastName": name, "emailAddress": f"{name}@example.com"},
        freight=chance.choice(("Bring", "Matbud")),
        coupons=tuple(coupon for coupon in coupons if chance.random() < 0.3),
    )
    if chance.random() < 0.3:
        total = vendure.order(order, "totalWithTax")["totalWithTax"]
        vendure.refund(order, chance.choice((total, chance.randint(1, total))))
        vendure.settle_refunds(order)
    return order
