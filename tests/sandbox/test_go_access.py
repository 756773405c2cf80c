"""Tokens, keys, privileges, limits and the two kinds of 404."""

from __future__ import annotations

import pytest
import requests
from go_sandbox.go.app import Gateway
from go_sandbox.go.books import Books
from go_sandbox.go.ledger import Switches
from go_sandbox.go.problems import GatewayRefusal
from go_sandbox.storage import Storage
from members import assert_members


def test_the_token_lives_for_twenty_minutes(go):
    answer = go.token()
    assert answer.status_code == 200
    assert_members(answer.json(), token_type="bearer", expires_in=1200)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_key": "another"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "all"}, "invalid_request"),
    ],
)
def test_a_wrong_token_request_is_refused_with_a_standard_error(go, form, error):
    answer = go.token(**form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.json()["error_description"]


def test_a_token_needs_a_known_subscription_key(go):
    assert go.token(key="another").status_code == 401


@pytest.mark.parametrize("missing", ["Authorization", "Ocp-Apim-Subscription-Key"])
def test_a_call_needs_both_the_token_and_the_subscription_key(go, missing):
    headers = {name: value for name, value in go.session.headers.items() if name != missing}
    answer = requests.get(f"{go.root}/v2/Customers", headers=headers)
    assert answer.status_code == 401
    assert set(answer.json()) == {"statusCode", "message"}


def test_the_subscription_key_may_be_in_the_query(go):
    headers = {"Authorization": go.session.headers["Authorization"]}
    key = {"subscription-key": go.books.subscription_key}
    answer = requests.get(f"{go.root}/v2/VatCodes", headers=headers, params=key)
    assert answer.status_code == 200


def test_an_expired_token_is_refused(go):
    go.books.switches.token_seconds = 0
    go.log_in()
    assert go.get("/Customers").status_code == 401


def test_a_revoked_token_is_refused(go):
    go.books.revoke_tokens()
    assert go.get("/Customers").status_code == 401


def test_a_missing_privilege_shows_only_in_a_new_token(go):
    go.books.switches.privileges.discard("Product_Full")
    assert go.get("/Products").status_code == 204
    go.log_in()
    assert go.get("/Products").status_code == 403
    assert go.get("/Customers").status_code == 204


def test_a_read_privilege_reads_but_does_not_write(go):
    go.books.switches.privileges.discard("Customer_Full")
    go.books.switches.privileges.add("Customer")
    go.log_in()
    assert go.get("/Customers").status_code == 204
    assert go.post("/Customers", {"Name": "Fjell AS"}).status_code == 403


def test_the_client_information_lists_privileges_and_whether_invoices_may_be_sent(go):
    information = go.get("/ClientIntegrationInformation").json()
    assert information["ClientName"] == "Fjordbutikken AS"
    assert "SalesOrders_Full" in information["ValidPrivileges"]
    assert information["AllowSendInvoice"] is False


@pytest.mark.parametrize(
    "path", ["/v2/customers", "/V2/CUSTOMERS", "/Demo/v2/Customers", "/demo/V2/customers"]
)
def test_paths_match_in_any_case_and_under_demo(go, path):
    answer = go.session.get(f"{go.root}{path}/{go.customer()['Id']}")
    assert answer.json()["Name"] == "Fjell AS"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/Nowhere"),
        ("POST", "/SalesOrders"),
        ("PUT", "/Customers"),
        ("PUT", "/SalesOrders/1"),
        ("POST", "/OutgoingInvoices"),
    ],
)
def test_an_unknown_route_or_method_is_the_gateways_404(go, method, path):
    answer = go.call(method, path, json={})
    assert answer.status_code == 404
    assert answer.json() == {"statusCode": 404, "message": "Resource not found"}


def test_a_missing_object_is_a_problem_with_lower_case_names(go):
    answer = go.get("/Customers/42")
    assert answer.status_code == 404
    assert_members(answer.json(), title="Object(s) not found", status=404)
    assert "id = 42" in answer.json()["detail"]


def test_a_fourth_request_within_a_second_is_refused_at_a_limit_of_three():
    now = [0.0]
    gateway = Gateway("key", Switches(rate_limit=3), lambda: now[0])
    for moment in (0.0, 0.5, 0.9):
        now[0] = moment
        gateway.admit("key")
    for moment in (0.95, 0.999):
        now[0] = moment
        with pytest.raises(GatewayRefusal):
            gateway.admit("key")
    now[0] = 1.0
    gateway.admit("key")
    with pytest.raises(GatewayRefusal):
        gateway.admit("key")


def test_the_gateway_limits_requests_at_the_token_endpoint_too(go):
    go.books.switches.rate_limit = 0
    for answer in (go.token(), go.get("/Customers")):
        assert answer.status_code == 429
        assert answer.json()["statusCode"] == "429"
        assert "Retry-After" not in answer.headers
    go.books.switches.send_retry_after = True
    assert go.get("/Customers").headers["Retry-After"] == "1"
    go.books.switches.rate_limit = None
    assert go.get("/Customers").status_code == 204


def test_reads_may_lag_by_seconds(go):
    old = go.customer(Name="Old AS")
    go.books.switches.read_lag_seconds = 3600
    go.put_value(f"/Customers/{old['Id']}", "Name", "Changed AS")
    new = go.customer(Name="New AS")
    assert [customer["Name"] for customer in go.get("/Customers").json()] == ["Old AS"]
    assert go.get(f"/Customers/{new['Id']}").status_code == 404
    assert go.delete(f"/Customers/{new['Id']}").status_code == 200
    go.books.switches.read_lag_seconds = 0
    assert [customer["Name"] for customer in go.get("/Customers").json()] == ["Changed AS"]


def test_reads_may_lag_by_a_number_of_reads(go):
    go.books.switches.read_lag_reads = 2
    customer = go.customer(Name="New AS")
    path = f"/Customers/{customer['Id']}"
    assert [go.get(path).status_code for _ in range(3)] == [404, 404, 200]
    go.put_value(path, "Name", "Changed AS")
    assert [go.get(path).json()["Name"] for _ in range(3)] == ["New AS", "New AS", "Changed AS"]
    go.put_value(path, "Name", "Last AS")
    go.books.switches.read_lag_reads = 0
    assert go.get(path).json()["Name"] == "Last AS"


def test_the_books_survive_a_restart(tmp_path):
    first = Storage(tmp_path / "go.sqlite")
    customer = Books(first, Switches()).create("Customers", {"Name": "Fjell AS"})
    first.close()
    again = Storage(tmp_path / "go.sqlite")
    books = Books(again, Switches())
    assert books.entry("Customers", customer["Id"]) == customer
    assert books.create("Customers", {"Name": "Dal AS"})["Id"] > customer["Id"]
    assert len(books.entries("ProductGroups")) == 1
    again.close()
