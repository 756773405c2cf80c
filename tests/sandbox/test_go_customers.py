"""Which customers, addresses and contact persons Go accepts and refuses."""

from __future__ import annotations

import pytest
from members import assert_members

ADDRESS = {"AddressLine1": "Storgata 1", "City": "Oslo", "ZipCode": "0150"}
WRONG_EMAILS = ("fjell", "a@b", "a b@fjell.no", "a@fjell.no, b@fjell.no")
FORBIDDEN_DELIVERY_TYPES = ("EHF", "AvtaleGiro", "Efaktura", "External", "Factoring")


def test_a_customer_is_a_company_unless_it_is_a_person(go):
    person = go.create("/Customers", {"IsPerson": True, "FirstName": "Kari", "LastName": "Dal"})
    assert (person["IsPerson"], go.customer()["IsPerson"]) == (True, False)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"Name": None, "EmailAddress": "a@fjell.no"}, "Name"),
        ({"Name": None, "IsPerson": True, "FirstName": "Kari"}, "LastName"),
        ({"Number": 7}, "Number"),
        ({"ExternalImportReference": "b" * 51}, "50"),
        ({"MailAddress": {**ADDRESS, "City": None}}, "City"),
        ({"MailAddress": {**ADDRESS, "ZipCode": None}}, "ZipCode"),
        ({"MailAddress": {**ADDRESS, "City": "c" * 101}}, "100"),
        ({"MailAddress": {**ADDRESS, "CountryCode": "NX"}}, "CountryCode"),
        *(({"EmailAddress": email}, "EmailAddress") for email in WRONG_EMAILS),
        *(
            ({"InvoiceDeliveryType": delivery}, "InvoiceDeliveryType")
            for delivery in FORBIDDEN_DELIVERY_TYPES
        ),
        ({"InvoiceDeliveryType": "PdfByEmail"}, "InvoiceDeliveryType"),
        ({"NationalIdNumber": "12345678901"}, "NationalIdNumber"),
        ({"Allowance": -1001}, "Allowance"),
        ({"Allowance": 101}, "Allowance"),
    ],
    ids=str,
)
def test_a_broken_rule_is_refused_by_name(go, members, expected):
    assert expected in go.refuses(go.post("/Customers", {"Name": "A", **members}), "Customer")


@pytest.mark.parametrize(
    "member", [{"DepartmentCode": "99"}, {"PaymentTerm": 99}, {"CurrencyCode": "QQQ"}], ids=str
)
def test_an_unknown_department_payment_term_or_currency_is_404(go, member):
    go.refuses(go.post("/Customers", {"Name": "A", **member}), "Customer", 404)


@pytest.mark.parametrize(
    "member",
    [
        {"Name": 5},
        {"IsPerson": "true"},
        {"ExternalNumber": "5"},
        {"ExternalNumber": 5.5},
        {"ExternalNumber": 2**63},
        {"ExternalNumber": True},
        {"Allowance": "5"},
        {"CustomerSince": "2024-13-01"},
        {"CustomerSince": "2024-01-01T00:00:00"},
        {"InvoiceDeliveryType": 1},
        {"InvoiceDeliveryType": "Pigeon"},
        {"MailAddress": "Storgata 1"},
        {"ContactGroupIds": 5},
    ],
)
def test_a_value_of_a_wrong_type_is_refused(go, member):
    go.refuses(go.post("/Customers", {"Name": "A", **member}), "Unable to cast object(s)")


def test_values_at_the_limits_are_accepted(go):
    allowances = [go.customer(Allowance=percent)["Allowance"] for percent in (-1000, 100)]
    assert allowances == [-1000, 100]
    assert go.customer(ExternalImportReference="a" * 50)


def test_go_assigns_ids_numbers_and_stamps(go):
    first, second = go.customer(), go.customer()
    assert second["Id"] > first["Id"]
    assert second["Number"] == first["Number"] + 1
    assert first["LastChangedDateTimeOffset"] < second["LastChangedDateTimeOffset"]
    assert len(first["LastChangedDateTimeOffset"]) == len("2026-01-01T00:00:00.0000000Z")


def test_answers_contain_every_member_in_pascal_case_nulls_included(go):
    customer = go.customer()
    assert len(customer) == 51
    assert_members(customer, ExternalNumber=None, IsActive=True)


