"""Reads a list of Go to its end: every entry once, with the moment just before it was requested."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_powerofficego.go_api import GoError, has_id

from tap_powerofficego import stamps

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from target_powerofficego.go_api import GoClient

_PASSES = 3


@dataclass(frozen=True)
class Entry:
    """An entry as it stood in a list, and the moment just before that page was requested."""

    body: dict[str, Any]
    read_at: datetime

    @property
    def go_id(self) -> Any:  # noqa: ANN401 - a number or a UUID, as Go has it
        """The entry's id in Go."""
        return self.body["Id"]


@dataclass
class Listing:
    """What was found in one list, or in the several lists that one stream is read from.

    Attributes:
        found: The entries by id, as each was read last.
        began_at: A moment before the first page was requested, by this machine's clock.
        told_at: The time that Go gave with a page; by this machine's clock where it gave none.
    """

    found: dict[Any, Entry] = field(default_factory=dict)
    began_at: datetime = field(default_factory=stamps.now)
    told_at: datetime = field(default_factory=stamps.now)
    _pages: int = 0
    _ended_at: datetime | None = None

    @property
    def entries(self) -> Collection[Entry]:
        """The entries, each once."""
        return self.found.values()

    @property
    def seconds(self) -> float:
        """How long the reading took; 0 for a single page, which shows Go at one moment."""
        if self._ended_at is None or self._pages < 2:
            return 0
        return (self._ended_at - self.began_at).total_seconds()

    def add(self, page: Iterable[Entry]) -> None:
        """Add a page that has just been answered; an empty one counts as well."""
        self.found.update((entry.go_id, entry) for entry in page)
        self._ended_at = stamps.now()
        self._pages += 1


@dataclass(frozen=True)
class ListReader:
    """Reads lists of Go in pages of one size; `tell` gives a person a warning of one line."""

    go: GoClient
    page_size: int
    tell: Callable[[str], None]

    def read(self, path: str, params: Mapping[str, str], listing: Listing) -> None:
        """Add a list to what was found before.

        An entry that leaves the list while it is read, as an order does when it is invoiced, moves
        the entries behind it forward, and one of them from a page still to be read to a page that
        was read already. So a list of several pages is compared with the ids that Go then lists,
        and read again if one is missing.

        Raises:
            GoError: as `GoClient.read`, or an entry has no id.
        """
        for _ in range(_PASSES):
            pages = sum(1 for _ in self._add_pages(path, params, listing))
            if pages < 2 or listing.found.keys() >= self._ids(path, params):
                return
        self.tell(
            f"GET {path}: entries come and go faster than the list can be read; what is missing"
            " comes with its next change, or with the next full check"
        )

    def read_first_page(self, path: str, params: Mapping[str, str], listing: Listing) -> None:
        """Add only the first page of a list to what was found before; raises what `read` raises."""
        next(self._add_pages(path, params, listing), None)

    def _add_pages(self, path: str, params: Mapping[str, str], listing: Listing) -> Iterator[None]:
        """Add page by page, each when the caller asks for the next one."""
        pages = self.go.list_pages(path, params=params, page_size=self.page_size)
        is_first = True
        while True:
            read_at = stamps.now()
            page = next(pages, None)
            if page is None and not is_first:
                return
            is_first = False
            listing.add(_entries(path, page or [], read_at))
            yield

    def _ids(self, path: str, params: Mapping[str, str]) -> set[Any]:
        entries = self.go.list_all(path, params=params, fields=["Id"], page_size=self.page_size)
        return {entry.get("Id") for entry in entries}


def _entries(path: str, page: list[dict[str, Any]], read_at: datetime) -> list[Entry]:
    if not all(has_id(path, body) for body in page):
        raise GoError(
            f"GET {path}: an entry of the list has no usable Id; nothing can be done with it"
        )
    return [Entry(body, read_at) for body in page]
