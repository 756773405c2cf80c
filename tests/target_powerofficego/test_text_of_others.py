"""Text from the shop or Go controls no terminal, forges no line and is shown in full."""

import io
import json
import logging
import subprocess
import sys
import unicodedata

import pytest
from click.testing import CliRunner
from singer_sdk.logging import ConsoleFormatter
from target_powerofficego.links_command import main
from target_powerofficego.plugin.plain_text import plain
from target_powerofficego.target import TargetPowerOfficeGo

CONTROLS = "\x1b[2J \x9b31m \u202egnp\u202c \u2066x\u2069 \r\nforged"
NAME = "Kari [/b] [rea] [link=x]Y[/link] :smile:"


def has_controls(text):
    """Return whether a text has characters that a terminal acts upon, apart from line breaks."""
    return any(unicodedata.category(letter) in ("Cc", "Cf") for letter in text.replace("\n", ""))


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_plan_shows_names_as_they_are(ledger, customer, monkeypatch, is_terminal):
    if is_terminal:
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
        monkeypatch.setenv("TERM", "dumb")  # no colours: any control characters are not the table's
    person = customer(id=f"1{CONTROLS}", first_name=NAME, last_name="Hansen\u202e")

    outcome = ledger.run(person, dry_run=True, ends_with=0)

    assert [word for word in (*NAME.split(), "Hansen") if word not in outcome.log] == []
    assert not has_controls(outcome.log)


def test_text_of_go_is_plain_in_the_log(ledger, box, customer):
    body = {"title": CONTROLS, "detail": ""}
    box.faults.add(system="go", method="POST", path="/customers$", status=403, body=body)

    outcome = ledger.command(customer(), ends_with=1)

    assert plain(" ".join(CONTROLS.split())) in outcome.log
    assert not has_controls(outcome.log)


@pytest.mark.parametrize(
    "words",
    [
        ["rejects"],
        ["rejects", "--format", "json"],
        ["acknowledge", "1"],
        ["acknowledge", "1", "--format", "json"],
        ["export"],
        ["unlink", "customers", CONTROLS, "--yes"],
    ],
)
def test_the_links_command_shows_text_of_records_plainly(ledger, customer, words):
    ledger.run(customer(id=f"1{CONTROLS}", email=f"none{CONTROLS}"))

    output = CliRunner().invoke(main, ["--link-store", str(ledger.link_store), *words]).output

    assert "forged" in output
    assert not has_controls(output)
    assert "\nforged" not in output
    if "json" in words:
        assert json.loads(output)["shop_id"] == f"1{CONTROLS}"


@pytest.mark.parametrize("formatter", [logging.Formatter(), ConsoleFormatter()])
@pytest.mark.parametrize("is_chained", [False, True])
def test_a_traceback_with_text_of_others_is_plain_and_forges_no_line(formatter, is_chained):
    log = io.StringIO()
    logger = logging.getLogger("test.plain")
    handler = logging.StreamHandler(log)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    TargetPowerOfficeGo.get_singer_command()
    try:
        try:
            raise ValueError(CONTROLS)
        except ValueError as error:
            raise (KeyError(CONTROLS) if is_chained else error) from None if is_chained else error
    except (ValueError, KeyError):
        logger.exception("a record: %s", CONTROLS)
    finally:
        logger.removeHandler(handler)

    output = log.getvalue()
    assert "Traceback" in output
    assert "forged" in output
    assert not has_controls(output)
    assert "\nforged" not in output


PROGRAM = """
import sys
from {module} import {main} as main
def fail(*_, **__):
    raise LookupError({text!r})
{patch}
sys.exit(main(["check"]) if "links" in {module!r} else main([]))
"""


@pytest.mark.parametrize(
    ("module", "main", "patch"),
    [
        (
            "target_powerofficego.links_command",
            "main",
            "import target_powerofficego.links_command.check as c; c.open_store = fail",
        ),
        (
            "tap_customwebshop.tap",
            "TapCustomWebShop",
            "main = main.cli; main.callback = fail",
        ),
    ],
)
def test_an_unexpected_exception_ends_a_command_with_plain_text(module, main, patch):
    program = PROGRAM.format(module=module, main=main, patch=patch, text=CONTROLS)
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert "LookupError" in ended.stderr
    assert not has_controls(ended.stderr)
    assert "\nforged" not in ended.stderr
