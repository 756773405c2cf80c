"""One page of the shop's answer, and the walk from page to page."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_customwebshop.errors import ContractBrokenError
from tap_customwebshop.json_text import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

_MOST_BARREN = 10
"""Pages in a row that bring nothing new; each is a call to the shop."""


@dataclass(frozen=True)
class Page:
    """Records in the shop's order.

    Attributes:
        records: As the shop sent them; numbers with a fraction are Decimal.
        next_cursor: What to ask for next; None on the last page.
        read_at: The moment just before this page was requested, UTC.
        told_at: The moment that the shop itself gave with it, in whole seconds; None without one.
        has_numbers: Whether any value on the page is a JSON number.
    """

    records: list[Any]
    next_cursor: str | None
    read_at: datetime
    told_at: datetime | None
    has_numbers: bool


def parse_page(body: bytes, read_at: datetime, told_at: datetime | None) -> Page:
    """Read an answer of the contract `{"data": [...], "next_cursor": null | "..."}`.

    Raises:
        ValueError: The body is not JSON.
        ContractBrokenError: It is JSON of another form.
    """
    numbers: list[None] = []
    answer = read_json(body, lambda: numbers.append(None))
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        msg = "the answer has no list 'data'"
        raise ContractBrokenError(msg)
    return Page(answer["data"], _cursor(answer), read_at, told_at, bool(numbers))


def _cursor(answer: dict[str, Any]) -> str | None:
    if "next_cursor" not in answer:
        msg = "the answer has no 'next_cursor' (null on the last page), so more may follow unseen"
        raise ContractBrokenError(msg)
    cursor = answer["next_cursor"]
    if cursor is None or cursor == "":
        return None
    if isinstance(cursor, bool) or not isinstance(cursor, (str, int)):
        msg = "'next_cursor' is neither text nor null"
        raise ContractBrokenError(msg)
    return str(cursor)


class _Errand(threading.Thread):
    """Fetches one page, on its own thread or, when asked without one, on the caller's.

    A daemon, so that a run which ends does not wait for a page that nobody will read.
    """

    def __init__(self, fetch: Callable[[str | None], Page], cursor: str | None) -> None:
        super().__init__(daemon=True, name="next page")
        self._fetch = fetch
        self._wanted = cursor
        self._page: Page | None = None
        self._error: BaseException | None = None

    @override
    def run(self) -> None:
        try:
            self._page = self._fetch(self._wanted)
        except BaseException as error:  # noqa: BLE001 - raised again where the page is wanted
            self._error = error

    def page(self) -> Page:
        if self.ident is None:
            self.run()
        else:
            self.join()
        if self._page is None:
            raise self._error or RuntimeError
        return self._page


def read_pages(fetch: Callable[[str | None], Page], *, path: str, ahead: bool) -> Iterator[Page]:
    """Yield all pages from the first to the last.

    A page may be empty, where the shop leaves out what nobody is to see, and equal to an earlier
    one, where all its records changed meanwhile; but not one after the other for ever.

    Args:
        fetch: Gets the page at a cursor; None is the first page.
        path: What is read, for messages.
        ahead: Fetch each page while the one before it is being worked on; never more than one.

    Raises:
        ContractBrokenError: A cursor comes back, or the pages bring nothing new any more, so that
            they would go on for ever.
    """
    seen: set[str] = set()
    known: set[int] = set()
    barren = 0
    errand = _send(fetch, None, ahead=ahead)
    while True:
        page = errand.page()
        cursor = page.next_cursor
        if cursor is None:
            yield page
            return
        ids = _ids(page)
        barren = barren + 1 if ids in known else 0
        known.add(ids)
        if cursor in seen or barren == _MOST_BARREN:
            yield page
            what = (
                "go round in a circle: a 'next_cursor' came back a second time"
                if cursor in seen
                else f"do not end: {barren} in a row are empty, or the same as earlier ones, and"
                " name a 'next_cursor'"
            )
            msg = f"GET {path}: the pages {what}; repair it in the shop and run again."
            raise ContractBrokenError(msg)
        seen.add(cursor)
        errand = _send(fetch, cursor, ahead=ahead)
        yield page


def _ids(page: Page) -> int:
    """Return a hash of the ids of a page, whatever their order."""
    return hash(
        frozenset(str(one.get("id") if isinstance(one, dict) else one) for one in page.records)
    )


def _send(fetch: Callable[[str | None], Page], cursor: str | None, *, ahead: bool) -> _Errand:
    errand = _Errand(fetch, cursor)
    if ahead:
        errand.start()
    return errand
