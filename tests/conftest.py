"""Several tests run at once, each in a process of its own; one marked `alone` runs by itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

import pytest

pytest_plugins = ["ledger", "both_ways"]

RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID")


def pytest_sessionfinish(session):
    """Let the process that hands out the tests clean up after all."""
    if RUN is None:
        shutil.rmtree(_folder(session.config.getoption("testrunuid", None)), ignore_errors=True)


def _folder(run):
    return Path(tempfile.gettempdir()) / f"tests-{run}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """Let a test wait for its turn, fixtures of all scopes included."""
    with _turn(is_alone=item.get_closest_marker("alone") is not None):
        return (yield)


@contextlib.contextmanager
def _turn(*, is_alone):
    """Hold a lock that tests share and that one which runs alone has to itself.

    Who waits for it keeps the gate shut, so that no others slip in meanwhile.
    """
    if RUN is None:
        yield
        return
    folder = _folder(RUN)
    folder.mkdir(exist_ok=True)
    with (folder / "gate").open("w") as gate, (folder / "room").open("w") as room:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield
