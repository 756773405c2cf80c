"""The estimates of a first load at ten requests a second, measured in requests."""

import io
import logging
import threading

import pytest
from target_powerofficego.settle.progress import LogReporter, Progress
from target_powerofficego.target import TargetPowerOfficeGo

from .load import Load

REQUESTS_A_SECOND = 10
SECONDS_BETWEEN = 10


class KeptReports(LogReporter):
    """Keeps the reports by time."""

    def __init__(self, clock):
        super().__init__(logging.getLogger(__name__))
        self.clock = clock
        self.texts = {}

    def report(self, text, _):
        self.texts[self.clock()] = text


@pytest.fixture
def records(is_long):
    """How many customers, products and orders there are: 3,000, or 600."""
    share = 1 if is_long else 0.2
    return {
        "customers": int(1000 * share),
        "products": int(500 * share),
        "orders": int(1500 * share),
    }


def test_from_half_way_the_estimated_end_is_within_a_fifth(box, sync, seed, records):
    Load(box, seed, **records)
    lock = threading.Lock()
    requests = 0
    ends: dict[float, float | None] = {}

    def clock():
        return requests / REQUESTS_A_SECOND

    def count(_):
        nonlocal requests
        with lock:
            requests += 1
            if requests % (REQUESTS_A_SECOND * SECONDS_BETWEEN) == 0:
                left = progress.report()
                ends[clock()] = None if left is None else clock() + left

    target = TargetPowerOfficeGo(config=sync.config)
    reports = KeptReports(clock)
    progress = Progress(target.begin().save_progress, reports, "PowerOffice Go", clock)
    box.faults.on("go", None, None, count, times=None)

    assert target.run(io.StringIO(sync.all_records())) == 0

    end = clock()
    print(f"{end:.0f} s", ends, *reports.texts.values(), sep="\n")
    late = {at: estimate for at, estimate in ends.items() if at >= end / 2}
    assert len(late) >= 3
    off = {at: abs(estimate - end) for at, estimate in late.items()}
    assert [at for at in late if off[at] > max(SECONDS_BETWEEN, (end - at) / 5)] == []
    assert all(f"of {sum(records.values()):,} records done" in reports.texts[at] for at in late)
