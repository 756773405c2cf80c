"""The target as a Singer plug-in: streams, messages and command line."""

import json
import os

import commands
import pytest


def command(*arguments, text="", **variables):
    return commands.run(
        "target-powerofficego", *arguments, given=text, env={**os.environ, **variables}
    )


def run_by_variables(ledger, text, **settings):
    """Run the command with the settings of the ledger, and these, as environment variables."""
    values = {**{name.upper(): str(value) for name, value in ledger.config().items()}, **settings}
    variables = {f"TARGET_POWEROFFICEGO_{name}": value for name, value in values.items()}
    return command("--config", "ENV", text=text, **variables)


def schema(stream, properties):
    return {
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"type": "object", "properties": properties},
        "key_properties": ["id"],
    }


@pytest.mark.parametrize("name", ["customers", "Customers", "CUSTOMER", "customer"])
def test_a_stream_name_is_accepted_in_any_case_singular_or_plural(
    ledger, box, customer, message, name
):
    assert ledger.run(message(customer(), stream=name)).status == 0
    assert len(box.go.entries("Customers")) == 1


def test_an_unsupported_stream_is_reported(ledger, customer, message):
    outcome = ledger.run(customer(), message({"id": "1"}, stream="refunds"), ends_with=1)
    assert 'the stream "refunds" is not supported' in outcome.log
    assert outcome.states == []


def test_a_stream_can_be_renamed_and_changed_by_stream_maps(ledger, box, customer, message):
    maps = {"buyers": {"__alias__": "customers", "phone": "'+4799999999'", "note": "note"}}
    declared = schema("buyers", {name: {"type": ["string", "null"]} for name in customer()})
    record = message(customer(), stream="buyers")

    assert ledger.run(declared, record, stream_maps=maps).status == 0

    (entry,) = box.go.entries("Customers")
    assert entry["PhoneNumber"] == "+4799999999"
    assert entry["LastName"] == "Nordmann"


def test_meltanos_test_stream_is_accepted_without_a_write(ledger, box, message):
    box.go.create("Customers", {"Name": "Gammel AS"})
    outcome = ledger.run(
        message({"id": "test"}, stream="meltano_test_stream"), first_run="plan", ends_with=0
    )
    assert outcome.writes == []
    assert "nothing was written" in outcome.log


def test_batch_messages_are_refused_in_one_line(ledger, customer):
    batch = {
        "type": "BATCH",
        "stream": "customers",
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "manifest": ["file:///nowhere"],
    }
    outcome = ledger.command(customer(), batch, ends_with=1)
    assert "BATCH messages are not supported" in outcome.log
    assert "Traceback" not in outcome.log


def test_activate_version_archives_nothing(ledger, box, customer):
    version = {"type": "ACTIVATE_VERSION", "stream": "customers", "version": 7}
    ledger.run(customer(), version, ends_with=0)
    assert ledger.run(customer(id="2", email="b@example.no"), version).status == 0
    assert [entry["IsArchived"] for entry in box.go.entries("Customers")] == [False, False]


def test_a_schema_that_changes_midway_does_not_change_the_order_of_records(
    ledger, box, customer, message
):
    ledger.run(
        schema("customers", {"id": {}}),
        message(customer(phone="+4711111111")),
        schema("customers", {"id": {}, "phone": {}}),
        message(customer(phone="+4722222222")),
        ends_with=0,
    )
    assert [entry["PhoneNumber"] for entry in box.go.entries("Customers")] == ["+4722222222"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"type": "RECORD", "stream": "customers", "record": {"id": "1"}}\n', "schema"),
        ('{"type": "RECORD", "stream": "customers", "rec\n', "line 1"),
        ('{"stream": "customers"}\n', "lacks type"),
        ('["RECORD"]\n', "line"),
        ('{"type": "NEWS"}\n', "line 1"),
        ('{"type": "SCHEMA", "stream": "customers"}\n', "schema"),
    ],
)
def test_a_line_that_is_not_a_message_is_reported_in_one_line(ledger, box, text, error):
    outcome = ledger.command_on(text)
    (line,) = [line for line in outcome.log.splitlines() if "| ERROR" in line]
    assert outcome.status == 1
    assert error in line
    assert "Traceback" not in outcome.log
    assert box.requests.writes() == []


def test_all_settings_can_come_from_the_environment(ledger, box, lines_of, customer, product):
    ended = run_by_variables(
        ledger,
        lines_of(customer(), product()),
        SALES_ACCOUNTS='{"25": 3000}',
        ORDER_STATUSES='["processing"]',
        WRITE_REFERENCES="false",
        FULL_CHECK_HOURS="12.5",
        CLOCK_MARGIN="60",
    )

    assert ended.returncode == 0, ended.stderr
    (account,) = [
        entry["Id"]
        for entry in box.go.entries("GeneralLedgerAccounts")
        if entry["AccountNo"] == 3000
    ]
    assert [entry["StandardSalesAccountId"] for entry in box.go.entries("Products")] == [account]


@pytest.mark.parametrize("value", ["ja", "true "])
def test_with_an_invalid_value_of_dry_run_nothing_is_written(
    ledger, box, lines_of, customer, value
):
    ended = run_by_variables(ledger, lines_of(customer()), DRY_RUN=value)

    assert ended.returncode == 1
    assert box.requests.all() == []


def test_about_lists_every_setting_and_marks_the_secrets():
    about = json.loads(command("--about", "--format=json").stdout)
    settings = about["settings"]["properties"]
    secrets = {name for name, setting in settings.items() if setting.get("secret")}
    assert secrets == {"application_key", "client_key", "subscription_key", "notify"}
    assert {"sales_accounts", "first_run", "stream_maps"} <= set(settings)
    assert "load_method" not in settings
    assert "| link_store |" in command("--about", "--format=markdown").stdout


def test_version_and_help_are_printed():
    assert "target-powerofficego v" in command("--version").stdout
    assert "--config" in command("--help").stdout


@pytest.mark.parametrize("text", ["{", '{"dry_run": true,}'])
def test_a_config_file_that_is_not_json_is_named(tmp_path, text):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text("{}")
    bad.write_text(text)

    ended = command("--config", str(good), "--config", str(bad))

    assert ended.returncode == 1
    assert f"--config: {bad} does not contain settings as JSON" in ended.stderr
    assert str(good) not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_any_config_the_error_reports_that_none_was_given():
    ended = command()

    assert ended.returncode == 1
    assert "no settings were given: name their file with --config FILE" in ended.stderr
    assert "missing" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_config_file_is_reported_without_a_traceback():
    ended = command("--config", "nowhere.json")
    assert ended.returncode != 0
    assert "nowhere.json" in ended.stderr
    assert "Traceback" not in ended.stderr
