"""What holds personal data is for its owner alone, and no value stands in a log of the database."""

from __future__ import annotations

import contextlib
import logging
import os
import stat

import pytest
from target_powerofficego.links_command import main


@pytest.fixture
def no_umask():
    """Lets each new file have the rights that its program asks for."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("no_umask")
def test_whatever_a_run_or_an_export_writes_is_for_its_owner_alone(ledger, box, customer, tmp_path):
    rights = {}

    def look(_=None):
        for path in tmp_path.iterdir():
            rights[path.name] = oct(stat.S_IMODE(path.stat().st_mode))

    box.faults.on("go", "POST", "/customers$", look)
    ledger.run(customer(), changes_file=str(tmp_path / "changes.jsonl"))
    exported = tmp_path / "links.jsonl"
    with exported.open("w") as file, contextlib.redirect_stdout(file):
        main(["export", "--link-store", str(ledger.link_store)], standalone_mode=False)
    main(["import", "--link-store", str(tmp_path / "new.db"), str(exported)], standalone_mode=False)
    look()

    assert set(rights) == {
        *("links.db", "links.db-wal", "links.db-shm", "links.db.testshop.lock"),
        *("changes.jsonl", "links.jsonl", "new.db", "new.db.testshop.lock"),
    }
    assert set(rights.values()) == {"0o600"}


@pytest.mark.both_link_stores
def test_a_log_of_the_database_holds_no_values(ledger, customer, caplog):
    caplog.set_level(logging.INFO, "sqlalchemy.engine")

    ledger.run(customer())

    assert "INSERT INTO links" in caplog.text
    assert [
        word for word in ("Nordmann", "kari@example.no", "91234567") if word in caplog.text
    ] == []
