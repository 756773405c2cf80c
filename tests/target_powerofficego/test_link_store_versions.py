"""A link store of an earlier version is migrated by the next run."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import sqlalchemy as sa
from target_powerofficego.store import tables
from target_powerofficego.store.link_store import LinkStore

VERSION_1 = """
CREATE TABLE about (schema_version INTEGER NOT NULL, PRIMARY KEY (schema_version));
CREATE TABLE namespaces (
    id INTEGER NOT NULL, client_id VARCHAR NOT NULL, shop_name VARCHAR NOT NULL,
    client_name VARCHAR, opened_at VARCHAR NOT NULL,
    PRIMARY KEY (id), UNIQUE (client_id, shop_name));
CREATE TABLE links (
    namespace INTEGER NOT NULL, entity VARCHAR NOT NULL, shop_id VARCHAR NOT NULL,
    go_id VARCHAR NOT NULL, is_follower BOOLEAN NOT NULL, shop_created_at VARCHAR,
    base TEXT NOT NULL, own_stamp VARCHAR, linked_at VARCHAR NOT NULL,
    PRIMARY KEY (namespace, entity, shop_id), FOREIGN KEY(namespace) REFERENCES namespaces (id));
CREATE INDEX links_by_go_id ON links (namespace, entity, go_id);
CREATE TABLE settled (
    namespace INTEGER NOT NULL, entity VARCHAR NOT NULL, shop_id VARCHAR NOT NULL,
    record_hash VARCHAR NOT NULL, read_at VARCHAR NOT NULL,
    PRIMARY KEY (namespace, entity, shop_id), FOREIGN KEY(namespace) REFERENCES namespaces (id));
CREATE TABLE intents (
    id INTEGER NOT NULL, namespace INTEGER NOT NULL, entity VARCHAR NOT NULL,
    shop_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, detail TEXT NOT NULL,
    started_at VARCHAR NOT NULL,
    PRIMARY KEY (id), FOREIGN KEY(namespace) REFERENCES namespaces (id));
CREATE TABLE unsettled (
    id INTEGER NOT NULL, namespace INTEGER NOT NULL, entity VARCHAR NOT NULL,
    shop_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, payload TEXT NOT NULL,
    read_at VARCHAR NOT NULL, reason TEXT NOT NULL, title TEXT, detail TEXT,
    first_seen VARCHAR NOT NULL, last_seen VARCHAR NOT NULL, attempts INTEGER NOT NULL,
    next_attempt_at VARCHAR, acknowledged_at VARCHAR,
    PRIMARY KEY (id), UNIQUE (namespace, entity, shop_id),
    FOREIGN KEY(namespace) REFERENCES namespaces (id));
CREATE TABLE waits (
    unsettled_id INTEGER NOT NULL, awaited VARCHAR NOT NULL, PRIMARY KEY (unsettled_id, awaited),
    FOREIGN KEY(unsettled_id) REFERENCES unsettled (id) ON DELETE CASCADE);
CREATE INDEX waits_by_awaited ON waits (awaited);
CREATE TABLE go_entries (
    namespace INTEGER NOT NULL, entity VARCHAR NOT NULL, go_id VARCHAR NOT NULL,
    body TEXT NOT NULL, read_at VARCHAR NOT NULL,
    PRIMARY KEY (namespace, entity, go_id), FOREIGN KEY(namespace) REFERENCES namespaces (id));
CREATE TABLE go_keys (
    namespace INTEGER NOT NULL, entity VARCHAR NOT NULL, match_key VARCHAR NOT NULL,
    go_id VARCHAR NOT NULL, PRIMARY KEY (namespace, entity, match_key, go_id),
    FOREIGN KEY(namespace) REFERENCES namespaces (id));
CREATE INDEX go_keys_by_go_id ON go_keys (namespace, entity, go_id);
CREATE TABLE watermarks (
    namespace INTEGER NOT NULL, entity VARCHAR NOT NULL, changed_since VARCHAR,
    full_read_at VARCHAR NOT NULL,
    PRIMARY KEY (namespace, entity), FOREIGN KEY(namespace) REFERENCES namespaces (id));
CREATE TABLE runs (
    id INTEGER NOT NULL, namespace INTEGER NOT NULL, started_at VARCHAR NOT NULL,
    finished_at VARCHAR, exit_status INTEGER, outcomes TEXT, calls TEXT,
    PRIMARY KEY (id), FOREIGN KEY(namespace) REFERENCES namespaces (id));
