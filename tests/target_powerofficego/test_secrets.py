"""No key, token or personal data is in the log at any level, or in a STATE."""

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


def assert_no_secrets(outcome, box, *, status):
    text = outcome.log + str(outcome.states)
    assert outcome.status == status, text
    keys = (box.go.application_key, box.go.client_key, box.go.subscription_key)
    assert [value for value in (*PERSONAL, *keys) if value in text] == []
    assert re.findall(r"Bearer|eyJ|Basic [A-Za-z0-9]", text) == []


def test_creates_edits_rejects_and_conflicts_are_logged_without_secrets(
    ledger, box, customer, company, product, order
):
    invalid = customer(id="7", email="Hemmelig Kari")
    customers = [customer(), company(), customer(id="8"), invalid]
    assert_no_secrets(ledger.command(*customers, product(), order()), box, status=3)
    (entry,) = [entry for entry in box.go.entries("Customers") if entry["FirstName"] == "Kari"]
    box.go.edit("Customers", entry["Id"], {"PhoneNumber": "+4790000000"})
    outcome = ledger.command(customer(phone="+4798765432"), fail_on="never")
    assert_no_secrets(outcome, box, status=0)


def test_refusals_and_lost_answers_are_logged_without_secrets(ledger, box, customer, company):
    box.faults.add(
        system="go",
        method="POST",
        path="/customers$",
        status=400,
        body='{"title": "Customer validation error(s)", "detail": "Kari Nordmann is known"}',
    )
    box.faults.add(system="go", method="POST", path="/customers$", reset="after", skip=1)
    assert_no_secrets(ledger.command(customer(), company(), workers=1), box, status=3)


def test_orders_guests_and_holds_are_logged_without_secrets(
    ledger, box, customer, company, product, order, guest_order
):
    for name in ("Fjord og Fjell", "Fjord og Fjell AS"):  # both match the company
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
    assert_no_secrets(ledger.command(*records, workers=1), box, status=3)
    assert {record.kind for record in ledger.unsettled()} == {"reject", "hold"}


def test_invalid_input_is_logged_without_secrets(ledger, box, lines_of, customer):
    outcome = ledger.command_on(lines_of(customer()).replace('"Nordmann"', '"Nordmann'))
    assert_no_secrets(outcome, box, status=1)
    assert "Traceback" not in outcome.log


def test_a_wrong_key_is_not_logged(ledger):
    outcome = ledger.command(client_key="a-very-secret-key", ends_with=1)
    assert "a-very-secret-key" not in outcome.log
