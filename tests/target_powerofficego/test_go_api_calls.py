"""Calls that succeed, and the errors that Go's answers become, against the sandbox."""

from __future__ import annotations

from decimal import Decimal

import pytest
from go_sandbox import Sandbox
from target_powerofficego.go_api import (
    ConfigurationError,
    Conflict,
    Connection,
    DuplicateReference,
    GoClient,
    GoError,
    MissingPrivilege,
    NotFound,
    Operation,
    OutOfService,
    Refused,
    RouteNotFound,
    StopRun,
    TestFailed,
)

GATEWAY_404 = {"statusCode": 404, "message": "Resource not found"}


@pytest.fixture(scope="module")
def running():
    with Sandbox.start() as box:
        yield box


@pytest.fixture
def box(running):
    running.faults.clear()
    running.requests.clear()
    return running


@pytest.fixture
def client(box):
    connection = Connection.for_environment(
        "custom",
        api_url=box.go_api_url,
        token_url=box.go_token_url,
        application_key=box.go.application_key,
        client_key=box.go.client_key,
        subscription_key=box.go.subscription_key,
    )
    with GoClient(connection, requests_per_second=1000, retry_seconds=5) as client:
        yield client


@pytest.fixture
def product(box):
    return box.go.create("Products", {"Name": "Fiskekrok", "UnitPrice": Decimal("12.50")})


def product_path(product) -> str:
    return f"/Products/{product['Id']}"


def test_a_read_keeps_amounts_as_decimals_and_ids_as_whole_numbers(client, product):
    entry = client.read(product_path(product))

    assert entry["UnitPrice"] == Decimal("12.5")
    assert isinstance(entry["UnitPrice"], Decimal)
    assert type(entry["Id"]) is int


def test_an_empty_list_reads_as_none(client):
    assert client.read("/Products", {"codes": "no-such-code"}) is None


def test_a_created_entry_is_in_go_as_it_was_sent(box, client):
    answer = client.create("/Products", {"Name": "Blåskjell & tang", "UnitPrice": Decimal("0.10")})

    entry = box.go.entry("Products", answer["Id"])
    assert entry["Name"] == "Blåskjell & tang"
    assert entry["UnitPrice"] == Decimal("0.10")
    assert box.requests.writes("go")[0].body.count(b"0.10") == 1


def test_a_change_patches_what_it_names_and_nothing_else(box, client, product):
    answer = client.change(
        product_path(product),
        [
            Operation("test", "/Name", "Fiskekrok"),
            Operation("replace", "/UnitPrice", Decimal("15")),
        ],
    )

    assert answer["UnitPrice"] == 15
    assert box.go.entry("Products", product["Id"])["Name"] == "Fiskekrok"


def test_a_remove_is_sent_without_a_value():
    assert Operation("remove", "/Gtin").to_json() == {"op": "remove", "path": "/Gtin"}
    assert Operation("replace", "/Gtin", None).to_json()["value"] is None


def test_a_deleted_entry_is_gone(box, client, product):
    client.delete(product_path(product))

    assert box.go.entry("Products", product["Id"]) is None


def test_repr_of_a_patch_shows_no_value():
    assert "kari@example.no" not in repr(Operation("replace", "/EmailAddress", "kari@example.no"))


def test_calls_are_counted_by_method_and_resource_and_tokens_apart(box, client, product):
    client.read(product_path(product))
    client.read("/Customers")
    client.change(product_path(product), [Operation("replace", "/Name", "Krok")])

    assert (client.calls.reads, client.calls.writes, client.calls.tokens) == (2, 1, 1)
    assert client.calls.by_resource == {
        ("GET", "Products"): 1,
        ("GET", "Customers"): 1,
        ("PATCH", "Products"): 1,
    }
    assert len(box.requests.all()) == 4


def list_pages(box) -> list[str]:
    return [request.query["PageNumber"] for request in box.requests.reads("go")]


