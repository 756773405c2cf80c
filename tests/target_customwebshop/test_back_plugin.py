"""The way back as a Singer plug-in: its streams, messages and command line."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import commands
import pytest

SCRIPT = str(Path(sys.executable).with_name("target-customwebshop"))


@pytest.mark.parametrize("stream", ["contact_persons", "delivery_addresses", "vat_codes"])
def test_streams_of_the_tap_that_no_shop_has_are_ignored(linked, stream):
    entry = {"type": "RECORD", "stream": stream, "record": {"Id": 1, "FirstName": "Kari"}}
    outcome = linked.run(entry)
    assert (outcome.status, outcome.reads, outcome.writes) == (0, [], [])


def test_an_unknown_stream_is_an_error_and_nothing_is_written(linked):
    outcome = linked.run({"type": "RECORD", "stream": "orders", "record": {"Id": 1}}, ends_with=1)
    assert 'the stream "orders" is not supported' in outcome.log
    assert outcome.states == []


def test_an_entry_without_an_id_is_a_reject_and_the_others_cross(linked, box):
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000001")
    without_id = {"type": "RECORD", "stream": "customers", "record": {"Name": "Uten id"}}

    linked.run(without_id, *linked.entries("customers"), ends_with=3)

    assert box.shop.record("customers", "1001")["phone"] == "+4790000001"
    (reason,) = linked.open_ones().values()
    assert "no id" in reason
    assert "give it one in Go, then acknowledge this" in reason


@pytest.mark.parametrize("line", ["{oops", "[]", '{"type": "RECORD"}', "null"])
def test_garbage_ends_the_run_without_a_traceback_and_is_not_quoted(linked, line):
    config = linked.ledger.folder / "back.json"
    config.write_text(json.dumps(linked.config()), encoding="utf-8")
    ended = commands.run_here("target-customwebshop", "--config", config, given=line + "\n")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "oops" not in ended.stderr


def test_a_member_that_the_tap_leaves_out_is_not_compared(linked, box):
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000001", EmailAddress="ny@example.no")
    entries = linked.entries("customers")
    for entry in entries:
        del entry["record"]["EmailAddress"]
        del entry["record"]["MailAddress"]

    linked.run(*entries)

    record = box.shop.record("customers", "1001")
    assert (record["phone"], record["email"]) == ("+4790000001", "kari@example.no")
    assert record["addresses"][0]["city"] == "Oslo"


def test_the_meltano_test_stream_is_accepted_without_a_write(linked):
    outcome = linked.run({"type": "RECORD", "stream": "meltano_test_stream", "record": {"id": 1}})
    assert (outcome.status, outcome.writes) == (0, [])


def test_summary_and_warnings_are_logged_under_its_own_name(linked, box, caplog):
    box.shop.edit("customers", "1001", {"phone": "+4790000002"})
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000001")

    with caplog.at_level(logging.INFO):
        linked.back()

    for text in ("both sides changed", "run summary"):
        names = {record.name for record in caplog.records if text in record.getMessage()}
        assert names == {"target-customwebshop"}


@pytest.mark.slow
def test_it_prints_its_version_and_help():
    for option in ("--version", "--help", "--about"):
        ended = subprocess.run([SCRIPT, option], capture_output=True, text=True, check=False)
        assert ended.returncode == 0
        assert "target-customwebshop" in ended.stdout


@pytest.mark.parametrize(
    ("dry_run", "expected"),
    [
        (False, "This run writes to the shop at "),
        (True, "This run only plans: nothing is written to the shop"),
    ],
)
def test_a_run_logs_first_whether_it_writes(linked, dry_run, expected):
    assert linked.run(dry_run=dry_run).log.splitlines()[1].startswith(expected)
