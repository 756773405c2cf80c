"""The progress of a run: log lines, a bar, the list of runs, metrics."""

import contextlib
import io
import json
import logging
import os
import pty
import subprocess
import threading

import commands
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from ledger import singer_lines
from rich.console import Console
from target_powerofficego.links_command import main
from target_powerofficego.settle.progress import LogReporter, Pace, Progress, Snapshot
from target_powerofficego.settle.terminal import Bar

ENTITIES = ("customers", "products", "orders")
LONGEST_SECONDS = 15


class Waiting(logging.Handler):
    """Waits for a line of the log."""

    def __init__(self, text):
        super().__init__()
        self.text = text
        self.line = None
        self._has_come = threading.Event()

    def emit(self, record):
        if self.text in record.getMessage():
            self.line = record
            self._has_come.set()

    def wait(self):
        assert self._has_come.wait(LONGEST_SECONDS), f'no line with "{self.text}"'


@pytest.fixture
def line_of_progress():
    """A handler of the run's log that waits for a line of progress."""
    waiting = Waiting("records done")
    logger = logging.getLogger("target-powerofficego")
    level = logger.level
    logger.addHandler(waiting)
    logger.setLevel(logging.INFO)
    yield waiting
    logger.removeHandler(waiting)
    logger.setLevel(level)


def test_while_go_is_slow_a_line_and_the_list_of_runs_show_the_progress(
    ledger, box, customer, line_of_progress
):
    listed = []

    def look(_):
        line_of_progress.wait()
        words = ["--link-store", str(ledger.link_store), "--format", "json", "runs"]
        listed.append(json.loads(CliRunner().invoke(main, words).output))

    box.faults.on("go", "POST", "/customers$", look, skip=2)
    people = [customer(id=str(n), email=f"k{n}@example.no", addresses=[]) for n in range(1, 6)]

    assert ledger.run(*people, workers=1).status == 0

    line = line_of_progress.line
    assert line.getMessage() == (
        "2 of 5 records done, about 20 seconds left, 3 writes to PowerOffice Go"
    )
    assert line.progress["seen"] == {"customers": 5}
    (run,) = listed
    assert run["exit_status"] is None
    assert run["outcomes"] == {"customers": {"created": 2}}
    assert run["calls"]["writes"] == 3


class Kept(LogReporter):
    """Keeps the last report."""

    text = ""

    def __init__(self):
        super().__init__(logging.getLogger(__name__))

    def report(self, text, _):
        self.text = text


@pytest.mark.parametrize(
    ("seen", "done", "parked", "is_all_read", "words"),
    [
        (5000, 0, 0, False, "0 of 5,000 records done, more being read, 7 writes to Go"),
        (20, 10, 0, True, "10 of 20 records done, about 10 seconds left, 7 writes to Go"),
        (
            3000,
            30,
            2,
            True,
            "30 of 3,000 records done, about 17 minutes left, 7 writes to Go, 2 parked",
        ),
        (90_000, 90, 0, True, "90 of 90,000 records done, about 2 h 46 min left, 7 writes to Go"),
        (
            3,
            3,
            1,
            True,
            "3 of 3 records done, retrying what waited, 7 writes to Go, 1 parked",
        ),
        (3, 0, 0, True, "0 of 3 records done, 7 writes to Go"),
    ],
)
def test_the_line_of_progress(seen, done, parked, is_all_read, words):
    snapshot = Snapshot(
        {"orders": seen}, {"orders": done}, 0, 7, {"orders": parked}, 0, is_all_read
    )
    kept = Kept()
    moments = iter([0.0, 10.0])

    Progress(lambda: snapshot, kept, "Go", lambda: next(moments)).report()

    assert kept.text == words


@given(
    st.fixed_dictionaries({entity: st.floats(0.01, 60) for entity in ENTITIES}),
    st.fixed_dictionaries({entity: st.integers(1, 1000) for entity in ENTITIES}),
)
def test_records_done_alone_show_how_long_the_rest_of_their_kind_takes(seconds, left):
    pace = Pace()
    for entity in ENTITIES:
        pace.note(0, {})
        pace.note(seconds[entity] * 4, {})
        pace.note(seconds[entity] * 6, {entity: 10})

    expected = sum(seconds[entity] * number for entity, number in left.items())
    assert pace.seconds_for(left) == pytest.approx(expected)


def test_records_with_nothing_new_do_not_make_the_end_seem_nearer():
    snapshot = iter(
        [
            Snapshot({"orders": 300}, {"orders": 100}, 95_000, 0, {}, 0, True),
            Snapshot({"orders": 300}, {"orders": 200}, 95_000, 0, {}, 0, True),
        ]
    )
    kept, moments = Kept(), iter([0.0, 10.0, 20.0])
    progress = Progress(lambda: next(snapshot), kept, "Go", lambda: next(moments))

    assert (progress.report(), progress.report()) == (20, 10)
    assert kept.text.startswith("95,200 of 95,300 records done")