def test_a_list_is_read_page_by_page_in_order_with_the_chosen_fields(box, client):
    made = [box.go.create("Products", {"Name": "page", "Code": f"P{n}"}) for n in range(5)]
    filters = {"codes": [entry["Code"] for entry in made], "isArchived": False}

    entries = list(client.list_all("/Products", params=filters, fields=["Id", "Name"], page_size=2))

    assert [entry["Id"] for entry in entries] == [entry["Id"] for entry in made]
    assert set(entries[0]) == {"Id", "Name"}
    assert list_pages(box) == ["1", "2", "3"]
    assert box.requests.reads("go")[0].query == {
        "codes": "P0,P1,P2,P3,P4",
        "isArchived": "false",
        "Fields": "Id,Name",
        "OrderBy": "Id",
        "PageNumber": "1",
        "PageSize": "2",
    }


def test_a_page_is_requested_only_when_it_is_asked_for(box, client):
    codes = [box.go.create("Products", {"Name": "page", "Code": f"W{n}"})["Code"] for n in range(3)]

    pages = client.list_pages("/Products", params={"codes": codes}, page_size=2)

    assert list_pages(box) == []
    assert [entry["Code"] for entry in next(pages)] == ["W0", "W1"]
    assert list_pages(box) == ["1"]
    assert [entry["Code"] for entry in next(pages)] == ["W2"]
    assert next(pages, None) is None
    assert list_pages(box) == ["1", "2"]


def test_a_list_without_entries_costs_one_call(box, client):
    assert list(client.list_all("/Products", params={"codes": "no-such-code"})) == []
    assert list_pages(box) == ["1"]


@pytest.mark.parametrize(
    ("header", "size", "calls"),
    [
        ('{"nextPageLink": "https://next", "totalPages": 9}', 1, 2),
        ('{"NextPageLink": "https://next"}', 1, 2),
        ('{"totalPages": 2}', 1, 2),
        ('{"nextPageLink": "", "totalPages": 1}', 2, 1),
        ('{"totalPages": 1}', 2, 1),
        ("[]", 2, 2),
        ("not json", 2, 2),
        ("not json", 1, 1),
    ],
)
def test_the_last_page_is_known_by_x_pagination_or_a_short_page(box, client, header, size, calls):
    page = [{"Id": number} for number in range(1, size + 1)]
    box.faults.add(path="/products", status=200, body=page, headers={"X-Pagination": header})
    box.faults.add(path="/products", status=204)

    assert list(client.list_all("/Products", page_size=2)) == page
    assert len(list_pages(box)) == calls


def test_an_answer_that_is_not_a_list_is_requested_again(box, client, product):
    box.faults.add(path="/products", status=200, body={"Id": 1})

    assert product["Id"] in {entry["Id"] for entry in client.list_all("/Products")}


def test_a_missing_entry_and_a_missing_route_are_different_errors(client):
    with pytest.raises(NotFound) as missing:
        client.read("/Products/987654321")
    with pytest.raises(RouteNotFound) as wrong:
        client.read("/NoSuchThing/1")

    assert (missing.value.status, missing.value.path) == (404, "/Products/987654321")
    assert isinstance(wrong.value, StopRun)
    assert not isinstance(wrong.value, Refused)
    assert "check api_url" in str(wrong.value)


def test_an_unpublished_method_is_a_missing_route(client):
    with pytest.raises(RouteNotFound):
        client.create("/SalesOrders", {"CustomerNo": 10001})


def test_a_refusal_names_the_title_and_keeps_the_detail_separate(client):
    with pytest.raises(Refused) as caught:
        client.create("/Customers", {"IsPerson": True, "FirstName": "Kari Hemmelig"})

    refused = caught.value
    assert str(refused) == f"POST /Customers: 400 {refused.title}"
    assert refused.title == "Customer validation error(s)"
    assert refused.detail
    assert (refused.method, refused.path, refused.status) == ("POST", "/Customers", 400)


