"""Reads a list of Go to its end: every entry once, with the moment just before it was requested."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from target_powerofficego.go_api import GoError, has_id
from target_powerofficego.plugin.json_text import read_json

from tap_powerofficego import stamps
from tap_powerofficego.entries import PageReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from target_powerofficego.go_api import GoClient

    from tap_powerofficego.entries import ListedEntry

_PASSES = 3


class Entry(NamedTuple):
    """An entry as it was in a list.

    Attributes:
        go_id: Its id in Go, a number or a UUID, as text.
        stamps: Its values of the listing's stamps, in the form that sorts; "" for one it lacks.
        read_at: The moment just before its page was requested.
        text: The entry as JSON on one line.
    """

    go_id: str
    stamps: tuple[str, ...]
    read_at: datetime
    text: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The entry, read."""
        body: dict[str, Any] = read_json(self.text)
        return body


class Listing:
    """The entries found in one list, or in the several lists that one stream is read from.

    Each entry is kept as it was last read, in a temporary database: SQLite keeps it in memory while
    it is small, otherwise in a file without a name, which disappears with the process.

    Args:
        since: For each stamp that a run uses, the moment after which it counts as a change.

    Attributes:
        began_at: A moment before the first page was requested, by this machine's clock.
        server_time: The time that Go sent with a page; by this machine's clock if it sent none.
    """

    def __init__(self, since: Mapping[str, str]) -> None:
        self.began_at = self.server_time = self._ended_at = stamps.now()
        self.since = since
        self._read_at: list[datetime] = []
        self._database = sqlite3.connect("")
        self._database.execute("PRAGMA journal_mode = OFF")
        columns = ", ".join(["id UNIQUE", "page", "text", "change", *since])
        self._database.execute(f"CREATE TABLE entry ({columns})")
        self._id_cursor = self._database.cursor()

    def close(self) -> None:
        """Discard the entries."""
        self._database.close()

    @property
    def seconds(self) -> float:
        """How long reading took; 0 for a single page, which shows Go at one moment."""
        if len(self._read_at) < 2:
            return 0
        return (self._ended_at - self.began_at).total_seconds()

    def add(self, page: Iterable[ListedEntry], read_at: datetime) -> None:
        """Add a page that has just been received; an empty one counts as well."""
        self._read_at.append(read_at)
        columns = ["page", "text", "change", *self.since]
        changes = ", ".join(f"{name} = excluded.{name}" for name in columns)
        self._database.executemany(
            f"INSERT INTO entry (id, {', '.join(columns)})"  # noqa: S608 - names of our own
            f" VALUES (?{', ?' * len(columns)}) ON CONFLICT (id) DO UPDATE SET {changes}",
            map(self._row, page),
        )
        self._ended_at = stamps.now()

    def _row(self, entry: ListedEntry) -> tuple[Any, ...]:
        values = {member: stamps.normalise(entry.get(member)) for member in self.since}
        changes = (stamp for member, stamp in values.items() if stamp > self.since[member])
        page = len(self._read_at) - 1
        return str(entry["Id"]), page, entry.text, max(changes, default=""), *values.values()

    def contains(self, go_id: object) -> bool:
        """Return whether an entry with this id was found."""
        self._id_cursor.execute("SELECT 1 FROM entry WHERE id = ?", [str(go_id)])
        return self._id_cursor.fetchone() is not None

    def newest_stamp(self, member: str, until: str = stamps.LAST) -> str:
        """Return the newest stamp of a member, up to a moment; "" for none."""
        rows = self._database.execute(
            f"SELECT max({member}) FROM entry WHERE {member} <= ?",  # noqa: S608 - our own name
            [until],
        )
        return rows.fetchone()[0] or ""

    def in_order(self, after: Mapping[str, str] | None, *, unchanged_last: bool) -> Iterator[Entry]:
        """Yield the entries from the oldest change to the newest.

        Args:
            after: Leave out entries without a stamp after these; None to leave out none.
            unchanged_last: Whether entries without a change come last; otherwise they come first.
        """
        where, moments = _changed(after) if after is not None else ("TRUE", [])
        order = "change = '', change, rowid" if unchanged_last else "change, rowid"
        return self._entries(f"WHERE {where} ORDER BY {order}", moments)

    def by_id(self, after: Mapping[str, str] | None, until: Mapping[str, str]) -> Iterator[Entry]:
        """Yield the entries by id.

        Args:
            after: Leave out entries without a stamp after these; None to leave out none.
            until: Leave out entries with a stamp after any of these.
        """
        has_changed, since = _changed(after) if after is not None else ("TRUE", [])
        is_newer, newest = _changed(until)
        where = f"WHERE {has_changed} AND NOT {is_newer} ORDER BY id"
        return self._entries(where, since + newest)

    def _entries(self, clauses: str, moments: list[str]) -> Iterator[Entry]:
        """Yield entries one by one; sorting them together with their texts would cost more."""
        columns = ", ".join(["id", "page", "text", *self.since])
        select = f"SELECT {columns} FROM entry WHERE rowid = ?"  # noqa: S608 - our own names
        row_ids = self._database.execute(f"SELECT rowid FROM entry {clauses}", moments)  # noqa: S608
        cursor = self._database.cursor()
        for row_id in row_ids:
            go_id, page, text, *values = cursor.execute(select, row_id).fetchone()
            yield Entry(go_id, tuple(values), self._read_at[page], text)


