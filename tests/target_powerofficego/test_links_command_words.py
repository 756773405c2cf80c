"""The help, arguments and options of `powerofficego-links`, and errors about its link store."""

from __future__ import annotations

import sqlite3

import click
import pytest
from click.testing import CliRunner
from target_powerofficego.links_command import main
from target_powerofficego.links_command.commands import CommandToLoad

COMMANDS = sorted(main.commands)
ARGUMENTS = {
    "acknowledge": ["1"],
    "erase": ["customer", "1001", "--yes"],
    "link": ["customers", "1001", "5"],
    "reconcile": ["--from", "2026-01-01", "--to", "2026-01-31"],
    "retry": ["1"],
    "unlink": ["customers", "1001", "--yes"],
}
NEED_A_STORE = [name for name in COMMANDS if name != "import"]


def ask(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_the_commands_are_those_that_are_documented():
    assert COMMANDS == [
        "acknowledge",
        "check",
        "conflicts",
        "differences",
        "erase",
        "export",
        "holds",
        "import",
        "link",
        "links",
        "parked",
        "reconcile",
        "rejects",
        "retry",
        "runs",
        "unlink",
    ]


def loaded(name):
    command = main.commands[name]
    assert isinstance(command, CommandToLoad)
    return command.loaded


@pytest.mark.parametrize(
    "command", [main, *map(loaded, COMMANDS)], ids=lambda command: command.name
)
def test_every_command_and_option_has_help(command):
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name
            assert option.help.rstrip("]").strip()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_the_group_has_the_first_sentence_of_each_command(name):
    command = main.commands[name]

    assert loaded(name).name == name
    assert command.help == loaded(name).get_short_help_str(limit=200)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_its_help(name):
    result = ask(name, "--help")

    assert result.exit_code == 0
    assert "--link-store" in result.output
    assert "--format" in result.output


@pytest.mark.parametrize("name", NEED_A_STORE)
def test_a_missing_link_store_is_reported_in_one_line_and_not_created(tmp_path, name):
    path = tmp_path / "links.db"

    result = ask("--link-store", path, name, *ARGUMENTS.get(name, ()))

    assert result.exit_code == 1
    assert result.output == (
        f"Error: the link store {path} does not exist: nothing has been synced yet, or it is"
        " kept elsewhere (see --link-store, or TARGET_POWEROFFICEGO_LINK_STORE)\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_without_an_option_the_link_store_is_expected_in_the_working_directory(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TARGET_POWEROFFICEGO_LINK_STORE", raising=False)

    result = ask("check")

    assert result.exit_code == 1
    assert str(tmp_path / "powerofficego-links.db") in result.output


def test_a_database_of_another_program_is_left_unchanged(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE songs (name TEXT)")
    other.close()
    before = path.read_bytes()

    result = ask("--link-store", path, "check")

    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {path} is a database of another program")
    assert path.read_bytes() == before


def test_a_file_that_is_not_a_database_is_reported_in_one_line(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be taken for one" * 20)

    result = ask("--link-store", path, "rejects")

    assert result.exit_code == 1
    assert result.output == (
        f"Error: the link store {path} cannot be opened: file is not a database\n"
    )


@pytest.mark.parametrize(
    "location",
    ["nosuch://kari@example.no/links", "mysql+mysqldb://kari@127.0.0.1/links", "http://"],
)
def test_an_invalid_link_store_is_reported_in_one_line(location):
    result = ask("--link-store", location, "check")

    assert result.exit_code == 1
    assert result.output == (
        "Error: link_store must be the path of a file, or the address of a PostgreSQL database"
        " (postgresql://user@host/database)\n"
    )


@pytest.mark.parametrize(
    "location", ["postgresql://kari:hemmelig@h/d", "postgres://h/d?password=hemmelig"]
)
def test_a_password_in_the_address_of_a_database_is_refused_and_not_shown(location):
    result = ask("--link-store", location, "check")

    assert result.exit_code == 1
    assert "PGPASSWORD" in result.output
    assert "hemmelig" not in result.output


@pytest.mark.parametrize("command", ["acknowledge", "retry"])
@pytest.mark.parametrize("number", ["0", "-1", "first", str(2**31), str(2**63), "9" * 5000])
def test_an_invalid_number_is_refused(ledger, links, customer, command, number):
    ledger.run(customer(email="none"))

    result = links(command, "--", number)

    assert result.exit_code == 2
    assert result.output.splitlines()[-1].startswith("Error: Invalid value for '[ID...]': ")
    assert [record.acknowledged_at for record in ledger.unsettled()] == [None]


@pytest.mark.parametrize("command", ["runs", "conflicts"])
@pytest.mark.parametrize("number", ["0", "-1", "all", str(2**31), str(2**63)])
def test_an_invalid_number_of_rows_is_refused(ledger, links, customer, command, number):
    ledger.run(customer())

    result = links(command, "--newest", number)

    assert result.exit_code == 2
    assert result.output.splitlines()[-1].startswith("Error: Invalid value for '--newest': ")


@pytest.mark.parametrize("entity", ["customer", "customers", "Product", "ORDERS"])
def test_an_entity_is_accepted_in_singular_and_plural(tmp_path, entity):
    plural = f"{entity.lower().removesuffix('s')}s"
    for command in ("rejects", "holds", "parked", "conflicts", "links", "differences", "retry"):
        words = ["--all"] if command == "retry" else []
        result = ask("--link-store", tmp_path / "links.db", command, "--entity", entity, *words)
        assert "does not exist: nothing has been synced yet" in result.output
    for command in ("link", "unlink"):
        (parameter,) = [
            parameter for parameter in loaded(command).params if parameter.name == "entity"
        ]
        assert parameter.type.convert(entity, parameter, None) == plural


@pytest.mark.parametrize("entity", ["customer", "customers"])
def test_erase_accepts_its_entity_in_singular_and_plural(tmp_path, entity):
    result = ask("--link-store", tmp_path / "links.db", "erase", entity, "1001", "--yes")

    assert "does not exist: nothing has been synced yet" in result.output


def test_an_unknown_entity_is_refused():
    result = ask("rejects", "--entity", "customerses")

    assert result.exit_code == 2
    assert "'customers', 'products', 'orders'" in result.output


def test_the_help_of_export_names_all_shops_as_the_default():
    result = " ".join(ask("export", "--help").output.split())

    assert "for all shops unless one is named" in result
    assert "--shop-name NAME Only the shop with this shop_name" in result
    assert "needed when" not in result


def test_the_version_is_printed():
    result = ask("--version")

    assert result.exit_code == 0
    assert result.output.startswith("powerofficego-links, version ")
