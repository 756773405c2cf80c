"""Pages, order, fields and filters of lists."""

from __future__ import annotations

import json
from datetime import timezone

import pytest
from go_sandbox.go.stamps import Clock, read_stamp
from hypothesis import given
from hypothesis import strategies as st

STAMP = "lastChangedDateTimeOffsetGreaterThan"


def names(answer):
    return [entry["Name"] for entry in answer.json()] if answer.status_code == 200 else []


@pytest.fixture
def letters(go):
    """Five customers, A to E, in the order in which they were created."""
    return [go.customer(Name=name) for name in "CABED"]


def test_an_empty_list_is_204_without_a_body(go):
    answer = go.get("/Customers")
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_list_is_a_bare_array(go):
    go.customer()
    assert isinstance(go.get("/Customers").json(), list)


def test_pages_are_counted_from_one_and_link_to_the_next_until_the_last(go, letters):
    first = go.get("/Customers", PageSize=2, OrderBy="Name")
    assert names(first) == ["A", "B"]
    pagination = json.loads(first.headers["X-Pagination"])
    assert pagination["totalPages"] == 3
    second = go.session.get(pagination["nextPageLink"])
    assert names(second) == ["C", "D"]
    last = go.session.get(json.loads(second.headers["X-Pagination"])["nextPageLink"])
    assert names(last) == ["E"]
    assert not json.loads(last.headers["X-Pagination"])["nextPageLink"]
    assert go.get("/Customers", PageSize=2, PageNumber=4).status_code == 204


@pytest.mark.parametrize(
    "page", [{"PageSize": 20001}, {"PageSize": 0}, {"PageNumber": 0}, {"PageSize": "x"}]
)
def test_a_page_outside_the_bounds_is_refused(go, page):
    assert go.get("/Customers", **page).status_code == 400


def test_a_page_may_hold_twenty_thousand(go, letters):
    assert len(go.get("/Customers", PageSize=20000).json()) == 5


def test_lists_are_ordered_by_fields_ascending_or_descending(go, letters):
    assert names(go.get("/Customers", OrderBy="name")) == list("ABCDE")
    assert names(go.get("/Customers", OrderBy="IsPerson, Name desc")) == list("EDCBA")
    assert go.get("/Customers", OrderBy="Nothing").status_code == 400
    assert go.get("/Customers", OrderBy="Name sideways").status_code == 400


def test_only_requested_fields_are_returned(go, letters):
    first, *_ = go.get("/Customers", Fields="Id,Name").json()
    assert first == {"Id": letters[0]["Id"], "Name": "C"}


@pytest.mark.parametrize("fields", ["Nothing", "Id,,Name", "Id;Name"])
def test_malformed_fields_are_refused(go, fields):
    answer = go.get("/Customers", Fields=fields)
    assert (answer.status_code, answer.json()["title"]) == (400, "Invalid resourceParameter")


@pytest.mark.parametrize("parameter", ["$top", "resourceParameter", "externalImportReferences"])
def test_a_request_with_an_unknown_query_parameter_is_refused(go, letters, parameter):
    assert go.get("/Customers", **{parameter: "1"}).status_code == 400
    assert go.get(f"/Customers/{letters[0]['Id']}", **{parameter: "1"}).status_code == 400


def test_a_stamp_filter_excludes_the_exact_moment(go, letters):
    stamps = sorted(customer["LastChangedDateTimeOffset"] for customer in letters)
    assert names(go.get("/Customers", **{STAMP: stamps[2]})) == ["E", "D"]
    assert names(go.get("/Customers", **{STAMP: stamps[-1]})) == []


@pytest.mark.parametrize(
    ("separator", "zone"), [("T", "Z"), ("T", ""), ("T", "+00:00"), (" ", " -00:00")]
)
def test_stamps_are_read_in_every_documented_spelling(go, letters, separator, zone):
    stamp = letters[2]["LastChangedDateTimeOffset"].removesuffix("Z").replace("T", separator)
    assert names(go.get("/Customers", **{STAMP: f"{stamp}{zone}"})) == ["E", "D"]


def test_a_plus_that_is_not_encoded_makes_a_stamp_unreadable(go):
    query = f"{STAMP}=2024-01-01T00:00:00+00:00"
    assert go.call("GET", f"/Customers?{query}").status_code == 400


