"""The three streams, and how a stream turns the shop's pages into records."""

from __future__ import annotations

import logging
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk import Stream
from singer_sdk.exceptions import AbortedSyncPausedException
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import RecordMessage
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL
from typing_extensions import override

from tap_customwebshop import schemas
from tap_customwebshop.bookmark import Bookmark
from tap_customwebshop.errors import ContractBrokenError, ShopError
from tap_customwebshop.plugin.sdk_internals import pop_deselected_record_properties
from tap_customwebshop.raw_records import RawRecord, RecordForm
from tap_customwebshop.records import move_to_custom, numbers_to_text
from tap_customwebshop.stamps import FIRST_YEAR, earlier, parse_start, sortable_stamp
from tap_customwebshop.writer import LineWriter, as_json

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_customwebshop.client import Page, ShopClient

_MOST_FIELDS_TOLD = 50
_UNDATED = (
    "%s: %s, and maybe others, has no readable 'updated_at'. It is emitted, "
    "but the shop may not list it again when it changes."
)


class ShopStream(Stream):
    """Records of one kind, in ascending order of `updated_at`.

    The SDK converts every field of every record to the type that the schema gives, which makes
    the text "false" true and is two thirds of a tap's work. Here values pass as the shop sent
    them; whoever writes them judges them.

    Of the shop it knows `ShopClient.pages` alone: whatever yields a `Page` is a source to it.
    """

    primary_keys: ClassVar[tuple[str, ...]] = ("id",)
    replication_key = "updated_at"
    path: str
    record_schema: dict[str, Any]

    def __init__(self, tap: Tap, shop: ShopClient | None = None) -> None:
        super().__init__(tap, schema=self.record_schema)
        self._shop = shop
        self._is_passed_on = False
        self._page_size: int = self.config.get("page_size", 500)
        self.STATE_MSG_FREQUENCY = self._page_size
        self._known = frozenset(self.record_schema["properties"])
        self._told_fields: set[str] = set()
        self._warned: set[str] = set()

    @property
    @override
    def is_sorted(self) -> bool:
        return True

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return no signpost: records are sorted, so the last one emitted shows how far it got."""

    @override
    def log(self, message: str, *args: object, level: int = logging.INFO, **kwargs: Any) -> None:
        if isinstance(sys.exc_info()[1], (ShopError, AbortedSyncPausedException)):
            return  # the tap reports the former in a line; the latter is how a trial ends
        super().log(message, *args, level=level, **kwargs)

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        try:
            for number, page in enumerate(self._read(), 1):
                for position, record in enumerate(page.records, 1):
                    yield self._take(record, f"record {position} of page {number}")
                if isinstance(self._tap.message_writer, LineWriter):
                    self._tap.message_writer.flush()
        except ContractBrokenError:
            self.state_manager.is_flushed = False  # the bookmark may have gone back
            self._write_state_message()
            raise

    def _read(self) -> Iterator[Page]:
        """Begin a bookmark, and yield the shop's pages from there."""
        since: datetime | None = None
        self._bookmark: Bookmark | None = None
        if self.replication_method == REPLICATION_INCREMENTAL:
            lookback = timedelta(seconds=self.config["lookback_seconds"])
            since = self._since(lookback)
            self._bookmark = self._new_bookmark(lookback, since)
        wanted = self.ABORT_AT_RECORD_COUNT  # set in a trial, which one record more ends
        limit = self._page_size if wanted is None else min(self._page_size, wanted + 1)
        for page in self._pages(since, limit=limit, ahead=wanted is None):
            self._begin_page(page)
            yield page

    def _new_bookmark(self, lookback: timedelta, since: datetime | None) -> Bookmark:
        return Bookmark(self.name, self.stream_state, lookback, since, self._warn_once)

    def _pages(self, since: datetime | None, *, limit: int, ahead: bool) -> Iterator[Page]:
        assert self._shop is not None  # noqa: S101 - else this is overridden
        form = RecordForm(self.record_schema) if self._is_passed_on else None
        return self._shop.pages(self.path, since=since, limit=limit, ahead=ahead, form=form)

    def _begin_page(self, page: Page) -> None:
        self._read_at, self._told_at = page.read_at, page.server_time
        if self._bookmark is not None:
            self._bookmark.require_past(page.read_at, page.server_time)

    def _since(self, lookback: timedelta) -> datetime | None:
        """Return where to begin: the bookmark less the look-back, but not before `start_date`."""
        start = parse_start(self.config.get("start_date") or "")
        mark = parse_start(self.stream_state.get("replication_key_value") or "")
        moments = [start, mark and earlier(mark, lookback)]
        return max((moment for moment in moments if moment), default=None)

    def _take(self, record: object, place: str) -> dict[str, Any]:
        """Check one record and bring it into the contract's form.

        Raises:
            ContractBrokenError: It has no `id`, so that nothing can be done with it; or it is so
                far out of order that a bookmark could pass it.
        """
        if not isinstance(record, dict):
            raise self._broken(f"{place} is no object")
        numbers_to_text(record, self.record_schema)
        if not isinstance(record.get("id"), str) or not record["id"]:
            raise self._broken(f"{place} has no 'id'")
        if not record.keys() <= self._known:
            self._keep_unknown(record)
        self._check_stamp(record, place)
        return record

    def _broken(self, what: str) -> ContractBrokenError:
        return ContractBrokenError(f"GET {self.path}: {what}; fix it in the shop and run again.")

    def _check_stamp(self, record: dict[str, Any], place: str) -> None:
        self._stamp = self._read_stamp(record, place)
        if self._stamp is not None and self._bookmark is not None:
            self._check_order(self._bookmark, self._stamp)

    def _check_order(self, bookmark: Bookmark, stamp: str) -> None:
        bookmark.check(stamp)

    def _read_stamp(self, record: dict[str, Any], place: str) -> str | None:
        """Return the record's `updated_at` in sortable form; the record's own is turned to UTC."""
        value = record.get("updated_at")
        stamp = sortable_stamp(value) if isinstance(value, str) else None
        if not isinstance(value, str) or stamp is None or stamp < FIRST_YEAR:
            self._warn_once(_UNDATED, self.name, place)
            return None
        if value[-1] != "Z" or value[10] != "T":
            record["updated_at"] = stamp
        return stamp

    def _warn_once(self, message: str, *values: str) -> None:
        """Warn, unless the same message was given before with any values."""
        if message not in self._warned:
            self._warned.add(message)
            self.logger.warning(message, *values)

    def _keep_unknown(self, record: dict[str, Any]) -> None:
        unknown = record.keys() - self._known
        for name in sorted(unknown - self._told_fields):
            if len(self._told_fields) < _MOST_FIELDS_TOLD:
                self.logger.warning(
                    "%s: the contract has no field %.60r; it is passed on inside 'custom'.",
                    self.name,
                    name,
                )
                self._told_fields.add(name)
        move_to_custom(record, unknown)

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Write records a page at a time where none is mapped or left out; else as the SDK does."""
        self._has_deselected = not all(self.mask.values())
        if not (write_messages and self._passes_all()):
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        self._is_passed_on = True
        with self.get_record_counter() as counter, self.get_sync_timer():
            self._write_starting_replication_value(None)
            for number, page in enumerate(self._read(), 1):
                try:
                    self._write_page(page, number)
                finally:
                    self._write_state_message()
                counter.increment(len(page.records))
        self._finalize_state(self.stream_state)
        self._write_state_message()

    def _passes_all(self) -> bool:
        """Return whether all records are written, and as they are."""
        stream_map, *others = self.stream_maps
        return (
            self.selected
            and not self._has_deselected
            and self.ABORT_AT_RECORD_COUNT is None
            and self._stream_version is None
            and type(stream_map) is SameRecordTransform
            and not stream_map.flattening_enabled
            and not others
            and isinstance(self._tap.message_writer, LineWriter)
        )

    def _write_page(self, page: Page, number: int) -> None:
        """Write the records of a page; those before a fault in it are written, too."""
        writer = cast("LineWriter", self._tap.message_writer)
        bookmark, read_at, server_time = self._bookmark, self._read_at, self._told_at
        if page.records:
            self.state_manager.is_flushed = False
        with writer.records(self.name, read_at) as write:
            for position, record in enumerate(page.records, 1):
                if isinstance(record, RawRecord):
                    _, stamp, text = record
                    if bookmark is not None:
                        bookmark.check(stamp)
                        bookmark.advance(stamp, read_at, server_time)
                    write(text)
                else:
                    taken = self._take(record, f"record {position} of page {number}")
                    write(as_json(taken))
                    self._increment_stream_state(taken)

    @override
    def _process_record(
        self,
        record: Record,
        child_context: Context | None = None,
        partition_context: Context | None = None,
    ) -> None:
        """Do nothing: no stream here has children or partitions."""

    @override
    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        """Pass the record on as it is, with the moment just before its page was requested."""
        if self._has_deselected:
            pop_deselected_record_properties(record, self.schema, self.mask)
        for stream_map in self.stream_maps:
            mapped = stream_map.transform(record)
            if mapped is not None:
                yield RecordMessage(
                    stream=stream_map.stream_alias,
                    record=mapped,
                    version=self._stream_version,
                    time_extracted=self._read_at,
                )

    @override
    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        if self._stamp is not None and self._bookmark is not None:
            self._bookmark.advance(self._stamp, self._read_at, self._told_at)


class CustomersStream(ShopStream):
    """Buyers: persons and companies."""

    name = "customers"
    path = "/customers"
    record_schema = schemas.CUSTOMERS


class ProductsStream(ShopStream):
    """Things that can be sold, one record per SKU."""

    name = "products"
    path = "/products"
    record_schema = schemas.PRODUCTS


class OrdersStream(ShopStream):
    """Purchases, with lines, freight, payments and refunds."""

    name = "orders"
    path = "/orders"
    record_schema = schemas.ORDERS


STREAMS: tuple[type[ShopStream], ...] = (CustomersStream, ProductsStream, OrdersStream)
"""The streams in the order in which they are emitted, for orders name customers and products."""
