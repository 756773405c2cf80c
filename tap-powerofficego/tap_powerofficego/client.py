"""The base of the streams, which turns Go's lists into records.

The HTTP client is that of target-powerofficego.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import sqlite3
import sys
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk import Stream
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import RecordMessage
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL
from target_powerofficego.go_api import ConfigurationError, GoError, NotFound, Unreachable
from target_powerofficego.plugin.sdk_internals import pop_deselected_record_properties
from typing_extensions import override

from tap_powerofficego import stamps
from tap_powerofficego.bookmarks import NEWEST, Bookmarks, ChangeFilter
from tap_powerofficego.entries import as_text, members_of
from tap_powerofficego.lists import Listing, ListReader
from tap_powerofficego.settings import PAGE_SIZE, connection_of
from tap_powerofficego.writer import LineWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import MetadataMapping
    from target_powerofficego.go_api import GoClient

    from tap_powerofficego.lists import Entry

_STATE_EACH = 1000
_STATE_EACH_WITH_LINES = 100
LAST_CHANGED = ChangeFilter("lastChangedDateTimeOffsetGreaterThan", "LastChangedDateTimeOffset")


class GoStream(Stream):
    """Entries of one kind, in the order in which they changed.

    The SDK would convert every member to the type in the schema. Here values pass as Go sent them.

    Attributes:
        path: The list in Go.
        filters: Go's filters for changed entries; without any, everything is read.
        has_unstamped_edits: Whether Go has edits that move none of the stamps, so that everything
            must be listed again from time to time.
        lines: The member that contains the lines, which cost one call per entry, and so are read
            only if they are selected; "" for none.
    """

    primary_keys: ClassVar[tuple[str, ...]] = ("Id",)
    path: ClassVar[str]
    entry_schema: ClassVar[dict[str, Any]]
    filters: ClassVar[tuple[ChangeFilter, ...]] = (LAST_CHANGED,)
    has_unstamped_edits: ClassVar[bool] = False
    lines: ClassVar[str] = ""

    def __init__(self, tap: Tap, client: Callable[[], GoClient]) -> None:
        super().__init__(tap, schema=self.entry_schema)
        self._client = client
        members = (filter_.member for filter_ in self.filters if filter_.bookmark == NEWEST)
        self.replication_key = next(members, None)
        self._page_size: int = self.config.get("page_size", PAGE_SIZE)
        state_each = _STATE_EACH_WITH_LINES if self.lines else _STATE_EACH
        self.STATE_MSG_FREQUENCY = min(self._page_size, state_each)
        self._known_members = frozenset(self.entry_schema["properties"])
        self._reported_members: set[str] = set()

    @property
    @override
    def metadata(self) -> MetadataMapping:
        metadata = super().metadata
        if self.lines and self._tap_input_catalog is None:
            metadata["properties", self.lines].selected_by_default = False
        return metadata

    @property
    def go(self) -> GoClient:
        """The client that all streams share."""
        return self._client()

    @property
    @override
    def is_sorted(self) -> bool:
        return True

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return no signpost: the bookmarks show how far the run got, by Go's clock."""

    @override
    def log(self, message: str, *args: object, level: int = logging.INFO, **kwargs: Any) -> None:
        if isinstance(sys.exc_info()[1], GoError):
            return  # the tap reports it in one line
        super().log(message, *args, level=level, **kwargs)

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Write entries as Go's own text if nothing within their members is changed."""
        self._deselected = [path for path, is_selected in self.mask.items() if not is_selected]
        if not (write_messages and self._can_pass_text()):
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        with self.get_record_counter() as counter, self.get_sync_timer():
            self._write_starting_replication_value(None)
            with self._read_listing() as listing:
                in_order = self._bookmarks.in_order(listing)
                while entries := list(itertools.islice(in_order, self.STATE_MSG_FREQUENCY)):
                    self._write(entries)
                    counter.increment(len(entries))
                    if len(entries) == self.STATE_MSG_FREQUENCY:
                        self._write_state_message()
                self._bookmarks.finish(listing)
        self._finalize_state(self.stream_state)
        self._write_state_message()

    def _can_pass_text(self) -> bool:
        """Return whether all entries are written, and nothing within a member is changed."""
        stream_map, *others = self.stream_maps
        return (
            self.selected
            and not self._has_lines
            and self.ABORT_AT_RECORD_COUNT is None
            and self._stream_version is None
            and type(stream_map) is SameRecordTransform
            and not stream_map.flattening_enabled
            and not others
            and isinstance(self._tap.message_writer, LineWriter)
            and not any(len(path) > 2 and self.mask[path[:2]] for path in self._deselected)
        )

    @property
    def _has_lines(self) -> bool:
        return bool(self.lines) and self.mask["properties", self.lines]

    def _write(self, entries: list[Entry]) -> None:
        """Write entries, and only then move the bookmarks on."""
        writer = cast("LineWriter", self._tap.message_writer)
        left_out = {path[1] for path in self._deselected}
        records = [(self._text(entry, left_out), entry.read_at) for entry in entries]
        self.state_manager.is_flushed = False
        writer.write_records(self.name, records)
        for entry in entries:
            self._bookmarks.advance(entry)

    def _text(self, entry: Entry, left_out: set[str]) -> bytes:
        """Return an entry's text without the members that are left out."""
        members = members_of(entry.text)
        self._warn_of_unknown(members.keys())
        if members.keys().isdisjoint(left_out):
            return entry.text
        return as_text({name: text for name, text in members.items() if name not in left_out})

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        most = self.ABORT_AT_RECORD_COUNT  # beyond this the SDK would report a failure
        with self._read_listing() as listing:
            for entry in itertools.islice(self._bookmarks.in_order(listing), most):
                current = self._record_of(entry)
                if current is not None:
                    record, self._read_at = current
                    self._entry = entry
                    self._warn_of_unknown(record.keys())
                    yield record
            if most is None:
                self._bookmarks.finish(listing)

    def _open_bookmarks(self) -> Bookmarks:
        is_incremental = self.replication_method == REPLICATION_INCREMENTAL
        return Bookmarks(
            self.filters,
            self.stream_state if is_incremental else {},
            self.config["overlap_seconds"],
            self.earliest_change(),
            float(self.config["full_check_hours"]) if self.has_unstamped_edits else None,
            lambda warning: self.logger.warning("%s: %s", self.name, warning),
        )

    def earliest_change(self) -> str:
        """Return the stamp before which changes are not read; "" to read all."""
        return stamps.parse_start(self.config.get("start_date") or "")

    def params(self) -> dict[str, str]:
        """Return the parameters that every query of the list has."""
        return {}

    @contextlib.contextmanager
    def _read_listing(self) -> Iterator[Listing]:
        """Read the lists that this run needs, before anything is emitted.

        Raises:
            Unreachable: Go cannot be reached; the message names the address.
            ConfigurationError: A bookmark of the state is in the future, by Go's clock; or what was
                read does not fit on the disk.
            GoError: As `ListReader.read`.
        """
        self._bookmarks = self._open_bookmarks()
        try:
            with contextlib.closing(Listing(self._bookmarks.since)) as listing:
                self._read_lists(listing)
                yield listing
        except Unreachable as error:
            address = connection_of(self.config).api_url
            raise Unreachable(f"PowerOffice Go at {address} cannot be reached: {error}") from None
        except sqlite3.OperationalError as error:
            raise ConfigurationError(
                f"{self.name}: what was read does not fit into the folder for temporary files"
                f" ({error}); make room there, or name another one in TMPDIR."
            ) from None

    def _read_lists(self, listing: Listing) -> None:
        is_full = self._bookmarks.is_full_check_due(stamps.now())
        most = self.ABORT_AT_RECORD_COUNT
        reader = ListReader(self.go, most or self._page_size, self.logger.warning)
        read = reader.read if most is None else reader.read_first_page
        for query in self._bookmarks.queries(is_full=is_full):
            read(self.path, {**self.params(), **query}, listing)
        listing.server_time = self.go.server_time or listing.began_at
        if name := self._bookmarks.future_bookmark(listing.server_time):
            raise ConfigurationError(
                f"The state's {name} of '{self.name}' lies in the future; correct or remove it."
            )

    def _record_of(self, entry: Entry) -> tuple[Record, datetime] | None:
        """Return the record to emit for an entry, and when it was requested; None if it is gone."""
        if not self._has_lines:
            return entry.body, entry.read_at
        try:
            return self.read_with_lines(entry)
        except NotFound:
            self._bookmarks.note_missing()
            self.logger.info(
                "%s: %s left the list while it was read; it is not emitted", self.name, entry.go_id
            )
            return None

    def read_with_lines(self, entry: Entry) -> tuple[Record, datetime]:
        """Return an entry with its lines, which are read now, and when it was requested.

        Raises:
            NotFound: Go no longer has it.
        """
        raise NotImplementedError

    def _warn_of_unknown(self, members: AbstractSet[str]) -> None:
        for name in sorted(members - self._known_members - self._reported_members):
            self._reported_members.add(name)
            self.logger.warning(
                "%s: Go has a new member %.60r; it is passed on, but the schema does not have it",
                self.name,
                name,
            )

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
        """Pass the record on as it is, with the moment just before it was requested."""
        if self._deselected:
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
        self._bookmarks.advance(self._entry)