def test_customers_are_filtered(go):
    created = [
        go.customer(
            Name=name,
            ExternalImportReference=f"shop:{number}",
            ExternalNumber=number,
            EmailAddress=f"{name}@fjell.no",
            OrganizationNumber=f"{number}{number}",
        )
        for number, name in enumerate("abc", start=1)
    ]
    numbers = [customer["Number"] for customer in created]
    for filters, expected in (
        ({"externalImportReference": "shop:2"}, ["b"]),
        ({"ExternalImportReference": "shop:2"}, ["b"]),
        ({"externalImportReference": "shop:9"}, []),
        ({"externalImportReference": ""}, ["a", "b", "c"]),
        ({"customerNos": f"{numbers[0]}, {numbers[2]}"}, ["a", "c"]),
        ({"customerNos": f"{numbers[1]}-"}, ["b", "c"]),
        ({"customerNos": f"{numbers[0]}-{numbers[1]}"}, ["a", "b"]),
        ({"externalNos": "3"}, ["c"]),
        ({"emailAddresses": "A@fjell.no,c@fjell.no"}, ["a", "c"]),
        ({"organizationNumbers": "22"}, ["b"]),
        (
            {
                "customerCreatedDateTimeOffsetGreaterThan": created[1][
                    "CustomerCreatedDateTimeOffset"
                ]
            },
            ["c"],
        ),
    ):
        assert names(go.get("/Customers", **filters)) == expected, filters
    assert go.get("/Customers", customerNos="ten").status_code == 400


def test_products_are_filtered(go):
    group = go.create("/ProductGroups", {"Code": "W", "Name": "Wool"})
    go.product(Name="a", Code="A-1")
    go.product(Name="b", Code="B-1", ProductType="Service", IsArchived=True)
    last = go.product(Name="c", Code="C-1", ProductGroupId=group["Id"], IsStockItem=True)
    stock_stamp = "stockOnHandLastChangedDatetimeOffsetGreaterThan"
    for filters, expected in (
        ({"codes": "A-1, C-1"}, ["a", "c"]),
        ({"names": "b"}, ["b"]),
        ({"type": "service"}, ["b"]),
        ({"isArchived": "false"}, ["a", "c"]),
        ({"productGroupCodes": "W"}, ["c"]),
        ({"createdDateTimeOffsetGreaterThan": last["CreatedDateTimeOffset"]}, []),
        ({stock_stamp: "2020-01-01"}, ["c"]),
    ):
        assert names(go.get("/Products", **filters)) == expected, filters
    assert go.get("/Products", isArchived="maybe").status_code == 400
    assert go.get("/Products", type="Thing").status_code == 400


def test_reference_data_is_listed(go):
    rates = {vat["Code"]: vat["Rate"] for vat in go.get("/VatCodes").json()}
    assert (rates["3"], rates["31"], rates["33"], rates["5"]) == (0.25, 0.15, 0.12, 0)
    accounts = go.get("/GeneralLedgerAccounts", accountNos="3000-3100").json()
    codes = {account["AccountNo"]: account["VatCode"] for account in accounts}
    assert codes == {3000: "3", 3001: "31", 3002: "33", 3010: "3", 3100: "5"}
    assert [a["AccountNo"] for a in accounts if not a["IsActive"]] == [3010]
    assert go.get("/Currencies", currencyCode="NOK").json()[0]["IsActive"] is True
    assert {term["CreditDays"] for term in go.get("/PaymentTerms").json()} == {0, 14, 30}


def test_contacts_are_filtered_by_their_customer_or_code(go):
    first, second = go.customer(), go.customer()
    address = {"City": "Oslo", "ZipCode": "0150"}
    go.create(f"/ContactDeliveryAddresses/{first['Id']}", {**address, "ExternalCode": "x"})
    go.create(f"/ContactDeliveryAddresses/{second['Id']}", address)
    for filters in ({"contactIds": first["Id"]}, {"externalCodes": "x"}):
        listed = go.get("/ContactDeliveryAddresses", **filters).json()
        assert [address["ContactId"] for address in listed] == [first["Id"]]


@given(st.datetimes(timezones=st.just(timezone.utc)))
def test_a_stamp_read_back_is_the_same_moment_in_any_spelling(moment):
    text = moment.isoformat()
    stamp = read_stamp(text)
    assert stamp.endswith("Z")
    assert len(stamp) == 28
    assert stamp[:19] == text[:19]
    assert read_stamp(stamp) == stamp


def test_stamps_strictly_increase_however_fast_they_are_requested():
    clock = Clock()
    stamps = [clock.stamp() for _ in range(1000)]
    assert stamps == sorted(set(stamps))
