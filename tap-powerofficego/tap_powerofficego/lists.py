"""Reads a list of Go to its end: every entry once, with the moment before it was requested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_powerofficego.go_api import GoError

from tap_powerofficego import stamps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
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


@dataclass(frozen=True)
class ListReader:
    """Reads lists of Go by pages of one size; `tell` gives a person one line of warning."""

    go: GoClient
    page_size: int
    tell: Callable[[str], None]

    def read(self, path: str, params: Mapping[str, str], found: dict[Any, Entry]) -> None:
        """Add the entries of a list, by id, to those found before; what was read last counts.

        An entry that leaves the list while it is read, as an order does that is invoiced, moves the
        ones behind it forward, and one of them from a page that is still to be read to one that was
        read already. So a list of several pages is compared with its ids, and read again where one
        is missing.

        Raises:
            GoError: as `GoClient.read`, or an entry has no id.
        """
        for _ in range(_PASSES):
            if self._read_once(path, params, found) < 2:
                return
            listed = self.go.list_all(path, params=params, fields=["Id"], page_size=self.page_size)
            if found.keys() >= {entry.get("Id") for entry in listed}:
                return
        self.tell(
            f"GET {path}: entries come and go faster than the list can be read; what is missing"
            " comes with its next change, or with the next full check"
        )

    def read_first_page(
        self, path: str, params: Mapping[str, str], found: dict[Any, Entry]
    ) -> None:
        """Add the entries of the first page only."""
        self._read_once(path, params, found, pages=1)

    def _read_once(
        self,
        path: str,
        params: Mapping[str, str],
        found: dict[Any, Entry],
        pages: int | None = None,
    ) -> int:
        """Read the list from its first page; return how many pages it had."""
        listed = self.go.list_pages(path, params=params, page_size=self.page_size)
        count = 0
        while count != pages:
            read_at = stamps.now()
            page = next(listed, None)
            if page is None:
                break
            count += 1
            for body in page:
                if not isinstance(body, dict) or body.get("Id") is None:
                    msg = f"GET {path}: an entry of the list has no Id; nothing can be done with it"
                    raise GoError(msg)
                found[body["Id"]] = Entry(body, read_at)
        return count
