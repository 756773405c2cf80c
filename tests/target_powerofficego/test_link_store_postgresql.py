"""The link store in PostgreSQL: one run at a time, lost sessions, dry runs, erased data."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from target_powerofficego.links_command import main
from target_powerofficego.store.link_store import LinkStore, LinkStoreError

pytestmark = pytest.mark.parametrize("ledger", ["postgresql"], indirect=True)

SESSIONS = "FROM pg_stat_activity WHERE application_name = 'target-powerofficego'"


def tables(database):
    return database.execute(
        f"SELECT tablename FROM pg_tables WHERE schemaname = '{database.schema}'"
    )


@pytest.fixture
def other_session(database):
    """A session of another program in the same database."""
    with psycopg.connect(
        f"postgresql://postgres@/postgres?host={database.socket_folder}"
    ) as session:
        yield session


def test_a_second_run_at_the_same_time_stops_with_one_line(ledger, box, customer, lines_of):
    ledger.run(customer())
    running = ledger.start()
    outcomes: list = []
    box.faults.on("go", "GET", "/customers$", lambda _: outcomes.append(ledger.run(customer())))

    running.communicate(lines_of(customer(phone="+4798765432")), timeout=60)

    assert running.returncode == 0
    (second,) = outcomes
    assert second.status == 1
    assert second.reads == second.writes == []
    (error,) = [line for line in second.log.splitlines() if "is under way" in line]
    assert "postgresql://postgres@" in error
    assert ledger.run(customer(phone="+4740000000")).status == 0
    assert box.go.entries("Customers")[0]["PhoneNumber"] == "+4740000000"


def test_a_run_whose_session_is_lost_stops_before_its_next_write(ledger, box, database, customer):
    customers = [customer(id=str(n), email=f"k{n}@example.no") for n in range(1, 21)]
    box.faults.on(
        "go",
        "POST",
        "/customers$",
        lambda _: database.execute(f"SELECT pg_terminate_backend(pid) {SESSIONS}"),
        skip=4,
    )

    outcome = ledger.run(*customers, workers=1)

    assert outcome.status == 1
    assert len(box.go.entries("Customers")) == 5
    (error,) = [line for line in outcome.log.splitlines() if "cannot be read or written" in line]
    assert error.startswith("the link store postgresql://")
    assert error.endswith("run again")
    assert "example.no" not in outcome.log

    assert ledger.run(*customers).status == 0
    assert len(box.go.entries("Customers")) == len(customers)


def test_a_lost_session_is_not_reopened_without_its_lock(ledger, database, customer):
    ledger.run(customer())
    store = LinkStore(ledger.link_store, locked_for="testshop")
    database.execute(f"SELECT pg_terminate_backend(pid) {SESSIONS}")
    with pytest.raises(LinkStoreError, match="cannot be read or written"):
        store.links.has_any()

    with pytest.raises(LinkStoreError, match="was lost; run again"):
        store.settled.last("customers", "1001")
    with pytest.raises(LinkStoreError, match="was lost; run again"):
        store.intents.begin("customers", "1001", "create", {})
    store.close()


def test_a_dry_run_creates_no_table(ledger, database, customer):
    outcome = ledger.run(customer(), dry_run=True)

    assert outcome.status == 0
    assert outcome.count("customers", "created") == 1
    assert tables(database) == []


def test_a_dry_run_leaves_the_link_store_unchanged(ledger, database, customer):
    ledger.run(customer())
    settled = f"SELECT * FROM {database.schema}.settled"
    before = database.execute(settled)

    outcome = ledger.run(customer(phone="+4798765432"), dry_run=True)

    assert outcome.count("customers", "changed") == 1
    assert database.execute(settled) == before


def test_two_shops_can_run_at_once_in_one_database(ledger, box, customer, lines_of):
    ledger.run(customer())
    outcomes = []

    def run_other(_):
        record = customer(email="o@example.no")
        outcomes.append(ledger.run(record, shop_name="other", new_namespace=True))

    box.faults.on("go", "GET", "/customers$", run_other)
    running = ledger.start()

    running.communicate(lines_of(customer(phone="+4798765432")), timeout=60)

    assert running.returncode == 0
    assert [outcome.status for outcome in outcomes] == [0]


def test_the_links_command_reads_it(ledger, listed, product):
    ledger.run(product(sku=None))

    assert "has no SKU" in listed("rejects")


def test_before_any_run_the_links_command_reports_it_and_creates_nothing(links, database):
    result = links("check")

    assert result.exit_code == 1
    assert result.output.endswith(" is not a link store: no run has written to it\n")
    assert tables(database) == []


def test_a_database_that_cannot_be_reached_is_reported_in_one_line(ledger, customer):
    outcome = ledger.run(customer(), link_store="postgresql://sync@127.0.0.1:1/links")

    assert outcome.status == 1
    (error,) = [line for line in outcome.log.splitlines() if "cannot be opened" in line]
    assert "the link store postgresql://sync@127.0.0.1:1/links" in error
    assert outcome.writes == outcome.reads == []


def test_characters_of_a_refusal_that_a_database_cannot_store_are_replaced(ledger, box, customer):
    body = {"title": "Ugyldig\0 navn", "detail": "K\0ari \ud800", "status": 400}
    box.faults.add(method="POST", path="/customers$", status=400, body=body)

    outcome = ledger.run(customer())

    assert outcome.status == 3
    (reject,) = ledger.unsettled("reject")
    assert (reject.title, reject.detail) == ("Ugyldig\ufffd navn", "K\ufffdari \ufffd")


PERSONAL = (b"kari@example.no", b"Kari", b"Nordmann", b"+4791234567", b"Storgata")


def left_in(database):
    """Return the personal values in the files of the tables, indexes and long values."""
    database.execute("CHECKPOINT")
    names = database.execute(
        "SELECT pg_relation_filepath(c.oid) FROM pg_class c"
        f" WHERE relfilenode > 0 AND (relnamespace = '{database.schema}'::regnamespace OR c.oid IN"
        " (SELECT reltoastrelid FROM pg_class"
        f" WHERE relnamespace = '{database.schema}'::regnamespace))"
    )
    files = [Path(database.socket_folder, name).read_bytes() for (name,) in names if name]
    return [value for value in PERSONAL if any(value in content for content in files)]


def test_an_erased_customer_leaves_the_files_of_the_tables(ledger, database, listed, customer):
    ledger.run(customer())
    assert left_in(database) == list(PERSONAL)

    listed("erase", "customer", "1001", "--yes")

    assert left_in(database) == []


def test_while_another_session_sees_erased_data_erasing_fails_and_can_be_repeated(
    ledger, database, other_session, links, customer
):
    ledger.run(customer())
    other_session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    other_session.execute("SELECT 1")

    result = links("erase", "customer", "1001", "--yes")

    assert result.exit_code == 1
    assert "erase again once that program has ended" in result.output
    other_session.rollback()
    assert links("erase", "customer", "1001", "--yes").exit_code == 0
    assert left_in(database) == []


def test_a_run_stops_when_another_session_keeps_a_row_locked(
    ledger, box, database, other_session, customer, monkeypatch
):
    monkeypatch.setattr("target_powerofficego.store.connection._LONGEST_LOCK_SECONDS", 1)
    ledger.run(customer())
    other_session.execute(f"UPDATE {database.schema}.links SET own_stamp = own_stamp")

    outcome = ledger.run(customer(phone="+4740000000"), ends_with=1)

    other_session.rollback()
    assert "lock timeout" in outcome.log.splitlines()[-1]
    ledger.run(customer(phone="+4740000000"), ends_with=0)
    assert box.go.entries("Customers")[0]["PhoneNumber"] == "+4740000000"


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_whose_encoding_lacks_characters_is_refused(
    ledger, box, database, customer, encoding
):
    name = f"{database.schema}_{encoding.lower()}"
    database.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    address = f"postgresql://postgres@/{name}?host={database.socket_folder}"

    outcome = ledger.run(customer(), link_store=address, ends_with=1)
    result = CliRunner().invoke(main, ["--link-store", address, "links"])

    database.execute(f"DROP DATABASE {name}")
    (error,) = [line for line in outcome.log.splitlines() if encoding in line]
    assert error.endswith("create one with ENCODING 'UTF8'")
    assert "Traceback" not in outcome.log
    assert result.exit_code == 1
    assert f"uses {encoding}" in result.stderr
    assert box.go.entries("Customers") == []
