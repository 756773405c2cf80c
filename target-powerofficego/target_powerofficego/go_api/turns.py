"""Whose turn it is to call PowerOffice Go, and when: the rule, on values and a clock that is given.

Go allows so many requests in any second per subscription key, tokens included. A client that wants
to call reserves the next free moment behind all that others reserved, waits for it, and then asks
again: only then does the turn count as taken, at the moment at which that is asked. So a process
that wakes up late costs others nothing but time, and a pause that came meanwhile holds for it too.

A client that has had its equal share of late lets others go first for the time of one turn before
it reserves. Without that, one that is near the store would ask again so soon that one
far from it got next to nothing.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import msgspec

# Requests do not all travel equally fast. A window a little longer than the second that Go counts
# lets a request overtake the ones before it by 30 ms, and still leaves 97 percent of the limit.
WINDOW_SECONDS = 1.030
# On a busy machine requests bunch more than that on their way, and Go turns one away. A window that
# fits them costs a fifth of the speed, so it is used only for a while after that has happened.
WIDE_WINDOW_SECONDS = 1.250
WIDE_SECONDS = 60.0
# In one second ten turns are not to be shared equally by six clients.
_SHARED_SECONDS = 3 * WIDE_WINDOW_SECONDS


@dataclass
class QueuePlace:
    """The place in the queue of a client that wants one turn."""

    client: str
    asked_at: float | None = None
    reserved: float | None = None
    """The moment that is kept for it, once there is one."""


class Turns(msgspec.Struct):
    """The turns of all who share a subscription key; moments in seconds, by one clock for all."""

    given: list[tuple[float, str]] = []
    """The turns taken of late and those reserved, in order, each with its client."""
    paused_until: float = 0.0
    wide_until: float = 0.0

    def take(self, now: float, most: int, patience: float, place: QueuePlace) -> float:
        """Return when to go, if that is not after `now`, else when to ask again.

        Args:
            now: the present moment.
            most: how many turns there may be in a window.
            patience: nothing is reserved that comes later than in so many seconds.
            place: the same one each time that this turn is asked for.
        """
        window = WIDE_WINDOW_SECONDS if now < self.wide_until else WINDOW_SECONDS
        self.given = [one for one in self.given if one[0] > now - _SHARED_SECONDS]
        if place.asked_at is None:
            place.asked_at = now
        if place.reserved is not None:
            self.given = [one for one in self.given if one != (place.reserved, place.client)]
        elif (others_go_first_until := self._courtesy(now, most, window, place)) > now:
            return others_go_first_until
        turn = self._next_free(now, most, window, place.reserved)
        if turn <= now + patience:
            bisect.insort(self.given, (turn, place.client))
            place.reserved = turn
        return turn

    def _courtesy(self, now: float, most: int, window: float, place: QueuePlace) -> float:
        """Return until when a client lets others go first, for it has had its share."""
        clients = {client for _, client in self.given} | {place.client}
        share = max(int(most * _SHARED_SECONDS / window) // len(clients), 1)
        own = [moment for moment, client in self.given if client == place.client]
        if len(clients) == 1 or len(own) < share or place.asked_at is None:
            return now
        return min(own[-share] + _SHARED_SECONDS, place.asked_at + window / most)

    def _next_free(self, now: float, most: int, window: float, reserved: float | None) -> float:
        """Return the next free moment behind what is before it in the queue; all, if it is new."""
        moments = [moment for moment, _ in self.given]
        if reserved is not None:
            moments = moments[: bisect.bisect_right(moments, max(now, reserved))]
        bounds = [now, self.paused_until, *moments[-1:]]
        if len(moments) >= most:
            bounds.append(moments[-most] + window)
        return max(bounds)

    def pause(self, now: float, seconds: float) -> None:
        """Give nobody a turn for so many seconds, and fewer turns for a minute after."""
        self.paused_until = max(self.paused_until, now + seconds)
        self.wide_until = self.paused_until + WIDE_SECONDS
