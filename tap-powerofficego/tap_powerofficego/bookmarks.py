"""How far a stream has been read, by Go's own stamps, kept in the stream's Singer state.

Go lists by id, so what changed is spread over the whole list. The list is read first, then emitted
from the oldest change to the newest, and the bookmarks follow: a run that is cut off is resumed.
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
"""No bookmark may lie this far ahead: what changes until then would not be read."""
NEWEST = "replication_key_value"
LISTED_IN_FULL_AT = "listed_in_full_at"
OVERLAP_DIGEST = "overlap_digest"


@dataclass(frozen=True)
class ChangeFilter:
    """One of Go's filters for what changed.

    Attributes:
        parameter: The filter's name; it finds entries with a stamp later than the moment given.
        member: The stamp of an entry that the filter goes by.
        bookmark: Where the newest stamp emitted is kept in the stream's state.
    """

    parameter: str
    member: str
    bookmark: str = NEWEST


@dataclass
class Bookmarks:
    """The bookmarks of one stream in one run; no bookmark ever moves back.

    Attributes:
        filters: The filters for what changed in the stream.
        state: The stream's part of the Singer state; written in place.
        overlap_seconds: How far before a bookmark a run begins.
        start: Nothing that changed earlier is read; "" for everything.
        full_check_hours: How often everything is listed again; None for never.
        tell: Gives a person a warning of one line.
        since: For each stamp that a filter goes by, the moment after which this run reads.
    """

    filters: tuple[ChangeFilter, ...]
    state: dict[str, Any]
    overlap_seconds: float
    start: str
    full_check_hours: float | None
    tell: Callable[[str], None]

    def __post_init__(self) -> None:
        self.since = self._beginnings()
        self._is_first = not any(self._newest(one) for one in self.filters)
        self._is_full = False
        self._are_all_emitted = True

    def is_full_check_due(self, now: datetime) -> bool:
        """Return whether everything is to be listed again, changed or not."""
        if self._is_first or self.full_check_hours is None:
            return False
        listed_at = self.state.get(LISTED_IN_FULL_AT)
        if not listed_at:
            return True
        hours = (now - stamps.moment_of(listed_at)).total_seconds() / 3600
        return not 0 <= hours < self.full_check_hours

    def queries(self, *, is_full: bool) -> list[dict[str, str]]:
        """Return the queries that find what is to be read, each once, in the filters' order."""
        self._is_full = is_full
        queries: list[dict[str, str]] = []
        for one in self.filters:
            since = self._floor() if is_full else self.since[one.member]
            query = {one.parameter: since} if since else {}
            if query not in queries:
                queries.append(query)
        return queries or [{}]

    def in_order(self, listing: Listing) -> Iterator[Entry]:
        """Return what is to be emitted, from the oldest change to the newest.

        In a full check, what did not change comes last. Otherwise, what an earlier run certainly
        emitted with exactly the same content is left out.
        """
        if self._is_first and self.full_check_hours is not None:
            self.state[LISTED_IN_FULL_AT] = stamps.write(listing.began_at)
        self._trusted = {one: self._trusted_until(one, listing) for one in self.filters}
        newest = self._newest_of_all()
        is_known = not self._is_full and (
            self.state.get(OVERLAP_DIGEST) == _digest(listing.by_id(None, newest))
        )
        return listing.in_order(newest if is_known else None, unchanged_last=self._is_full)

    def to_come(self, server_time: datetime) -> str | None:
        """Return the name of a bookmark in Go's future; what changes until then is not read."""
        horizon = stamps.write(server_time + FUTURE)
        return next((one.bookmark for one in self.filters if self._newest(one) > horizon), None)

    def advance(self, entry: Entry) -> None:
        """Move on to an entry that was emitted, as were all before it in the order."""
        for one, told in zip(self.filters, entry.stamps, strict=True):
            stamp = min(told, self._trusted[one])
            if stamp > self._newest(one):
                self._put(one, stamp)

    def note_missing(self) -> None:
        """Note that an entry could not be emitted; it is looked for again, should it come back."""
        self._are_all_emitted = False

    def finish(self, listing: Listing) -> None:
        """Note that all entries were emitted."""
        newest = max((self._newest(one) for one in self.filters), default="")
        for one in self.filters:
            # No entry has this stamp; one that gets it later changes after the list was read.
            if newest and not self._newest(one):
                self._put(one, newest)
        if self._is_full:
            self.state[LISTED_IN_FULL_AT] = stamps.write(listing.began_at)
        self.state.pop(OVERLAP_DIGEST, None)
        if self._are_all_emitted and newest:
            again = listing.by_id(self._beginnings(), self._newest_of_all())
            self.state[OVERLAP_DIGEST] = _digest(again)

    def _newest(self, one: ChangeFilter) -> str:
        return str(self.state.get(one.bookmark) or "")

    def _newest_of_all(self) -> dict[str, str]:
        return {one.member: self._newest(one) for one in self.filters}

    def _put(self, one: ChangeFilter, stamp: str) -> None:
        if one.bookmark == NEWEST:
            self.state["replication_key"] = one.member
        self.state[one.bookmark] = stamp

    def _floor(self) -> str:
        return stamps.before(self.start, 0) if self.start else ""

    def _beginnings(self) -> dict[str, str]:
        return {one.member: self._since_of(one) for one in self.filters}

    def _since_of(self, one: ChangeFilter) -> str:
        newest = self._newest(one)
        return max(self._floor(), stamps.before(newest, self.overlap_seconds) if newest else "")

    def _trusted_until(self, one: ChangeFilter, listing: Listing) -> str:
        """Return the latest stamp up to which the next run's overlap catches what this run missed.

        What was read first may change while the rest is read, and the rest bears newer stamps. When
        Go was first asked, its clock was behind the newest stamp by no more than the reading took.
        """
        horizon = stamps.write(listing.server_time + FUTURE)
        newest = listing.newest(one.member, horizon)
        latest = listing.newest(one.member)
        if latest > horizon:
            self.tell(
                f"an entry has a {one.member} in the future ({latest}); it is emitted, but the"
                " bookmark does not follow"
            )
        excess = listing.seconds - self.overlap_seconds
        return stamps.before(newest, excess) if newest and excess > 0 else newest


def _digest(entries: Iterable[Entry]) -> str:
    """Return a digest of entries that does not depend on the order of their members."""
    digest = hashlib.blake2b(digest_size=16)
    for entry in entries:
        digest.update(f"{serialize_json(entry.body, sort_keys=True)}\n".encode())
    return digest.hexdigest()
