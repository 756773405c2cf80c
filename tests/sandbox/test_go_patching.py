"""JSON Patch as Go accepts it."""

from __future__ import annotations

import pytest
from go_sandbox.go.shapes import apply_patch, shape
from hypothesis import given
from hypothesis import strategies as st
from members import assert_members

NOTE = shape("NotePatchDto", "Note", text="Title Body", int64="Size")


def patch(go, customer, *operations):
    return go.patch(f"/Customers/{customer['Id']}", *operations)


def test_paths_match_without_regard_to_case(go):
    customer = go.customer(MailAddress={"City": "Oslo", "ZipCode": "0150"})
    changed = patch(
        go,
        customer,
        {"op": "replace", "path": "/phoneNumber", "value": "22222222"},
        {"op": "Add", "path": "/mailaddress/addressline1", "value": "Storgata 1"},
    ).json()
    assert changed["PhoneNumber"] == "22222222"
    assert changed["MailAddress"]["AddressLine1"] == "Storgata 1"


def test_all_six_operations_work(go):
    customer = go.customer(Name="Fjell AS", PhoneNumber="1", WebsiteUrl="fjell.no")
    changed = patch(
        go,
        customer,
        {"op": "test", "path": "/Name", "value": "Fjell AS"},
        {"op": "copy", "from": "/Name", "path": "/LegalName"},
        {"op": "move", "from": "/PhoneNumber", "path": "/OrganizationNumber"},
        {"op": "remove", "path": "/WebsiteUrl"},
        {"op": "add", "path": "/EmailAddress", "value": "a@fjell.no"},
        {"op": "replace", "path": "/Name", "value": "Fjord AS"},
    ).json()
    assert_members(
        changed,
        LegalName="Fjell AS",
        OrganizationNumber="1",
        PhoneNumber=None,
        WebsiteUrl=None,
        EmailAddress="a@fjell.no",
        Name="Fjord AS",
    )


def test_a_failed_test_refuses_the_entire_patch_with_the_status_of_the_switch(go):
    customer = go.customer()
    operations = (
        {"op": "replace", "path": "/Name", "value": "Fjord AS"},
        {"op": "test", "path": "/PhoneNumber", "value": "1"},
    )
    assert patch(go, customer, *operations).status_code == 400
    go.books.switches.patch_test_status = 409
    assert patch(go, customer, *operations).status_code == 409
    assert go.books.entry("Customers", customer["Id"])["Name"] == "Fjell AS"


@pytest.mark.parametrize(
    "path", ["/Nothing", "/Id", "/MailAddress/Nothing", "/Name/First", "Name", "", "/PaymentTerm"]
)
def test_a_path_outside_the_patch_body_is_refused_under_its_name(go, path):
    answer = patch(go, go.customer(), {"op": "replace", "path": path, "value": "x"})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("CustomerPatchDto:")


def test_a_patch_inside_a_missing_address_is_refused(go):
    customer = go.customer()
    answer = patch(go, customer, {"op": "add", "path": "/MailAddress/City", "value": "Oslo"})
    assert answer.status_code == 400
    address = {"city": "Oslo", "ZipCode": "0150"}
    changed = patch(go, customer, {"op": "add", "path": "/MailAddress", "value": address})
    assert changed.json()["MailAddress"]["City"] == "Oslo"


@pytest.mark.parametrize(
    ("path", "value"), [("/Name", 5), ("/Allowance", "x"), ("/InvoiceDeliveryType", 1)]
)
def test_a_value_of_a_wrong_type_is_refused_under_the_patch_bodys_name(go, path, value):
    answer = patch(go, go.customer(), {"op": "replace", "path": path, "value": value})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("CustomerPatchDto:")


@pytest.mark.parametrize(
    "document",
    [
        {"Name": "x"},
        ["x"],
        [{"op": "improve", "path": "/Name"}],
        [{"op": "replace", "path": "/Name"}],
        None,
    ],
    ids=str,
)
def test_a_document_that_is_not_a_list_of_operations_is_refused(go, document):
    path = f"/Customers/{go.customer()['Id']}"
    assert go.call("PATCH", path, json=document).status_code == 400


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json-patch+json", 200),
        ("application/json; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/merge-patch+json", 415),
    ],
)
def test_json_is_accepted_as_json_patch_and_other_media_types_are_refused(go, media_type, status):
    path = f"/Customers/{go.customer()['Id']}"
    document = '[{"op": "replace", "path": "/Name", "value": "Fjord AS"}]'
    answer = go.call("PATCH", path, data=document, headers={"Content-Type": media_type})
    assert answer.status_code == status


def test_a_body_to_create_a_customer_must_be_json(go):
    answer = go.call("POST", "/Customers", data="Name=A", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


def test_a_patch_that_changes_nothing_moves_no_stamp(go):
    customer = go.customer()
    same = patch(go, customer, {"op": "replace", "path": "/Name", "value": "Fjell AS"})
    assert same.json() == customer


values = st.fixed_dictionaries(
    {
        "Title": st.none() | st.text(),
        "Body": st.none() | st.text(),
        "Size": st.none() | st.integers(0),
    }
)


@given(before=values, after=values)
def test_replacing_every_member_yields_exactly_the_members_that_differ(before, after):
    document = [
        {"op": "replace", "path": f"/{name}", "value": value} for name, value in after.items()
    ]
    wanted = {name: value for name, value in after.items() if value != before[name]}
    if (after["Size"] or 0) < 2**63:
        assert apply_patch(NOTE, before, document, test_status=400) == wanted
