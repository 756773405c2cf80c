"""Runs the work of many records at once, but in order for each key they share.

STATE is emitted once everything before it is settled, and never earlier.
"""

from __future__ import annotations

import heapq
import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import simplejson

from target_powerofficego.plugin import standard_output

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import IO


_BACKLOG = 20_000
"""The weight of the work that may be read ahead: some 20 MB, enough to estimate most runs early."""


_SECONDS_BETWEEN = 2.0  # storing a state costs Meltano about 7 ms


@dataclass(eq=False)
class _Task:
    position: int
    work: Callable[[], object]
    writes: frozenset[str]
    kind: str | None = None
    weight: int = 1
    waits_for: int = 0
    followers: list[_Task] = field(default_factory=list)


class Schedule:
    """A bounded pool, in which work that writes a key waits for earlier work that writes it.

    Work that only reads a key waits for the last writer, and no other work waits for it. `submit`
    blocks while the backlog is full. After a failure no more work begins, and `submit` and `drain`
    raise that failure.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="settle")
        self._changed = threading.Condition()
        self._last_writer: dict[str, _Task] = {}
        self._unfinished = 0
        self._weight = 0
        self._next_position = 0
        self._done_ahead: list[int] = []
        self._settled = 0
        self._submitted_kinds: Counter[str] = Counter()
        self._done_kinds: Counter[str] = Counter()
        self._failure: BaseException | None = None

    @property
    def position(self) -> int:
        """The number of pieces of work submitted; all are done once `settled` reaches it."""
        with self._changed:
            return self._next_position

    @property
    def settled(self) -> int:
        """The position before which all work is done."""
        with self._changed:
            return self._settled

    def is_busy_with(self, key: str) -> bool:
        """Return whether work that writes this key is running or waiting."""
        with self._changed:
            return key in self._last_writer

    def kinds(self) -> tuple[Counter[str], Counter[str]]:
        """Return how much work of each kind was submitted, and how much of it is done."""
        with self._changed:
            return self._submitted_kinds.copy(), self._done_kinds.copy()

    def submit(
        self,
        work: Callable[[], object],
        *,
        writes: Collection[str],
        reads: Collection[str] = (),
        is_from_worker: bool = False,
        kind: str | None = None,
        weight: int = 1,
    ) -> None:
        """Add work; block while the backlog is full, unless it comes from a worker.

        `kinds` counts it by its kind; `weight` is what it adds to the backlog.

        Raises:
            BaseException: the error of earlier work.
        """
        with self._changed:
            while not is_from_worker and self._weight >= _BACKLOG and self._failure is None:
                self._changed.wait()
            if self._failure is not None:
                if is_from_worker:
                    return
                raise self._failure
            task = _Task(self._next_position, work, frozenset(writes), kind, weight)
            self._next_position += 1
            self._unfinished += 1
            self._weight += weight
            if kind is not None:
                self._submitted_kinds[kind] += 1
            awaited = {
                writer for key in (*writes, *reads) if (writer := self._last_writer.get(key))
            }
            for writer in awaited:
                writer.followers.append(task)
            task.waits_for = len(awaited)
            for key in task.writes:
                self._last_writer[key] = task
            if not task.waits_for:
                self._pool.submit(self._run, task)

    def drain(self) -> None:
        """Wait until all submitted work is done.

        Raises:
            BaseException: the error of failed work.
        """
        with self._changed:
            while self._unfinished and self._failure is None:
                self._changed.wait()
            if self._failure is not None:
                raise self._failure

    def interrupt(self, failure: BaseException) -> None:
        """Begin no more work; `submit` and `drain` raise `failure`. For signal handlers too."""
        with self._changed:
            self._failure = self._failure or failure
            self._changed.notify_all()

    def stop(self, failure: BaseException | None = None) -> None:
        """Begin no more work, and wait for running work."""
        self.interrupt(failure or RuntimeError("the schedule was stopped"))
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, task: _Task) -> None:
        with self._changed:
            if self._failure is not None:
                return
        try:
            task.work()
        except BaseException as failure:  # noqa: BLE001 - handed to the thread that submits
            self.interrupt(failure)
            return
        with self._changed:
            self._finish(task)
            self._changed.notify_all()

    def _finish(self, task: _Task) -> None:
        self._unfinished -= 1
        self._weight -= task.weight
        if task.kind is not None:
            self._done_kinds[task.kind] += 1
        heapq.heappush(self._done_ahead, task.position)
        while self._done_ahead and self._done_ahead[0] == self._settled:
            heapq.heappop(self._done_ahead)
            self._settled += 1
        for key in task.writes:
            if self._last_writer.get(key) is task:
                del self._last_writer[key]
        for follower in task.followers:
            follower.waits_for -= 1
            if not follower.waits_for and self._failure is None:
                self._pool.submit(self._run, follower)


class OutputClosed(Exception):  # noqa: N818 - reads as what happened
    """No more states can be written: their reader is gone, or the disk is full."""


class StateGate:
    """Holds each STATE until the work before it is done; prints at most one every few seconds.

    It prints from its own thread, so that states are emitted even while the tap sends nothing.
    Without an output it prints none: after a plan, every record must come again.
    """

    def __init__(self, schedule: Schedule, output: IO[str] | None) -> None:
        self._schedule = schedule
        self._output = output
        self._waiting: deque[tuple[int, str]] = deque()
        self._printed = ""
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="state", daemon=True)
        self._ticker.start()

    def add(self, state: Mapping[str, Any]) -> None:
        """Take a STATE that is true once all work submitted so far is done.

        Raises:
            RecursionError: it is nested too deeply.
        """
        line = simplejson.dumps(state, use_decimal=True)
        with self._lock:
            self._waiting.append((self._schedule.position, line))

    def close(self) -> None:
        """Print the last state that is true, and no more after it.

        Raises:
            OutputClosed: its reader is gone, or it cannot be written.
        """
        self._closing.set()
        self._ticker.join()
        self._release()

    def _tick(self) -> None:
        try:
            while not self._closing.wait(_SECONDS_BETWEEN):
                self._release()
        except BaseException as failure:  # noqa: BLE001 - handed to the thread that reads
            self._schedule.interrupt(failure)

    def _release(self) -> None:
        settled = self._schedule.settled
        with self._lock:
            line = None
            while self._waiting and self._waiting[0][0] <= settled:
                line = self._waiting.popleft()[1]
            if not line or line == self._printed or self._output is None:
                return
            self._printed = line
            self._print(self._output, line)

    def _print(self, output: IO[str], line: str) -> None:
        try:
            output.write(line + "\n")
            output.flush()
        except OSError as error:
            self._output = None
            standard_output.discard()
            fault = f"the states of this run cannot be written ({error.strerror})"
            if isinstance(error, BrokenPipeError):
                fault = "the reader of this run's states has stopped reading"
            raise OutputClosed(f"{fault}; what was done is kept") from None
