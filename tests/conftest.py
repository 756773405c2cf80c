"""What all tests share: a sandbox, a ledger, both ways; and which of them share a process."""

from __future__ import annotations

import pytest

pytest_plugins = ["ledger", "both_ways"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Keep the tests of a module together, but those with a ledger, which share nothing."""
    for item in items:
        is_grouped = item.get_closest_marker("xdist_group") is not None
        if not is_grouped and "ledger" not in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
