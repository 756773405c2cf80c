"""Settings that decide what is written: `properties`, `owners`, `sales_accounts`."""

import pytest


def one_line(outcome, words):
    """Return whether exactly one line of the log has all words."""
    return len([line for line in outcome.log.splitlines() if all(w in line for w in words)]) == 1


# properties


def test_a_row_that_is_off_can_be_switched_on(ledger, box, customer):
    ledger.run(customer(number="10077"), properties={"customers": {"number": "to_go"}}, ends_with=0)

    assert box.go.entries("Customers")[0]["ExternalNumber"] == 10077


@pytest.mark.parametrize("number", ["K-77", "٣٤", "9223372036854775808", " "])
def test_a_customer_number_that_go_cannot_take_is_left_out(ledger, box, customer, number):
    ledger.run(customer(number=number), properties={"customers": {"number": "to_go"}}, ends_with=0)

    assert box.go.entries("Customers")[0]["ExternalNumber"] is None


def test_a_row_that_is_switched_off_is_never_written(ledger, box, customer):
    off = {"customers": {"phone": "off"}}
    ledger.run(customer(), properties=off)
    assert box.go.entries("Customers")[0]["PhoneNumber"] is None

    assert ledger.run(customer(phone="+4740000000"), properties=off).writes == []


def test_a_row_that_is_switched_off_is_not_even_read(ledger, box, customer):
    ledger.run(customer(phone=["x"]), properties={"customers": {"phone": "off"}}, ends_with=0)

    assert len(box.go.entries("Customers")) == 1


def test_a_row_written_on_create_only_is_not_edited_later(ledger, box, customer):
    create = {"customers": {"phone": "create"}}
    ledger.run(customer(), properties=create)

    assert ledger.run(customer(phone="+4740000000"), properties=create).writes == []
    assert box.go.entries("Customers")[0]["PhoneNumber"] == "+4791234567"


@pytest.mark.parametrize(
    ("custom", "description"), [({"tekst": "Fra custom"}, "Fra custom"), ({}, None)]
)
def test_a_row_can_be_read_from_another_field_which_the_shop_may_omit(
    ledger, box, product, custom, description
):
    source = {"products": {"description": {"source": "custom.tekst"}}}

    ledger.run(product(custom=custom), properties=source, ends_with=0)

    assert box.go.entries("Products")[0]["Description"] == description


@pytest.mark.parametrize(
    ("paid_at", "date"),
    [("2026-01-31T23:30:00Z", "2026-02-01"), ("2026-01-31", "2026-01-31"), (None, None)],
)
def test_a_date_read_from_another_field_is_the_one_in_the_time_zone(
    ledger, box, customer, product, order, paid_at, date
):
    source = {"orders": {"placed_at": {"source": "paid_at"}}}

    ledger.run(customer(), product(), order(paid_at=paid_at), properties=source, ends_with=0)

    assert box.go.entries("SalesOrders")[0]["SalesOrderDate"] == date


def test_an_invalid_date_is_rejected_whichever_field_it_is_read_from(
    ledger, box, customer, product, order
):
    source = {"orders": {"placed_at": {"source": "custom.dag"}}}
    record = order(custom={"dag": "31.01.2026"})

    ledger.run(customer(), product(), record, properties=source)

    assert 'custom.dag "31.01.2026" is not a date and time' in ledger.unsettled("reject")[0].reason
    assert box.go.entries("SalesOrders") == []


def test_a_constant_is_written_to_every_entry_of_its_entity_only(
    ledger, box, customer, product, order
):
    constant = {"orders": {"department": {"go": "DepartmentCode", "constant": "10"}}}

    ledger.run(customer(), product(), order(), properties=constant, ends_with=0)

    (sales_order,) = box.go.entries("SalesOrders")
    assert sales_order["DepartmentCode"] == "10"
    assert box.go.entries("Customers")[0]["DepartmentCode"] is None
    assert ledger.run(customer(), product(), order(), properties=constant).writes == []


