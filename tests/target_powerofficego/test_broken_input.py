"""Input that is not a Singer stream ends the run with one line that quotes none of it."""

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
    "not JSON": ("Hemmelig", NOT_A_MESSAGE),
    "not an object": ('["Hemmelig"]', NOT_A_MESSAGE),
    "nested too deep and cut": ("[" * 100_000, NOT_A_MESSAGE),
    "not an object, nested too deep": ("[" * 100_000 + "]" * 100_000, NOT_A_MESSAGE),
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
    "not a JSON schema": (
        '{"type": "SCHEMA", "stream": "orders", "schema": {"properties": {"id": {"type": "x"}}}}',
        'the SCHEMA of the stream "orders" in the input is not a JSON schema',
    ),
    "stream is a number": (
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
    "properties in a list": (
        '{"type": "SCHEMA", "stream": "orders", "schema": {"properties": ["Hemmelig"]}}',
        "a record, schema or state of the input is not a JSON object",
    ),
    "schema nested too deep": (
        '{"type": "SCHEMA", "stream": "orders", "schema": {"properties": {"id": '
        + '{"items":' * 900
        + "{}"
        + "}" * 900
        + "}}}",
        'the SCHEMA of the stream "orders" in the input is not a JSON schema',
    ),
    "state in a list": (
        '{"type": "STATE", "value": ["Hemmelig"]}',
        "a record, schema or state of the input is not a JSON object",
    ),
    "record before schema": (
        '{"type": "RECORD", "stream": "orders", "record": {"name": "Hemmelig"}}',
        "A record for stream 'orders' was encountered before a corresponding schema.",
    ),
}


@pytest.mark.parametrize(("broken", "error"), BROKEN.values(), ids=BROKEN)
def test_input_that_is_not_a_singer_stream_gives_one_line_that_quotes_none_of_it(
    ledger, box, customer, lines_of, caplog, capsys, broken, error
):
    good = lines_of(customer(), {"type": "STATE", "value": {"read": 1}}).splitlines()
    text = "\n".join([*good[:2], broken, *good[2:]]) + "\n"

    status = TargetPowerOfficeGo(config=ledger.config()).run(io.StringIO(text))

    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert status == 1
    assert error in line
    assert "Hemmelig" not in caplog.text
    assert capsys.readouterr().out == ""


def test_records_before_a_broken_line_are_in_go_if_their_state_was_printed(
    ledger, box, customer, lines_of, capsys
):
    text = lines_of(customer(), {"type": "STATE", "value": {"read": 1}}) + "Traceback: boom\n"

    assert TargetPowerOfficeGo(config=ledger.config()).run(io.StringIO(text)) == 1

    states = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    landed = len(box.go.entries("Customers"))
    assert (landed, states) in [(1, [{"read": 1}]), (1, []), (0, [])]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_input_that_is_not_utf_8_gives_one_line(ledger, lines_of, customer, locale):
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


def test_a_reader_of_states_that_stops_reading_ends_the_run_with_one_line(
    ledger, box, customer, lines_of
):
    running = ledger.start()
    running.stdout.close()
    running.stdin.write(lines_of(customer()))
    running.stdin.close()

    with running.stderr:
        log = running.stderr.read()
    (error,) = [line for line in log.splitlines() if "| ERROR" in line]

    assert running.wait(timeout=20) == 1
    assert "Traceback" not in log
    assert "the reader of this run's states has stopped reading" in error
    assert len(box.go.entries("Customers")) == 1


ODD = (None, 5, 1.5, "", "Hemmelig", ["Hemmelig"], {"Hemmelig": 1}, 10**400)


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("member", ["time_extracted", "version", "key_properties", "value"])
def test_odd_values_of_other_members_of_messages_stop_nothing(
    ledger, box, customer, message, lines_of, member, odd
):
    schema = json.loads(lines_of(customer()).splitlines()[0])
    extra = {
        "key_properties": [{**schema, "key_properties": odd}],
        "value": [{"type": "ACTIVATE_VERSION", "stream": "customers", "version": odd}],
    }
    record = {**message(customer()), member: odd}

    outcome = ledger.run(schema, *extra.get(member, ()), record, fail_on="never", ends_with=0)

    assert outcome.count("customers", "created") == 1
    assert "Hemmelig" not in outcome.log


def test_a_target_with_standard_input_closed_ends_with_an_error(ledger):
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
