"""Reads the shop's lists, as the contract defines them, page by page."""

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

_MOST_REPEATS = 10
"""How many pages in a row may contain nothing new; each is a call to the shop."""

logger = logging.getLogger("tap-customwebshop.client")
_ADVICE = {
    400: "it does not accept the parameters updated_since, limit and cursor; see docs/shop-api.md",
    401: "it does not know the key; check 'auth_token'",
    403: "the key has no access to this; check 'auth_token' and its rights in the shop",
    404: "there is nothing at this address; check 'api_url'",
}


@dataclass(frozen=True)
class Page:
    """Records in the shop's order.

    Attributes:
        records: As the shop sent them; numbers with a fraction are Decimal. If raw records were
            requested, each that needs no change is a RawRecord.
        next_cursor: The cursor of the next page; None on the last page.
        read_at: The moment just before this page was requested, UTC.
        server_time: The time that the shop sent with the page, in whole seconds; None if it sent
            none.
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
        form: The form of records that are returned raw; None to parse all records.

    Raises:
        ValueError: The body is not JSON.
        ContractBrokenError: It is JSON, but not as in the contract.
    """
    answer = (form.parse_answer(body) if form else None) or read_json(body)
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise ContractBrokenError("the answer has no list 'data'")
    return Page(answer["data"], _cursor(answer), read_at, server_time)


def _cursor(answer: dict[str, Any]) -> str | None:
    if "next_cursor" not in answer:
        raise ContractBrokenError(
            "the answer has no 'next_cursor' (null on the last page), so pages may be missed"
        )
    cursor = answer["next_cursor"]
    if cursor is None or cursor == "":
        return None
    if isinstance(cursor, bool) or not isinstance(cursor, (str, int)):
        raise ContractBrokenError("'next_cursor' is neither text nor null")
    return str(cursor)


def read_pages(fetch: Callable[[str | None], Page], *, path: str, ahead: bool) -> Iterator[Page]:
    """Yield all pages from the first to the last.

    A page can be empty, if the shop leaves out hidden records, or equal to an earlier one, if all
    its records changed meanwhile. Such pages must not go on for ever.

    Args:
        fetch: Gets the page at a cursor; None is the first page.
        path: The path of the list, for messages.
        ahead: Fetch each page while the one before it is being processed; never more than one.

    Raises:
        ContractBrokenError: A cursor is repeated, or too many pages in a row contain nothing new,
            so that reading would never end.
    """
    cursors: set[str] = set()
    page_hashes: set[int] = set()
    repeats = 0
    start = _start_fetch if ahead else partial
    wait_for_page = start(fetch, None)
    while True:
        page = wait_for_page()
        cursor = page.next_cursor
        if cursor is None:
            yield page
            return
        ids_hash = _ids_hash(page)
        repeats = repeats + 1 if ids_hash in page_hashes else 0
        page_hashes.add(ids_hash)
        if cursor in cursors or repeats == _MOST_REPEATS:
            yield page
            fault = (
                "go round in a circle: a 'next_cursor' came back a second time"
                if cursor in cursors
                else f"do not end: {repeats} in a row are empty, or the same as earlier ones, and"
                " have a 'next_cursor'"
            )
            raise ContractBrokenError(
                f"GET {path}: the pages {fault}; fix it in the shop and run again."
            )
        cursors.add(cursor)
        wait_for_page = start(fetch, cursor)
        yield page


def read_ahead(pages: Iterator[Page]) -> Iterator[Page]:
    """Yield pages, each fetched while the one before it is being processed."""

    def fetch(_: object) -> Page | None:
        return next(pages, None)

    wait_for_page = _start_fetch(fetch, None)
    while (page := wait_for_page()) is not None:
        wait_for_page = _start_fetch(fetch, None)
        yield page


def _ids_hash(page: Page) -> int:
    """Return a hash of the ids on a page, regardless of their order."""
    return hash(frozenset(map(_id, page.records)))


def _id(record: object) -> str:
    if isinstance(record, RawRecord):
        return record.id
    return str(record.get("id") if isinstance(record, dict) else record)


def _start_fetch(fetch: Callable[[str | None], Result], cursor: str | None) -> Callable[[], Result]:
    """Start fetching a page on a thread of its own; return a function that waits for it.

    The thread is a daemon, so a run that ends does not wait for a page that it will not use.
    """
    page: Future[Result] = Future()

    def run() -> None:
        try:
            page.set_result(fetch(cursor))
        except BaseException as error:  # noqa: BLE001 - raised again by `page.result`
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
    """Call a function until it succeeds, the budget is spent or another attempt cannot help.

    Args:
        attempt: The function; it raises TemporaryError if another attempt may succeed.
        description: What it does, for messages.
        retry_seconds: Seconds for all attempts together.
        sleep: Waits this many seconds before the next attempt.

    Raises:
        ShopUnavailableError: No attempt succeeded within the budget.
    """
    budget = RetryBudget(retry_seconds)
    while True:
        try:
            return attempt()
        except TemporaryError as error:
            wait = budget.next_wait(
                error.retry_after, kind=error.reason, most_attempts=error.most_attempts
            )
            if wait is None:
                raise ShopUnavailableError(
                    f"{description}: {error.reason}. Run again later."
                ) from None
            logger.warning("%s: %s; asking again in %.1f s", description, error.reason, wait)
        sleep(wait)


class ShopClient:
    """Reads pages from the shop.

    Args:
        connection: Sends the requests.
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
            since: Only records that changed at this moment or later; None for all.
            limit: How many records to request at a time.
            ahead: Fetch each page while the one before it is being processed.
            form: The form of records that are returned raw; None to parse all records.

        Raises:
            ShopError: As `get_page` and `read_pages`.
        """
        query = {"limit": str(limit)}
        if since is not None:
            query["updated_since"] = format_stamp(since)

        def fetch(cursor: str | None) -> Page:
            return self.get_page(path, query | ({"cursor": cursor} if cursor else {}), form)

        return read_pages(fetch, path=path, ahead=ahead)

    def get_page(self, path: str, query: Mapping[str, str], form: RecordForm | None = None) -> Page:
        """Request one page until it comes, the budget is spent or another attempt cannot help.

        Raises:
            ShopUnavailableError: No useful answer came within the budget.
            ShopRefusedError: The shop refused, or redirects to another server.
            ContractBrokenError: The answer is not as in the contract.
        """
        return with_retries(
            lambda: self._page(path, query, form),
            description=f"GET {self._connection.redacted(path)}",
            retry_seconds=self._retry_seconds,
        )

    def _page(self, path: str, query: Mapping[str, str], form: RecordForm | None) -> Page:
        read_at = datetime.now(timezone.utc)
        answer = self._connection.send("GET", path, query=query)
        request = f"GET {self._connection.redacted(path)}"
        if answer.status != requests.codes.ok:
            advice = _ADVICE.get(answer.status, "the tap cannot go on from here")
            raise ShopRefusedError(f"{request}: the shop answered {answer.status}: {advice}.")
        try:
            server_time = parse_date(answer.headers.get("Date"))
            return parse_page(answer.body, read_at, server_time, form)
        except ContractBrokenError as error:
            raise ContractBrokenError(f"{request}: {error}; see docs/shop-api.md.") from None
        except ValueError:
            reason = "the shop's answer is not JSON"
            raise TemporaryError(reason, most_attempts=3) from None
