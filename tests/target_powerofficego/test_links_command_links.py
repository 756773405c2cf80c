"""`powerofficego-links links`, and the filters of rejects, holds and parked records."""

from __future__ import annotations

import pytest
from ledger import A_PERSON


def test_links_lists_the_entry_in_go_of_each_record(
    ledger, box, listed, rows, customer, product, order
):
    ledger.run(customer(), product(), order())

    links = {(row["entity"], row["shop_id"]): row for row in rows("links")}

    assert set(links) == {("customers", "1001"), ("orders", "9001"), ("products", "501")}
    (entry,) = box.go.entries("Customers")
    link = links["customers", "1001"]
    assert (link["go_id"], link["is_follower"]) == (str(entry["Id"]), False)
    assert link["linked_at"].endswith("Z")
    assert "base" not in link
    heading = listed("links").splitlines()[0]
    assert [part.strip() for part in heading.split("  ") if part.strip()] == [
        "entity",
        "shop id",
        "Go id",
        "follower",
        "linked (UTC)",
    ]


def test_followers_are_listed_as_followers(ledger, rows, company):
    ledger.run(company(), company(id="2002", email="andre@example.no"))

    followers = {row["shop_id"]: row["is_follower"] for row in rows("links")}

    assert followers == {"2001": False, "2002": True}
    (go_id,) = {row["go_id"] for row in rows("links")}
    assert len(rows("links", "--go-id", go_id)) == 2


def test_links_are_filtered_by_entity_and_ids(ledger, listed, rows, customer, product):
    ledger.run(customer(), customer(id="1002", email="per@example.no"), product())

    assert [row["shop_id"] for row in rows("links", "--entity", "products")] == ["501"]
    assert [row["shop_id"] for row in rows("links", "--shop-id", "1002")] == ["1002"]
    assert rows("links", "--entity", "products", "--shop-id", "1002") == []
    assert listed("links", "--go-id", "77") == "no such record is linked\n"


def test_the_base_of_a_link_is_listed_only_with_show_values(ledger, listed, rows, customer):
    ledger.run(customer())

    assert "kari@example.no" not in listed("links") + listed("links", "--format", "json")
    (row,) = rows("links", "--show-values")
    assert row["base"]["email"] == {"shop": "kari@example.no", "go": "kari@example.no"}


@pytest.fixture
def two_waiting(ledger, product):
    """Two products that cannot be written, for different reasons."""
    ledger.run(product(sku=None), product(id="502", sku="ULL-2", price_excl="12,50 kr"))


@pytest.mark.parametrize(
    ("words", "shop_ids"),
    [
        ((), ["501", "502"]),
        (("--shop-id", "502"), ["502"]),
        (("--reason", "NO sku"), ["501"]),
        (("--reason", "kr"), ["502"]),
        (("--reason", "no sku", "--shop-id", "502"), []),
    ],
)
def test_rejects_are_filtered_by_shop_id_and_reason(two_waiting, rows, words, shop_ids):
    assert sorted(row["shop_id"] for row in rows("rejects", *words)) == shop_ids


def test_holds_and_parked_records_are_filtered_in_the_same_way(
    ledger, box, rows, customer, product, order
):
    for _ in range(2):
        box.go.create("Customers", {**A_PERSON, "EmailAddress": "kari@example.no"})
    ledger.run(customer(), product(), order())

    assert len(rows("holds", "--reason", "several entries", "--shop-id", "1001")) == 1
    assert rows("holds", "--reason", "no such words") == []
    assert len(rows("parked", "--reason", "WAITS FOR customers", "--shop-id", "9001")) == 1
    assert rows("parked", "--shop-id", "1001") == []
