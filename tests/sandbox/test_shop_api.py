import pytest
import requests
from members import assert_members


def put_days(shop, *days, stream="customers"):
    for day in days:
        shop.put(stream, {"id": f"c{day}", "updated_at": f"2026-01-{day:02}T00:00:00.000000Z"})


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [record["id"] for record in answer.json()["data"]]


def all_pages(session, stream="customers", **query):
    listed, cursor = [], None
    while True:
        query = {**query, **({"cursor": cursor} if cursor else {})}
        answer = session.get(f"/{stream}", params=query)
        listed += ids(answer)
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return listed


def test_records_are_sorted_by_stamp_and_then_by_id(shop, session):
    put_days(shop, 3, 1, 2)
    shop.put("customers", {"id": "b2", "updated_at": "2026-01-02T00:00:00.000000Z"})
    assert ids(session.get("/customers")) == ["c1", "b2", "c2", "c3"]


def test_stamps_written_in_another_zone_sort_by_time(shop, session):
    shop.put("orders", {"id": "late", "updated_at": "2026-01-01T11:30:00Z"})
    shop.put("orders", {"id": "early", "updated_at": "2026-01-01T12:00:00+01:00"})
    assert ids(session.get("/orders")) == ["early", "late"]


@pytest.mark.parametrize(
    ("since", "listed"),
    [
        ("2026-01-02T00:00:00Z", ["c2", "c3"]),
        ("2026-01-02T01:00:00.000001+01:00", ["c3"]),
    ],
)
def test_updated_since_is_inclusive_in_any_zone(shop, session, since, listed):
    put_days(shop, 1, 2, 3)
    assert ids(session.get("/customers", params={"updated_since": since})) == listed


def test_an_empty_list_is_an_empty_page(shop, session):
    answer = session.get("/products")
    assert answer.json() == {"data": [], "next_cursor": None}


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_pages_of_any_size_list_every_record_once(shop, session, limit):
    put_days(shop, *range(1, 8))
    for number in range(3):
        shop.put("customers", {"id": f"same{number}", "updated_at": "2026-01-04T00:00:00Z"})
    listed = all_pages(session, limit=limit, updated_since="2026-01-02T00:00:00Z")
    assert listed == ["c2", "c3", "c4", "same0", "same1", "same2", "c5", "c6", "c7"]


def test_a_hundred_records_make_the_default_page(shop, session):
    for number in range(101):
        shop.put("customers", {"id": str(number)})
    answer = session.get("/customers")
    assert len(ids(answer)) == 100
    assert answer.json()["next_cursor"]


@pytest.mark.parametrize(("moved", "limit"), [("c1", 2), ("c2", 100)])
def test_a_record_that_moves_while_paging_is_listed_again_and_hides_no_other(
    shop, session, moved, limit
):
    put_days(shop, 1, 2, 3, 4)
    first = session.get("/customers", params={"limit": 2})
    assert ids(first) == ["c1", "c2"]
    shop.edit("customers", moved, {"name": "Åse"})
    rest = all_pages(session, limit=limit, cursor=first.json()["next_cursor"])
    assert rest == ["c3", "c4", moved]


@pytest.mark.parametrize(
    "query",
    [
        {"page": "2"},
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "ten"},
        {"limit": "-1"},
        {"updated_since": "yesterday"},
        {"updated_since": "2026-01-01"},
        {"updated_since": "2026-01-01T00:00:00"},
        {"updated_since": "2026-13-01T00:00:00Z"},
        {"updated_since": "0001-01-01T00:00:00+14:00"},
        {"cursor": "abc"},
        {"cursor": "@@@"},
        {"cursor": ""},
    ],
)
def test_an_invalid_query_is_a_400_problem(shop, session, query):
    answer = session.get("/customers", params=query)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 400
    assert next(iter(query)) in answer.json()["detail"]


