"""How a stream turns Go's lists into records; the HTTP client is target-powerofficego's."""

from __future__ import annotations

import itertools
import logging
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream
from singer_sdk.singerlib import RecordMessage
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL
from target_powerofficego.go_api import ConfigurationError, GoError, NotFound, Unreachable
from target_powerofficego.sdk_internals import pop_deselected_record_properties
from typing_extensions import override

from tap_powerofficego import stamps
from tap_powerofficego.bookmarks import NEWEST, Bookmarks, ChangeFilter
from tap_powerofficego.lists import Entry, Listing, ListReader
from tap_powerofficego.settings import LARGEST_PAGE, connection_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record
    from target_powerofficego.go_api import GoClient

_STATE_EACH = 1000
_STATE_EACH_WITH_LINES = 100
LAST_CHANGED = ChangeFilter("lastChangedDateTimeOffsetGreaterThan", "LastChangedDateTimeOffset")


class GoStream(Stream):
    """Entries of one kind, in the order in which they changed.

    The SDK would convert every member to the type that the schema gives. Here values pass as Go
    sent them.

    Attributes:
        path: The list in Go.
        filters: The filters by which Go tells what changed; without any, everything is read.
        has_unstamped_edits: Whether Go lets edits pass that none of the stamps tells of, so that
            everything has to be listed again from time to time.
        lines: The member that holds the lines, which cost a call an entry; "" for none.
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
        members = (one.member for one in self.filters if one.bookmark == NEWEST)
        self.replication_key = next(members, None)
        self._page_size: int = self.config.get("page_size", LARGEST_PAGE)
        state_each = _STATE_EACH_WITH_LINES if self.lines else _STATE_EACH
        self.STATE_MSG_FREQUENCY = min(self._page_size, state_each)
        self._known = frozenset(self.entry_schema["properties"])
        self._told_members: set[str] = set()

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
        """Return no signpost: the bookmarks say how far the run came, by Go's clock."""

    @override
    def log(self, message: str, *args: object, level: int = logging.INFO, **kwargs: Any) -> None:
        if isinstance(sys.exc_info()[1], GoError):
            return  # the tap reports it in a line of its own
        super().log(message, *args, level=level, **kwargs)

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        self._has_deselected = not all(self.mask.values())
        self._bookmarks = self._open_bookmarks()
        listing = self._listed()
        most = self.ABORT_AT_RECORD_COUNT  # beyond this the SDK would report a failure
        for entry in itertools.islice(self._bookmarks.in_order(listing), most):
            emitted = self._emitted(entry)
            if emitted is not None:
                self._entry = entry
                self._read_at = emitted.read_at
                self._tell_unknown(emitted.body)
                yield dict(emitted.body)
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
            lambda told: self.logger.warning("%s: %s", self.name, told),
        )

    def earliest_change(self) -> str:
        """Return the stamp before which no change is read; "" for none."""
        return stamps.start(self.config.get("start_date") or "")

    def params(self) -> dict[str, str]:
        """Return the parameters that every query of the list has."""
        return {}

    def _listed(self) -> Listing:
        """Read the lists that this run needs, before anything is emitted.

        Raises:
            Unreachable: Go cannot be reached; the text names the address.
            ConfigurationError: A bookmark of the state lies in the future, by Go's clock.
            GoError: as `ListReader.read`.
        """
        try:
            return self._read_lists()
        except Unreachable as error:
            address = connection_of(self.config).api_url
            raise Unreachable(f"PowerOffice Go at {address} cannot be reached: {error}") from None

    def _read_lists(self) -> Listing:
        listing = Listing()
        is_full = self._bookmarks.is_full_check_due(stamps.now())
        most = self.ABORT_AT_RECORD_COUNT
        reader = ListReader(self.go, most or self._page_size, self.logger.warning)
        read = reader.read if most is None else reader.read_first_page
        for query in self._bookmarks.queries(is_full=is_full):
            read(self.path, {**self.params(), **query}, listing)
        listing.told_at = self.go.told_at or listing.began_at
        if late := self._bookmarks.to_come(listing.told_at):
            raise ConfigurationError(
                f"The state's {late} of '{self.name}' lies in the future; correct or remove it."
            )
        return listing

    def _emitted(self, entry: Entry) -> Entry | None:
        """Return what is emitted for an entry; None if Go no longer has it."""
        if not self.lines or not self.mask["properties", self.lines]:
            return entry
        try:
            return self.with_lines(entry)
        except NotFound:
            self._bookmarks.note_missing()
            self.logger.info(
                "%s: %s left the list while it was read; it is not emitted", self.name, entry.go_id
            )
            return None

    def with_lines(self, entry: Entry) -> Entry:
        """Return an entry with its lines, which are read now.

        Raises:
            NotFound: Go no longer has it.
        """
        raise NotImplementedError

    def _tell_unknown(self, body: dict[str, Any]) -> None:
        for name in sorted(body.keys() - self._known - self._told_members):
            self._told_members.add(name)
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
        self._bookmarks.advance(self._entry)