def test_unknown_and_read_only_members_are_ignored(go):
    customer = go.customer(Id=5, JobTitle="boss", IsActive=False)
    assert customer["Id"] != 5
    assert customer["IsActive"] is True
    assert "JobTitle" not in customer


def test_members_bind_without_regard_to_case(go):
    assert go.create("/Customers", {"name": "Fjell AS"})["Name"] == "Fjell AS"


def test_the_country_is_norway_when_left_out(go):
    assert go.customer(MailAddress=ADDRESS)["MailAddress"]["CountryCode"] == "NO"


def test_an_edit_of_the_address_alone_does_not_move_the_customers_stamp(go):
    customer = go.customer(MailAddress=ADDRESS)
    path = f"/Customers/{customer['Id']}"
    moved = go.put_value(path, "MailAddress/City", "Bergen").json()
    assert moved["MailAddress"]["City"] == "Bergen"
    assert moved["LastChangedDateTimeOffset"] == customer["LastChangedDateTimeOffset"]
    stamp = "LastChangedDateTimeOffset"
    assert moved["MailAddress"][stamp] > customer["MailAddress"][stamp]
    assert go.put_value(path, "Name", "Fjord AS").json()[stamp] > customer[stamp]


def test_an_address_cannot_lose_its_city_alone_but_can_be_emptied(go):
    path = f"/Customers/{go.customer(MailAddress=ADDRESS)['Id']}"
    assert "City" in go.refuses(go.put_value(path, "MailAddress/City", None), "Customer")
    emptied = go.patch(
        path,
        *(
            {"op": "replace", "path": f"/MailAddress/{name}", "value": None}
            for name in (*ADDRESS, "CountryCode")
        ),
    )
    assert emptied.status_code == 200
    assert emptied.json()["MailAddress"]["City"] is None


def test_a_reference_is_held_by_one_customer_only(go):
    holder = go.customer(ExternalImportReference="shop:1")
    answer = go.post("/Customers", {"Name": "Dal AS", "ExternalImportReference": "shop:1"})
    detail = go.refuses(answer, "Customer")
    assert "ExternalImportReference" in detail
    assert "shop:1" in detail
    assert str(holder["Id"]) in detail
    other = go.customer()
    go.refuses(
        go.put_value(f"/Customers/{other['Id']}", "ExternalImportReference", "shop:1"), "Customer"
    )
    assert len(go.books.entries("Customers")) == 2


def test_a_released_reference_may_be_used_again(go):
    holder = go.customer(ExternalImportReference="shop:1")
    go.put_value(f"/Customers/{holder['Id']}", "ExternalImportReference", None)
    assert go.customer(ExternalImportReference="shop:1")["Id"] != holder["Id"]


@pytest.mark.parametrize("field", ["ExternalNumber", "Number"])
def test_numbers_are_unique_among_customers(go, field):
    go.customer(**{field: 12345})
    assert "12345" in go.refuses(
        go.post("/Customers", {"Name": "Dal AS", field: 12345}), "Customer"
    )


def test_at_most_ten_copies_of_an_invoice_may_be_sent(go):
    ten = ";".join(f"a{number}@fjell.no" for number in range(10))
    assert go.customer(InvoiceEmailAddressCC=ten)["InvoiceEmailAddressCC"] == ten
    go.refuses(
        go.post("/Customers", {"Name": "A", "InvoiceEmailAddressCC": f"{ten};b@fjell.no"}),
        "Customer",
    )


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({}, {"InvoiceDeliveryType": "Print"}, id="by print without an email address"),
        pytest.param(
            {"EmailAddress": "a@fjell.no"},
            {"InvoiceDeliveryType": "PdfByEmail"},
            id="by email with an email address",
        ),
        pytest.param(
            {"InvoiceDeliveryType": "EHF", "OrganizationNumber": "988077917"},
            {"InvoiceDeliveryType": "EHF"},
            id="by EHF with an organisation number",
        ),
        pytest.param(
            {"NationalIdNumber": "15108695088"},
            {"NationalIdNumber": "hidden"},
            id="a national id is hidden",
        ),
    ],
)
def test_the_default_delivery_of_invoices_and_hidden_members(go, members, expected):
    assert_members(go.customer(**members), **expected)


def test_pdf_by_email_needs_an_email_address_as_long_as_it_is_set(go):
    customer = go.customer(EmailAddress="a@fjell.no")
    go.refuses(go.put_value(f"/Customers/{customer['Id']}", "EmailAddress", None), "Customer")


