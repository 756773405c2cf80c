"""Text of the shop or of Go is text: it steers no terminal, forges no line and is shown whole."""

from __future__ import annotations

import json
import unicodedata

import pytest
from click.testing import CliRunner
from target_powerofficego.links_command import main
from target_powerofficego.plain_text import plain

STEERING = "\x1b[2J \x9b31m \u202egnp\u202c \u2066x\u2069 \r\nforged"
NAME = "Kari [/b] [rea] [link=x]Y[/link] :smile:"


def steers(text):
    """Return whether text has a character that a terminal acts upon, but for line breaks."""
    return any(unicodedata.category(one) in ("Cc", "Cf") for one in text.replace("\n", ""))


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_plan_shows_names_as_they_are(ledger, customer, monkeypatch, is_terminal):
    if is_terminal:
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
        monkeypatch.setenv("TERM", "dumb")  # no colours: whatever steers is not the table's own
    person = customer(id=f"1{STEERING}", first_name=NAME, last_name="Hansen\u202e")

    outcome = ledger.run(person, dry_run=True)

    assert outcome.status == 0
    assert [word for word in (*NAME.split(), "Hansen") if word not in outcome.log] == []
    assert not steers(outcome.log)


def test_gos_own_words_are_plain_in_the_log(ledger, box, customer):
    body = {"title": STEERING, "detail": ""}
    box.faults.add(system="go", method="POST", path="/customers$", status=403, body=body)

    outcome = ledger.command(customer())

    assert outcome.status == 1
    assert plain(" ".join(STEERING.split())) in outcome.log
    assert not steers(outcome.log)


@pytest.mark.parametrize(
    "words",
    [
        ["rejects"],
        ["rejects", "--format", "json"],
        ["acknowledge", "1"],
        ["acknowledge", "1", "--format", "json"],
        ["export"],
        ["unlink", "customers", STEERING, "--yes"],
    ],
)
def test_what_the_links_command_shows_of_a_record_is_plain(ledger, customer, words):
    ledger.run(customer(id=f"1{STEERING}", email=f"none{STEERING}"))

    told = CliRunner().invoke(main, ["--link-store", str(ledger.link_store), *words]).output

    assert "forged" in told
    assert not steers(told)
    assert "\nforged" not in told
    if "json" in words:
        assert json.loads(told)["shop_id"] == f"1{STEERING}"