def test_a_new_row_does_not_overwrite_the_values_of_linked_entries(ledger, box, customer):
    ledger.run(customer(note="https://kari.example.no"))
    (entry,) = box.go.entries("Customers")
    box.go.edit("Customers", entry["Id"], {"WebsiteUrl": "https://go.example.no"})
    row = {"customers": {"note": {"go": "WebsiteUrl", "source": "note"}}}

    ledger.run(customer(note="https://kari.example.no"), properties=row, ends_with=0)

    assert box.go.entries("Customers")[0]["WebsiteUrl"] == "https://go.example.no"


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"kunder": {"phone": "off"}}, ["kunder", "customers, products or orders"]),
        ({"customers": {"fone": "off"}}, ["customers.fone", "no such row"]),
        ({"customers": {"phone": "sideways"}}, ["customers.phone", "direction must be one of"]),
        ({"customers": {"id": "off"}}, ["customers.id", "cannot be changed"]),
        ({"customers": {"x": {"go": "NoSuchThing", "constant": "1"}}}, ["no such property"]),
        ({"customers": {"x": {"go": "PhoneNumber", "constant": "1"}}}, ["PhoneNumber", "phone"]),
        ({"products": {"category": "to_go"}}, ["products.category", "only when"]),
        ({"customers": {"phone": {"source": "a", "constant": "b"}}}, ["either source or constant"]),
        ({"customers": {"phone": 7}}, ["customers.phone"]),
        ({"customers": {"phone": {}}}, ["customers.phone"]),
        ({"customers": {"phone": {"direction": ["off"]}}}, ["customers.phone", "direction"]),
        ({"customers": {"phone": {"source": ["custom", "x"]}}}, ["customers.phone", "source"]),
        ({"customers": {"x": {"go": {}, "constant": "1"}}}, ["customers.x", "go must be text"]),
        ({"customers": "off"}, ["customers"]),
        ({"orders": {"x": {"go": "DepartmentId", "constant": "ti"}}}, ["orders.x", "int64"]),
        ({"orders": {"shipped_at": {"constant": "i dag"}}}, ["orders.shipped_at", "date"]),
    ],
)
def test_invalid_properties_stop_the_run_with_one_line(ledger, customer, properties, words):
    outcome = ledger.run(customer(), properties=properties, ends_with=1)

    assert outcome.reads == []
    assert one_line(outcome, words), outcome.log


# owners


@pytest.mark.parametrize(
    ("owners", "words"),
    [
        ({"customers": "butikken"}, ["owners", "customers.*", "shop, go or"]),
        ({"customer": "shop"}, ["owners", '"customer"']),
        ({"customers.phone": "shop"}, ["owners", '"customers.phone"']),
        ({"customers": {"fone": "shop"}}, ["owners", "customers.fone"]),
        ({"customers": {"*": "butikken"}}, ["owners", "customers.*", "shop, go or"]),
        ({"customers": {"phone": ["shop"]}}, ["owners", "customers.phone", "shop"]),
        ({"customers": ["shop"]}, ["owners", "customers.*", "shop"]),
    ],
)
def test_invalid_owners_stop_the_run_with_one_line(ledger, customer, owners, words):
    outcome = ledger.run(customer(), owners=owners, ends_with=1)

    assert outcome.reads == []
    assert one_line(outcome, words), outcome.log


def test_all_invalid_settings_are_reported_at_once(ledger, customer):
    key = "hemmelig"
    added = {"x": {"go": key, "source": "a"}, "y": {"go": "DepartmentId", "constant": key}}
    names = {"organization_number": {"direction": key}, **added}
    outcome = ledger.run(
        customer(),
        owners={"customers": key},
        time_zone=key,
        orders_from=key,
        properties={"customers": names},
        match_customers_on={"company": [key]},
        ends_with=1,
    )

    for name in ("owners: ", "time_zone: ", "orders_from ", *(f"customers.{row}" for row in names)):
        assert one_line(outcome, [name]), outcome.log
    assert key not in outcome.log  # it may be a key in the wrong place


# sales_accounts

ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}


