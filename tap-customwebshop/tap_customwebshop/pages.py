"""One page of the shop's answer, and the walk from page to page."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_customwebshop.errors import ContractBrokenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime


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

    def whole(text: str) -> int:
        numbers.append(None)
        return int(text)

    def fraction(text: str) -> Decimal:
        numbers.append(None)
        return Decimal(text)

    try:
        answer = json.loads(body, parse_int=whole, parse_float=fraction, parse_constant=str)
    except RecursionError as error:
        msg = "nested too deeply"
        raise ValueError(msg) from error
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


def read_pages(fetch: Callable[[str | None], Page], *, ahead: bool) -> Iterator[Page]:
    """Yield all pages from the first to the last.

    Args:
        fetch: Gets the page at a cursor; None is the first page.
        ahead: Fetch each page while the one before it is being worked on; never more than one.

    Raises:
        ContractBrokenError: A cursor comes back, so the pages would go round for ever.
    """
    seen: set[str] = set()
    errand = _send(fetch, None, ahead=ahead)
    while True:
        page = errand.page()
        cursor = page.next_cursor
        if cursor is None:
            yield page
            return
        if cursor in seen:
            yield page
            msg = "the pages go round in a circle: a 'next_cursor' came back a second time"
            raise ContractBrokenError(msg)
        seen.add(cursor)
        errand = _send(fetch, cursor, ahead=ahead)
        yield page


def _send(fetch: Callable[[str | None], Page], cursor: str | None, *, ahead: bool) -> _Errand:
    errand = _Errand(fetch, cursor)
    if ahead:
        errand.start()
    return errand
