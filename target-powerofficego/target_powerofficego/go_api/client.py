"""The client through which every call to PowerOffice Go is made."""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import threading
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from target_powerofficego.go_api.calls import (
    LATER,
    Call,
    CallCount,
    Operation,
    error_for,
    is_entry,
    no_answer_error,
    not_sent_error,
    parse_date,
    patch_call,
    post_call,
    value_of,
)
from target_powerofficego.go_api.connection import AccessToken
from target_powerofficego.go_api.errors import (
    GoError,
    OutOfService,
    Refused,
    StopRequested,
    TryAgainLater,
    WrongKeys,
)
from target_powerofficego.go_api.sender import (
    NotAnswered,
    RateLimit,
    Repetition,
    Sender,
    hide_queries,
)
from target_powerofficego.go_api.turn_stores import IN_MEMORY, turn_store
from target_powerofficego.plugin.json_text import read_json

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from target_powerofficego.go_api.connection import Connection, Token
    from target_powerofficego.go_api.sender import Answer


_T = TypeVar("_T")

logger = logging.getLogger("target-powerofficego")

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ID_IN_PATH = re.compile(rf"/(\d+|{_UUID.pattern})(?:/Complete)?$", re.IGNORECASE)
# Source: the published schemas. All other resources have whole numbers as ids.
_PATHS_WITH_UUIDS = re.compile(
    r"/(SalesOrders\b.*|OutgoingInvoices(/[^/]*)?|Vouchers/BankJournals(/[^/]*)?)$", re.IGNORECASE
)
# The largest page that Go allows.
LARGEST_PAGE = 20000
# Consecutive pages that repeat earlier ones, before the list is given up.
MAX_REPEATED_PAGES = 10

_NO_ENTRY = "the answer does not contain the entry"
_OTHER_ENTRY = "the answer is not the entry asked for"
_PROBE_SECONDS = 10.0
"""How long the call that checks whether Go answers at all may wait for its turn."""


