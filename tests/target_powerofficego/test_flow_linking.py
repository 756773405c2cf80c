"""A shop record whose entry is already in Go: it is linked, and not changed."""

import pytest

pytestmark = pytest.mark.both_link_stores(if_slow=True)

ORG = "923609016"


@pytest.fixture
def by_hand(box):
    """Creates a customer in Go as a bookkeeper would: `by_hand(Name="Fjord AS", …)`."""

    def make(**members):
        return box.go.create("Customers", {"IsPerson": False, **members})

    return make


def without_reference(entry):
    ours = ("ExternalImportReference", "LastChangedDateTimeOffset")
    return {name: value for name, value in entry.items() if name not in ours}


def test_a_bookkeepers_company_is_linked_and_only_its_empty_reference_written(
    ledger, box, company, by_hand
):
    made = by_hand(Name="FJORD OG FJELL", OrganizationNumber=ORG, PhoneNumber="22 00 00 00")

    outcome = ledger.run(company(), ends_with=0)

    assert outcome.count("customers", "linked") == 1
    (entry,) = box.go.entries("Customers")
    assert without_reference(entry) == without_reference(made)
    assert entry["ExternalImportReference"] == "testshop:2001"
    (patch,) = outcome.writes
    assert [operation["path"] for operation in patch.json() if operation["op"] == "replace"] == [
        "/ExternalImportReference"
    ]


def test_without_write_references_nothing_is_written_on_linking(ledger, box, company, by_hand):
    made = by_hand(Name="FJORD OG FJELL", OrganizationNumber=ORG)

    assert ledger.run(company(), write_references=False).writes == []
    assert box.go.entries("Customers") == [made]
    assert ledger.run(company(note="x"), write_references=False).writes == []