def test_a_taken_reference_is_distinguished(client):
    client.create("/Customers", {"Name": "Fjord AS", "ExternalImportReference": "testshop:1"})

    with pytest.raises(DuplicateReference) as caught:
        client.create("/Customers", {"Name": "Vik AS", "ExternalImportReference": "testshop:1"})

    assert "testshop:1" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 409, 412])
def test_a_failed_test_of_a_patch_is_distinguished_whatever_its_status(
    box, client, product, status
):
    box.go.switches.patch_test_status = status

    with pytest.raises(TestFailed):
        client.change(
            product_path(product),
            [Operation("test", "/Name", "Garn"), Operation("replace", "/Name", "Not")],
        )

    assert box.go.entry("Products", product["Id"])["Name"] == "Fiskekrok"


def test_a_refused_patch_of_a_customer_called_test_is_not_a_failed_test(box, client):
    body = {"title": "Customer validation error(s)", "detail": "Email 'test@test' is invalid"}
    box.faults.add(method="PATCH", path="/customers", status=400, body=body)

    with pytest.raises(Refused) as caught:
        client.change("/Customers/1", [Operation("test", "/Name", "Test AS")])

    assert type(caught.value) is Refused


def test_an_entry_in_use_is_a_conflict(box, client, product):
    customer = box.go.create("Customers", {"Name": "Fjord AS"})
    box.go.create(
        "SalesOrders",
        {
            "CustomerId": customer["Id"],
            "SalesOrderLines": [{"ProductId": product["Id"], "Quantity": 1}],
        },
    )

    with pytest.raises(Conflict):
        client.delete(product_path(product))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, b"", MissingPrivilege),
        (400, {"Title": "Missing privilege", "Status": 400}, MissingPrivilege),
        (404, GATEWAY_404, RouteNotFound),
        (404, b"", RouteNotFound),
        (404, {"Title": "Object(s) not found"}, NotFound),
        (409, {"title": "Object conflict"}, Conflict),
        (422, [1], Refused),
        (302, b"", ConfigurationError),
    ],
)
def test_an_answer_becomes_the_error_for_what_to_do(box, client, status, body, kind):
    headers = {"Location": box.go_api_url + "/Products"}
    box.faults.add(method="POST", path="/products", status=status, body=body, headers=headers)

    with pytest.raises(GoError) as caught:
        client.create("/Products", {"Name": "Garn"})

    assert type(caught.value) is kind
    assert str(caught.value).startswith(f"POST /Products: {status}")
    assert len(box.requests.writes("go")) == 1


@pytest.mark.parametrize("location", ["http://[go/", r"http://other\@go/", "http://go:99999/"])
@pytest.mark.parametrize("path", ["/products", "/oauth/token"])
def test_a_redirect_is_one_line_wherever_it_leads(box, client, path, location):
    box.faults.add(path=path, status=302, body=b"", headers={"Location": location})

    with pytest.raises(ConfigurationError, match=r"^(GET /Products|token): 302.*, .*check"):
        client.read("/Products")


def test_an_exhausted_quota_is_not_a_missing_privilege_and_costs_one_call(box, client):
    body = {"statusCode": 403, "message": "Out of call volume quota. Replenished in 02:12:00."}
    box.faults.add(path="/products", status=403, body=body, times=None)

    with pytest.raises(OutOfService, match="403 Out of call volume quota"):
        client.read("/Products")
    with pytest.raises(OutOfService, match="not sent"):
        client.read("/Products")

    assert len(box.requests.reads("go")) == 1


def test_a_privilege_that_was_taken_away_stops_the_run(box, client, product):
    box.go.switches.privileges.discard("Product_Full")
    box.go.revoke_tokens()
    try:
        with pytest.raises(MissingPrivilege) as caught:
            client.create("/Products", {"Name": "Garn"})
    finally:
        box.go.switches.privileges.add("Product_Full")

    assert "give the integration this privilege" in str(caught.value)


def test_a_query_in_the_path_is_a_mistake_of_the_caller(client):
    with pytest.raises(ValueError, match="give filters as params"):
        client.read("/Customers?emailAddresses=kari@example.no")