def test_records_that_are_tried_again_at_the_end_take_their_time_too():
    parked = {"orders": 50, "payments": 1}
    snapshot = Snapshot({"orders": 300}, {"orders": 100}, 0, 0, parked, 0, True)
    kept, moments = Kept(), iter([0.0, 10.0])

    assert Progress(lambda: snapshot, kept, "Go", lambda: next(moments)).report() == 25
    assert kept.text.endswith("0 writes to Go, 51 parked")


def test_there_is_no_estimate_before_any_record_is_done():
    assert Pace().seconds_for({"orders": 3}) is None


def test_on_a_terminal_the_log_scrolls_above_the_bar(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    handler = logging.StreamHandler(screen)
    logging.getLogger().addHandler(handler)
    try:
        bar = Bar(Console(stderr=True, force_terminal=True, width=100))
        bar.report(
            "3 of 8 records done [b]", Snapshot({"orders": 8}, {"orders": 3}, 0, 0, {}, 0, True)
        )
        logging.getLogger("a plugin").warning("a line of the log [b]")
        during = screen.getvalue()
        bar.close()
    finally:
        logging.getLogger().removeHandler(handler)

    assert "3 of 8 records done [b]" in during
    line = during.index("a line of the log [b]\n")
    assert "\x1b[2K" in during[:line]  # the bar is wiped first, and drawn again below
    assert "3 of 8 records done [b]" in during[line:]
    assert handler.stream is screen


def on_a_terminal(ledger, text, **environment):
    """Run the target with its log on a terminal, and return what it printed there."""
    reading_end, writing_end = pty.openpty()
    command, *arguments = ledger.command_line()
    line = [commands.script(command), *arguments]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "90", **environment}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        line, stdin=pipe, stdout=pipe, stderr=writing_end, env=environment, text=True
    ) as running:
        os.close(writing_end)
        assert running.stdin
        running.stdin.write(text)
        running.stdin.close()
        printed = b""
        with contextlib.suppress(OSError):  # how Linux reports a terminal without a writer
            while read := os.read(reading_end, 4096):
                printed += read
        os.close(reading_end)
    assert running.returncode == 0
    return printed.decode()


def test_a_run_on_a_terminal_draws_a_bar_and_ends_with_what_it_did(ledger, customer):
    printed = on_a_terminal(ledger, singer_lines(customer()))

    assert "\x1b[?25l" in printed  # the cursor is hidden while the bar is drawn
    assert printed.index("\x1b[?25h") < printed.index("to PowerOffice Go; nothing waits")


def test_on_a_terminal_that_cannot_draw_lines_are_logged(ledger, customer):
    assert "\x1b[?25l" not in on_a_terminal(ledger, singer_lines(customer()), TERM="dumb")


def test_no_bar_is_drawn_if_colours_are_forced_into_a_file(ledger, customer, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")

    assert "\x1b[?25l" not in ledger.command(customer()).log


@pytest.mark.parametrize("breaks", [False, True])
def test_each_sink_reports_how_many_records_it_took(ledger, box, customer, product, breaks):
    if breaks:
        box.faults.add(method="POST", path="/products$", status=403, times=None)

    outcome = ledger.command(customer(), customer(id="2", email="k2@example.no"), product())

    assert outcome.status == int(breaks)
    lines = [line for line in outcome.log.splitlines() if "METRIC: " in line]
    counts = [json.loads(line.split("METRIC: ")[1]) for line in lines]
    assert {count["tags"]["stream"]: count["value"] for count in counts} == {
        "customers": 2,
        "products": 1,
    }


def test_structured_logs_have_the_summary_in_separate_fields(
    ledger, customer, tmp_path, monkeypatch
):
    config = tmp_path / "log.yml"
    config.write_text(
        """
version: 1
disable_existing_loggers: false
formatters: {structured: {"()": singer_sdk.logging.StructuredFormatter}}
handlers: {default: {class: logging.StreamHandler, formatter: structured, stream: ext://sys.stderr}}
root: {level: INFO, handlers: [default]}
""",
        encoding="utf-8",
    )
    monkeypatch.setenv("SINGER_SDK_LOG_CONFIG", str(config))

    outcome = ledger.command(customer())

    lines = [json.loads(line) for line in outcome.log.splitlines() if line.startswith("{")]
    (summary,) = [line["extra"] for line in lines if line["message"].startswith("run summary")]
    assert summary["records"] == {"customers": {"created": 1}}
    assert summary["calls"]["writes"] == 1
    assert summary["unacknowledged"] == {"reject": 0, "hold": 0}


def test_the_last_line_states_how_many_records_are_parked(ledger, customer):
    newer = customer(updated_at="2026-02-02T00:00:00Z")
    older = customer(updated_at="2026-02-01T00:00:00Z", phone="+4790000009")
    ledger.run(newer)

    outcome = ledger.run(older)

    assert outcome.log.rstrip().splitlines()[-1] == (
        "nothing was written to PowerOffice Go; nothing waits for a person; 1 parked, which the"
        " next run tries again"
    )