class GoClient(contextlib.AbstractContextManager["GoClient"]):
    """A client for any number of threads, which share one rate limit, one token and one count.

    A failed call is repeated if it certainly did nothing, until its budget is spent. A write that
    may have been done is never repeated here: it raises `UnknownOutcome`.

    Args:
        connection: addresses and keys.
        requests_per_second: what Go allows per subscription key, for all who share the store.
        rate_limit_store: where clients with the same subscription key share their turns:
            `memory`, the path of a file, or the address of a PostgreSQL database.
        timeout_seconds: how long an answer may take, to its last byte.
        retry_seconds: the budget of a call, for all its attempts and the waits between them.
        user_agent: the User-Agent header.
        first_contact_seconds: the budget until Go is reached once; by default `retry_seconds`.
        on_retry: called with a line for a person before a failed call is repeated.

    Raises:
        ConfigurationError: `requests_per_second` is not a whole number above 0, or
            `rate_limit_store` is none of the above.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        requests_per_second: int = 10,
        rate_limit_store: str = IN_MEMORY,
        timeout_seconds: float = 60,
        retry_seconds: float = 300,
        user_agent: str | None = None,
        first_contact_seconds: float | None = None,
        on_retry: Callable[[str], object] | None = None,
    ) -> None:
        hide_queries()
        self.calls = CallCount()
        self.system = "PowerOffice Go"
        self._connection = connection
        self._timeout_seconds = timeout_seconds
        self._retry_seconds = retry_seconds
        self._user_agent = user_agent or "target-powerofficego/" + version("target-powerofficego")
        self._stop = threading.Event()
        self._rate_limit = RateLimit(
            requests_per_second,
            self._stop,
            store=turn_store(rate_limit_store, connection.subscription_key, self._stop),
        )
        self._token = AccessToken(connection, self._ask_for_token)
        self._repetition = Repetition(
            retry_seconds,
            self._wait,
            first_contact_seconds=first_contact_seconds,
            on_retry=on_retry,
        )
        self.server_time: datetime.datetime | None = None
        """The time in the `Date` header of Go's last answer; None before the first."""
        self._of_thread = threading.local()
        self._senders: WeakSet[Sender] = WeakSet()
        self._senders_lock = threading.Lock()

    def __exit__(self, *_failure: object) -> None:
        self.close()

    @contextlib.contextmanager
    def giving_up_after(self, seconds: float) -> Iterator[None]:
        """Spend at most this long on each call inside; for a call that tests the address.

        Use it only while no other thread uses the client.
        """
        previous = self._retry_seconds, self._repetition
        self._retry_seconds, self._repetition = seconds, Repetition(seconds, self._wait)
        try:
            yield
        finally:
            self._retry_seconds, self._repetition = previous

    def read(self, path: str, params: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        """Return the JSON value at a path, fractions as Decimal; None for 204, an empty list.

        Raises:
            TryAgainLater: it failed until the budget was spent, while Go answers other calls.
            Refused, StopRun: see `errors`.
        """
        return self._value(
            Call("GET", path, params=params),
            (lambda value: is_entry_of(path, value), _OTHER_ENTRY),
        )

    def list_all(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
        order_by: str = "Id",
        page_size: int = LARGEST_PAGE,
    ) -> Iterator[dict[str, Any]]:
        """Yield the entries of a list; each page is read once the previous one is used up.

        Entries without a usable `Id` are left out, and their number is logged.

        Args:
            path: the list, such as `/Customers`.
            params: filters by Go's own names; a list of values is sent separated by commas.
            fields: the fields to return, including `Id`; by default all.
            order_by: the sort order, which keeps pages stable while entries are added.
            page_size: at most 20000.

        Raises:
            GoError: as for `read`, at the first entry or between any two.
        """
        pages = self.list_pages(
            path, params=params, fields=fields, order_by=order_by, page_size=page_size
        )
        return itertools.chain.from_iterable(with_ids(path, page) for page in pages)

    def list_pages(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
        order_by: str = "Id",
        page_size: int = LARGEST_PAGE,
        read: Callable[[bytes], Any] = read_json,
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the non-empty pages of a list; each is requested only when it is needed.

        Use it to know when an entry was read, or to parse only part of each entry: `read` parses
        the body of an answer, and raises ValueError if it is not JSON. See `list_all` for the rest.
        """
        query = query_for(params, fields, order_by, page_size)

        def read_page(number: int) -> tuple[list[dict[str, Any]], str | None]:
            return self._read_page(Call("GET", path, params={**query, "PageNumber": number}), read)

        return pages_of(read_page, page_size, path)

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an entry with POST, and return the entry that Go answers.

        Raises:
            UnknownOutcome: it was sent, but its answer is missing.
            DuplicateReference: another entry has its reference.
            TryAgainLater, Refused, StopRun: it was not done.
        """
        entry: dict[str, Any] = self._value(
            post_call(path, body),
            (is_entry, _NO_ENTRY),
            (lambda value: has_id(path, value), "the answer contains no usable Id"),
        )
        return entry

    def change(self, path: str, operations: Sequence[Operation]) -> dict[str, Any]:
        """Change an entry with a JSON Patch, all operations or none, and return it.

        Raises:
            UnknownOutcome: it was sent, but its answer is missing.
            TestFailed: Go has another value than a `test` operation expects.
            TryAgainLater, Refused, StopRun: it was not done.
        """
        entry: dict[str, Any] = self._value(
            patch_call(path, operations),
            (is_entry, _NO_ENTRY),
            (lambda value: is_entry_of(path, value), _OTHER_ENTRY),
        )
        return entry

    def begin(self, path: str, body: Mapping[str, Any]) -> None:
        """Ask Go with POST for what it does later (202); the body of the answer is not read.

        Raises:
            UnknownOutcome: it was sent, but its answer is missing.
            TryAgainLater, Refused, StopRun: it was not done.
        """
        call = post_call(path, body)

        def require_success(answer: Answer) -> None:
            if answer.status_code >= 300:
                raise error_for(call, answer)

        self._run(call, require_success)

    def delete(self, path: str) -> None:
        """Delete an entry.

        Raises:
            UnknownOutcome: it was sent, but its answer is missing.
            NotFound: it does not exist.
            Conflict: it is in use.
            TryAgainLater, Refused, StopRun: it was not done.
        """
        self._value(Call("DELETE", path))

    def cancel(self) -> None:
        """Raise `StopRequested` from every wait and later call; calls in flight finish."""
        self._stop.set()

    def close(self) -> None:
        """Close the connections of all threads, once their calls have ended."""
        with self._senders_lock:
            for sender in self._senders:
                sender.close()
        self._rate_limit.close()

    def _value(self, call: Call, *checks: tuple[Callable[[Any], bool], str]) -> Any:  # noqa: ANN401
        """Return the value of a call's answer, after checks, each with the fault if it fails."""

        def read(answer: Answer) -> Any:  # noqa: ANN401
            value = value_of(call, answer)
            for is_valid, fault in checks:
                if not is_valid(value):
                    raise no_answer_error(call, fault)
            return value

        return self._run(call, read)

    def _read_page(
        self, call: Call, read: Callable[[bytes], Any]
    ) -> tuple[list[dict[str, Any]], str | None]:
        def read_page(answer: Answer) -> tuple[list[dict[str, Any]], str | None]:
            page = value_of(call, answer, read)
            if not isinstance(page, list | None):
                raise no_answer_error(call, "the answer is not a list", status=answer.status_code)
            return page or [], answer.headers.get("X-Pagination")

        return self._run(call, read_page)

    def _run(self, call: Call, read: Callable[[Answer], _T]) -> _T:
        give_up_at = time.monotonic() + self._retry_seconds

        def attempt() -> _T:
            try:
                return read(self._answer(call, give_up_at))
            except TryAgainLater as later:
                if later.pauses_all:
                    self._rate_limit.pause(later.retry_after or 0)
                raise

        try:
            return self._repetition.run(attempt)
        except TryAgainLater as later:
            self._require_answers(later)
            raise

    def _require_answers(self, later: TryAgainLater) -> None:
        """Require that Go still answers a call other than the one that failed.

        Without this, a run would spend the full budget on each record, and reject them all.

        Raises:
            OutOfService: it answers no call.
        """
        call = Call("GET", "/ClientIntegrationInformation")
        try:
            value_of(call, self._answer(call, time.monotonic() + _PROBE_SECONDS))
        except TryAgainLater:
            message = (
                "PowerOffice Go does not answer any call; what was done is kept, and the next run"
                f" continues from there. Last error: {later}"
            )
        except Refused:
            return
        else:
            return
        raise OutOfService(message, status=later.status)

    def _answer(self, call: Call, give_up_at: float) -> Answer:
        """Make one attempt, repeated with a new token after a 401, and return the answer."""
        token = self._token.current(give_up_at)
        response = self._send(call, token, give_up_at)
        if response.status_code == 401:
            token = self._token.renewed(token, give_up_at)
            response = self._send(call, token, give_up_at)
        if response.status_code == 401:
            raise WrongKeys(
                f"{call}: 401 although the token is new; check that subscription_key belongs to "
                f"the application_key and to this environment",
                method=call.method,
                path=call.path,
                status=401,
            )
        return response

    def _send(self, call: Call, token: Token, give_up_at: float) -> Answer:
        headers = {
            "Authorization": f"Bearer {token.value}",
            "Ocp-Apim-Subscription-Key": self._connection.subscription_key,
        }
        if call.body is not None:
            headers["Content-Type"] = call.media_type
        answer = self._answer_to(
            str(call),
            lambda unanswered: no_answer_error(call, str(unanswered)),
            method=call.method,
            url=self._connection.url_of(call.path),
            headers=headers,
            give_up_at=give_up_at,
            count=lambda: self.calls.note(call.method, call.resource),
            params=call.query(),
            data=call.body,
        )
        self.server_time = parse_date(answer) or self.server_time
        return answer

    def _ask_for_token(self, headers: dict[str, str], body: bytes, give_up_at: float) -> Answer:
        return self._answer_to(
            "token",
            # An issued token that got lost changes nothing.
            lambda unanswered: TryAgainLater(f"token: {unanswered}; {LATER}"),
            method="POST",
            url=self._connection.token_url,
            headers=headers,
            give_up_at=give_up_at,
            count=self.calls.note_token,
            data=body,
        )

    def _answer_to(
        self,
        label: str,
        make_error: Callable[[NotAnswered], GoError],
        **request: Any,  # noqa: ANN401 - as `Sender.send` takes it
    ) -> Answer:
        """Send a request; `make_error` is for one that was sent, but not answered."""
        try:
            return self._sender().send(**request)
        except NotAnswered as unanswered:
            failure = not_sent_error(label, unanswered) or make_error(unanswered)
        raise failure

    def _sender(self) -> Sender:
        sender: Sender | None = getattr(self._of_thread, "sender", None)
        if sender is None:
            sender = Sender(self._rate_limit, self._timeout_seconds, self._user_agent)
            self._of_thread.sender = sender
            with self._senders_lock:
                self._senders.add(sender)
        return sender

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise StopRequested(
                "stopped on request while waiting to repeat a call that did nothing"
            )


def query_for(
    params: Mapping[str, Any] | None, fields: Sequence[str] | None, order_by: str, page_size: int
) -> dict[str, Any]:
    """Return the query of a list without its page number."""
    query = {**(params or {}), "PageSize": page_size, "OrderBy": order_by}
    return {**query, "Fields": list(fields)} if fields else query


def pages_of(
    read_page: Callable[[int], tuple[list[dict[str, Any]], str | None]], page_size: int, path: str
) -> Iterator[list[dict[str, Any]]]:
    """Yield the pages that have entries.

    A page may repeat an earlier one, if entries were added before it meanwhile; but not page after
    page.

    Args:
        read_page: takes a page number from 1, and returns the page (empty for 204) and the
            `X-Pagination` header.
        page_size: the size asked for.
        path: the list, for messages.

    Raises:
        OutOfService: the pages only repeat earlier ones, and still name a next page.
    """
    page_number = 1
    known: set[int] = set()
    repeated = 0
    while True:
        page, pagination = read_page(page_number)
        is_full, ids = len(page) >= page_size, _ids(page)
        if not page:
            return
        yield page
        del page  # frees it before the next one is read
        if not _has_next(pagination, page_number, is_full=is_full):
            return
        repeated = repeated + 1 if ids in known else 0
        known.add(ids)
        if repeated == MAX_REPEATED_PAGES:
            raise OutOfService(
                f"GET {path}: the pages do not end: {repeated} in a row repeat earlier ones, and"
                f" still name a next page; {LATER}",
                method="GET",
                path=path,
            )
        page_number += 1


def _ids(page: list[dict[str, Any]]) -> int:
    """Return a hash of the ids of a page, in any order."""
    return hash(frozenset(str(entry.get("Id") if is_entry(entry) else entry) for entry in page))


def _has_next(pagination: str | None, page_number: int, *, is_full: bool) -> bool:
    """Return whether another page follows, by the header; if it is unreadable, by a full page.

    Published clients find `nextPageLink`, missing or empty on the last page, and `totalPages`.
    """
    try:
        header = read_json((pagination or "").encode())
    except ValueError:
        return is_full
    members = {name.lower(): value for name, value in header.items()} if is_entry(header) else {}
    if not members.keys() & {"nextpagelink", "totalpages"}:
        return is_full
    total = members.get("totalpages")
    return bool(members.get("nextpagelink")) or (isinstance(total, int) and page_number < total)


def has_id(path: str, entry: object) -> bool:
    """Return whether an answer is an entry with an id, and each of its order lines too.

    Nothing can be linked to an entry without an id.
    """
    if not isinstance(entry, dict) or not _is_id(path, entry.get("Id")):
        return False
    lines = entry.get("SalesOrderLines") or ()
    return all(isinstance(line, dict) and _is_id(path, line.get("Id")) for line in lines)


def is_entry_of(path: str, entry: object) -> bool:
    """Return whether an answer is the entry whose id ends the path; true for a path without one."""
    match = _ID_IN_PATH.search(path)
    if match is None:
        return True
    return has_id(path, entry) and str(entry["Id"]).lower() == match[1].lower()  # type: ignore[index]


def with_ids(path: str, entries: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the entries of a list that have an id; log how many have none."""
    listed = list(entries)
    usable = [entry for entry in listed if has_id(path, entry)]
    if left_out := len(listed) - len(usable):
        logger.warning("GET %s: entries without a usable Id are left out (%s)", path, left_out)
    return usable


def _is_id(path: str, value: object) -> bool:
    if _PATHS_WITH_UUIDS.match(path):
        return isinstance(value, str) and bool(_UUID.fullmatch(value))
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
