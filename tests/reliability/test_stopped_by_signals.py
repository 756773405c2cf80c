"""SIGTERM and SIGKILL at random moments: the stored state is never ahead of Go."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import commands
import pytest
from filelock import FileLock
from go_sandbox.demo.meltano import EXTRACT_AND_LOAD, Meltano, project_folder

from .verdict import complaints, missing_before

EDITS = 12
SCRIPTS = Path(sys.executable).parent
FORCED = (EXTRACT_AND_LOAD[0], "--force", *EXTRACT_AND_LOAD[1:])
"""For five minutes Meltano takes a killed run for one that is still running."""


class Pipe:
    """`tap | target` as two processes, with the state in a file, as in a shell script."""

    def __init__(self, sync):
        self.sync = sync
        self.tap_config = sync.folder / "tap.json"
        self.tap_config.write_text(json.dumps(sync.box.tap_config()), encoding="utf-8")
        self.state_file = sync.folder / "state.json"

    def run(self, arrange=lambda _: None):
        """Run the pipe once; `arrange` gets the process of the target."""
        seen = len(self.sync.box.requests.all())
        state = ["--state", self.state_file] if self.state_file.exists() else []
        tap = subprocess.Popen(
            [SCRIPTS / "tap-customwebshop", "--config", self.tap_config, *state],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        name, *arguments = self.sync.command_line()
        target = subprocess.Popen(
            [commands.script(name), *arguments],
            stdin=tap.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert tap.stdout
        tap.stdout.close()
        arrange(target)
        output, log = target.communicate(timeout=120)
        tap.wait(timeout=60)
        self.sync.box.faults.clear()
        ended = self.sync.ended(target.returncode, output, log, seen)
        if self.sync.state:
            self.state_file.write_text(json.dumps(self.sync.state), encoding="utf-8")
        return ended


def test_a_pipe_stopped_by_sigterm_has_printed_no_state_ahead_of_go(box, sync, load, chance, stops):
    pipe, stopped, quiet = Pipe(sync), 0, 0
    while stopped < stops:
        load.edit(EDITS)
        skip, when = chance.randrange(60), chance.choice(["before", "after"])

        def arrange(target, skip=skip, when=when):
            box.faults.on("go", None, None, lambda _: target.terminate(), skip=skip, when=when)

        ended = pipe.run(arrange)
        stopped += ended.status == 143
        quiet += ended.status == 0
        assert ended.status in (143, 0), ended.log
        assert missing_before(box, sync) == []
    print(f"{stopped} pipes stopped by SIGTERM, {quiet} ran to their end")

    last = pipe.run()

    assert complaints(box, sync) == []
    assert last.status == 0, last.log
    assert pipe.run().writes == []


@pytest.fixture
def meltano(box, tmp_path, is_long):
    if not is_long:
        pytest.skip("Meltano starts slowly; only --long stops it")
    project = Meltano(project_folder(), box, tmp_path)
    project.variables["TARGET_POWEROFFICEGO_LINK_STORE"] = str(tmp_path / "links.db")
    project.variables["TARGET_POWEROFFICEGO_MAX_ARCHIVES"] = "1000"
    project.install()
    return project


def stored_state(folder):
    """Return the Singer state that Meltano has stored."""
    with sqlite3.connect(folder / "meltano.db") as database:
        rows = database.execute("SELECT completed_state FROM state").fetchall()
    database.close()
    return json.loads(rows[0][0]).get("singer_state", {}) if rows else {}


def test_under_meltano_no_stored_state_is_ahead_of_go(box, sync, load, chance, meltano, stops):
    struck: Counter[signal.Signals] = Counter()
    statuses: Counter[int] = Counter()
    while struck[signal.SIGTERM] < stops:
        load.edit(EDITS)
        running = meltano.start(*FORCED)
        sent = chance.choices([signal.SIGTERM, signal.SIGKILL], weights=[5, 1])[0]
        hits: list[signal.Signals] = []

        def strike(_, running=running, sent=sent, hits=hits):
            if running.poll() is None:
                running.send_signal(sent)
                hits.append(sent)

        skip, when = chance.randrange(25), chance.choice(["before", "after"])
        box.faults.on("go", None, None, strike, skip=skip, when=when)
        output, _ = running.communicate(timeout=240)
        box.faults.clear()
        with FileLock(f"{sync.link_store}.testshop.lock", timeout=120):
            sync.state = stored_state(sync.folder)
        struck.update(hits)
        statuses[running.returncode] += 1
        assert (running.returncode == 0) is (not hits), output
        assert missing_before(box, sync) == []
    signals = {sent.name: n for sent, n in struck.items()}
    print(f"Meltano struck by {signals}; exit statuses {dict(statuses)}")

    last = meltano.run(*FORCED)

    assert last.returncode == 0, last.stdout
    assert complaints(box, sync) == []
