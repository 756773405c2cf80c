"""Invalid input ends the way back with one line that quotes none of it; so does a full disk."""

import io
import json
import subprocess
from pathlib import Path

import commands
import pytest
from both_ways import singer_lines
from target_customwebshop.target import TargetCustomWebShop

BROKEN = (
    '{"type": ["RECORD"], "stream": "customers", "record": {"Name": "Hemmelig"}}',
    '{"type": {"Hemmelig": 1}}',
    '{"type": "RECORD", "stream": ["Hemmelig"], "record": {}}',
    '{"type": "RECORD", "stream": "customers", "record": "Hemmelig"}',
    '{"type": "SCHEMA", "stream": "customers", "schema": {"properties": ["Hemmelig"]}}',
    '{"type": "SCHEMA", "stream": "customers", "schema": {"properties": null}}',
    '{"type": "STATE", "value": "Hemmelig"}',
    '{"type": "BATCH", "stream": "customers", "encoding": {}, "manifest": ["Hemmelig"]}',
    '{"type": "ACTIVATE_VERSION", "stream": ["Hemmelig"], "version": 1}',
)
SCHEMA = {
    "type": "SCHEMA",
    "stream": "customers",
    "schema": {"properties": {"Id": {}}},
    "key_properties": [],
}


@pytest.mark.parametrize("broken", BROKEN)
def test_invalid_input_ends_the_run_with_one_error_that_quotes_none_of_it(linked, caplog, broken):
    text = f"{json.dumps(SCHEMA)}\n{broken}\n"
    linked.box.requests.clear()
    caplog.clear()

    status = TargetCustomWebShop(config=linked.config()).run(io.StringIO(text))

    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert status == 1
    assert len(errors) == 1
    assert "Hemmelig" not in caplog.text
    assert {request.method for request in linked.box.requests.all()} <= {"GET"}


def test_a_full_disk_for_states_and_changes_ends_the_run_after_the_edit_has_crossed(
    linked, tmp_path
):
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000001")
    path = tmp_path / "config.json"
    path.write_text(json.dumps(linked.config(changes_file="/dev/full")))
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [commands.script("target-customwebshop"), "--config", path],
            input=singer_lines(linked.entries("customers")),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "the states of this run cannot be written (No space left on device)" in ended.stderr
    assert linked.box.shop.record("customers", "1001")["phone"] == "+4790000001"
    assert linked.back().writes == []
