"""How far a stream has been read, by Go's own stamps, kept in the stream's Singer state.

Go sorts its lists by id, so changed entries are spread over the entire list. The list is read
first, then emitted from the oldest change to the newest, and the bookmarks follow, so that a run
that breaks off can be resumed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib.json import serialize_json

from tap_powerofficego import stamps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from tap_powerofficego.lists import Entry, Listing

FUTURE = timedelta(days=1)
"""No bookmark can be this far ahead: changes made before then would not be read."""
NEWEST = "replication_key_value"
LISTED_IN_FULL_AT = "listed_in_full_at"
OVERLAP_DIGEST = "overlap_digest"


@dataclass(frozen=True)
class ChangeFilter:
    """One of Go's filters for changed entries.

    Attributes:
        parameter: The filter's name; it finds entries with a stamp later than the moment given.
        member: The member of an entry that has this stamp.
        bookmark: The name in the stream's state of the newest stamp that was emitted.
    """

    parameter: str
    member: str
    bookmark: str = NEWEST


@dataclass
class Bookmarks:
    """The bookmarks of one stream in one run; no bookmark ever moves back.

    Attributes:
        filters: The stream's filters for changed entries.
        state: The stream's part of the Singer state; written in place.
        overlap_seconds: How far before a bookmark a run begins.
        start: Entries that last changed earlier are not read; "" to read all.
        full_check_hours: How often everything is listed again; None for never.
        warn: Logs a warning of one line.
        since: For each stamp that a filter uses, the moment after which this run reads.
    """

    filters: tuple[ChangeFilter, ...]
    state: dict[str, Any]
    overlap_seconds: float
    start: str
    full_check_hours: float | None
    warn: Callable[[str], None]

    def __post_init__(self) -> None:
        self.since = self._all_since()
        self._is_first = not any(self._newest(filter_) for filter_ in self.filters)
        self._is_full = False
        self._are_all_emitted = True

    def is_full_check_due(self, now: datetime) -> bool:
        """Return whether everything is to be listed again, changed or not."""
        if self._is_first or self.full_check_hours is None:
            return False
        listed_at = self.state.get(LISTED_IN_FULL_AT)
        if not listed_at:
            return True
        hours = (now - stamps.parse_stamp(listed_at)).total_seconds() / 3600
        return not 0 <= hours < self.full_check_hours

    def queries(self, *, is_full: bool) -> list[dict[str, str]]:
        """Return the queries that find what has to be read, each once, in the filters' order."""
        self._is_full = is_full
        queries: list[dict[str, str]] = []
        for filter_ in self.filters:
            since = self._earliest() if is_full else self.since[filter_.member]
            query = {filter_.parameter: since} if since else {}
            if query not in queries:
                queries.append(query)
        return queries or [{}]

    def in_order(self, listing: Listing) -> Iterator[Entry]:
        """Return the entries to emit, from the oldest change to the newest.

        In a full check, unchanged entries come last. Otherwise, entries that an earlier run is
        known to have emitted with exactly the same content are left out.
        """
        if self._is_first and self.full_check_hours is not None:
            self.state[LISTED_IN_FULL_AT] = stamps.format_stamp(listing.began_at)
        self._trusted = {filter_: self._trusted_until(filter_, listing) for filter_ in self.filters}
        newest = self._newest_of_all()
        is_emitted = not self._is_full and (
            self.state.get(OVERLAP_DIGEST) == _digest(listing.by_id(None, newest))
        )
        return listing.in_order(newest if is_emitted else None, unchanged_last=self._is_full)

    def future_bookmark(self, server_time: datetime) -> str | None:
        """Return the name of a bookmark in the future by Go's clock, which would hide changes."""
        horizon = stamps.format_stamp(server_time + FUTURE)
        return next(
            (filter_.bookmark for filter_ in self.filters if self._newest(filter_) > horizon), None
        )

    def advance(self, entry: Entry) -> None:
        """Move on to an entry that was emitted, as were all entries before it in the order."""
        for filter_, emitted in zip(self.filters, entry.stamps, strict=True):
            stamp = min(emitted, self._trusted[filter_])
            if stamp > self._newest(filter_):
                self._store(filter_, stamp)

    def note_missing(self) -> None:
        """Note that an entry could not be emitted; if it comes back, the next run emits it."""
        self._are_all_emitted = False

    def finish(self, listing: Listing) -> None:
        """Note that all entries were emitted."""
        newest = max((self._newest(filter_) for filter_ in self.filters), default="")
        for filter_ in self.filters:
            # No entry has this stamp; one that gets it later changes after the list was read.
            if newest and not self._newest(filter_):
                self._store(filter_, newest)
        if self._is_full:
            self.state[LISTED_IN_FULL_AT] = stamps.format_stamp(listing.began_at)
        self.state.pop(OVERLAP_DIGEST, None)
        if self._are_all_emitted and newest:
            overlap = listing.by_id(self._all_since(), self._newest_of_all())
            self.state[OVERLAP_DIGEST] = _digest(overlap)

    def _newest(self, filter_: ChangeFilter) -> str:
        return str(self.state.get(filter_.bookmark) or "")

    def _newest_of_all(self) -> dict[str, str]:
        return {filter_.member: self._newest(filter_) for filter_ in self.filters}

    def _store(self, filter_: ChangeFilter, stamp: str) -> None:
        if filter_.bookmark == NEWEST:
            self.state["replication_key"] = filter_.member
        self.state[filter_.bookmark] = stamp

    def _earliest(self) -> str:
        return stamps.before(self.start, 0) if self.start else ""

    def _all_since(self) -> dict[str, str]:
        return {filter_.member: self._since_of(filter_) for filter_ in self.filters}

    def _since_of(self, filter_: ChangeFilter) -> str:
        newest = self._newest(filter_)
        return max(self._earliest(), stamps.before(newest, self.overlap_seconds) if newest else "")

    def _trusted_until(self, filter_: ChangeFilter, listing: Listing) -> str:
        """Return the latest stamp to which a bookmark can move so that the next run misses nothing.

        Entries that were read first may change while the rest is read, and the rest has newer
        stamps. At the first request, Go's clock was behind the newest stamp by no more than the
        time that reading took.
        """
        horizon = stamps.format_stamp(listing.server_time + FUTURE)
        newest = listing.newest_stamp(filter_.member, horizon)
        latest = listing.newest_stamp(filter_.member)
        if latest > horizon:
            self.warn(
                f"an entry has a {filter_.member} in the future ({latest}); it is emitted, but"
                " the bookmark does not follow"
            )
        excess = listing.seconds - self.overlap_seconds
        return stamps.before(newest, excess) if newest and excess > 0 else newest


def _digest(entries: Iterable[Entry]) -> str:
    """Return a digest of entries that does not depend on the order of their members."""
    digest = hashlib.blake2b(digest_size=16)
    for entry in entries:
        digest.update(f"{serialize_json(entry.body, sort_keys=True)}\n".encode())
    return digest.hexdigest()
