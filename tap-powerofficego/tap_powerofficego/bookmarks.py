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
    from collections.abc import Callable, Iterable
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
    """

    filters: tuple[ChangeFilter, ...]
    state: dict[str, Any]
    overlap_seconds: float
    start: str
    full_check_hours: float | None
    tell: Callable[[str], None]

    def __post_init__(self) -> None:
        self._since = {one: self._since_of(one) for one in self.filters}
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
            since = self._floor() if is_full else self._since[one]
            query = {one.parameter: since} if since else {}
            if query not in queries:
                queries.append(query)
        return queries or [{}]

    def in_order(self, listing: Listing) -> list[Entry]:
        """Return what is to be emitted, from the oldest change to the newest.

        In a full check, what did not change comes last. Otherwise, what an earlier run certainly
        emitted with exactly the same content is left out.
        """
        if self._is_first and self.full_check_hours is not None:
            self.state[LISTED_IN_FULL_AT] = stamps.write(listing.began_at)
        self._trusted = {one: self._trusted_until(one, listing) for one in self.filters}
        changes = [(self._change(entry), entry) for entry in listing.entries]
        ordered = sorted(changes, key=lambda pair: (self._is_full and not pair[0], pair[0]))
        emitted = set() if self._is_full else self._surely_emitted(listing.entries)
        return [entry for _, entry in ordered if entry.go_id not in emitted]

    def to_come(self, told_at: datetime) -> str | None:
        """Return the name of a bookmark in Go's future; what changes until then is not read."""
        horizon = stamps.write(told_at + FUTURE)
        return next((one.bookmark for one in self.filters if self._newest(one) > horizon), None)

    def advance(self, entry: Entry) -> None:
        """Move on to an entry that was emitted, as were all before it in the order."""
        for one in self.filters:
            stamp = min(_stamp(entry, one), self._trusted[one])
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
            since = {one: self._since_of(one) for one in self.filters}
            again = [entry for entry in listing.entries if _changed_after(entry, since)]
            self.state[OVERLAP_DIGEST] = _digest(self._known_of(again))

    def _newest(self, one: ChangeFilter) -> str:
        return str(self.state.get(one.bookmark) or "")

    def _put(self, one: ChangeFilter, stamp: str) -> None:
        if one.bookmark == NEWEST:
            self.state["replication_key"] = one.member
        self.state[one.bookmark] = stamp

    def _floor(self) -> str:
        return stamps.before(self.start, 0) if self.start else ""

    def _since_of(self, one: ChangeFilter) -> str:
        newest = self._newest(one)
        return max(self._floor(), stamps.before(newest, self.overlap_seconds) if newest else "")

    def _trusted_until(self, one: ChangeFilter, listing: Listing) -> str:
        """Return the latest stamp up to which the next run's overlap catches what this run missed.

        What was read first may change while the rest is read, and the rest bears newer stamps. When
        Go was first asked, its clock was behind the newest stamp by no more than the reading took.
        """
        horizon = stamps.write(listing.told_at + FUTURE)
        told = sorted(_stamp(entry, one) for entry in listing.entries)
        newest = max((stamp for stamp in told if stamp <= horizon), default="")
        if told and told[-1] > horizon:
            self.tell(
                f"an entry has a {one.member} in the future ({told[-1]}); it is emitted, but the"
                " bookmark does not follow"
            )
        excess = listing.seconds - self.overlap_seconds
        return stamps.before(newest, excess) if newest and excess > 0 else newest

    def _change(self, entry: Entry) -> str:
        """Return the latest of the stamps by which the filters would find the entry; "" for none.

        Only these count: by the others, a run that is cut off could leave out an entry that its
        bookmarks have passed.
        """
        found = ((_stamp(entry, one), since) for one, since in self._since.items())
        return max((stamp for stamp, since in found if stamp > since), default="")

    def _surely_emitted(self, entries: Iterable[Entry]) -> set[Any]:
        """Return the ids of the entries in the overlap, if all of them are unchanged.

        One digest of them all keeps the state small. If one of them changed, all are emitted again.
        """
        known = self._known_of(entries)
        is_same = self.state.get(OVERLAP_DIGEST) == _digest(known)
        return {entry.go_id for entry in known} if is_same else set()

    def _known_of(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the entries that did not change after the bookmarks."""
        newest = {one: self._newest(one) for one in self.filters}
        return [entry for entry in entries if not _changed_after(entry, newest)]


def _stamp(entry: Entry, one: ChangeFilter) -> str:
    """Return the stamp of an entry that a filter goes by; "" for none."""
    return stamps.sortable(entry.body.get(one.member))


def _changed_after(entry: Entry, since: dict[ChangeFilter, str]) -> bool:
    return any(_stamp(entry, one) > moment for one, moment in since.items())


def _digest(entries: Iterable[Entry]) -> str:
    """Return a digest of entries that does not depend on their order or that of their members."""
    told = sorted(serialize_json(entry.body, sort_keys=True) for entry in entries)
    return hashlib.blake2b("\n".join(told).encode(), digest_size=16).hexdigest()
