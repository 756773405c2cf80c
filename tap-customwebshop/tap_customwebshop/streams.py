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

_MOST_REPORTED_FIELDS = 50
_UNDATED = (
    "%s: %s, and maybe others, has no readable 'updated_at'. It is emitted, "
    "but the shop may not list it again when it changes."
)


class ShopStream(Stream):
    """Records of one kind, in ascending order of `updated_at`.

    The SDK converts every field of every record to the type in the schema, which turns the text
    "false" into true and is two thirds of a tap's work. Here values pass as the shop sent them; the
    target checks them.

    Of the client, only `ShopClient.pages` is used; anything that yields a `Page` can replace it.
    """

    primary_keys: ClassVar[tuple[str, ...]] = ("id",)
    replication_key = "updated_at"
    path: str
    record_schema: dict[str, Any]

    def __init__(self, tap: Tap, shop: ShopClient | None = None) -> None:
        super().__init__(tap, schema=self.record_schema)
        self._shop = shop
        self._is_raw = False
        self._page_size: int = self.config.get("page_size", 500)
        self.STATE_MSG_FREQUENCY = self._page_size
        self._known_fields = frozenset(self.record_schema["properties"])
        self._reported_fields: set[str] = set()
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
            return  # the tap reports the former in one line; the latter is how a trial ends
        super().log(message, *args, level=level, **kwargs)

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        try:
            for number, page in enumerate(self._read(), 1):
                for position, record in enumerate(page.records, 1):
                    yield self._conform(record, f"record {position} of page {number}")
                if isinstance(self._tap.message_writer, LineWriter):
                    self._tap.message_writer.flush()
        except ContractBrokenError:
            self.state_manager.is_flushed = False  # the bookmark may have moved back
            self._write_state_message()
            raise

    def _read(self) -> Iterator[Page]:
        """Create the bookmark, and yield the shop's pages from where it begins."""
        since: datetime | None = None
        self._bookmark: Bookmark | None = None
        if self.replication_method == REPLICATION_INCREMENTAL:
            lookback = timedelta(seconds=self.config["lookback_seconds"])
            since = self._since(lookback)
            self._bookmark = self._new_bookmark(lookback, since)
        most = self.ABORT_AT_RECORD_COUNT  # set in a trial, which ends one record later
        limit = self._page_size if most is None else min(self._page_size, most + 1)
        for page in self._pages(since, limit=limit, ahead=most is None):
            self._begin_page(page)
            yield page

    def _new_bookmark(self, lookback: timedelta, since: datetime | None) -> Bookmark:
        return Bookmark(self.name, self.stream_state, lookback, since, self._warn_once)

    def _pages(self, since: datetime | None, *, limit: int, ahead: bool) -> Iterator[Page]:
        assert self._shop is not None  # noqa: S101 - a stream without it overrides this
        form = RecordForm(self.record_schema) if self._is_raw else None
        return self._shop.pages(self.path, since=since, limit=limit, ahead=ahead, form=form)

    def _begin_page(self, page: Page) -> None:
        self._read_at, self._server_time = page.read_at, page.server_time
        if self._bookmark is not None:
            self._bookmark.require_past(page.read_at, page.server_time)

    def _since(self, lookback: timedelta) -> datetime | None:
        """Return where to begin: the bookmark less the look-back, but not before `start_date`."""
        start = parse_start(self.config.get("start_date") or "")
        bookmark = parse_start(self.stream_state.get("replication_key_value") or "")
        moments = [start, bookmark and earlier(bookmark, lookback)]
        return max((moment for moment in moments if moment), default=None)

    def _conform(self, record: object, place: str) -> dict[str, Any]:
        """Check one record and bring it into the contract's form.

        Raises:
            ContractBrokenError: It has no `id`, so it cannot be used; or it is so far out of order
                that the bookmark could pass it.
        """
        if not isinstance(record, dict):
            raise self._contract_broken(f"{place} is not an object")
        numbers_to_text(record, self.record_schema)
        if not isinstance(record.get("id"), str) or not record["id"]:
            raise self._contract_broken(f"{place} has no 'id'")
        if not record.keys() <= self._known_fields:
            self._move_unknown(record)
        self._check_stamp(record, place)
        return record

    def _contract_broken(self, fault: str) -> ContractBrokenError:
        return ContractBrokenError(f"GET {self.path}: {fault}; fix it in the shop and run again.")

    def _check_stamp(self, record: dict[str, Any], place: str) -> None:
        self._stamp = self._read_stamp(record, place)
        if self._stamp is not None and self._bookmark is not None:
            self._check_order(self._bookmark, self._stamp)

    def _check_order(self, bookmark: Bookmark, stamp: str) -> None:
        bookmark.check(stamp)

    def _read_stamp(self, record: dict[str, Any], place: str) -> str | None:
        """Return the record's `updated_at` in sortable form; in the record, convert it to UTC."""
        value = record.get("updated_at")
        stamp = sortable_stamp(value) if isinstance(value, str) else None
        if not isinstance(value, str) or stamp is None or stamp < FIRST_YEAR:
            self._warn_once(_UNDATED, self.name, place)
            return None
        if value[-1] != "Z" or value[10] != "T":
            record["updated_at"] = stamp
        return stamp

    def _warn_once(self, message: str, *values: str) -> None:
        """Log a warning, unless the same message was logged before, with whatever values."""
        if message not in self._warned:
            self._warned.add(message)
            self.logger.warning(message, *values)

    def _move_unknown(self, record: dict[str, Any]) -> None:
        unknown = record.keys() - self._known_fields
        for name in sorted(unknown - self._reported_fields):
            if len(self._reported_fields) < _MOST_REPORTED_FIELDS:
                self.logger.warning(
                    "%s: the contract has no field %.60r; it is passed on inside 'custom'.",
                    self.name,
                    name,
                )
                self._reported_fields.add(name)
        move_to_custom(record, unknown)

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Write records page by page if none is mapped or left out; otherwise as the SDK does."""
        self._has_deselected = not all(self.mask.values())
        if not (write_messages and self._can_pass_raw()):
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        self._is_raw = True
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

    def _can_pass_raw(self) -> bool:
        """Return whether all records are written, and unchanged."""
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
        """Write the records of a page; if one is faulty, those before it are still written."""
        writer = cast("LineWriter", self._tap.message_writer)
        bookmark, read_at, server_time = self._bookmark, self._read_at, self._server_time
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
                    conformed = self._conform(record, f"record {position} of page {number}")
                    write(as_json(conformed))
                    self._increment_stream_state(conformed)

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
            self._bookmark.advance(self._stamp, self._read_at, self._server_time)


class CustomersStream(ShopStream):
    """Buyers: persons and companies."""

    name = "customers"
    path = "/customers"
    record_schema = schemas.CUSTOMERS


class ProductsStream(ShopStream):
    """Products for sale, one record per SKU."""

    name = "products"
    path = "/products"
    record_schema = schemas.PRODUCTS


class OrdersStream(ShopStream):
    """Purchases, with lines, freight, payments and refunds."""

    name = "orders"
    path = "/orders"
    record_schema = schemas.ORDERS


STREAMS: tuple[type[ShopStream], ...] = (CustomersStream, ProductsStream, OrdersStream)
"""In the order in which they are emitted: orders refer to customers and products."""
