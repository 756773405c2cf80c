"""The tap as a plugin: command line, settings, documents and the SDK's own tests."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import taps
import yaml
from go_sandbox import Sandbox
from members import assert_members
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.testing import get_tap_test_class
from tap_customwebshop.tap import TapCustomWebShop

TAP = "tap-customwebshop"
PACKAGE = Path(__file__).parents[2] / "tap-customwebshop"

sdk_config = {"api_url": "http://127.0.0.1:9", "auth_token": "not-a-real-token"}


def full_record(stream, key):
    schema = TapCustomWebShop(config=dict(sdk_config)).streams[stream].schema
    values = {"boolean": True, "array": [], "object": {}}
    record = {
        name: values.get(
            field["type"][0], "2026-01-01" if "date" in field.get("format", "") else "1"
        )
        for name, field in schema["properties"].items()
    }
    stamps = [
        name for name, field in schema["properties"].items() if field.get("format") == "date-time"
    ]
    return {**record, **dict.fromkeys(stamps, f"2026-01-0{key}T08:00:00.000000Z"), "id": key}


class TestBySDK(get_tap_test_class(TapCustomWebShop, config=sdk_config)):  # type: ignore[misc]
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def shop(cls):
        with Sandbox.start() as box:
            sdk_config.update(box.tap_config())
            for stream in ("customers", "products", "orders"):
                for key in ("1", "2", "3"):
                    box.shop.put(stream, full_record(stream, key))
            yield box


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"pagesize": 5}, "There is no setting 'pagesize'. Did you mean 'page_size'?"),
        ({"api_url": None}, "The setting 'api_url' is missing."),
        ({"api_url": "http://shop.example.com"}, "must begin with https://"),
        ({"api_url": "shop.example.com"}, "is not an address"),
        ({"api_url": "https://me:secret@shop.example.com"}, "user name or password"),
        ({"api_url": "https://@shop.example.com"}, "user name or password"),
        (
            {"api_url": "https://shop.example.com\\.evil.example"},
            "a character that addresses cannot have",
        ),
        ({"api_url": "https://shop.exam\nple.com"}, "a character that addresses cannot have"),
        ({"auth_token": 12345}, "The setting 'auth_token' must be text."),
        ({"auth_token": "se cret\n"}, "characters that a bearer token cannot have"),
        ({"page_size": 1001}, "The setting 'page_size' must be at most 1000."),
        ({"page_size": "many"}, "The setting 'page_size' must be a whole number."),
        ({"start_date": "soon"}, "The setting 'start_date' is not a date"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it_without_its_value(wrong, line):
    with pytest.raises(ConfigValidationError) as failure:
        TapCustomWebShop(config={**sdk_config, **wrong})
    (error,) = failure.value.errors
    assert line in error
    assert "secret" not in error
    assert "12345" not in error


@pytest.mark.parametrize(
    "api_url",
    ["https://shop.example.com/api/", "http://localhost:1", "http://127.8.8.8:1", "http://[::1]:1"],
)
def test_https_and_this_machine_are_accepted(api_url):
    tap = TapCustomWebShop(config={**sdk_config, "api_url": api_url})
    assert tap.config["api_url"] == api_url


def test_a_setting_that_is_null_has_its_default():
    tap = TapCustomWebShop(config={**sdk_config, "page_size": None, "start_date": None})
    assert tap.config["page_size"] == 500


def test_the_settings_that_the_sdk_adds_are_known():
    built_in = {"stream_maps": {}, "stream_map_config": {}, "flattening_enabled": False}
    tap = TapCustomWebShop(config={**sdk_config, **built_in, "faker_config": {"seed": "1"}})
    assert built_in.items() <= dict(tap.config).items()


@pytest.mark.parametrize("arguments", [(), ("--test",)])
def test_a_refusing_shop_ends_the_command_with_one_error_line(
    scripted_shop, config, answer, tmp_path, arguments
):
    scripted_shop.answers("customers", answer(status=401))
    ended = taps.run(TAP, *arguments, config=config, folder=tmp_path)
    message = "GET /customers: the shop answered 401"
    taps.assert_one_error(ended, message, secret=config["auth_token"])


@pytest.mark.parametrize("bookmark", ["x", "9999-12-31T23:59:59-14:00"])
def test_a_bookmark_that_is_not_a_timestamp_is_a_one_line_error(bookmark):
    state = {"bookmarks": {"orders": {"replication_key_value": bookmark}}}
    with pytest.raises(ConfigValidationError) as failure:
        TapCustomWebShop(config=dict(sdk_config), state=state)
    assert failure.value.errors == [
        "The state's bookmark of 'orders' is not a timestamp; correct or remove it."
    ]


def test_a_bookmark_that_the_shops_clock_has_not_reached_is_a_one_line_error(box, tmp_path):
    state = {"bookmarks": {"customers": {"replication_key_value": "9999-12-31T23:59:59Z"}}}
    (tmp_path / "state.json").write_text(json.dumps(state), encoding="utf-8")
    config = box.tap_config()
    ended = taps.run(TAP, "--state", tmp_path / "state.json", config=config, folder=tmp_path)
    message = "The state's bookmark of 'customers' lies in the future; correct or remove it."
    taps.assert_one_error(ended, message, secret=config["auth_token"])


def records_by_second(count, **fields):
    stamps = [f"2026-01-01T08:{n // 60:02d}:{n % 60:02d}.000000Z" for n in range(count)]
    return [{"id": stamp, "updated_at": stamp, **fields} for stamp in stamps]


def bookmark(line):
    return json.loads(line)["value"]["bookmarks"]["customers"]["replication_key_value"]


@pytest.mark.slow
def test_sigterm_ends_the_run_with_the_state_of_what_was_emitted(
    scripted_shop, config, answer, page, tmp_path
):
    records = records_by_second(3)
    endless = answer(b" " * 10_000, seconds_between_bytes=0.1)
    scripted_shop.answers("customers", page(records, "next"), endless)
    with taps.start("tap_customwebshop", config, tmp_path) as tap:
        assert tap.stdout
        for line in tap.stdout:
            if b'"RECORD"' in line and records[-1]["id"].encode() in line:
                break
        tap.send_signal(signal.SIGTERM)
        rest = tap.stdout.read().splitlines()
        assert tap.wait(30) == 0
    assert bookmark(rest[-1]) == records[-1]["id"]


def test_sigterm_while_the_pipe_is_full_breaks_no_line_and_the_state_is_not_ahead(
    scripted_shop, config, page, tmp_path
):
    scripted_shop.answers("customers", page(records_by_second(900, note="x" * 1000)))
    with taps.start("tap_customwebshop", config, tmp_path) as tap:
        assert tap.stdout
        while b'"RECORD"' not in tap.stdout.readline():
            pass
        tap.send_signal(signal.SIGTERM)
        lines = tap.stdout.read().splitlines()
        assert tap.wait(30) == 0
    messages = [json.loads(line) for line in lines]
    assert messages[-1]["type"] == "STATE"
    emitted = [message["record"]["id"] for message in messages if message["type"] == "RECORD"]
    assert bookmark(lines[-1]) in emitted[-2:]


def test_each_stream_is_keyed_by_id_and_replicated_by_updated_at():
    for stream in json.loads(taps.run(TAP, "--discover").stdout)["streams"]:
        assert_members(stream, key_properties=["id"], replication_key="updated_at")


def test_the_readme_has_the_settings_table_of_about():
    about = taps.run(TAP, "--about", "--format=markdown").stdout
    table = about[about.index("| Setting") : about.index("\n\nA full list")]
    assert table in (PACKAGE / "README.md").read_text(encoding="utf-8")


def test_the_hub_definition_has_the_settings_of_about():
    about = json.loads(taps.run(TAP, "--about", "--format=json").stdout)
    hub = yaml.safe_load((PACKAGE / "hub.yml").read_text(encoding="utf-8"))
    settings = {setting["name"]: setting for setting in hub["settings"]}
    declared = about["settings"]["properties"]
    assert list(settings) == list(declared)
    for name, setting in declared.items():
        assert_members(
            {"value": None, "sensitive": False, **settings[name]},
            label=setting["title"],
            description=setting["description"],
            value=setting.get("default"),
            sensitive=setting.get("secret", False),
        )
    assert_members(
        hub,
        capabilities=about["capabilities"],
        settings_group_validation=[about["settings"]["required"]],
        supported_python_versions=about["supported_python_versions"],
    )


@pytest.mark.parametrize("arguments", [(), ("--test",)])
def test_a_run_without_config_reports_that_none_was_given(arguments):
    ended = taps.run(TAP, *arguments)

    assert ended.returncode == 1
    assert "No settings were given: name their file with --config FILE" in ended.stderr
    assert "is missing" not in ended.stderr
    assert "Traceback" not in ended.stderr
