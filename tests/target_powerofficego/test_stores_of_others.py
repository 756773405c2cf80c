"""A database of another program, or another file, is reported and left unchanged."""

import sqlite3

import pytest
from click.testing import CliRunner
from target_powerofficego.links_command import main

OTHER_DATABASES = {
    "another table": "CREATE TABLE songs (title TEXT)",
    "a table of the same name": "CREATE TABLE links (url TEXT)",
    "its own about": "CREATE TABLE about (schema_version INTEGER, author TEXT)",
    "about, without a version": "CREATE TABLE about (author TEXT)",
    "its own namespaces": "CREATE TABLE about (schema_version INTEGER);"
    " CREATE TABLE namespaces (id INTEGER, uri TEXT)",
}
COMMANDS = [["check"], ["links"], ["export"], ["acknowledge", "--all"], ["retry", "--all"]]
COMMANDS += [["unlink", "customers", "1001", "--yes"], ["erase", "customer", "1001", "--yes"]]


def create(path, statements):
    with sqlite3.connect(path) as database:
        database.executescript(statements)
    database.close()


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("statements", OTHER_DATABASES.values(), ids=OTHER_DATABASES)
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_run_leaves_a_database_of_another_program_unchanged(
    ledger, customer, statements, dry_run
):
    create(ledger.link_store, statements)
    before = files(ledger.folder)

    outcome = ledger.run(customer(), dry_run=dry_run)

    assert (outcome.status, outcome.writes, outcome.states) == (1, [], [])
    (error,) = [line for line in outcome.log.splitlines() if "database of another program" in line]
    assert str(ledger.link_store) in error
    assert files(ledger.folder) == before


@pytest.mark.parametrize("statements", OTHER_DATABASES.values(), ids=OTHER_DATABASES)
def test_the_way_back_leaves_it_unchanged(both, statements):
    create(both.ledger.link_store, statements)
    before = files(both.ledger.folder)

    outcome = both.back({"type": "STATE", "value": {"read": 1}})

    assert (outcome.status, outcome.writes) == (1, [])
    assert "database of another program" in outcome.log
    assert files(both.ledger.folder) == before


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("statements", OTHER_DATABASES.values(), ids=OTHER_DATABASES)
def test_the_links_command_leaves_it_unchanged(tmp_path, statements, words):
    path = tmp_path / "music.db"
    create(path, statements)
    before = files(tmp_path)

    result = CliRunner().invoke(main, ["--link-store", str(path), *words])

    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1
    assert files(tmp_path) == before


@pytest.mark.parametrize("statements", OTHER_DATABASES.values(), ids=OTHER_DATABASES)
def test_an_import_leaves_it_unchanged(ledger, links, listed, customer, statements):
    ledger.run(customer())
    exported = listed("export")
    ledger.lose_link_store()
    create(ledger.link_store, statements)
    before = files(ledger.folder)

    result = links("import", "--replace", text=exported)

    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert files(ledger.folder) == before


@pytest.mark.parametrize("content", [b"Hei, dette er et brev\n" * 90, b"\0" * 4096, b"SQLite"])
def test_a_file_that_is_not_a_database_is_reported_and_left_unchanged(ledger, customer, content):
    ledger.link_store.write_bytes(content)

    outcome = ledger.run(customer())

    assert (outcome.status, outcome.writes) == (1, [])
    assert f"the link store {ledger.link_store} cannot be opened" in outcome.log
    assert files(ledger.folder) == {"links.db": content}


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_folder_in_place_of_the_link_store_is_reported(ledger, customer, dry_run):
    ledger.link_store.mkdir()

    outcome = ledger.run(customer(), dry_run=dry_run)

    assert (outcome.status, outcome.writes) == (1, [])
    assert f"the link store {ledger.link_store} cannot be opened" in outcome.log
    assert [path.name for path in ledger.folder.iterdir()] == ["links.db"]


def test_a_link_store_whose_creation_was_interrupted_is_still_used(ledger, customer):
    ledger.run(customer())
    with sqlite3.connect(ledger.link_store) as store:
        for table in ("about", "payments", "conflicts"):
            store.execute(f"DROP TABLE {table}")
    store.close()

    assert ledger.run(customer()).status == 0


@pytest.mark.parametrize("ledger", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", ["links", "about", "runs"])
def test_other_tables_of_the_same_names_in_postgresql_are_left_unchanged(
    ledger, database, customer, name
):
    database.execute(f"CREATE TABLE {database.schema}.{name} (url TEXT)")
    query = f"SELECT tablename FROM pg_tables WHERE schemaname = '{database.schema}'"

    outcome = ledger.run(customer())

    assert (outcome.status, outcome.writes) == (1, [])
    assert "is a database of another program, and nothing was changed in it" in outcome.log
    assert database.execute(query) == [(name,)]


@pytest.mark.parametrize("ledger", ["postgresql"], indirect=True)
def test_tables_of_other_names_in_postgresql_are_ignored(ledger, database, customer):
    database.execute(f"CREATE TABLE {database.schema}.songs (title TEXT)")

    assert ledger.run(customer()).status == 0
    assert ledger.run(customer()).status == 0