def test_after_linking_only_edits_are_written(ledger, box, company, by_hand):
    by_hand(Name="FJORD OG FJELL", OrganizationNumber=ORG, PhoneNumber="22 00 00 00")
    ledger.run(company())

    ledger.run(company(email="ny@fjord.example.no"), ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert entry["EmailAddress"] == "ny@fjord.example.no"
    assert entry["Name"] == "FJORD OG FJELL"
    assert entry["PhoneNumber"] == "22 00 00 00"


def test_a_bookkeepers_person_is_linked_by_e_mail_in_any_case(ledger, box, customer, by_hand):
    by_hand(IsPerson=True, FirstName="K", LastName="N", EmailAddress="Kari@Example.NO")

    ledger.run(customer())

    (entry,) = box.go.entries("Customers")
    assert entry["ExternalImportReference"] == "testshop:1001"


@pytest.mark.parametrize(
    ("in_go", "in_shop", "country"),
    [
        ("923 609 016", "NO923609016MVA", "NO"),
        ("923 609 016 MVA", ORG, "NO"),
        ("NO923609016MVA", ORG, "NO"),
        ("923.609.016", "923 609 016", None),
        ("556036-0793", "556036-0793", "SE"),
        ("556036-0793", "5560360793", "SE"),
        ("se 556036079301", "SE556036079301", "SE"),
        ("GB 123456789", "GB123456789", "GB"),
    ],
)
def test_an_organisation_number_matches_in_every_form(
    ledger, box, company, address, by_hand, in_go, in_shop, country
):
    by_hand(Name="Fjord", OrganizationNumber=in_go)
    record = company(organization_number=in_shop, addresses=[address(country_code=country)])

    assert ledger.run(record).count("customers", "linked") == 1
    assert len(box.go.entries("Customers")) == 1


def test_an_organisation_number_in_another_form_is_not_overwritten(ledger, box, company, by_hand):
    by_hand(Name="Fjord og Fjell AS", OrganizationNumber="923 609 016 MVA")

    ledger.run(company(), on_link="shop")

    assert box.go.entries("Customers")[0]["OrganizationNumber"] == "923 609 016 MVA"


def test_a_product_made_by_hand_is_linked_by_code_and_not_touched(ledger, box, product):
    made = box.go.create("Products", {"Code": "ull-1", "Name": "Genser", "UnitPrice": 90})

    outcome = ledger.run(product())

    assert outcome.writes == []
    assert box.go.entries("Products") == [made]
    assert outcome.count("products", "linked") == 1


@pytest.mark.parametrize(
    ("in_go", "in_shop"),
    [
        ("4006381333931", "4006381333931"),
        ("4006381333931", "40 0638 1333 931"),
        ("4006381333931", "400-6381333931"),
        ("4006381333931", 4006381333931),
    ],
)
def test_a_product_is_linked_by_gtin_if_no_code_matches(ledger, box, product, in_go, in_shop):
    made = box.go.create("Products", {"Code": "X", "Name": "Genser", "Gtin": in_go})

    ledger.run(product(gtin=in_shop))

    assert box.go.entries("Products") == [made]


def test_a_gtin_is_sent_without_its_spaces(ledger, box, product):
    assert ledger.run(product(gtin="40 0638 1333 931")).status == 0
    assert box.go.entries("Products")[0]["Gtin"] == "4006381333931"


def test_two_candidates_are_held_with_both_named(ledger, box, company, by_hand):
    first = by_hand(Name="Fjord 1", OrganizationNumber=ORG)
    second = by_hand(Name="Fjord 2", OrganizationNumber=ORG)

    assert ledger.run(company(), ends_with=3).writes == []
    (hold,) = ledger.unsettled("hold")
    assert str(first["Number"]) in hold.reason
    assert str(second["Number"]) in hold.reason


def test_a_hold_for_two_candidates_ends_when_a_person_gives_one_the_reference(
    ledger, box, company, by_hand
):
    by_hand(Name="Fjord 1", OrganizationNumber=ORG)
    second = by_hand(Name="Fjord 2", OrganizationNumber=ORG)
    ledger.run(company())

    box.go.edit("Customers", second["Id"], {"ExternalImportReference": "testshop:2001"})
    assert ledger.run(ends_with=0).count("customers", "linked") == 1
    assert len(box.go.entries("Customers")) == 2


@pytest.mark.parametrize("shop", ["other", "testshop2"])
def test_an_entry_with_another_shops_reference_is_not_a_candidate(
    ledger, box, company, by_hand, shop
):
    other = by_hand(Name="Fjord", OrganizationNumber=ORG, ExternalImportReference=f"{shop}:7")

    assert ledger.run(company()).count("customers", "created") == 1
    assert box.go.entry("Customers", other["Id"]) == other
    assert len(box.go.entries("Customers")) == 2


def test_entries_that_only_go_has_are_left_alone(ledger, box, customer, product, by_hand):
    only_in_go = by_hand(Name="Kun i Go AS")
    item = box.go.create("Products", {"Code": "KUN-GO", "Name": "Kun i Go"})

    ledger.run(customer(), product())

    assert box.go.entry("Customers", only_in_go["Id"]) == only_in_go
    assert box.go.entry("Products", item["Id"]) == item


def test_a_second_company_of_one_organisation_number_follows_and_its_orders_go_there(
    ledger, box, company, product, order
):
    branch = company(id="2002", name="Avdeling Bergen", company_name="Avdeling Bergen")
    ledger.run(
        company(),
        branch,
        product(),
        order(customer_id="2001"),
        order(id="9002", customer_id="2002"),
        ends_with=0,
    )

    (entry,) = box.go.entries("Customers")
    assert entry["Name"] == "Fjord og Fjell AS"
    assert [entry["CustomerId"] for entry in box.go.entries("SalesOrders")] == [entry["Id"]] * 2

    changed = ledger.run(
        company(id="2002", company_name="Avdeling Voss", phone="+4740000000"), ends_with=0
    )
    assert changed.writes == []


def test_two_records_of_a_bookkeepers_company_become_linked_record_and_follower(
    ledger, box, company, by_hand
):
    by_hand(Name="Fjord", OrganizationNumber=ORG)

    outcome = ledger.run(company(), company(id="2002"), workers=8, ends_with=0)

    assert len(outcome.writes) == 1
    (entry,) = box.go.entries("Customers")
    assert entry["ExternalImportReference"] == "testshop:2001"


def test_a_follower_remains_a_follower_when_the_link_store_is_lost(ledger, box, company):
    ledger.run(company(), company(id="2002", email="bergen@example.no"))
    ledger.lose_link_store()

    outcome = ledger.run(company(id="2002", email="bergen@example.no"), company(), ends_with=0)

    assert outcome.writes == []
    changed = ledger.run(company(phone="+4740000000"))
    assert len(changed.writes) == 1
    assert ledger.run(company(id="2002", phone="+4741111111")).writes == []


def test_a_second_person_with_the_same_e_mail_is_held_naming_the_first(ledger, box, customer):
    ledger.run(customer(), customer(id="1002", first_name="Ola"), workers=8, ends_with=3)

    (entry,) = box.go.entries("Customers")
    assert entry["FirstName"] == "Kari"
    (hold,) = ledger.unsettled("hold")
    assert hold.shop_id == "1002"
    assert "1001" in hold.reason


def test_a_company_and_a_person_with_the_same_e_mail_are_two_customers(
    ledger, box, customer, company
):
    ledger.run(customer(), company(email="kari@example.no"), ends_with=0)

    assert len(box.go.entries("Customers")) == 2


def test_match_customers_on_nothing_creates_a_second_customer(ledger, box, customer, by_hand):
    by_hand(IsPerson=True, FirstName="K", LastName="N", EmailAddress="kari@example.no")

    ledger.run(customer(), match_customers_on={"company": [], "person": []})

    assert len(box.go.entries("Customers")) == 2


@pytest.mark.parametrize(
    ("on_link", "phone", "email"),
    [
        ("keep", "22000000", None),
        ("fill_empty", "22000000", "post@fjordogfjell.example.no"),
        ("shop", "+4791234567", "post@fjordogfjell.example.no"),
    ],
)
def test_on_link_decides_what_becomes_of_differing_values(
    ledger, box, company, by_hand, on_link, phone, email
):
    by_hand(Name="FJORD", OrganizationNumber=ORG, PhoneNumber="22000000")

    ledger.run(company(), on_link=on_link, ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert entry["PhoneNumber"] == phone
    assert entry["EmailAddress"] == email
    assert entry["Name"] == ("Fjord og Fjell AS" if on_link == "shop" else "FJORD")
    assert entry["ExternalImportReference"] == "testshop:2001"
    assert ledger.run(company(note="x"), on_link=on_link).writes == []


def test_on_link_shop_writes_an_address_where_go_has_none(ledger, box, company, by_hand):
    by_hand(Name="FJORD", OrganizationNumber=ORG)

    ledger.run(company(), on_link="shop", ends_with=0)

    assert box.go.entries("Customers")[0]["MailAddress"]["City"] == "Oslo"


@pytest.mark.parametrize(
    ("on_link", "in_go", "country"),
    [
        ("shop", "NO", "NO"),
        ("shop", "SE", "NO"),
        ("keep", "SE", "SE"),
        ("fill_empty", None, "NO"),
    ],
)
def test_an_address_without_a_country_is_norwegian_and_never_clears_the_country(
    ledger, box, company, address, by_hand, on_link, in_go, country
):
    mail_address = in_go and {"City": "Oslo", "ZipCode": "0155", "CountryCode": in_go}
    by_hand(Name="FJORD", OrganizationNumber=ORG, MailAddress=mail_address)

    ledger.run(company(addresses=[address(country_code=None)]), on_link=on_link, ends_with=0)

    assert box.go.entries("Customers")[0]["MailAddress"]["CountryCode"] == country


def test_on_link_shop_writes_a_products_values(ledger, box, product):
    box.go.create("Products", {"Code": "ULL-1", "Name": "Genser", "UnitPrice": 90})

    ledger.run(product(), on_link="shop")

    (entry,) = box.go.entries("Products")
    assert (entry["Name"], entry["UnitPrice"]) == ("Ullgenser", 100)


def test_an_archived_customer_in_go_that_the_shop_still_has_is_linked_as_it_is(
    ledger, box, customer, by_hand
):
    made = by_hand(IsPerson=True, FirstName="K", LastName="N", EmailAddress="kari@example.no")
    box.go.edit("Customers", made["Id"], {"IsArchived": True})

    ledger.run(customer())

    (entry,) = box.go.entries("Customers")
    assert entry["IsArchived"] is True


def test_a_first_load_has_the_same_result_with_one_worker_and_with_many(
    ledger, box, company, customer, product, by_hand
):
    """Records that match on the same key are settled one by one, so nothing is left to chance."""
    by_hand(Name="Fjord", OrganizationNumber=ORG)
    twins = [company(id=str(n), email=f"{n}@example.no") for n in range(2001, 2009)]
    people = [customer(id=str(n)) for n in range(1001, 1009)]

    ledger.run(*people, *twins, workers=8)

    references = {entry["ExternalImportReference"] for entry in box.go.entries("Customers")}
    assert references == {"testshop:1001", "testshop:2001"}


FORMS = [ORG, "923 609 016", "NO923609016MVA", "923609016 MVA", int(ORG)]


def test_companies_with_the_same_organisation_number_in_any_form_are_one_customer(
    ledger, box, company
):
    box.faults.add(method="POST", path="/customers", delay_seconds=0.2, times=None)
    twins = [
        company(id=str(n), email=f"{n}@example.no", organization_number=form)
        for n, form in enumerate(FORMS)
    ]

    ledger.run(*twins, workers=8, ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert entry["ExternalImportReference"] == "testshop:0"


def test_customers_with_the_same_e_mail_from_a_field_in_properties_are_held(ledger, box, customer):
    box.faults.add(method="POST", path="/customers", delay_seconds=0.2, times=None)
    twins = [customer(id=str(n), email=None, custom={"mail": "a@example.no"}) for n in range(4)]

    outcome = ledger.run(
        *twins, workers=8, properties={"customers": {"email": {"source": "custom.mail"}}}
    )

    assert len(box.go.entries("Customers")) == 1
    assert outcome.count("customers", "held") == 3


@pytest.mark.parametrize("skus", [(7000, 7000, "7000"), (" ull ", "ULL", "ull")])
def test_products_with_the_same_sku_in_any_form_are_held(ledger, box, product, skus):
    box.go.switches.product_code_unique = False
    box.faults.add(method="POST", path="/products", delay_seconds=0.2, times=None)

    outcome = ledger.run(*[product(id=str(n), sku=sku) for n, sku in enumerate(skus)], workers=8)

    assert len(box.go.entries("Products")) == 1
    assert outcome.count("products", "held") == 2
