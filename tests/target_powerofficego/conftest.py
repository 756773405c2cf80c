"""`powerofficego-links` on the link store of the test's runs, a run under way, and a payment."""

from __future__ import annotations

import contextlib
import json

import pytest
from click.testing import CliRunner
from target_powerofficego.links_command import main
from target_powerofficego.target import TargetPowerOfficeGo


@pytest.fixture
def links(ledger):
    """Runs the command, with text as its input; returns its result."""

    def run(*words, text=None):
        line = ["--link-store", ledger.link_store, *words]
        return CliRunner().invoke(main, [str(word) for word in line], input=text)

    return run


@pytest.fixture
def listed(links):
    """Runs the command, which must succeed; returns what it printed."""

    def run(*words, text=None):
        result = links(*words, text=text)
        assert result.exit_code == 0, result.output
        return result.output

    return run


@pytest.fixture
def rows(listed):
    """Runs the command, which must succeed; returns its JSON lines."""

    def run(*words):
        return [json.loads(line) for line in listed("--format", "json", *words).splitlines()]

    return run


@pytest.fixture
def under_way(ledger):
    """Begins a run, and ends it at the end of the `with` block."""

    @contextlib.contextmanager
    def begin():
        target = TargetPowerOfficeGo(config=ledger.config())
        run = target.begin()
        try:
            yield run
        finally:
            target.process_endofpipe()
            run.close()

    return begin


@pytest.fixture
def payment():
    """A payment of 250 kr by Vipps."""
    return {
        "id": "p1",
        "method": "vipps",
        "status": "paid",
        "amount": "250.00",
        "paid_at": "2026-01-05T09:31:00Z",
    }
