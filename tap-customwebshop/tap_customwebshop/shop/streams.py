"""The three streams as a shop file reads them: pages of records, bookmarks and state."""

from __future__ import annotations

import gc
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from tap_customwebshop.bookmark import Bookmark
from tap_customwebshop.client import Page, read_ahead
from tap_customwebshop.plugin.plain_text import plain
from tap_customwebshop.shop.client import NotFoundError
from tap_customwebshop.shop.mapping import Mapper, ShopFunctionError, kind_of, touched_ids
from tap_customwebshop.shop.templates import names_in
from tap_customwebshop.stamps import earlier, format_stamp, parse_start, sortable_stamp
from tap_customwebshop.streams import ShopStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk import Tap

    from tap_customwebshop.shop.client import RawPage, ShopFileClient
    from tap_customwebshop.shop.loading import ShopFile
    from tap_customwebshop.shop.mapping import Shop

_HASH_BYTES = 8
_NEW_OBJECTS = 20_000
"""New objects between two searches for reference cycles; rows and records have none."""
_ROUNDING = timedelta(seconds=2)
"""How much earlier a shop may be asked because of whole seconds or a filter that is exclusive."""
_EARLY_START = timedelta(hours=1)
"""How much earlier than the day before a daily run may start."""


@dataclass(frozen=True)
class RecordPage(Page):
    """A page of records.

    Attributes:
        failures: Why rows could not be turned into records.
        is_whole: Whether the bookmark may pass it.
        is_in_order: Whether its records come in the list's order; those of `touched` do not.
    """

    failures: tuple[str, ...] = ()
    is_whole: bool = True
    is_in_order: bool = True


@dataclass
class ListBookmark(Bookmark):
    """A bookmark that waits for the end of the read if the list is not sorted by stamps.

    Attributes:
        is_sorted: Whether it may move on with each record.
        filter: The Listing's `since`, for messages.
        is_held: Whether it must not move again in this run.
    """

    is_sorted: bool = True
    filter: str = ""
    is_held: bool = False

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        since = self.since and earlier(self.since, _ROUNDING)
        self._since = format_stamp(since) if since else ""
        self._stream_state = self.state
        self._read_began: str | None = None
        if not self.is_sorted:
            self.state = dict(self.state)

    @override
    def require_past(self, read_at: datetime, server_time: datetime | None) -> None:
        super().require_past(read_at, server_time)
        self._read_began = self._read_began or format_stamp(server_time or read_at)

    @override
    def check(self, stamp: str) -> None:
        if stamp < self._since and self.filter:
            self.warn(
                f"{self.stream}: the shop ignores '{self.filter}' and sends unchanged records too;"
                " all are read. Correct 'since' in the shop file."
            )
        if self.is_sorted:
            self._since = ""
            super().check(stamp)

    @override
    def advance(self, stamp: str, read_at: datetime, server_time: datetime | None) -> None:
        if not self.is_held:
            super().advance(stamp, read_at, server_time)

    def finish(self) -> None:
        """Move on at the end of a complete read, but not past its beginning.

        A row that changed after it was read is left to the next run.
        """
        value = self.state.get("replication_key_value")
        if self.is_sorted or value is None:
            return
        value = min(value, self._read_began or value)
        if value > (self._began_at or ""):
            self._stream_state |= {"replication_key": "updated_at", "replication_key_value": value}

    @override
    def _disorder(self) -> str:
        return (
            f"{self.stream}: the shop's records are not in ascending order of their change stamps;"
            " sort them with a parameter, or set sorted=False in the shop file. The next run starts"
            " where this one started."
        )