def _changed(after: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the condition that an entry has a stamp after the moments, and its parameters."""
    later = " OR ".join(f"{member} > ?" for member in after)
    return f"({later or 'FALSE'})", list(after.values())


@dataclass(frozen=True)
class ListReader:
    """Reads lists of Go in pages of one size; `warn` logs a warning of one line."""

    go: GoClient
    page_size: int
    warn: Callable[[str], None]

    def read(self, path: str, params: Mapping[str, str], listing: Listing) -> None:
        """Add the entries of a list to a listing.

        An entry that leaves the list while it is read, as an order does when it is invoiced, moves
        the entries behind it forward, and one of them from a page not read yet to a page that has
        been read. So a list of several pages is then compared with the ids that Go lists, and read
        again if one is missing.

        Raises:
            GoError: As `GoClient.read`, or an entry has no id.
        """
        for _ in range(_PASSES):
            pages = sum(1 for _ in self._add_pages(path, params, listing))
            if pages < 2 or all(map(listing.contains, self._ids(path, params))):
                return
        self.warn(
            f"GET {path}: entries come and go faster than the list can be read; what is missing"
            " comes with its next change, or with the next full check"
        )

    def read_first_page(self, path: str, params: Mapping[str, str], listing: Listing) -> None:
        """Add only the first page of a list to a listing; raises the same errors as `read`."""
        next(self._add_pages(path, params, listing), None)

    def _add_pages(self, path: str, params: Mapping[str, str], listing: Listing) -> Iterator[None]:
        """Add page by page, each when the caller asks for the next one."""
        read = PageReader(listing.since)
        pages = self.go.list_pages(path, params=params, page_size=self.page_size, read=read)
        is_first = True
        while True:
            read_at = stamps.now()
            page = next(pages, None)
            if page is None and not is_first:
                return
            is_first = False
            listing.add(_with_ids(path, page or []), read_at)
            del page  # not kept in memory while the next one is read
            yield

    def _ids(self, path: str, params: Mapping[str, str]) -> Iterator[Any]:
        entries = self.go.list_all(path, params=params, fields=["Id"])
        return (entry.get("Id") for entry in entries)


def _with_ids(path: str, page: list[Any]) -> list[ListedEntry]:
    if not all(has_id(path, entry) for entry in page):
        raise GoError(f"GET {path}: an entry of the list has no usable Id, so it cannot be read")
    return page
