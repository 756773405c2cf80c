"""What Go takes and refuses of customers, their addresses and contact persons."""

from __future__ import annotations

import pytest

ADDRESS = {"AddressLine1": "Storgata 1", "City": "Oslo", "ZipCode": "0150"}


def refused(answer, title="Customer validation error(s)", status=400):
    assert (answer.status_code, answer.json()["title"]) == (status, title), answer.text
    return answer.json()["detail"]


def test_a_company_needs_a_name_and_a_person_both_names(go):
    assert "Name" in refused(go.post("/Customers", {"EmailAddress": "a@fjell.no"}))
    assert "LastName" in refused(go.post("/Customers", {"IsPerson": True, "FirstName": "Kari"}))
    person = go.made("/Customers", {"IsPerson": True, "FirstName": "Kari", "LastName": "Dal"})
    assert person["IsPerson"] is True
    assert go.customer()["IsPerson"] is False


def test_go_gives_id_number_and_stamps(go):
    first, second = go.customer(), go.customer()
    assert second["Id"] > first["Id"]
    assert second["Number"] == first["Number"] + 1
    assert first["LastChangedDateTimeOffset"] < second["LastChangedDateTimeOffset"]
    assert len(first["LastChangedDateTimeOffset"]) == len("2026-01-01T00:00:00.0000000Z")


def test_answers_hold_every_member_in_pascal_case_with_nulls(go):
    customer = go.customer()
    assert len(customer) == 51
    assert customer["ExternalNumber"] is None
    assert customer["IsActive"] is True


def test_unknown_and_read_only_members_are_ignored(go):
    customer = go.customer(Id=5, JobTitle="boss", IsActive=False)
    assert customer["Id"] != 5
    assert customer["IsActive"] is True
    assert "JobTitle" not in customer


def test_members_bind_without_regard_to_case(go):
    assert go.made("/Customers", {"name": "Fjell AS"})["Name"] == "Fjell AS"


def test_an_address_needs_city_and_zip_code(go):
    for missing in ("City", "ZipCode"):
        address = {name: value for name, value in ADDRESS.items() if name != missing}
        answer = go.post("/Customers", {"Name": "Fjell AS", "MailAddress": address})
        assert missing in refused(answer)


def test_the_country_is_norway_when_left_out_and_must_exist(go):
    assert go.customer(MailAddress=ADDRESS)["MailAddress"]["CountryCode"] == "NO"
    wrong = {"Name": "Fjell AS", "MailAddress": {**ADDRESS, "CountryCode": "NX"}}
    assert "CountryCode" in refused(go.post("/Customers", wrong))


def test_an_edit_of_the_address_alone_does_not_move_the_customers_stamp(go):
    customer = go.customer(MailAddress=ADDRESS)
    path = f"/Customers/{customer['Id']}"
    moved = go.put_value(path, "MailAddress/City", "Bergen").json()
    assert moved["MailAddress"]["City"] == "Bergen"
    assert moved["LastChangedDateTimeOffset"] == customer["LastChangedDateTimeOffset"]
    stamp = "LastChangedDateTimeOffset"
    assert moved["MailAddress"][stamp] > customer["MailAddress"][stamp]
    assert go.put_value(path, "Name", "Fjord AS").json()[stamp] > customer[stamp]


def test_an_address_may_not_lose_its_city_alone_but_may_be_emptied(go):
    path = f"/Customers/{go.customer(MailAddress=ADDRESS)['Id']}"
    assert "City" in refused(go.put_value(path, "MailAddress/City", None))
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
    detail = refused(answer)
    assert "ExternalImportReference" in detail
    assert "shop:1" in detail
    assert str(holder["Id"]) in detail
    other = go.customer()
    refused(go.put_value(f"/Customers/{other['Id']}", "ExternalImportReference", "shop:1"))
    assert len(go.books.entries("Customers")) == 2