@pytest.mark.parametrize(("rate", "account"), [("25", 3000), ("15.00", 3001), ("0", 3100)])
def test_a_product_is_created_with_the_account_of_its_rate(ledger, box, product, rate, account):
    ledger.run(product(tax_rate=rate), sales_accounts=ACCOUNTS, ends_with=0)

    (entry,) = box.go.entries("Products")
    ids = {entry["Id"]: entry["AccountNo"] for entry in box.go.entries("GeneralLedgerAccounts")}
    assert ids[entry["StandardSalesAccountId"]] == account


def test_a_changed_rate_moves_the_product_to_that_account(ledger, box, product):
    ledger.run(product(), sales_accounts=ACCOUNTS)

    outcome = ledger.run(product(tax_rate="15"), sales_accounts=ACCOUNTS, ends_with=0)

    (patch,) = outcome.writes
    assert [operation["path"] for operation in patch.json() if operation["op"] == "replace"] == [
        "/StandardSalesAccountId"
    ]


def test_a_rate_without_an_account_is_rejected(ledger, box, product):
    ledger.run(product(tax_rate="12"), sales_accounts=ACCOUNTS, ends_with=3)

    assert "12 %" in ledger.unsettled("reject")[0].reason
    assert box.go.entries("Products") == []


def test_a_run_with_nothing_new_does_not_check_accounts_again(ledger, product):
    def asked(**settings):
        outcome = ledger.run(product(), sales_accounts=ACCOUNTS, **settings)
        return {call.path.rsplit("/", 1)[-1] for call in outcome.reads}

    identity, accounts = {"ClientIntegrationInformation"}, {"GeneralLedgerAccounts", "VatCodes"}
    assert asked() >= identity | accounts
    assert asked() == identity
    assert asked(full_check_hours=0) == identity | accounts


@pytest.mark.parametrize("records", [0, 1])
def test_accounts_that_were_not_checked_yet_are_checked_at_start_up(ledger, product, records):
    ledger.run(product(), sales_accounts=ACCOUNTS)

    outcome = ledger.run(*[product()] * records, sales_accounts={"25": 3001}, ends_with=1)

    assert "sales_accounts: account 3001 carries 15 % VAT in Go, not 25 %" in outcome.log


def test_an_account_changed_in_go_since_it_was_checked_stops_the_run_before_it_writes(
    ledger, box, product, customer
):
    ledger.run(product(), sales_accounts=ACCOUNTS)
    (account,) = [
        entry for entry in box.go.entries("GeneralLedgerAccounts") if entry["AccountNo"] == 3000
    ]
    box.go.edit("GeneralLedgerAccounts", account["Id"], {"IsActive": False})

    outcome = ledger.run(customer(), product(), sales_accounts=ACCOUNTS, ends_with=1)

    assert "sales_accounts: Go has no active account 3000" in outcome.log
    assert outcome.writes == []
    assert box.go.entries("Customers") == []


def test_sales_accounts_set_later_do_not_change_products_that_were_already_in_go(
    ledger, box, product
):
    """Setting an account is not an edit in the shop, so existing products are not changed."""
    box.go.create("Products", {"Code": "ULL-1", "Name": "Ullgenser"})
    ledger.run(product(tax_rate="15"))
    before = box.go.entries("Products")

    ledger.run(product(tax_rate="15"), sales_accounts=ACCOUNTS, ends_with=0)

    assert box.go.entries("Products") == before


def test_sales_accounts_set_later_change_products_that_were_created_without_them(
    ledger, box, product
):
    ledger.run(product(tax_rate="15"))

    outcome = ledger.run(product(tax_rate="15"), sales_accounts=ACCOUNTS)

    assert outcome.count("products", "changed") == 1
    assert box.go.entries("Products")[0]["StandardSalesAccount"] == ACCOUNTS["15"]
    assert ledger.run(product(tax_rate="15"), sales_accounts=ACCOUNTS).writes == []


def test_sales_accounts_set_later_do_not_undo_a_bookkeepers_choice(ledger, box, product):
    ledger.run(product(tax_rate="15"))
    box.go.edit("Products", box.go.entries("Products")[0]["Id"], {"StandardSalesAccountId": 7005})
    before = box.go.entries("Products")

    assert ledger.run(product(tax_rate="15"), sales_accounts=ACCOUNTS).writes == []
    assert box.go.entries("Products") == before


