"""Whose turn it is to call PowerOffice Go, and when: the rule, on values and a clock that is given.

Go allows so many requests in any second per subscription key, tokens included. Whoever wants to
call reserves the next free moment behind all that others reserved, waits for it, and then asks
again: only then does the turn count as taken, at the moment at which that is asked. So a process
that wakes up late costs others nothing but time, and a pause that came meanwhile holds for it too.
"""

from __future__ import annotations

import bisect

import msgspec

# Requests do not all travel equally fast. A window a little longer than the second that Go counts
# lets a request overtake the ones before it by 30 ms, and still leaves 97 percent of the limit.
WINDOW_SECONDS = 1.030
# On a busy machine requests bunch more than that on their way, and Go turns one away. A window that
# fits them costs a fifth of the speed, so it is used only for a while after that has happened.
WIDE_WINDOW_SECONDS = 1.250
WIDE_SECONDS = 60.0


class Turns(msgspec.Struct):
    """The turns of all who share a subscription key; moments in seconds, by one clock for all."""

    moments: list[float] = []
    """The turns taken within the last window and those reserved, in order."""
    paused_until: float = 0.0
    wide_until: float = 0.0

    def take(self, now: float, most: int, patience: float, reserved: float | None = None) -> float:
        """Return the moment of a turn that is kept for the caller; one after `now` is reserved.

        Args:
            now: the present moment.
            most: how many turns there may be in a window.
            patience: a turn that comes later than in so many seconds is not kept.
            reserved: the caller's own reservation, which this turn replaces; it keeps its place in
                the queue.
        """
        if reserved in self.moments:
            self.moments.remove(reserved)
        self.moments = [one for one in self.moments if one > now - WIDE_WINDOW_SECONDS]
        before = self.moments[: self._place(now, reserved)]
        window = WIDE_WINDOW_SECONDS if now < self.wide_until else WINDOW_SECONDS
        bounds = [now, self.paused_until, *before[-1:]]
        if len(before) >= most:
            bounds.append(before[-most] + window)
        turn = max(bounds)
        if turn <= now + patience:
            bisect.insort(self.moments, turn)
        return turn

    def _place(self, now: float, reserved: float | None) -> int:
        """Return how many are before the caller in the queue: all, unless it has a place there."""
        if reserved is None:
            return len(self.moments)
        return bisect.bisect_right(self.moments, max(now, reserved))

    def pause(self, now: float, seconds: float) -> None:
        """Give nobody a turn for so many seconds, and fewer turns for a minute after."""
        self.paused_until = max(self.paused_until, now + seconds)
        self.wide_until = self.paused_until + WIDE_SECONDS
