"""What all tests share: a sandbox, a ledger, both ways; and which of them share a process."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["ledger", "both_ways", "tls"]

# How fast the machine is says nothing of a rule.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

SPREAD = ("tests/target_powerofficego/", "tests/target_customwebshop/")
TOGETHER = ("go_api", "sdk_suite")
WITH_MELTANO = ("test_demo.py", "test_meltano_project.py", "test_under_meltano")


class ByWhatTheyShare(LoadScopeScheduling):
    """Keeps the tests of a module in one process, but those that make everything anew.

    What uses Meltano stays together, for a project has only one.
    """

    def _split_scope(self, nodeid):
        module = nodeid.split("::")[0]
        if any(name in nodeid for name in WITH_MELTANO):
            return "meltano"
        is_spread = module.startswith(SPREAD) and not any(name in module for name in TOGETHER)
        return nodeid if is_spread else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand the tests out by what they share."""
    return ByWhatTheyShare(config, log)