def test_a_reference_that_was_given_up_may_be_taken_again(go):
    holder = go.customer(ExternalImportReference="shop:1")
    go.put_value(f"/Customers/{holder['Id']}", "ExternalImportReference", None)
    assert go.customer(ExternalImportReference="shop:1")["Id"] != holder["Id"]


@pytest.mark.parametrize("field", ["ExternalNumber", "Number"])
def test_numbers_are_unique_among_customers(go, field):
    go.customer(**{field: 12345})
    assert "12345" in refused(go.post("/Customers", {"Name": "Dal AS", field: 12345}))


def test_a_number_outside_the_series_is_refused(go):
    assert "Number" in refused(go.post("/Customers", {"Name": "Dal AS", "Number": 7}))


@pytest.mark.parametrize("email", ["fjell", "a@b", "a b@fjell.no", "a@fjell.no, b@fjell.no"])
def test_a_wrong_email_address_is_refused(go, email):
    assert "EmailAddress" in refused(go.post("/Customers", {"Name": "A", "EmailAddress": email}))


def test_at_most_ten_copies_of_an_invoice_may_be_sent(go):
    ten = ";".join(f"a{number}@fjell.no" for number in range(10))
    assert go.customer(InvoiceEmailAddressCC=ten)["InvoiceEmailAddressCC"] == ten
    refused(go.post("/Customers", {"Name": "A", "InvoiceEmailAddressCC": f"{ten};b@fjell.no"}))


def test_invoices_go_by_email_when_there_is_one_else_by_print(go):
    assert go.customer()["InvoiceDeliveryType"] == "Print"
    assert go.customer(EmailAddress="a@fjell.no")["InvoiceDeliveryType"] == "PdfByEmail"


def test_pdf_by_email_needs_an_email_address_also_afterwards(go):
    refused(go.post("/Customers", {"Name": "A", "InvoiceDeliveryType": "PdfByEmail"}))
    customer = go.customer(EmailAddress="a@fjell.no")
    refused(go.put_value(f"/Customers/{customer['Id']}", "EmailAddress", None))


@pytest.mark.parametrize("delivery", ["EHF", "AvtaleGiro", "Efaktura", "External", "Factoring"])
def test_a_delivery_that_go_cannot_make_is_refused(go, delivery):
    refused(go.post("/Customers", {"Name": "A", "InvoiceDeliveryType": delivery}))


def test_ehf_needs_an_organisation_number(go):
    made = go.customer(InvoiceDeliveryType="EHF", OrganizationNumber="988077917")
    assert made["InvoiceDeliveryType"] == "EHF"


@pytest.mark.parametrize(
    ("allowance", "status"), [(-1001, 400), (-1000, 201), (100, 201), (101, 400)]
)
def test_an_allowance_lies_between_minus_1000_and_100(go, allowance, status):
    assert go.post("/Customers", {"Name": "A", "Allowance": allowance}).status_code == status


def test_a_national_id_is_checked_and_hidden(go):
    refused(go.post("/Customers", {"Name": "A", "NationalIdNumber": "12345678901"}))
    assert go.customer(NationalIdNumber="15108695088")["NationalIdNumber"] == "hidden"


@pytest.mark.parametrize(
    "member", [{"DepartmentCode": "99"}, {"PaymentTerm": 99}, {"CurrencyCode": "QQQ"}], ids=str
)
def test_an_unknown_department_payment_term_or_currency_is_404(go, member):
    refused(go.post("/Customers", {"Name": "A", **member}), status=404)


def test_a_department_and_a_payment_term_are_found_by_code_and_days(go):
    made = go.customer(PaymentTerm=30, DepartmentCode="10")
    assert made["PaymentTermId"]
    assert made["DepartmentId"] == 1


