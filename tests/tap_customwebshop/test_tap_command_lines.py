"""How both taps report unusable settings, files and output: in one clear line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import commands
import pytest
from go_sandbox import Sandbox

USABLE = {
    "tap-customwebshop": {"api_url": "http://127.0.0.1:9", "auth_token": "hemmelig"},
    "tap-powerofficego": {
        "environment": "demo",
        "application_key": "hemmelig-1",
        "client_key": "hemmelig-2",
        "subscription_key": "hemmelig-3",
    },
}
STREAMS = {
    "tap-customwebshop": ["customers", "products", "orders"],
    "tap-powerofficego": [
        *("customers", "products", "salesorders", "outgoing_invoices"),
        *("contact_persons", "delivery_addresses", "product_groups", "vat_codes"),
    ],
}


@pytest.fixture(params=USABLE)
def tap(request):
    return request.param


@pytest.fixture
def config(tap, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(USABLE[tap]), encoding="utf-8")
    return path


def assert_one_line(ended, message):
    """Assert that a command failed with this line, printed nothing and showed no secret."""
    assert (ended.returncode, ended.stdout or "") == (1, "")
    assert message in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
    assert "hemmelig" not in ended.stderr


@pytest.mark.parametrize("arguments", [(), ("--test",)])
def test_wrong_settings_end_the_command_without_a_traceback(tap, config, arguments):
    config.write_text(json.dumps({**USABLE[tap], "pagesize": 5}), encoding="utf-8")
    ended = commands.run(tap, *arguments, "--config", config)
    assert_one_line(ended, "There is no setting 'pagesize'")


NOT_A_STATE = "--state: the file is not a state"
NOT_A_CATALOG = "--catalog: the file is not a catalog: give what --discover prints"


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        *(
            ("--state", text, NOT_A_STATE)
            for text in (
                *("", "[]", '{"bookmarks": {', '{"bookmarks": []}'),
                '{"bookmarks": {"customers": null}}',
                '{"bookmarks": {"customers": {"partitions": 5}}}',
            )
        ),
        *(
            ("--catalog", text, NOT_A_CATALOG)
            for text in ("", "[]", "{", '{"streams": 1}', '{"streams": [{}]}')
        ),
    ],
)
def test_a_file_that_is_not_a_state_or_a_catalog_is_a_one_line_error(
    tap, config, tmp_path, option, text, message
):
    (tmp_path / "file.json").write_text(text)
    ended = commands.run_here(tap, option, tmp_path / "file.json", "--config", config)
    assert_one_line(ended, message)


@pytest.mark.parametrize("text", [None, "{"])
def test_a_missing_or_broken_config_file_is_a_one_line_error(tap, config, text):
    config.unlink()
    if text is not None:
        config.write_text(text)
    ended = commands.run_here(tap, "--config", config)
    assert_one_line(ended, "--config: ")
    assert str(config) in ended.stderr


def test_discovery_needs_no_settings_and_describes_every_field(tap):
    streams = json.loads(commands.run(tap, "--discover").stdout)["streams"]
    assert [stream["stream"] for stream in streams] == STREAMS[tap]
    for stream in streams:
        fields = list(stream["schema"]["properties"].values())
        for field in fields:
            assert field["description"]
            fields.extend(field.get("items", field).get("properties", {}).values())


@pytest.mark.slow
def test_records_on_a_full_disk_are_one_line_errors(tap, config):
    with Sandbox.start() as box:
        for number in range(300):
            box.shop.put("customers", {"id": f"{number}", "note": "x" * 100})
            box.go.create("Customers", {"IsPerson": False, "Name": f"Fjell {number} AS"})
        go = box.target_config(requests_per_second=100)
        del go["shop_name"]
        settings = {"tap-customwebshop": box.tap_config(), "tap-powerofficego": go}[tap]
        config.write_text(json.dumps(settings), encoding="utf-8")
        command = [sys.executable, "-m", tap.replace("-", "_"), "--config", config]
        with Path("/dev/full").open("w") as full:
            ended = subprocess.run(
                command, stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
    assert_one_line(ended, "The output cannot be written: No space left on device.")
