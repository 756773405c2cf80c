"""`powerofficego-links links`, and the filters of what waits."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from ledger import A_PERSON
from target_powerofficego.links_command import main


@pytest.fixture
def links(ledger):
    """Runs the command on the link store of the test's runs; returns what it printed."""

    def run(*words):
        result = CliRunner().invoke(main, ["--link-store", str(ledger.link_store), *words])
        assert result.exit_code == 0, result.output
        return result.output

    return run


@pytest.fixture
def rows(links):
    """Runs the command and returns its JSON lines."""

    def run(*words):
        return [json.loads(line) for line in links("--format", "json", *words).splitlines()]

    return run


def test_links_lists_which_record_is_which_entry_in_go(
    ledger, box, links, rows, customer, product, order
):
    ledger.run(customer(), product(), order())

    found = {(row["entity"], row["shop_id"]): row for row in rows("links")}

    assert set(found) == {("customers", "1001"), ("orders", "9001"), ("products", "501")}
    (entry,) = box.go.entries("Customers")
    kari = found["customers", "1001"]
    assert (kari["go_id"], kari["is_follower"]) == (str(entry["Id"]), False)
    assert kari["linked_at"].endswith("Z")
    assert "base" not in kari
    heading = links("links").splitlines()[0]
    assert [part.strip() for part in heading.split("  ") if part.strip()] == [
        "entity",
        "shop id",
        "Go id",
        "follower",
        "linked (UTC)",
    ]


def test_followers_are_listed_as_such(ledger, rows, company):
    ledger.run(company(), company(id="2002", email="andre@example.no"))

    followers = {row["shop_id"]: row["is_follower"] for row in rows("links")}

    assert followers == {"2001": False, "2002": True}
    (go_id,) = {row["go_id"] for row in rows("links")}
    assert len(rows("links", "--go-id", go_id)) == 2


def test_links_are_filtered_by_entity_and_ids(ledger, links, rows, customer, product):
    ledger.run(customer(), customer(id="1002", email="per@example.no"), product())

    assert [row["shop_id"] for row in rows("links", "--entity", "products")] == ["501"]
    assert [row["shop_id"] for row in rows("links", "--shop-id", "1002")] == ["1002"]
    assert rows("links", "--entity", "products", "--shop-id", "1002") == []
    assert links("links", "--go-id", "77") == "no such record is linked\n"


def test_the_base_is_listed_only_on_request(ledger, links, rows, customer):
    ledger.run(customer())

    assert "kari@example.no" not in links("links") + links("links", "--format", "json")
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
def test_what_waits_is_filtered_by_shop_id_and_reason(two_waiting, rows, words, shop_ids):
    assert sorted(row["shop_id"] for row in rows("rejects", *words)) == shop_ids


def test_holds_and_parked_records_have_the_same_filters(
    ledger, box, rows, customer, product, order
):
    for _ in range(2):
        box.go.create("Customers", {**A_PERSON, "EmailAddress": "kari@example.no"})
    ledger.run(customer(), product(), order())

    assert len(rows("holds", "--reason", "several entries", "--shop-id", "1001")) == 1
    assert rows("holds", "--reason", "no such words") == []
    assert len(rows("parked", "--reason", "WAITS FOR customers", "--shop-id", "9001")) == 1
    assert rows("parked", "--shop-id", "1001") == []