@pytest.mark.parametrize(
    "member",
    [
        {"Name": 5},
        {"IsPerson": "true"},
        {"ExternalNumber": "5"},
        {"ExternalNumber": 5.5},
        {"ExternalNumber": 2**63},
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
    answer = go.post("/Customers", {"Name": "A", **member})
    refused(answer, title="Unable to cast object(s)")


def test_a_text_that_is_too_long_is_refused(go):
    assert go.customer(ExternalImportReference="a" * 50)
    detail = refused(go.post("/Customers", {"Name": "A", "ExternalImportReference": "b" * 51}))
    assert "50" in detail
    long_city = {**ADDRESS, "City": "c" * 101}
    refused(go.post("/Customers", {"Name": "A", "MailAddress": long_city}))


def test_a_body_that_is_missing_or_no_json_is_refused(go):
    for content in ("", "{", "[]", "NaN"):
        headers = {"Content-Type": "application/json"}
        assert go.call("POST", "/Customers", data=content, headers=headers).status_code == 400


def test_archiving_is_refused_while_an_invoice_is_unpaid(go):
    customer = go.customer()
    order = go.order(customer, {"ProductId": go.product()["Id"], "Quantity": 1})
    invoice = go.books.send_invoice(order["Id"])
    path = f"/Customers/{customer['Id']}"
    assert "open balance" in refused(go.put_value(path, "IsArchived", True))
    go.books.edit("OutgoingInvoices", invoice["Id"], {"Balance": 0})
    archived = go.put_value(path, "IsArchived", True).json()
    assert archived["IsArchived"] is True
    assert archived["IsActive"] is False


def test_a_customer_with_an_order_cannot_be_deleted(go):
    customer = go.customer()
    order = go.order(customer)
    path = f"/Customers/{customer['Id']}"
    refused(go.delete(path), title="Customer conflict", status=409)
    go.delete(f"/SalesOrders/{order['Id']}")
    assert go.delete(path).status_code == 200
    assert go.get(path).status_code == 404


def test_the_first_delivery_address_is_primary_until_another_is_made_so(go):
    path = f"/ContactDeliveryAddresses/{go.customer()['Id']}"
    first = go.made(path, ADDRESS)
    second = go.made(path, {**ADDRESS, "IsPrimary": True})
    assert (first["IsPrimary"], second["IsPrimary"]) == (True, True)
    listed = go.get("/ContactDeliveryAddresses").json()
    assert [one["IsPrimary"] for one in listed] == [False, True]


@pytest.mark.parametrize(
    ("resource", "body", "kind"),
    [
        ("ContactDeliveryAddresses", ADDRESS, "Contact delivery address"),
        ("ContactPersons", {"FirstName": "Kari", "LastName": "Dal"}, "Contact person"),
    ],
)
def test_an_external_code_is_unique_in_the_whole_client(go, resource, body, kind):
    mine, other = f"/{resource}/{go.customer()['Id']}", f"/{resource}/{go.customer()['Id']}"
    go.made(mine, {**body, "ExternalCode": "shop:a"})
    plain = go.made(other, body)
    title = f"{kind} validation error(s)"
    for path in (mine, other):
        refused(go.post(path, {**body, "ExternalCode": "shop:a"}), title=title)
    refused(go.put_value(f"{other}/{plain['Id']}", "ExternalCode", "shop:a"), title=title)
    assert go.made(other, {**body, "ExternalCode": "shop:b"})["ExternalCode"] == "shop:b"


def test_addresses_and_persons_are_changed_and_deleted_without_moving_the_customer(go):
    customer = go.customer()
    address = go.made(f"/ContactDeliveryAddresses/{customer['Id']}", ADDRESS)
    person = go.made(f"/ContactPersons/{customer['Id']}", {"FirstName": "Kari", "LastName": "Dal"})
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
    address = go.made(f"/ContactDeliveryAddresses/{mine['Id']}", ADDRESS)
    answer = go.get(f"/ContactDeliveryAddresses/{other['Id']}/{address['Id']}")
    assert answer.status_code == 404


def test_only_companies_have_contact_persons(go):
    person = go.made("/Customers", {"IsPerson": True, "FirstName": "Kari", "LastName": "Dal"})
    answer = go.post(f"/ContactPersons/{person['Id']}", {"FirstName": "A", "LastName": "B"})
    refused(answer, title="Contact person validation error(s)")
