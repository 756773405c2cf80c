"""The seed, and the size of the suite: short, or long with `--long`."""

import random

import pytest

from .load import Load
from .runs import Sync

DEFAULT_SEED = 20260101


def pytest_addoption(parser):
    group = parser.getgroup("reliability")
    group.addoption("--kills", type=int, help="how many runs are killed")
    group.addoption("--stops", type=int, help="how many runs are stopped by SIGTERM")
    group.addoption("--histories", type=int, help="how many histories of pairs are played")
    group.addoption("--seed", type=int, default=DEFAULT_SEED, help="the seed of all choices")


@pytest.fixture
def is_long(request):
    return request.config.getoption("--long")


@pytest.fixture
def kills(request, is_long):
    """How many runs are killed."""
    return request.config.getoption("--kills", default=None) or (1000 if is_long else 8)


@pytest.fixture
def stops(request, is_long):
    """How many runs are stopped by SIGTERM."""
    return request.config.getoption("--stops", default=None) or (200 if is_long else 2)


@pytest.fixture
def baskets(is_long):
    """How many random orders are tried with each way of rounding."""
    return 2000 if is_long else 30


@pytest.fixture
def shop_baskets(is_long):
    """How many orders of shops are tried with each way of rounding: 10,000 in all, or 300."""
    return 1667 if is_long else 50


@pytest.fixture
def rounds(is_long):
    """How many runs have faults."""
    return 8 if is_long else 2


@pytest.fixture
def seed(request):
    """The seed; printed, so that a failing test shows it."""
    seed = request.config.getoption("--seed", default=DEFAULT_SEED)
    print(f"seed {seed}")
    return seed


@pytest.fixture
def chance(seed):
    """A source of choices that depends on the seed alone."""
    return random.Random(seed)


@pytest.fixture
def sync(box, tmp_path):
    return Sync(box, tmp_path)


@pytest.fixture
def load(box, seed, is_long):
    """The shop's load: 500 customers, 100 products and 500 orders in the long form."""
    share = 1 if is_long else 0.05
    return Load(
        box, seed, customers=int(500 * share), products=int(100 * share), orders=int(500 * share)
    )


def _pairs_a_batch(config):
    """Return how many pairs of each of the three entities a batch has."""
    return 24 if config.getoption("--long") else 8


def pytest_generate_tests(metafunc):
    """Play histories in batches, each in a sandbox of its own."""
    if "batch" not in metafunc.fixturenames:
        return
    is_long = metafunc.config.getoption("--long")
    wanted = metafunc.config.getoption("--histories", default=None) or (10_000 if is_long else 24)
    batches = -(-wanted // (3 * _pairs_a_batch(metafunc.config)))
    metafunc.parametrize("batch", range(batches))


@pytest.fixture
def pairs(request):
    """How many pairs of each entity a batch has."""
    return _pairs_a_batch(request.config)


@pytest.fixture
def with_kills(batch, is_long):
    """Whether runs are killed too, which needs a process for each: in all batches, or only one."""
    return is_long or batch == 0
