import pytest
import requests
from members import assert_members


@pytest.fixture(name="admin")
def caller(box, session):
    def call(method, address, body=None, status=200, **query):
        url = box.admin_url + address
        answer = session.request(method, url, json=body, params=query, timeout=30)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    return call


COMPANY = {"IsPerson": False, "Name": "Fjord AS"}


def test_a_shop_record_is_put_edited_read_and_removed(box, admin):
    admin("PUT", "/shop/customers", {"id": "1", "name": "Åse", "buyer": {"a": 1, "b": 2}})
    admin("PATCH", "/shop/customers/1", {"buyer": {"b": 3}})
    assert box.shop.record("customers", "1")["buyer"] == {"a": 1, "b": 3}
    assert admin("GET", "/shop/customers/1") == box.shop.record("customers", "1")
    admin("DELETE", "/shop/customers/1")
    [record] = admin("GET", "/shop/customers")
    assert record["deleted_at"]


def test_a_go_entry_is_created_edited_read_and_deleted(box, admin):
    entry = admin("POST", "/go/Customers", COMPANY)
    path = f"/go/Customers/{entry['Id']}"
    admin("PATCH", path, {"Name": "Elv AS"})
    assert box.go.entry("Customers", entry["Id"])["Name"] == "Elv AS"
    assert admin("GET", path)["Name"] == "Elv AS"
    assert entry["Id"] in [customer["Id"] for customer in admin("GET", "/go/Customers")]
    admin("DELETE", path, status=204)
    assert box.go.entry("Customers", entry["Id"]) is None


def test_a_delivery_address_is_created_for_its_customer(box, admin):
    entry = admin("POST", "/go/Customers", COMPANY)
    body = {"Address1": "Kaien 1", "ZipCode": "5003", "City": "Bergen", "CountryCode": "NO"}
    admin("POST", "/go/ContactDeliveryAddresses", body, contact_id=entry["Id"])
    cities = [address["City"] for address in box.go.entries("ContactDeliveryAddresses")]
    assert cities == ["Bergen"]


@pytest.fixture(name="invoice")
def sent_invoice(box, admin):
    customer = admin("POST", "/go/Customers", {**COMPANY, "EmailAddress": "a@example.com"})
    product = admin("POST", "/go/Products", {"Name": "Kopp", "UnitPrice": 100})
    line = {"ProductId": product["Id"], "Quantity": 1}
    body = {"CustomerId": customer["Id"], "SalesOrderLines": [line]}
    order = admin("POST", "/go/SalesOrders", body)
    return admin("POST", f"/go/SalesOrders/{order['Id']}/send-invoice")


def test_an_order_is_sent_as_an_invoice_by_hand(box, admin, invoice):
    assert box.go.entry("SalesOrders", invoice["Id"]) is None
    assert admin("GET", f"/go/OutgoingInvoices/{invoice['Id']}") == invoice


def test_an_invoice_is_paid_and_credited_by_hand(box, admin, invoice):
    path = f"/go/OutgoingInvoices/{invoice['Id']}"
    assert admin("POST", f"{path}/pay", {"amount": 25.5})["Balance"] == 99.5
    note = admin("POST", f"{path}/credit", {"amount": "50.00"})
    assert (note["VoucherType"], note["TotalAmount"]) == ("OutgoingCreditNote", -50)
    assert admin("POST", f"{path}/pay")["Balance"] == 0
    assert admin("POST", f"{path}/credit", {"amount": 75.01}, status=400)["detail"]
    assert admin("POST", f"{path}/pay", {"sum": 1}, status=400)["detail"]


def test_an_invoice_is_reversed_by_hand(box, admin, invoice):
    note = admin("POST", f"/go/OutgoingInvoices/{invoice['Id']}/reverse")
    assert note["RelatedInvoiceNo"] == invoice["InvoiceNo"]
    assert admin("GET", f"/go/OutgoingInvoices/{invoice['Id']}")["IsReversed"] is True


def test_revoked_tokens_are_refused(admin, go_status):
    ask = go_status()
    assert ask() in (200, 204)
    admin("POST", "/go/revoke-tokens", status=204)
    assert ask() == 401


