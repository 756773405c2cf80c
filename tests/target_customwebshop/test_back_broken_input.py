"""Input of the way back that is not a Singer stream ends in one line that shows none of it."""

import io
import json
import subprocess
from pathlib import Path

import commands
import pytest
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
SCHEMA = {"type": "SCHEMA", "stream": "customers", "schema": {"properties": {"Id": {}}}}


@pytest.mark.parametrize("broken", BROKEN)
def test_input_that_is_no_singer_stream_is_one_line(linked, caplog, broken):
    text = f"{json.dumps({**SCHEMA, 'key_properties': []})}\n{broken}\n"
    seen = len(linked.box.requests.all())
    caplog.clear()

    status = TargetCustomWebShop(config=linked.config()).run(io.StringIO(text))

    errors = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert status == 1
    assert len(errors) == 1
    assert "Hemmelig" not in caplog.text
    assert [one for one in linked.box.requests.all()[seen:] if one.method != "GET"] == []


def test_states_and_changes_on_a_full_disk_are_one_line_each(linked, tmp_path):
    linked.box.go.edit(
        "Customers", linked.go_id("customers", "1001"), {"PhoneNumber": "+4790000001"}
    )
    lines = [json.dumps(one) for one in linked.entries("customers")]
    text = "\n".join(
        [
            json.dumps({**SCHEMA, "key_properties": []}),
            *lines,
            '{"type": "STATE", "value": {"a": 1}}',
        ]
    )
    path = tmp_path / "config.json"
    path.write_text(json.dumps(linked.config(changes_file="/dev/full")))
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [commands.script("target-customwebshop"), "--config", path],
            input=text,
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
