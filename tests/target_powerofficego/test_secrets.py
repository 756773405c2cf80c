"""No key, token or personal data is in any log at any level, nor among the states."""

import re

import pytest

PERSONAL = (
    "Nordmann",
    "Kari",
    "example.no",
    "91234567",
    "98765432",
    "90000000",
    "Storgata",
    "Hemmelig",
    "923609016",
    "Fjord og Fjell",
)


@pytest.fixture(autouse=True)
def _everything_is_logged(monkeypatch):
    monkeypatch.setenv("LOGLEVEL", "DEBUG")
    monkeypatch.setenv("TARGET_POWEROFFICEGO_LOGLEVEL", "DEBUG")


def check(outcome, box, *, status):
    text = outcome.log + str(outcome.states)
    assert outcome.status == status, text
    assert [word for word in PERSONAL if word in text] == []
    keys = (box.go.application_key, box.go.client_key, box.go.subscription_key)
    assert [key for key in keys if key in text] == []
    assert re.findall(r"Bearer|eyJ|Basic [A-Za-z0-9]", text) == []


def test_nothing_is_shown_of_creates_edits_rejects_and_conflicts(
    ledger, box, customer, company, product, order
):
    bad = customer(id="7", email="Hemmelig Kari")
    twin = customer(id="8")
    check(ledger.command(customer(), company(), twin, bad, product(), order()), box, status=3)
    (kari,) = [entry for entry in box.go.entries("Customers") if entry["FirstName"] == "Kari"]
    box.go.edit("Customers", kari["Id"], {"PhoneNumber": "+4790000000"})
    check(ledger.command(customer(phone="+4798765432"), fail_on="never"), box, status=0)


def test_nothing_is_shown_of_refusals_and_lost_answers(ledger, box, customer, company):
    box.faults.add(
        system="go",
        method="POST",
        path="/customers$",
        status=400,
        body='{"title": "Customer validation error(s)", "detail": "Kari Nordmann is known"}',
    )
    box.faults.add(system="go", method="POST", path="/customers$", reset="after", skip=1)
    check(ledger.command(customer(), company(), workers=1), box, status=3)


def test_nothing_is_shown_of_orders_guests_and_holds(
    ledger, box, customer, company, product, order, guest_order
):
    for name in ("Fjord og Fjell", "Fjord og Fjell AS"):  # both could be the company
        box.go.create(
            "Customers", {"IsPerson": False, "Name": name, "OrganizationNumber": "923609016"}
        )
    box.faults.add(
        method="POST",
        path="/salesorders/complete$",
        status=400,
        body={"title": "Validation", "detail": "Kari Nordmann, Storgata 1 has no credit"},
    )
    records = [customer(), company(), product(), order(), guest_order(id="9002", number="9002")]
    check(ledger.command(*records, workers=1), box, status=3)
    assert {record.kind for record in ledger.unsettled()} == {"reject", "hold"}


def test_broken_input_is_not_shown(ledger, box, lines_of, customer):
    text = lines_of(customer())
    broken = text.replace('"Nordmann"', '"Nordmann')
    outcome = ledger.command_on(broken)
    assert outcome.status == 1
    assert [word for word in PERSONAL if word in f"{outcome.log} {outcome.states}"] == []
    assert "Traceback" not in outcome.log


def test_wrong_keys_are_not_shown(ledger, box):
    outcome = ledger.command(client_key="a-very-secret-key", ends_with=1)
    assert "a-very-secret-key" not in outcome.log
