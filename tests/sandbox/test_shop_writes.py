"""Which changes the shop accepts over its API, refuses and reshapes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
import requests
from go_sandbox import Sandbox
from go_sandbox.shop import stamps
from members import assert_members


@pytest.mark.parametrize(
    ("stream", "patch", "detail"),
    [
        ("customers", {"phone": 41234567}, "phone must be text"),
        ("customers", {"name": ["Åse"]}, "name must be text"),
        ("customers", {"is_active": "true"}, "is_active must be true or false"),
        ("customers", {"type": "firm"}, "type must be one of person, company"),
        ("customers", {"addresses": "Kaien 1"}, "addresses must be a list of objects"),
        ("customers", {"addresses": ["Kaien 1"]}, "addresses must be a list of objects"),
        ("customers", {"addresses": [{}, {"city": 1}]}, "addresses[1].city must be text"),
        ("customers", {"addresses": [{"zip": "5003"}]}, "no field 'addresses[0].zip'"),
        ("customers", {"addresses": [{"type": "home"}]}, "addresses[0].type must be one of"),
        ("customers", {"custom": []}, "custom must be an object"),
        ("customers", {"created_at": None}, "created_at is set by the shop"),
        ("products", {"price_excl": 199}, "price_excl must be a decimal string"),
        ("products", {"price_excl": "199,00"}, "price_excl must be a decimal string"),
        ("products", {"stock_on_hand": "1e3"}, "stock_on_hand must be a decimal string"),
        ("products", {"status": "sold"}, "status must be one of active, draft, archived"),
        ("products", {"status": ["active"]}, "status must be one of"),
        ("orders", {"status": "Completed"}, "status must be one of"),
        ("orders", {"payment_status": "free"}, "payment_status must be one of"),
        ("orders", {"fulfillment_status": ""}, "fulfillment_status must be one of"),
        ("orders", {"buyer": "Åse"}, "buyer must be an object"),
        ("orders", {"buyer": {"age": 7}}, "no field 'buyer.age'"),
        ("orders", {"paid_at": "2026-01-31"}, "paid_at must be an RFC 3339 stamp"),
        ("orders", {"invoice": {"due_on": "31.01.2026"}}, "invoice.due_on must be a day"),
        ("orders", {"invoice": {"due_on": "2026-02-30"}}, "invoice.due_on must be a day"),
        ("orders", {"refunds": [{"lines": [{"quantity": 1}]}]}, "refunds[0].lines[0].quantity"),
    ],
)
def test_a_value_that_its_field_cannot_hold_is_422_and_changes_nothing(
    shop, session, stream, patch, detail
):
    before = shop.put(stream, {"id": "1"})
    answer = session.patch(f"/{stream}/1", json={"custom": {}, **patch})
    assert answer.status_code == 422
    assert detail in answer.json()["detail"]
    assert shop.record(stream, "1") == before


def test_a_value_of_every_form_is_accepted(shop, session):
    shop.put("orders", {"id": "1", "invoice": None})
    patch = {
        "status": "completed",
        "is_guest": False,
        "paid_at": "2026-01-31T12:00:00+01:00",
        "total_incl": "-199.00",
        "buyer": {"phone": None},
        "lines": [{"id": "a", "quantity": "0.333333333333", "type": "text"}],
        "invoice": {"number": "1001", "due_on": "2026-02-28", "balance": "0"},
        "custom": {"anything": [1, {"goes": True}]},
        "note": None,
    }
    assert session.patch("/orders/1", json=patch).status_code == 200
    stored = shop.record("orders", "1")
    assert {name: stored[name] for name in patch} == patch


def test_a_deleted_record_is_returned_but_cannot_be_changed_with_any_tag(shop, session):
    shop.put("customers", {"id": "1"})
    tag = session.get("/customers/1").headers["etag"]
    removed = shop.remove("customers", "1")
    assert session.get("/customers/1").json() == removed
    for headers in (
        {},
        {"If-Match": tag},
        {"If-Match": session.get("/customers/1").headers["etag"]},
    ):
        answer = session.patch("/customers/1", json={"name": "Åse"}, headers=headers)
        assert (answer.status_code, answer.json()["title"]) == (409, "Deleted")
    assert shop.record("customers", "1") == removed


def test_a_shop_may_leave_updated_at_alone_when_it_is_patched(shop, session):
    shop.put("customers", {"id": "1", "phone": "1"})
    shop.patches_move_updated_at = False
    before = session.get("/customers/1")
    tag = {"If-Match": before.headers["etag"]}
    after = session.patch("/customers/1", json={"phone": "2"}, headers=tag)
    assert after.json() == {**before.json(), "phone": "2"}
    assert after.headers["etag"] != before.headers["etag"]
    assert session.patch("/customers/1", json={"phone": "3"}, headers=tag).status_code == 412
    assert shop.edit("customers", "1", {})["updated_at"] > after.json()["updated_at"]


def test_a_shop_that_reshapes_patches_returns_what_it_keeps(shop, session):
    shop.put("orders", {"id": "1", "note": "  as  it was "})
    shop.reshapes_patches = True
    patch = {
        "reference": "  Best.  7   b ",
        "buyer": {"phone": " 412 34\u00a0567 ", "name": "Åse  Ås"},
        "total_incl": "199.005",
        "lines": [{"quantity": "0.125", "unit_price_excl": "1", "discount_excl": None}],
        "custom": {"mine": "  as  it is "},
    }
    answer = session.patch("/orders/1", json=patch)
    kept = answer.json()
    assert kept == shop.record("orders", "1")
    assert_members(
        kept,
        reference="Best. 7 b",
        buyer={"phone": "41234567", "name": "Åse Ås"},
        total_incl="199.01",
        lines=[{"quantity": "0.125", "unit_price_excl": "1.00", "discount_excl": None}],
        custom=patch["custom"],
        note="  as  it was ",
    )
    again = session.patch("/orders/1", json=patch)
    assert again.headers["etag"] == answer.headers["etag"]


def test_a_shop_that_does_not_reshape_patches_keeps_values_as_sent(shop, session):
    shop.put("customers", {"id": "1"})
    session.patch("/customers/1", json={"phone": " 412  34 567"})
    assert shop.record("customers", "1")["phone"] == " 412  34 567"


def test_the_shops_stamps_follow_its_own_clock_and_never_go_back():
    with Sandbox.start() as box, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {box.shop_token}"
        url = f"{box.shop_api_url}/customers/1"
        moments = []
        for seconds in (-3600, 3600, -3600, 0):
            switches = {"shop": {"clock_skew_seconds": seconds}}
            session.patch(f"{box.admin_url}/switches", json=switches)
            box.shop.put("customers", {"id": "1", "phone": "0"})
            answers = [session.patch(url, json={"phone": phone}) for phone in ("1", "2")]
            moments += [answer.json()["updated_at"] for answer in answers]
        assert moments == sorted(set(moments))
        early, late = stamps.parse(moments[0]), stamps.parse(moments[2])
        now, half_an_hour = datetime.now(timezone.utc), timedelta(minutes=30)
        assert early < now - half_an_hour < now + half_an_hour < late


def test_requests_to_the_shop_can_be_counted(box, shop, session):
    shop.put("customers", {"id": "1"})
    session.get("/customers/1")
    session.patch("/customers/1", json={"phone": "1"})
    session.patch("/customers/1", json={"phone": 1})
    log = box.requests
    assert (log.count("shop", "GET"), log.count("shop", "PATCH", "^/customers/1$")) == (1, 2)
    assert [request.status for request in log.writes("shop")] == [200, 422]
    assert [request.json() for request in log.writes("shop")] == [{"phone": "1"}, {"phone": 1}]
    assert [request.path for request in log.reads("shop")] == ["/customers/1"]
    assert log.count("go") == 0
