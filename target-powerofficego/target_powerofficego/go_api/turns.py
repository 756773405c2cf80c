"""Whose turn it is to call PowerOffice Go, and when: the rule alone, without I/O or a clock.

Go allows a number of requests in any second per subscription key, token requests included. To make
a call, a client reserves the next free moment after all that are reserved, waits for it, and asks
again: only then is the turn taken, at the time of that second request. So a process that wakes up
late only costs others time, and a pause that came meanwhile applies to it too.

A client that has recently had its equal share lets others go first, for the time of one turn,
before it reserves. Otherwise a client close to the store would ask again so soon that one far from
it would get hardly any turns.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import msgspec

# Requests do not all travel equally fast. A window slightly longer than the second that Go counts
# lets a request overtake the previous ones by 30 ms, and still uses 97 percent of the limit.
WINDOW_SECONDS = 1.030
# On a busy machine requests bunch up more than that on their way, and Go rejects one. A window that
# allows for it costs a fifth of the speed, so it is used only for a while after a rejection.
WIDE_WINDOW_SECONDS = 1.250
WIDE_SECONDS = 60.0
# One second would be too short: six clients cannot share ten turns equally.
_SHARED_SECONDS = 3 * WIDE_WINDOW_SECONDS


@dataclass
class QueuePlace:
    """A client's place in the queue for one turn."""

    client: str
    asked_at: float | None = None
    reserved: float | None = None
    """The moment reserved for it, if any."""


class Turns(msgspec.Struct):
    """The turns of all who share a subscription key; times are in seconds, by the store's clock."""

    given: list[tuple[float, str]] = []
    """The turns taken recently and those reserved, in order, each with its client."""
    paused_until: float = 0.0
    wide_until: float = 0.0

    def take(self, now: float, limit: int, patience: float, place: QueuePlace) -> float:
        """Take a turn, or reserve one; return `now` or earlier if taken, else when to ask again.

        Args:
            now: the present time.
            limit: the number of turns allowed in a window.
            patience: the seconds within which a turn must come to be reserved.
            place: the same object each time that this turn is asked for.
        """
        window = WIDE_WINDOW_SECONDS if now < self.wide_until else WINDOW_SECONDS
        self.given = [turn for turn in self.given if turn[0] > now - _SHARED_SECONDS]
        if place.asked_at is None:
            place.asked_at = now
        if place.reserved is not None:
            reserved = (place.reserved, place.client)
            self.given = [turn for turn in self.given if turn != reserved]
        elif (yields_until := self._yields_until(now, limit, window, place)) > now:
            return yields_until
        moment = self._next_free(now, limit, window, place.reserved)
        if moment <= now + patience:
            bisect.insort(self.given, (moment, place.client))
            place.reserved = moment
        return moment

    def _yields_until(self, now: float, limit: int, window: float, place: QueuePlace) -> float:
        """Return until when a client that has had its share lets others go first; else `now`."""
        clients = {client for _, client in self.given} | {place.client}
        share = max(int(limit * _SHARED_SECONDS / window) // len(clients), 1)
        of_client = [moment for moment, client in self.given if client == place.client]
        if len(clients) == 1 or len(of_client) < share or place.asked_at is None:
            return now
        return min(of_client[-share] + _SHARED_SECONDS, place.asked_at + window / limit)

    def _next_free(self, now: float, limit: int, window: float, reserved: float | None) -> float:
        """Return the next free moment after those ahead of the place; a new place is the last."""
        moments = [moment for moment, _ in self.given]
        if reserved is not None:
            moments = moments[: bisect.bisect_right(moments, max(now, reserved))]
        bounds = [now, self.paused_until, *moments[-1:]]
        if len(moments) >= limit:
            bounds.append(moments[-limit] + window)
        return max(bounds)

    def pause(self, now: float, seconds: float) -> None:
        """Give no turns for a number of seconds, and fewer turns for a minute after that."""
        self.paused_until = max(self.paused_until, now + seconds)
        self.wide_until = self.paused_until + WIDE_SECONDS
