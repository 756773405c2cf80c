"""The link store in PostgreSQL: one run at a time, a lost connection, dry run, links command."""

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
    query = f"SELECT tablename FROM pg_tables WHERE schemaname = '{database.schema}'"
    return database.execute(query)


def test_a_second_run_at_the_same_time_stops_with_one_line_and_the_next_one_runs(
    ledger, box, customer, lines_of
):
    ledger.run(customer())
    running = ledger.start()
    second: list = []
    box.faults.on("go", "GET", "/customers$", lambda _: second.append(ledger.run(customer())))

    running.communicate(lines_of(customer(phone="+4798765432")), timeout=60)

    assert running.returncode == 0
    assert second[0].status == 1
    assert second[0].reads == second[0].writes == []
    (error,) = [line for line in second[0].log.splitlines() if "is under way" in line]
    assert "postgresql://postgres@" in error
    assert ledger.run(customer(phone="+4740000000")).status == 0
    assert box.go.entries("Customers")[0]["PhoneNumber"] == "+4740000000"


def test_a_run_whose_session_is_lost_stops_before_its_next_write(ledger, box, database, customer):
    people = [customer(id=str(n), email=f"k{n}@example.no") for n in range(1, 21)]
    box.faults.on(
        "go",
        "POST",
        "/customers$",
        lambda _: database.execute(f"SELECT pg_terminate_backend(pid) {SESSIONS}"),
        skip=4,
    )

    outcome = ledger.run(*people, workers=1)

    landed = len(box.go.entries("Customers"))
    assert outcome.status == 1
    assert landed == 5
    (error,) = [line for line in outcome.log.splitlines() if "cannot be read or written" in line]
    assert error.startswith("the link store postgresql://")
    assert error.endswith("run again")
    assert "example.no" not in outcome.log

    assert ledger.run(*people).status == 0
    assert len(box.go.entries("Customers")) == len(people)


def test_a_session_that_was_lost_is_not_reopened_without_its_lock(ledger, database, customer):
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


def test_a_dry_run_leaves_the_link_store_as_it_is(ledger, box, database, customer):
    ledger.run(customer())
    settled = f"SELECT * FROM {database.schema}.settled"
    before = database.execute(settled)

    outcome = ledger.run(customer(phone="+4798765432"), dry_run=True)

    assert outcome.count("customers", "changed") == 1
    assert database.execute(settled) == before


def test_two_shops_can_run_at_once_in_one_database(ledger, box, customer, lines_of):
    ledger.run(customer())
    other = []
    box.faults.on(
        "go",
        "GET",
        "/customers$",
        lambda _: other.append(
            ledger.run(customer(email="o@example.no"), shop_name="other", new_namespace=True)
        ),
    )
    running = ledger.start()

    running.communicate(lines_of(customer(phone="+4798765432")), timeout=60)

    assert running.returncode == 0
    assert other[0].status == 0


def test_the_links_command_reads_it(ledger, product):
    ledger.run(product(sku=None))

    result = CliRunner().invoke(main, ["--link-store", ledger.link_store, "rejects"])

    assert result.exit_code == 0
    assert "has no SKU" in result.output


def test_before_any_run_the_links_command_says_so_and_creates_nothing(ledger, database):
    result = CliRunner().invoke(main, ["--link-store", ledger.link_store, "check"])

    assert result.exit_code == 1
    assert result.output.endswith(" is not a link store: no run has written to it\n")
    assert tables(database) == []


def test_a_database_that_cannot_be_reached_is_one_line(ledger, box, customer):
    outcome = ledger.run(customer(), link_store="postgresql://sync@127.0.0.1:1/links")

    assert outcome.status == 1
    (error,) = [line for line in outcome.log.splitlines() if "cannot be opened" in line]
    assert "the link store postgresql://sync@127.0.0.1:1/links" in error
    assert outcome.writes == outcome.reads == []


def test_a_refusal_with_characters_that_no_database_accepts_is_stored_with_others_instead(
    ledger, box, customer
):
    body = {"title": "Ugyldig\0 navn", "detail": "K\0ari \ud800", "status": 400}
    box.faults.add(method="POST", path="/customers$", status=400, body=body)

    outcome = ledger.run(customer())

    assert outcome.status == 3
    (reject,) = ledger.unsettled("reject")
    assert (reject.title, reject.detail) == ("Ugyldig\ufffd navn", "K\ufffdari \ufffd")


PERSONAL = (b"kari@example.no", b"Kari", b"Nordmann", b"+4791234567", b"Storgata")


def left_in(database):
    """Return which personal values are in the files of the tables, indexes and long values."""
    database.execute("CHECKPOINT")
    names = database.execute(
        "SELECT pg_relation_filepath(c.oid) FROM pg_class c"
        f" WHERE relfilenode > 0 AND (relnamespace = '{database.schema}'::regnamespace OR c.oid IN"
        " (SELECT reltoastrelid FROM pg_class"
        f" WHERE relnamespace = '{database.schema}'::regnamespace))"
    )
    files = [Path(database.socket_folder, name).read_bytes() for (name,) in names if name]
    return [value for value in PERSONAL if any(value in content for content in files)]


def test_an_erased_customer_leaves_the_files_of_the_tables(ledger, database, customer):
    ledger.run(customer())
    assert left_in(database) == list(PERSONAL)

    result = CliRunner().invoke(
        main, ["--link-store", ledger.link_store, "erase", "customer", "1001", "--yes"]
    )

    assert result.exit_code == 0, result.output
    assert left_in(database) == []


def test_a_session_that_still_sees_erased_data_is_reported_and_erasing_again_cleans_the_files(
    ledger, database, customer
):
    ledger.run(customer())
    words = ["--link-store", ledger.link_store, "erase", "customer", "1001", "--yes"]
    with psycopg.connect(f"postgresql://postgres@/postgres?host={database.socket_folder}") as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1")
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 1
        assert "erase again once that program has ended" in result.output

    assert CliRunner().invoke(main, words).exit_code == 0
    assert left_in(database) == []


def test_a_session_that_keeps_a_row_locked_ends_a_run_instead_of_blocking_it_for_ever(
    ledger, box, database, customer, monkeypatch
):
    monkeypatch.setattr("target_powerofficego.store.connection._LONGEST_LOCK_SECONDS", 1)
    ledger.run(customer())
    with psycopg.connect(f"postgresql://postgres@/postgres?host={database.socket_folder}") as other:
        other.execute(f"UPDATE {database.schema}.links SET own_stamp = own_stamp")
        stopped = ledger.run(customer(phone="+4740000000"), ends_with=1)
        other.rollback()

    assert "lock timeout" in stopped.log.splitlines()[-1]
    ledger.run(customer(phone="+4740000000"), ends_with=0)
    assert box.go.entries("Customers")[0]["PhoneNumber"] == "+4740000000"


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_whose_encoding_lacks_characters_is_refused_in_one_line(
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
