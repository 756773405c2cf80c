"""The shop's lists as in the contract: one page per call, and the walk from page to page."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import requests

from tap_customwebshop.connection import RetryBudget, ShopConnection, TemporaryError
from tap_customwebshop.errors import ContractBrokenError, ShopRefusedError, ShopUnavailableError
from tap_customwebshop.plugin.json_text import read_json
from tap_customwebshop.raw_records import RawRecord
from tap_customwebshop.stamps import format_stamp, parse_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_customwebshop.raw_records import RecordForm

Result = TypeVar("Result")

_MOST_BARREN = 10
"""How many pages in a row may bring nothing new; each is a call to the shop."""

logger = logging.getLogger("tap-customwebshop.client")
_ADVICE = {
    400: "it does not take the parameters updated_since, limit and cursor; see docs/shop-api.md",
    401: "it does not know the key; check 'auth_token'",
    403: "the key may not read this; check 'auth_token' and its rights in the shop",
    404: "there is nothing at this address; check 'api_url'",
}


@dataclass(frozen=True)
class Page:
    """Records in the shop's order.

    Attributes:
        records: As the shop sent them; numbers with a fraction are Decimal. A RawRecord where
            nothing is to be changed, if that was asked for.
        next_cursor: What to ask for next; None on the last page.
        read_at: The moment just before this page was requested, UTC.
        server_time: The time that the shop itself gave with it, in whole seconds; None if it gave none.
    """

    records: list[Any]
    next_cursor: str | None
    read_at: datetime
    server_time: datetime | None


def parse_page(
    body: bytes, read_at: datetime, server_time: datetime | None, form: RecordForm | None = None
) -> Page:
    """Read an answer of the contract `{"data": [...], "next_cursor": null | "..."}`.

    Args:
        body: The answer.
        read_at: As in Page.
        server_time: As in Page.
        form: The form of records that are wanted raw; None to read all.

    Raises:
        ValueError: The body is not JSON.
        ContractBrokenError: It is JSON of another form.
    """
    answer = (form.answer(body) if form else None) or read_json(body)
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise ContractBrokenError("the answer has no list 'data'")
    return Page(answer["data"], _cursor(answer), read_at, server_time)


def _cursor(answer: dict[str, Any]) -> str | None:
    if "next_cursor" not in answer:
        raise ContractBrokenError(
            "the answer has no 'next_cursor' (null on the last page), so more may follow unseen"
        )
    cursor = answer["next_cursor"]
    if cursor is None or cursor == "":
        return None
    if isinstance(cursor, bool) or not isinstance(cursor, (str, int)):
        raise ContractBrokenError("'next_cursor' is neither text nor null")
    return str(cursor)


def read_pages(fetch: Callable[[str | None], Page], *, path: str, ahead: bool) -> Iterator[Page]:
    """Yield all pages from the first to the last.

    A page may be empty, where the shop leaves out what nobody is to see, or equal to an earlier
    one, where all its records changed meanwhile; but such pages must not go on for ever.

    Args:
        fetch: Gets the page at a cursor; None is the first page.
        path: What is read, for messages.
        ahead: Fetch each page while the one before it is being processed; never more than one.

    Raises:
        ContractBrokenError: A cursor is repeated, or the pages no longer bring anything new, so
            that they would go on for ever.
    """
    seen: set[str] = set()
    known: set[int] = set()
    barren = 0
    send = _begin if ahead else partial
    wait_for_page = send(fetch, None)
    while True:
        page = wait_for_page()
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
            raise ContractBrokenError(
                f"GET {path}: the pages {what}; repair it in the shop and run again."
            )
        seen.add(cursor)
        wait_for_page = send(fetch, cursor)
        yield page


def read_ahead(pages: Iterator[Page]) -> Iterator[Page]:
    """Yield pages, each fetched while the one before it is being processed."""

    def fetch(_: object) -> Page | None:
        return next(pages, None)

    wait_for_page = _begin(fetch, None)
    while (page := wait_for_page()) is not None:
        wait_for_page = _begin(fetch, None)
        yield page


def _ids(page: Page) -> int:
    """Return a hash of the ids of a page, whatever their order."""
    return hash(frozenset(map(_id, page.records)))


def _id(record: object) -> str:
    if isinstance(record, RawRecord):
        return record.id
    return str(record.get("id") if isinstance(record, dict) else record)


def _begin(fetch: Callable[[str | None], Result], cursor: str | None) -> Callable[[], Result]:
    """Start fetching a page on a thread of its own; return a function that waits for it.

    The thread is a daemon, so that a run that ends does not wait for a page that nobody will read.
    """
    page: Future[Result] = Future()

    def run() -> None:
        try:
            page.set_result(fetch(cursor))
        except BaseException as error:  # noqa: BLE001 - raised again where the page is wanted
            page.set_exception(error)

    threading.Thread(target=run, daemon=True, name="next page").start()
    return page.result


def with_retries(
    attempt: Callable[[], Result],
    *,
    description: str,
    retry_seconds: float,
    sleep: Callable[[float], object] = time.sleep,
) -> Result:
    """Attempt something until it succeeds, the budget is spent or trying again cannot help.

    Args:
        attempt: What is attempted.
        description: What it is, for messages.
        retry_seconds: Seconds for all attempts together.
        sleep: Waits so many seconds before the next attempt.

    Raises:
        ShopUnavailableError: No attempt succeeded within the budget.
    """
    patience = RetryBudget(retry_seconds)
    while True:
        try:
            return attempt()
        except TemporaryError as trouble:
            wait = patience.next_wait(
                trouble.retry_after, kind=trouble.reason, most_attempts=trouble.most_attempts
            )
            if wait is None:
                raise ShopUnavailableError(
                    f"{description}: {trouble.reason}. Run again later."
                ) from None
            logger.warning("%s: %s; asking again in %.1f s", description, trouble.reason, wait)
        sleep(wait)


class ShopClient:
    """Reads pages from the shop.

    Args:
        connection: How the shop is asked.
        retry_seconds: Seconds for all attempts at one page together.
    """

    def __init__(self, connection: ShopConnection, *, retry_seconds: float) -> None:
        self._connection = connection
        self._retry_seconds = retry_seconds

    def pages(
        self,
        path: str,
        *,
        since: datetime | None,
        limit: int,
        ahead: bool,
        form: RecordForm | None = None,
    ) -> Iterator[Page]:
        """Yield the pages of a list from the first to the last.

        Args:
            path: The list.
            since: Only what changed at this moment or later; None for everything.
            limit: How many records to ask for at a time.
            ahead: Fetch each page while the one before it is being processed.
            form: The form of records that are wanted raw; None to read all.

        Raises:
            ShopError: as `get_page` and `read_pages`.
        """
        query = {"limit": str(limit)}
        if since is not None:
            query["updated_since"] = format_stamp(since)

        def fetch(cursor: str | None) -> Page:
            return self.get_page(path, query | ({"cursor": cursor} if cursor else {}), form)

        return read_pages(fetch, path=path, ahead=ahead)

    def get_page(self, path: str, query: Mapping[str, str], form: RecordForm | None = None) -> Page:
        """Ask for one page until it comes, the budget is spent or asking again cannot help.

        Raises:
            ShopUnavailableError: No useful answer came within the budget.
            ShopRefusedError: The shop refused, or redirects to another server.
            ContractBrokenError: The answer has another form than the contract's.
        """
        return with_retries(
            lambda: self._page(path, query, form),
            description=f"GET {self._connection.redacted(path)}",
            retry_seconds=self._retry_seconds,
        )

    def _page(self, path: str, query: Mapping[str, str], form: RecordForm | None) -> Page:
        read_at = datetime.now(timezone.utc)
        answer = self._connection.send("GET", path, query=query)
        shown = self._connection.redacted(path)
        if answer.status != requests.codes.ok:
            advice = _ADVICE.get(answer.status, "the tap cannot go on from here")
            raise ShopRefusedError(f"GET {shown}: the shop answered {answer.status}: {advice}.")
        try:
            server_time = parse_date(answer.headers.get("Date"))
            return parse_page(answer.body, read_at, server_time, form)
        except ContractBrokenError as error:
            raise ContractBrokenError(f"GET {shown}: {error}; see docs/shop-api.md.") from None
        except ValueError:
            what = "the shop's answer is not JSON"
            raise TemporaryError(what, most_attempts=3) from None