class FileStream(ShopStream):
    """A stream that a shop file reads.

    Attributes:
        client: The client of the shop.
        listing: The stream's list.
        mapper: Turns its rows into records.
    """

    def __init__(
        self, tap: Tap, kind: type[ShopStream], client: ShopFileClient, file: ShopFile, shop: Shop
    ) -> None:
        self.name, self.path, self.record_schema = kind.path[1:], kind.path, kind.record_schema
        super().__init__(tap)
        self.client = client
        self.listing = file.listings[self.name]
        self.mapper = Mapper(file, self.name, self.record_schema, shop)
        self._file = file
        self._shop_functions = shop
        self._emitted: set[str] = set()
        self._hashes: set[str] = set()
        self._failures: list[str] = []

    @property
    def unread(self) -> str:
        """The message at the end of the run about rows that could not be read; "" if none."""
        if not self._failures:
            return ""
        return (
            f"{self.name}: {len(self._failures)} rows were not read, and the bookmark stays before"
            f" them. The first: {self._failures[0]}"
        )

    @property
    def sees_all_changes(self) -> bool:
        """Whether changes that do not move a record's stamp are read too, sooner or later."""
        listing = self.listing
        is_filtered = listing.client_filter or "since" in names_in([listing.path, listing.since])
        is_touched = bool(listing.single) and "touched" in self._file.functions
        return is_touched or listing.full_read_days is not None or not is_filtered

    @override
    def _read(self) -> Iterator[Page]:
        began = datetime.now(timezone.utc)
        gc.set_threshold(_NEW_OBJECTS)
        self._reads_all = self._must_read_all(began)
        self._changed_since: datetime | None = None
        self._floor = parse_start(self.config.get("start_date") or "")
        yield from super()._read()
        bookmark = self._bookmark
        if isinstance(bookmark, ListBookmark) and not bookmark.is_held:
            bookmark.finish()
            self._keep_state(began)

    def _must_read_all(self, now: datetime) -> bool:
        state = self.stream_state
        if state.get("replication_key_value") and state.get("shop_file") != self._file.fingerprint:
            self.logger.info(
                "%s: the shop file is new or changed, so everything is read.", self.name
            )
            return True
        days = self.listing.full_read_days
        last = parse_start(state.get("full_read_at") or "")
        if days is None:
            return False
        return last is None or now - last >= timedelta(days=days) - _EARLY_START

    def _keep_state(self, began: datetime) -> None:
        state = self.stream_state
        state["shop_file"] = self._file.fingerprint
        if self._reads_all or "full_read_at" not in state:
            state["full_read_at"] = format_stamp(began)
        if not self.listing.has_stamps:
            state["hashes"] = " ".join(sorted(self._hashes))

    @override
    def _since(self, lookback: timedelta) -> datetime | None:
        self._changed_since = super()._since(self._lookback(lookback))
        if self._reads_all or not self.listing.has_stamps:
            return self._floor
        return self._changed_since

    def _lookback(self, default: timedelta) -> timedelta:
        seconds = self.listing.lookback_seconds
        return default if seconds is None else timedelta(seconds=seconds)

    @override
    def _new_bookmark(self, lookback: timedelta, since: datetime | None) -> Bookmark:
        listing = self.listing
        return ListBookmark(
            self.name,
            self.stream_state,
            self._lookback(lookback),
            since,
            self._warn_once,
            is_sorted=bool(listing.since) and listing.sorted and listing.has_stamps,
            filter=str(listing.since),
        )

    @override
    def _pages(self, since: datetime | None, *, limit: int, ahead: bool) -> Iterator[Page]:
        pages = self._records_of_pages(since)
        return read_ahead(pages) if ahead else pages

    def _records_of_pages(self, since: datetime | None) -> Iterator[RecordPage]:
        self._known_hashes = frozenset(self.stream_state.get("hashes", "").split())
        floor = since if self.listing.client_filter else self._floor
        number = 0
        for page in self.client.pages(self.listing, since):
            if page.doubt:
                self._warn_once(f"{self.name}: {page.doubt}. If rows are missing, set a pager.")
            yield self._record_page(page, floor, number)
            number += len(page.rows)
        # Even a list that is read in full does not show what went to the trash since the last run
        if self._changed_since is not None and self.listing.single:
            yield from self._touched(self._changed_since)

    def _touched(self, since: datetime) -> Iterator[RecordPage]:
        self._shop_functions.listing = self.listing
        self._shop_functions.forget()
        asked_at, missing = datetime.now(timezone.utc), []
        for record_id in touched_ids(self._file, self._shop_functions, self.name, since):
            if record_id not in self._emitted:
                try:
                    raw = self.mapper.single(self.client, record_id, asked_at)
                except NotFoundError:  # deleted since
                    missing.append(record_id)
                except ShopFunctionError as error:
                    failures = (error.reason,)
                    yield RecordPage(
                        [], None, asked_at, None, failures, is_whole=False, is_in_order=False
                    )
                else:
                    page = self._record_page(raw, self._floor, is_in_order=False)
                    if self.listing.has_stamps and not page.records and not page.failures:
                        missing.append(record_id)
                    yield page
        if missing:
            self.logger.info(
                "%s: for %s of the ids from touched(), 'single' gave no record: %s",
                *(self.name, len(missing), plain(", ".join(missing)[:60])),
            )

    def _record_page(
        self, page: RawPage, floor: datetime | None, first: int = 0, *, is_in_order: bool = True
    ) -> RecordPage:
        records: list[dict[str, Any]] = []
        failures: list[str] = []
        earliest = "" if floor is None else format_stamp(floor)
        for number, row in enumerate(page.rows, first):
            try:
                mapped = self.mapper.records(row, f"{self.name}[{number}]")
            except ShopFunctionError as error:
                key = row.get("id") if isinstance(row, dict) else None
                label = f" (id {key})" if isinstance(key, (int, str)) else ""
                failures.append(error.reason + plain(label[:60]))
            else:
                records += [
                    record for record in mapped if self._is_wanted(record, page.read_at, earliest)
                ]
        content = records, None, page.read_at, page.server_time, tuple(failures)
        is_whole = page.is_whole and not failures
        return RecordPage(*content, is_whole=is_whole, is_in_order=is_in_order)

    def _is_wanted(self, record: dict[str, Any], read_at: datetime, earliest: str) -> bool:
        """Return whether to emit a record; one without a stamp only if its content is new."""
        if not self.listing.has_stamps:
            content = json.dumps(record, sort_keys=True, default=str).encode()
            digest = hashlib.blake2b(content, digest_size=_HASH_BYTES).hexdigest()
            self._hashes.add(digest)
            record["updated_at"] = format_stamp(read_at)
            return digest not in self._known_hashes
        if earliest and (sortable_stamp(record["updated_at"]) or earliest) < earliest:
            return False
        if self.listing.single:
            self._emitted.add(record["id"])
        return True

    @override
    def _begin_page(self, page: Page) -> None:
        super()._begin_page(page)
        if not isinstance(page, RecordPage):
            return
        self._is_in_order = page.is_in_order
        if page.is_whole:
            return
        if isinstance(self._bookmark, ListBookmark):
            self._bookmark.is_held = True
        if not page.failures:
            self._warn_once(
                "%s: rows vanished from the list while it was read, so others may have been missed;"
                " the bookmark stays, and the next run reads them.",
                self.name,
            )
        for failure in page.failures:
            self._failures.append(failure)
            kind = kind_of(failure)
            if kind not in self._warned:
                self._warned.add(kind)
                self.logger.warning("%s was not read. %s", self.name, failure)

    @override
    def _conform(self, record: object, place: str) -> dict[str, Any]:
        """See `ShopStream`; the mapper has already checked its form."""
        checked = cast("dict[str, Any]", record)
        self._check_stamp(checked, place)
        return checked

    @override
    def _check_order(self, bookmark: Bookmark, stamp: str) -> None:
        if self._is_in_order:
            super()._check_order(bookmark, stamp)
        else:
            self._stamp = None