def test_a_cursor_belongs_to_its_stream(shop, session):
    put_days(shop, 1, 2)
    cursor = session.get("/customers?limit=1").json()["next_cursor"]
    answer = session.get("/orders", params={"cursor": cursor})
    assert answer.status_code == 400


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic not-a-real-shop-token", "Bearer"])
def test_nothing_is_returned_without_the_right_token(box, shop, header):
    put_days(shop, 1)
    headers = {"Authorization": header} if header else {}
    answer = requests.get(f"{box.shop_api_url}/customers", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["title"] == "Not authorized"
    assert "c1" not in answer.text


def test_an_unknown_stream_or_record_is_404_and_a_wrong_method_405(shop, session):
    put_days(shop, 1)
    assert session.get("/invoices").status_code == 404
    assert session.get("/customers/none").status_code == 404
    assert session.post("/customers", json={}).status_code == 405
    assert session.patch("/customers/none", json={}).status_code == 404


def test_above_the_rate_limit_the_shop_answers_429_with_retry_after(shop, session):
    shop.rate_limit = 0
    answer = session.get("/customers")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/problem+json"


def test_amounts_and_norwegian_letters_arrive_unchanged(shop, session):
    shop.put("products", {"id": "1", "name": "Bløtkake «Ærlig»", "price_excl": "199.00"})
    answer = session.get("/products")
    assert answer.json()["data"][0]["name"] == "Bløtkake «Ærlig»"
    assert '"199.00"' in answer.text


def test_a_patch_merges_objects_and_replaces_lists(shop, session):
    shop.put(
        "orders",
        {
            "id": "1",
            "note": "old",
            "invoice": {"number": None, "balance": "10.00"},
            "lines": [{"id": "a"}, {"id": "b"}],
            "custom": {"kept": 1},
        },
    )
    patch = {
        "note": None,
        "invoice": {"number": "77"},
        "lines": [{"id": "c"}],
        "custom": {"new": 2},
    }
    answer = session.patch("/orders/1", json=patch)
    assert answer.status_code == 200
    stored = shop.record("orders", "1")
    assert answer.json() == stored
    assert_members(
        stored,
        note=None,
        invoice={"number": "77", "balance": "10.00"},
        lines=[{"id": "c"}],
        custom={"kept": 1, "new": 2},
    )


def test_a_patch_moves_updated_at_and_the_etag(shop, session):
    shop.put("customers", {"id": "1", "phone": "1"})
    before = session.get("/customers/1")
    after = session.patch(
        "/customers/1", json={"phone": "2"}, headers={"If-Match": before.headers["etag"]}
    )
    assert after.status_code == 200
    assert after.json()["updated_at"] > before.json()["updated_at"]
    assert after.json()["created_at"] == before.json()["created_at"]
    assert after.headers["etag"] != before.headers["etag"]
    assert session.get("/customers/1").headers["etag"] == after.headers["etag"]


def test_a_patch_that_changes_nothing_moves_nothing(shop, session):
    shop.put("customers", {"id": "1", "phone": "1"})
    before = session.get("/customers/1")
    after = session.patch("/customers/1", json={"phone": "1"})
    assert after.json() == before.json()
    assert after.headers["etag"] == before.headers["etag"]


def test_a_patch_of_a_record_changed_meanwhile_is_412_and_changes_nothing(shop, session):
    shop.put("customers", {"id": "1", "phone": "1"})
    tag = session.get("/customers/1").headers["etag"]
    shop.edit("customers", "1", {"phone": "2"})
    answer = session.patch("/customers/1", json={"phone": "3"}, headers={"If-Match": tag})
    assert answer.status_code == 412
    assert shop.record("customers", "1")["phone"] == "2"


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        ('{"id": "2"}', "application/merge-patch+json", 422),
        ('{"updated_at": "2026-01-01T00:00:00Z"}', "application/merge-patch+json", 422),
        ('{"fone": "1"}', "application/merge-patch+json", 422),
        ("[]", "application/merge-patch+json", 400),
        ("{", "application/merge-patch+json", 400),
        ('{"phone": "1"}', "text/plain", 415),
        ('{"phone": "1"}', "application/json-patch+json", 415),
    ],
)
def test_an_invalid_patch_changes_nothing(shop, session, body, media_type, status):
    before = shop.put("customers", {"id": "1", "phone": "0"})
    answer = session.patch("/customers/1", data=body, headers={"Content-Type": media_type})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert shop.record("customers", "1") == before