INSERT INTO about VALUES (1);
"""
"""The schema as version 1 created it. Do not change it."""

BACK_TO_VERSION_6 = (
    "ALTER TABLE settled DROP COLUMN text_hash; DROP TABLE notices;"
    " UPDATE about SET schema_version = 6"
)
"""Removes what later versions added."""

TABLES_OF_VERSION_1 = (
    *("namespaces", "links", "settled", "intents", "unsettled", "waits"),
    *("go_entries", "go_keys", "watermarks", "runs"),
)


def as_version_1(path):
    """Rewrite a store as version 1 would have written it."""
    newer = path.rename(path.with_name("newer.db"))
    with closing(sqlite3.connect(path)) as store, store:
        store.executescript(VERSION_1)
        store.execute("ATTACH ? AS newer", [str(newer)])
        for table in TABLES_OF_VERSION_1:
            names = ", ".join(column[1] for column in store.execute(f"PRAGMA table_info({table})"))
            store.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM newer.{table}")


def query(path, statement):
    with closing(sqlite3.connect(path)) as store:
        return store.execute(statement).fetchall()


def version_of(path):
    return query(path, "SELECT schema_version FROM about")


def tables_of(path):
    return {name for (name,) in query(path, "SELECT name FROM sqlite_master")}


def change(path, statements):
    with closing(sqlite3.connect(path)) as store:
        store.executescript(statements)


@pytest.fixture
def records(customer, product, order):
    """A customer, a product and an order that are created in Go, and a product that is rejected."""
    return [customer(), product(), order(), product(id="502", sku=None)]


@pytest.fixture
def version_1(ledger, records):
    """The link store of a run, as version 1 would have written it."""
    ledger.run(*records)
    as_version_1(ledger.link_store)
    return ledger.link_store


def test_a_run_migrates_a_store_of_version_1_and_writes_nothing_to_go(
    ledger, box, version_1, records
):
    before = {kind: box.go.entries(kind) for kind in ("Customers", "Products", "SalesOrders")}

    outcome = ledger.run(*records)

    assert outcome.status == 3
    assert outcome.writes == []
    assert {kind: box.go.entries(kind) for kind in before} == before
    assert version_of(version_1) == [(8,)]
    assert {"conflicts", "erasures", "payments", "notices"} <= tables_of(version_1)
    assert [record.shop_id for record in ledger.unsettled("reject")] == ["502"]


def test_a_run_migrates_a_store_of_version_3_and_posts_a_payment(ledger, records, order, payment):
    ledger.run(*records)
    change(
        ledger.link_store,
        "DROP TABLE payments; DROP TABLE doubts; DROP TABLE notices;"
        " ALTER TABLE settled DROP COLUMN stamp; ALTER TABLE settled DROP COLUMN text_hash;"
        " ALTER TABLE runs DROP COLUMN settings; UPDATE about SET schema_version = 3",
    )

    outcome = ledger.run(order(payments=[payment]), payment_accounts={"vipps": 1901})

    assert outcome.calls() == ["POST /Vouchers/BankJournals"]
    assert version_of(ledger.link_store) == [(8,)]


def test_a_run_migrates_a_store_of_version_6_and_stores_the_hashes_of_unchanged_records(
    ledger, customer
):
    ledger.run(customer())
    change(ledger.link_store, BACK_TO_VERSION_6)

    assert ledger.run(customer()).writes == []

    assert version_of(ledger.link_store) == [(8,)]
    assert query(ledger.link_store, "SELECT text_hash FROM settled") != [(None,)]


def test_an_edit_in_the_run_that_migrates_is_one_patch(ledger, version_1, customer, order):
    outcome = ledger.run(customer(phone="+4740000000"), order(reference="PO 7"))

    assert sorted(call.split("/")[1] for call in outcome.calls()) == ["Customers", "SalesOrders"]
    assert {call.split()[0] for call in outcome.calls()} == {"PATCH"}


def test_a_dry_run_on_a_store_of_version_1_plans_and_leaves_it_unchanged(
    ledger, version_1, customer
):
    outcome = ledger.run(customer(phone="+4740000000"), dry_run=True)

    assert outcome.status == 3
    assert "change customers 1001" in outcome.log
    assert version_of(version_1) == [(1,)]


def test_the_links_command_leaves_the_migration_to_the_next_run(links, version_1):
    result = links("check")

    assert result.exit_code == 1
    assert result.output == (
        f"Error: the link store {version_1} was written by an earlier version of this program;"
        " the next run of target-powerofficego will migrate it\n"
    )
    assert version_of(version_1) == [(1,)]


def test_a_migration_that_is_interrupted_leaves_version_1(ledger, version_1, records, monkeypatch):
    def interrupted(step):
        yield from step
        raise KeyboardInterrupt

    before = tables_of(version_1)
    with monkeypatch.context() as patched:
        patched.setattr(tables, "STEPS", {1: interrupted(tables.STEPS[1])})
        with pytest.raises(KeyboardInterrupt):
            LinkStore(str(version_1), when_older="migrate")

    assert version_of(version_1) == [(1,)]
    assert tables_of(version_1) == before
    assert ledger.run(*records).writes == []


@pytest.mark.both_link_stores
@pytest.mark.parametrize("exists", [False, True], ids=["created", "migrated"])
def test_many_shops_can_begin_in_one_link_store_at_once(ledger, exists):
    if exists:
        store = LinkStore(str(ledger.link_store), when_older="migrate")
        with closing(store), store.transaction():
            for statement in BACK_TO_VERSION_6.split(";"):
                store.connection.execute(sa.text(statement))
    at_once = threading.Barrier(8)

    def begin(number):
        at_once.wait()
        store = LinkStore(str(ledger.link_store), locked_for=f"shop {number}", when_older="migrate")
        with closing(store), store.transaction():
            return store.connection.scalar(sa.select(tables.about.c.schema_version))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(begin, range(8))) == {tables.SCHEMA_VERSION}


def test_a_store_of_a_newer_version_is_refused_with_advice_to_upgrade(ledger, links, customer):
    ledger.run(customer())
    change(ledger.link_store, "UPDATE about SET schema_version = 99")

    outcome = ledger.run(customer())
    result = links("check")

    assert (outcome.status, result.exit_code) == (1, 1)
    message = "was written by a newer version of this program: upgrade target-powerofficego"
    assert message in outcome.log
    assert message in result.output
    assert version_of(ledger.link_store) == [(99,)]


def test_a_store_whose_creation_was_interrupted_is_completed(ledger, customer):
    change(ledger.link_store, "CREATE TABLE about (schema_version INTEGER NOT NULL PRIMARY KEY)")

    outcome = ledger.run(customer())

    assert outcome.status == 0
    assert outcome.calls() == ["POST /Customers"]
