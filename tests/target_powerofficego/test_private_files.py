"""Files with personal data are private, and the log of the database has no values."""

import contextlib
import logging
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from target_powerofficego.links_command import main


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def no_umask():
    """Gives each new file the mode that the program asks for."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("no_umask")
def test_all_files_of_a_run_or_an_export_are_private(ledger, box, customer, tmp_path):
    modes = {}

    def note_modes(_=None):
        modes.update({path.name: mode_of(path) for path in tmp_path.iterdir()})

    box.faults.on("go", "POST", "/customers$", note_modes)
    ledger.run(customer(), changes_file=str(tmp_path / "changes.jsonl"))
    exported = tmp_path / "links.jsonl"
    with exported.open("w") as file, contextlib.redirect_stdout(file):
        main(["export", "--link-store", str(ledger.link_store)], standalone_mode=False)
    main(["import", "--link-store", str(tmp_path / "new.db"), str(exported)], standalone_mode=False)
    note_modes()

    assert set(modes) == {
        *("links.db", "links.db-wal", "links.db-shm", "links.db.testshop.lock"),
        *("changes.jsonl", "links.jsonl", "new.db", "new.db.testshop.lock"),
    }
    assert set(modes.values()) == {0o600}


@pytest.mark.both_link_stores
def test_the_log_of_the_database_has_no_values(ledger, customer, caplog):
    caplog.set_level(logging.INFO, "sqlalchemy.engine")

    ledger.run(customer())

    assert "INSERT INTO links" in caplog.text
    personal = ("Nordmann", "kari@example.no", "91234567")
    assert [value for value in personal if value in caplog.text] == []


def test_files_of_an_earlier_version_are_made_private_which_is_logged_once(
    ledger, customer, tmp_path
):
    changes = tmp_path / "changes.jsonl"
    ledger.run(customer(), changes_file=str(changes))
    reader = sqlite3.connect(ledger.link_store)  # while it is open, the journals remain
    reader.execute("SELECT * FROM about")
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    for path in files:
        path.chmod(0o644)

    log = ledger.run(customer(), changes_file=str(changes)).log

    warnings = [line for line in log.splitlines() if "can now be read by its owner only" in line]
    assert {path.name for path in files} >= {
        *("links.db", "links.db-wal", "links.db-shm", "links.db.testshop.lock", "changes.jsonl")
    }
    assert len(warnings) == len(files)
    assert f"{changes} can now be read by its owner only (its mode was 644)" in warnings
    assert {mode_of(path) for path in files} == {0o600}
    assert "read by its owner only" not in ledger.run(customer(), changes_file=str(changes)).log
    reader.close()


def test_the_links_command_makes_a_link_store_private(ledger, listed, customer):
    ledger.run(customer())
    ledger.link_store.chmod(0o640)

    listed("check")

    assert mode_of(ledger.link_store) == 0o600


def test_a_device_keeps_its_mode(ledger, customer):
    before = Path("/dev/null").stat().st_mode

    assert ledger.run(customer(), changes_file="/dev/null").status == 0
    assert Path("/dev/null").stat().st_mode == before