@pytest.mark.parametrize(
    ("path", "fault", "expected"),
    [
        ("/faults", {"status": 503, "times": 2}, {"status": 503, "times": 2, "struck": 1}),
        (
            "/faults/random",
            {"seed": 3, "share": 1, "kinds": ["503"]},
            {"seed": 3, "struck": 1, "struck_by": {"503": 1}},
        ),
    ],
)
def test_a_fault_strikes_and_is_listed_and_cleared(box, admin, path, fault, expected):
    admin("POST", path, {"system": "shop", "path": "/orders", **fault})
    assert requests.get(f"{box.shop_api_url}/orders", timeout=10).status_code == 503
    [listed] = admin("GET", "/faults")
    assert_members(listed, **expected)
    assert not [name for name in listed if name.startswith("_")]
    admin("DELETE", "/faults", status=204)
    assert requests.get(f"{box.shop_api_url}/orders", timeout=10).status_code == 401


def test_requests_are_counted_and_cleared(box, admin):
    requests.get(f"{box.shop_api_url}/orders?limit=1", timeout=10)
    requests.patch(f"{box.shop_api_url}/orders/1", timeout=10)
    requests.get(f"{box.go_api_url}/Customers", timeout=10)
    log = admin("GET", "/requests", system="shop")
    assert (log["count"], log["writes"], log["reads"]) == (2, 1, 1)
    assert log["requests"][0]["query"] == {"limit": "1"}
    assert admin("GET", "/requests")["count"] == 3
    assert admin("GET", "/requests", path="customers$")["count"] == 1
    admin("DELETE", "/requests", status=204)
    assert admin("GET", "/requests")["count"] == 0


def test_switches_of_both_systems_are_shown_and_set(box, admin):
    before = admin("GET", "/switches")
    assert before["shop"] == {
        "rate_limit": None,
        "patches_move_updated_at": True,
        "reshapes_patches": False,
        "clock_skew_seconds": 0,
        "tells_updated_at": True,
        "whole_seconds": False,
    }
    changes = {
        "go": {"price_decimals": 2, "privileges": ["Customer_Full"], "clock_skew_seconds": -2.5},
        "shop": {"rate_limit": 0, "patches_move_updated_at": False, "reshapes_patches": True},
    }
    after = admin("PATCH", "/switches", changes)
    assert (after["go"]["price_decimals"], after["shop"]["rate_limit"]) == (2, 0)
    assert box.go.switches.privileges == {"Customer_Full"}
    assert box.go.switches.clock_skew_seconds == -2.5
    assert (box.shop.patches_move_updated_at, box.shop.reshapes_patches) == (False, True)
    assert requests.get(f"{box.shop_api_url}/orders", timeout=10).status_code == 429
    admin("PATCH", "/switches", before)
    assert admin("GET", "/switches") == before


def test_the_shop_is_seeded_to_the_requested_size(box, admin):
    counts = admin("POST", "/seed", {"customers": 4, "products": 3, "orders": 5, "seed": 1})
    assert counts == {"customers": 4, "products": 3, "orders": 5}
    assert len(box.shop.records("orders")) == 5


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/shop/invoices", None, 404),
        ("GET", "/shop/customers/none", None, 404),
        ("PATCH", "/shop/customers/none", {}, 404),
        ("GET", "/go/Customers/0", None, 404),
        ("PATCH", "/go/Customers/0", {"Name": "x"}, 404),
        ("POST", "/go/Customers", {"IsPerson": False}, 400),
        ("PUT", "/shop/customers", ["no", "object"], 400),
        ("POST", "/faults", {"system": "shop"}, 400),
        ("POST", "/faults", {"status": 500, "sistem": "shop"}, 400),
        ("POST", "/faults/random", {"share": 0.1}, 400),
        ("POST", "/faults/random", {"seed": 1, "kinds": ["flood"]}, 400),
        ("PATCH", "/switches", {"go": {"colour": "red"}}, 400),
        ("PATCH", "/switches", {"bank": {"open": True}}, 400),
        ("POST", "/seed", {"shoes": 3}, 400),
        ("POST", "/requests", {}, 405),
    ],
)
def test_an_impossible_request_returns_a_problem(box, admin, method, path, body, status):
    problem = admin(method, path, body, status=status)
    assert problem["status"] == status
    assert problem["detail"]
