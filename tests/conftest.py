"""The fixtures of all tests, the examples that Hypothesis tries, and which tests are slow."""

import os
import secrets
import sys
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

# Rewriting the tests' asserts in each process of each run would take a tenth of the time.
sys.dont_write_bytecode = False

pytest_plugins = ["shared_work", "ledger", "both_ways", "receiver", "tls", "vendures"]

# A slow machine fails no test, and the ordinary run tries the same examples each time, so that it
# does not fail by chance. The long form looks for new ones.
settings.register_profile(
    "fixed",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long", settings.get_profile("fixed"), derandomize=False, max_examples=1000
)
settings.load_profile("fixed")

SLOW = (
    "tests/deploy/",
    "tests/end_to_end/test_command_lines.py",
    "tests/end_to_end/test_demo.py",
    "tests/end_to_end/test_examples.py",
    "tests/end_to_end/test_examples_shop_api.py",
    "tests/end_to_end/test_foreign_meltano_project.py",
    "tests/end_to_end/test_hostile_wire.py",
    "tests/end_to_end/test_meltano_project.py",
    "tests/end_to_end/test_plain_pipe.py",
    "tests/project/test_project_first_contact.py",
    "tests/project/test_project_hub.py",
    "tests/project/test_project_packages.py",
    "tests/reliability/",
    "tests/sandbox/test_server_command.py",
    "tests/tap_customwebshop/test_tap_values.py",
    "tests/tap_powerofficego/test_tap_go_hostile.py",
    "tests/target_customwebshop/test_back_broken_input.py",
    "tests/target_customwebshop/test_back_hostile.py",
    "tests/target_customwebshop/test_back_lines_by_tap.py",
    "tests/target_customwebshop/test_back_versions.py",
    "tests/target_powerofficego/orders/test_credit_notes.py",
    "tests/target_powerofficego/orders/test_orders_exact.py",
    "tests/target_powerofficego/orders/test_orders_life_table.py",
    "tests/target_powerofficego/orders/test_orders_not_lost.py",
    "tests/target_powerofficego/orders/test_orders_refunds_rates.py",
    "tests/target_powerofficego/orders/test_refund_laws.py",
    "tests/target_powerofficego/test_dataflow_laws.py",
    "tests/target_powerofficego/test_flow_takeovers.py",
    "tests/target_powerofficego/test_hostile_go.py",
    "tests/target_powerofficego/test_hostile_records.py",
    "tests/target_powerofficego/test_killed_runs.py",
    "tests/target_powerofficego/test_limits_and_tokens.py",
    "tests/target_powerofficego/test_links_command_erase.py",
    "tests/target_powerofficego/test_lost_answers.py",
    "tests/target_powerofficego/test_notify.py",
    "tests/target_powerofficego/test_progress.py",
    "tests/target_powerofficego/test_runs_that_break.py",
    "tests/target_powerofficego/test_signals.py",
    "tests/target_powerofficego/test_signals_at_the_end.py",
    "tests/target_powerofficego/test_text_of_others.py",
    "tests/target_powerofficego/test_versions.py",
)
"""Files that start commands or Meltano, build, kill, wait, try many examples or run many times, or
go further into a topic that ordinary tests cover. Single tests have the marker."""
OF_FEW_CASES = (
    "tests/tap_powerofficego/test_tap_go_failing.py",
    "tests/target_customwebshop/",
    "tests/target_powerofficego/orders/test_gift_card_account.py",
    "tests/target_powerofficego/orders/test_order_stages.py",
    "tests/target_powerofficego/orders/test_orders_",
    "tests/target_powerofficego/orders/test_payments.py",
    "tests/target_powerofficego/test_flow_anonymised.py",
    "tests/target_powerofficego/test_flow_archives.py",
    "tests/target_powerofficego/test_flow_buyers.py",
)
"""Where each case takes several runs: a test's first three are ordinary, the others slow."""
SPREAD = (
    *("tests/target_powerofficego/", "tests/target_customwebshop/"),
    *("tests/deploy/test_sync_shop.py", "tests/deploy/test_any_worker.py"),
)
TOGETHER = ("go_api", "sdk_suite")
WITH_MELTANO = ("test_demo.py", "test_meltano_project.py", "test_under_meltano")


def pytest_addoption(parser):
    """Add the option of the long form."""
    parser.getgroup("reliability").addoption(
        "--long",
        action="store_true",
        help="run the reliability suite in full, and look for new examples everywhere",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Choose the seed of new examples, before Hypothesis and the processes of xdist ask for it."""
    if config.getoption("--long"):
        config.option.markexpr = config.option.markexpr.replace("not slow", "")
        settings.load_profile("long")
        config.option.hypothesis_seed = config.option.hypothesis_seed or str(secrets.randbits(32))


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Run one process a core, unless tests were chosen: those run in this process.

    Files and folders named on the command line run whether they are slow or not.
    """
    option = config.option
    is_named = config.args_source is config.ArgsSource.ARGS
    if is_named and option.markexpr == "not slow":
        option.markexpr = ""
    is_chosen = is_named or option.keyword or option.usepdb
    is_worker = hasattr(config, "workerinput")
    if not (is_chosen or is_worker) and getattr(option, "numprocesses", 0) is None:
        option.numprocesses = os.cpu_count()


def pytest_ignore_collect(collection_path, config):
    """Skip slow files before they are imported, when all their tests would be deselected."""
    is_slow = collection_path.relative_to(config.rootpath).as_posix() in SLOW
    return True if is_slow and config.option.markexpr == "not slow" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark the slow tests."""
    cases: Counter[str] = Counter()
    for item in items:
        test = item.nodeid.partition("[")[0]
        if not item.get_closest_marker("slow"):
            cases[test] += 1
        if test.startswith(SLOW) or (test.startswith(OF_FEW_CASES) and cases[test] > 3):
            item.add_marker("slow")


def pytest_report_header(config):
    """Return the option that repeats the new examples of this run."""
    if not config.getoption("--long"):
        return None
    return f"new examples by --hypothesis-seed={config.option.hypothesis_seed}"


class ModuleScheduling(LoadScopeScheduling):
    """Runs the tests of a module in one process, unless they share nothing.

    Tests that use Meltano share one project, and so one process.
    """

    def _split_scope(self, nodeid):
        module = nodeid.split("::")[0]
        if any(name in nodeid for name in WITH_MELTANO):
            return "meltano"
        is_spread = module.startswith(SPREAD) and not any(name in module for name in TOGETHER)
        return nodeid if is_spread else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Use `ModuleScheduling`."""
    return ModuleScheduling(config, log)