def test_a_department_and_a_payment_term_are_found_by_code_and_days(go):
    customer = go.customer(PaymentTerm=30, DepartmentCode="10")
    assert customer["PaymentTermId"]
    assert customer["DepartmentId"] == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "NaN"])
def test_a_body_that_is_missing_or_not_json_is_refused(go, content):
    headers = {"Content-Type": "application/json"}
    assert go.call("POST", "/Customers", data=content, headers=headers).status_code == 400


def test_archiving_is_refused_while_an_invoice_is_unpaid(go):
    customer = go.customer()
    order = go.order(customer, {"ProductId": go.product()["Id"], "Quantity": 1})
    invoice = go.books.send_invoice(order["Id"])
    path = f"/Customers/{customer['Id']}"
    assert "open balance" in go.refuses(go.put_value(path, "IsArchived", True), "Customer")
    go.books.edit("OutgoingInvoices", invoice["Id"], {"Balance": 0})
    archived = go.put_value(path, "IsArchived", True).json()
    assert_members(archived, IsArchived=True, IsActive=False)


def test_a_customer_with_an_order_cannot_be_deleted(go):
    customer = go.customer()
    order = go.order(customer)
    path = f"/Customers/{customer['Id']}"
    go.refuses(go.delete(path), "Customer", 409)
    go.delete(f"/SalesOrders/{order['Id']}")
    assert go.delete(path).status_code == 200
    assert go.get(path).status_code == 404


def test_the_first_delivery_address_is_primary_until_another_is_made_primary(go):
    path = f"/ContactDeliveryAddresses/{go.customer()['Id']}"
    first = go.create(path, ADDRESS)
    second = go.create(path, {**ADDRESS, "IsPrimary": True})
    assert (first["IsPrimary"], second["IsPrimary"]) == (True, True)
    listed = go.get("/ContactDeliveryAddresses").json()
    assert [address["IsPrimary"] for address in listed] == [False, True]


@pytest.mark.parametrize(
    ("resource", "body", "kind"),
    [
        ("ContactDeliveryAddresses", ADDRESS, "Contact delivery address"),
        ("ContactPersons", {"FirstName": "Kari", "LastName": "Dal"}, "Contact person"),
    ],
)
def test_an_external_code_is_unique_within_the_client(go, resource, body, kind):
    mine, other = f"/{resource}/{go.customer()['Id']}", f"/{resource}/{go.customer()['Id']}"
    go.create(mine, {**body, "ExternalCode": "shop:a"})
    plain = go.create(other, body)
    for path in (mine, other):
        go.refuses(go.post(path, {**body, "ExternalCode": "shop:a"}), kind)
    go.refuses(go.put_value(f"{other}/{plain['Id']}", "ExternalCode", "shop:a"), kind)
    assert go.create(other, {**body, "ExternalCode": "shop:b"})["ExternalCode"] == "shop:b"


def test_addresses_and_persons_are_changed_and_deleted_without_moving_the_customer(go):
    customer = go.customer()
    address = go.create(f"/ContactDeliveryAddresses/{customer['Id']}", ADDRESS)
    person = go.create(
        f"/ContactPersons/{customer['Id']}", {"FirstName": "Kari", "LastName": "Dal"}
    )
    for path, member in (
        (f"/ContactDeliveryAddresses/{customer['Id']}/{address['Id']}", "City"),
        (f"/ContactPersons/{customer['Id']}/{person['Id']}", "LastName"),
    ):
        changed = go.put_value(path, member, "Bergen").json()
        assert changed[member] == "Bergen"
        assert changed["LastChangedDateTimeOffset"] > changed["CreatedDateTimeOffset"]
        assert go.delete(path).status_code == 200
        assert go.get(path).status_code == 404
    assert go.get(f"/Customers/{customer['Id']}").json() == customer


def test_an_address_is_not_found_under_another_customer(go):
    mine, other = go.customer(), go.customer()
    address = go.create(f"/ContactDeliveryAddresses/{mine['Id']}", ADDRESS)
    answer = go.get(f"/ContactDeliveryAddresses/{other['Id']}/{address['Id']}")
    assert answer.status_code == 404


def test_only_companies_have_contact_persons(go):
    person = go.create("/Customers", {"IsPerson": True, "FirstName": "Kari", "LastName": "Dal"})
    answer = go.post(f"/ContactPersons/{person['Id']}", {"FirstName": "A", "LastName": "B"})
    go.refuses(answer, "Contact person")
