"""Runs that are killed at random moments, with edits in the shop between them."""

import threading

from .bookkeeper import OWNERS, Bookkeeper
from .runs import BROKEN
from .verdict import complaints, doubles

REQUESTS = 40
EDITS = 6


class Moment:
    """Kills a run at a random request, before or after Go acted, or some time after its start."""

    def __init__(self, chance, box):
        self.chance, self.box = chance, box
        self._timers = []

    def strike(self, running):
        """Arrange for the run that just started to be killed."""
        if self.chance.random() < 0.2:
            self._later(running, self.chance.uniform(0.2, 3))
            return
        skip, when = self.chance.randrange(REQUESTS), self.chance.choice(["before", "after"])
        delay = self.chance.choice([None, self.chance.uniform(0, 0.03)])
        self.box.faults.on(
            "go", None, None, lambda _: self._end(running, delay), skip=skip, when=when
        )
        if when == "before" and delay is None:
            self.box.faults.add(reset="before", skip=skip)

    def cancel(self):
        """Cancel what was arranged."""
        self.box.faults.clear()
        for timer in self._timers:
            timer.cancel()
            timer.join()
        self._timers.clear()

    def _end(self, running, delay):
        if delay is None:
            running.kill()
        else:
            self._later(running, delay)

    def _later(self, running, seconds):
        timer = threading.Timer(seconds, running.kill)
        self._timers.append(timer)
        timer.start()


def kill_runs(box, sync, load, moment, kills, *, work_in_go=lambda: None, meanwhile=lambda: None):
    """Kill this many runs, with edits in the shop before each, and in Go during and after it."""
    killed, quiet = 0, 0
    while killed < kills:
        seen = len(box.requests.all())
        load.edit(EDITS)
        running = sync.start()
        moment.strike(running)
        meanwhile()
        output, log = running.communicate(sync.changed(), timeout=120)
        moment.cancel()
        ended = sync.ended(running.returncode, output, log, seen)
        killed += ended.status == -9
        quiet += ended.status == 0
        assert ended.status in (-9, 0), log
        if killed % 25 == 0:
            assert doubles(box) == []
            box.requests.clear()
        work_in_go()
    print(f"{killed} kills, {quiet} runs to their end, state {sync.state}")


def test_runs_killed_at_any_moment_post_nothing_twice_and_lose_nothing(
    box, sync, load, chance, kills
):
    kill_runs(box, sync, load, Moment(chance, box), kills)

    last = sync.run()

    assert complaints(box, sync) == []
    assert last.status == 0, last.log
    assert sync.run(sync.all_records()).writes == []
    load.touch_all()
    assert sync.run().writes == []


def test_runs_killed_while_a_bookkeeper_works_in_go_lose_no_edit_of_either_side(
    box, sync, load, chance, kills, seed
):
    bookkeeper = Bookkeeper(box, seed)
    sync.settings = {"owners": OWNERS, "fail_on": "never"}
    sync.never = BROKEN
    sync.run()

    def meanwhile():
        skip = chance.randrange(REQUESTS)
        box.faults.on("go", None, None, lambda _: bookkeeper.work(1), skip=skip)

    moment = Moment(chance, box)
    kill_runs(
        box,
        sync,
        load,
        moment,
        kills // 2,
        work_in_go=lambda: bookkeeper.work(3),
        meanwhile=meanwhile,
    )

    bookkeeper.restore_quantities()
    last = sync.run()

    assert complaints(box, sync, bookkeeper) == []
    assert last.status == 0, last.log
    assert sync.run(sync.all_records()).writes == []
    load.touch_all()
    assert sync.run().writes == []
