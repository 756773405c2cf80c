"""Input that is no Singer stream ends the run in one line that shows nothing of it."""

import io
import json
import os
import subprocess

import commands
import pytest
from target_powerofficego.target import TargetPowerOfficeGo

NOT_A_MESSAGE = "line 3 of the input is not a Singer message (a JSON object)"
BROKEN = {
    "half a line": ('{"type": "RECORD", "record": {"name": "Hemmelig"', NOT_A_MESSAGE),
    "no JSON": ("Hemmelig", NOT_A_MESSAGE),
    "no object": ('["Hemmelig"]', NOT_A_MESSAGE),
    "nested too deep and cut": ("[" * 100_000, NOT_A_MESSAGE),
    "no object, nested too deep": ("[" * 100_000 + "]" * 100_000, NOT_A_MESSAGE),
    "no type": ('{"record": "Hemmelig"}', "a message or schema of the input lacks type"),
    "unknown type": ('{"type": "Hemmelig"}', "line 3 of the input is not a message of a kind"),
    "no stream": ('{"type": "RECORD", "record": {}}', "a RECORD of the input lacks stream"),
    "no record": (
        '{"type": "RECORD", "stream": "customers", "record": "Hemmelig"}',
        "a record, schema or state of the input is not a JSON object",
    ),
    "no properties": (
        '{"type": "SCHEMA", "stream": "orders", "schema": {}}',
        "lacks properties",
    ),
    "no schema": (
        '{"type": "SCHEMA", "stream": "orders", "schema": {"properties": {"id": {"type": "x"}}}}',
        'the SCHEMA of the stream "orders" in the input is not a JSON schema',
    ),
    "no stream name": (
        '{"type": "SCHEMA", "stream": 5, "schema": {"properties": {}}}',
        "the stream of the message in line 3 of the input is not text",
    ),
    "type in a list": (
        '{"type": ["RECORD"], "stream": "customers", "record": {"name": "Hemmelig"}}',
        "the type of the message in line 3 of the input is not text",
    ),
    "type is an object": (
        '{"type": {"Hemmelig": 1}}',
        "the type of the message in line 3 of the input is not text",
    ),
    "record of a stream in a list": (
        '{"type": "RECORD", "stream": ["Hemmelig"], "record": {}}',
        "the stream of the message in line 3 of the input is not text",
    ),
    "batch of an odd stream": (
        '{"type": "BATCH", "stream": {"Hemmelig": 1}, "encoding": [], "manifest": {}}',
        "the stream of the message in line 3 of the input is not text",
    ),
    "batch": (
        '{"type": "BATCH", "stream": "customers", "encoding": 5, "manifest": "Hemmelig"}',
        "BATCH messages are not supported (stream customers); send RECORDs",
    ),
    "version of an odd stream": (
        '{"type": "ACTIVATE_VERSION", "stream": 5, "version": "Hemmelig"}',
        "the stream of the message in line 3 of the input is not text",
    ),
    "properties that are none": (
        '{"type": "SCHEMA", "stream": "orders", "schema": {"properties": ["Hemmelig"]}}',
        "a record, schema or state of the input is not a JSON object",
    ),
    "schema without end": (
        '{"type": "SCHEMA", "stream": "orders", "schema": {"properties": {"id": '
        + '{"items":' * 900
        + "{}"
        + "}" * 900
        + "}}}",
        'the SCHEMA of the stream "orders" in the input is not a JSON schema',
    ),
    "state that is none": (
        '{"type": "STATE", "value": ["Hemmelig"]}',
        "a record, schema or state of the input is not a JSON object",
    ),
    "record before schema": (
        '{"type": "RECORD", "stream": "orders", "record": {"name": "Hemmelig"}}',
        "A record for stream 'orders' was encountered before a corresponding schema.",
    ),
}


@pytest.mark.parametrize(("broken", "told"), BROKEN.values(), ids=BROKEN)
def test_input_that_is_no_singer_stream_is_one_line_that_shows_none_of_it(
    ledger, box, customer, lines_of, caplog, capsys, broken, told
):
    good = lines_of(customer(), {"type": "STATE", "value": {"read": 1}}).splitlines()
    text = "\n".join([*good[:2], broken, *good[2:]]) + "\n"

    status = TargetPowerOfficeGo(config=ledger.config()).run(io.StringIO(text))

    errors = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert status == 1
    assert len(errors) == 1
    assert told in errors[0]
    assert "Hemmelig" not in caplog.text
    assert capsys.readouterr().out == ""


def test_what_came_before_a_broken_line_is_in_go_with_its_state(
    ledger, box, customer, lines_of, capsys
):
    text = lines_of(customer(), {"type": "STATE", "value": {"read": 1}}) + "Traceback: boom\n"

    assert TargetPowerOfficeGo(config=ledger.config()).run(io.StringIO(text)) == 1

    states = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    landed = len(box.go.entries("Customers"))
    assert (landed, states) in [(1, [{"read": 1}]), (1, []), (0, [])]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_input_that_is_not_utf_8_is_one_line(ledger, lines_of, customer, locale):
    name, *arguments = ledger.command_line()
    ended = subprocess.run(
        [commands.script(name), *arguments],
        input=lines_of(customer()).encode() + b'{"type": "RECORD", "name": "\xe5se"}\n',
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": locale},
    )

    assert ended.returncode == 1
    assert b"the input is not UTF-8 text" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_empty_lines_and_empty_input_are_harmless(ledger, box, lines_of, customer):
    text = lines_of(customer()).replace("\n", "\n\n")
    assert TargetPowerOfficeGo(config=ledger.config()).run(io.StringIO(text)) == 0
    assert TargetPowerOfficeGo(config=ledger.config()).run(io.StringIO("")) == 0
    assert len(box.go.entries("Customers")) == 1


def test_a_reader_of_states_that_goes_away_ends_the_run_in_one_line(
    ledger, box, customer, lines_of
):
    running = ledger.start()
    running.stdout.close()
    running.stdin.write(lines_of(customer()))
    running.stdin.close()

    with running.stderr:
        told = running.stderr.read()
    errors = [line for line in told.splitlines() if "| ERROR" in line]

    assert running.wait(timeout=20) == 1
    assert len(errors) == 1
    assert "Traceback" not in told
    assert "the reader of this run's states has stopped reading" in errors[0]
    assert len(box.go.entries("Customers")) == 1


ODD = (None, 5, 1.5, "", "Hemmelig", ["Hemmelig"], {"Hemmelig": 1}, 10**400)


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("member", ["time_extracted", "version", "key_properties", "value"])
def test_what_else_a_message_says_oddly_stops_nothing(
    ledger, box, customer, message, lines_of, member, odd
):
    schema = json.loads(lines_of(customer()).splitlines()[0])
    told = {"key_properties": [{**schema, "key_properties": odd}]}
    told |= {"value": [{"type": "ACTIVATE_VERSION", "stream": "customers", "version": odd}]}
    record = {**message(customer()), member: odd}

    outcome = ledger.run(schema, *told.get(member, ()), record, fail_on="never", ends_with=0)

    assert outcome.count("customers", "created") == 1
    assert "Hemmelig" not in outcome.log


def test_a_target_without_an_input_says_so(ledger):
    name, *arguments = ledger.command_line()
    ended = subprocess.run(
        [commands.script(name), *arguments],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.close(0),
    )

    assert ended.returncode == 1
    assert "standard input is closed, so there is nothing to read" in ended.stderr
    assert "Traceback" not in ended.stderr