@pytest.mark.parametrize(
    ("accounts", "words"),
    [
        ({"25": 3001}, ["account 3001", "15 %", "25 %"]),
        ({"25": 3010}, ["no active account 3010"]),
        ({"25": 9999}, ["no active account 9999"]),
        ({"mye": 3000}, ["sales_accounts", "mye"]),
        ({"NaN": 3000}, ["sales_accounts", "NaN"]),
        ({"2500": 3000}, ["sales_accounts", "2500"]),
        ({"11,11": 3000}, ["account 3000", "25 %", "11.11 %"]),
        ({"25": 3000, "0": 3000}, ["account 3000", "25 %", "0 %"]),
        ({"25": 3000, "25,0": 3001}, ["sales_accounts", "25", "named twice"]),
    ],
)
def test_invalid_accounts_stop_the_run_and_nothing_is_written(ledger, product, accounts, words):
    outcome = ledger.run(product(), sales_accounts=accounts, ends_with=1)

    assert outcome.writes == []
    assert one_line(outcome, words), outcome.log


@pytest.mark.parametrize("rate", ["15", "15,0", "15.00"])
def test_a_rate_is_written_with_a_comma_or_a_dot(ledger, box, product, rate):
    assert ledger.run(product(tax_rate="15"), sales_accounts={rate: 3001}).status == 0

    assert box.go.entries("Products")[0]["StandardSalesAccount"] == 3001


def test_keys_without_the_privilege_to_read_accounts_stop_the_run(ledger, box, product):
    box.go.switches.privileges -= {"GeneralLedgerAccount"}

    assert ledger.run(product()).status == 0
    outcome = ledger.run(product(), sales_accounts=ACCOUNTS, ends_with=1)

    assert one_line(outcome, ["lack privileges", "GeneralLedgerAccount"])


def test_a_price_in_another_currency_is_left_out_with_a_warning(ledger, box, product):
    outcome = ledger.run(
        product(currency="EUR"), product(id="2", sku="B", currency="nok"), ends_with=0
    )

    prices = {entry["Code"]: entry["UnitPrice"] for entry in box.go.entries("Products")}
    assert prices == {"ULL-1": None, "B": 100}
    assert one_line(outcome, ["products 501", "prices are in EUR and were left out", "NOK"])
    assert "products 2:" not in outcome.log


def test_a_product_in_another_currency_without_a_price_has_no_warning(ledger, product):
    none = dict.fromkeys(("price_excl", "price_incl", "cost_price"))

    assert "left out" not in ledger.run(product(currency="EUR", **none)).log


@pytest.mark.parametrize("name", ["", "a" * 21, "min butikk", "a:b"])
def test_a_shop_name_that_cannot_be_part_of_a_reference_stops_the_run(ledger, customer, name):
    outcome = ledger.run(customer(), shop_name=name, ends_with=1)

    assert outcome.reads == []
    assert "shop_name must have" in outcome.log


@pytest.mark.parametrize(
    ("before", "after"),
    [({"source": "custom.a"}, {"source": "custom.b"}), ({"constant": "A"}, {"constant": "B"})],
)
def test_a_changed_source_or_constant_is_written_to_records_that_did_not_change(
    ledger, box, product, before, after
):
    record = product(custom={"a": "A", "b": "B"})
    ledger.run(record, properties={"products": {"description": before}})

    ledger.run(record, properties={"products": {"description": after}}, ends_with=0)

    assert box.go.entries("Products")[0]["Description"] == "B"


def test_a_changed_time_zone_changes_the_dates_of_orders_that_did_not_change(
    ledger, box, customer, product, order
):
    late = order(placed_at="2026-01-05T23:30:00Z")
    ledger.run(customer(), product(), late)

    ledger.run(late, time_zone="UTC", ends_with=0)

    (entry,) = box.go.entries("SalesOrders")
    assert entry["SalesOrderDate"] == "2026-01-05"
