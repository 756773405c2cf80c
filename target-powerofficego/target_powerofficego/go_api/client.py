"""The client: every call to PowerOffice Go goes through here."""

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
    date_of,
    failure_of,
    is_entry,
    not_sent,
    patching,
    posting,
    value_of,
    without_answer,
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
_OF_PATH = re.compile(rf"/(\d+|{_UUID.pattern})(?:/Complete)?$", re.IGNORECASE)
# Source: the published schemas. What is not named here has whole numbers.
_WITH_UUIDS = re.compile(
    r"/(SalesOrders\b.*|OutgoingInvoices(/[^/]*)?|Vouchers/BankJournals(/[^/]*)?)$", re.IGNORECASE
)
# The most that Go gives in one page.
LARGEST_PAGE = 20000
# Pages in a row that bring nothing new; each is a call.
MOST_BARREN = 10

_NO_ENTRY = "the answer does not hold the entry"
_SIGN_OF_LIFE_SECONDS = 10.0
"""How long a call that checks whether Go answers at all waits for its turn."""


class GoClient(contextlib.AbstractContextManager["GoClient"]):
    """PowerOffice Go for any number of threads: one rate limit, one token, one count.

    A call that fails is repeated while it certainly did nothing and its budget lasts. A write
    that may have happened is never repeated here: it ends as `UnknownOutcome`.

    Args:
        connection: addresses and keys.
        requests_per_second: what Go allows per subscription key, to all who share the store.
        rate_limit_store: where the turns are kept that all clients with the subscription key take:
            `memory`, the path of a file, or the address of a PostgreSQL database.
        timeout_seconds: how long an answer may take, to its last byte.
        retry_seconds: the budget of one call for all its attempts and the waits between them.
        user_agent: how the client introduces itself.
        first_contact_seconds: the budget while Go was never reached; without it the usual one.
        on_retry: takes a line before a failed call is repeated; without it nothing is reported.

    Raises:
        ConfigurationError: when `requests_per_second` is no whole number above 0, or
            `rate_limit_store` is no such place.
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
            retry_seconds, self._wait, first_contact_seconds=first_contact_seconds, tell=on_retry
        )
        self.server_time: datetime.datetime | None = None
        """The moment that Go gave with its last answer, in whole seconds; None before the first."""
        self._of_thread = threading.local()
        self._senders: WeakSet[Sender] = WeakSet()
        self._senders_lock = threading.Lock()

    def __exit__(self, *_failure: object) -> None:
        self.close()

    @contextlib.contextmanager
    def giving_up_after(self, seconds: float) -> Iterator[None]:
        """Spend at most so long on each call inside; for a first call that reveals a wrong address.

        Only while no other thread uses the client.
        """
        usual = self._retry_seconds, self._repetition
        self._retry_seconds, self._repetition = seconds, Repetition(seconds, self._wait)
        try:
            yield
        finally:
            self._retry_seconds, self._repetition = usual

    def read(self, path: str, params: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        """Return the JSON value at a path, fractions as Decimal; None for 204, an empty list.

        Raises:
            TryAgainLater: when it kept failing for the whole budget, while Go answers others.
            Refused, StopRun: as their names say.
        """
        return self._value(
            Call("GET", path, params=params),
            (lambda value: is_entry_of(path, value), "the answer is not that entry"),
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
        """Yield the entries of a list, reading a page whenever the one before is used up.

        Those without a usable `Id` are left out, and logged.

        Args:
            path: the list, such as `/Customers`.
            params: filters by Go's own names; a list of values becomes one text with commas.
            fields: the fields wanted, `Id` among them; all without it.
            order_by: the field that keeps pages from overlapping while entries are added.
            page_size: at most 20000.

        Raises:
            GoError: as `read`, at the first entry or between any two.
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
        """Yield the pages of a list that have entries, each requested when it is asked for.

        For whoever needs to know when an entry was read, or reads only a part of each: `read` takes
        an answer, and raises a ValueError if it is no JSON. The rest is as in `list_all`.
        """
        query = query_for(params, fields, order_by, page_size)

        def read_page(number: int) -> tuple[list[dict[str, Any]], str | None]:
            return self._read_page(Call("GET", path, params={**query, "PageNumber": number}), read)

        return pages_of(read_page, page_size, path)

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an entry with POST and return it as Go answers it.

        Raises:
            UnknownOutcome: when it left and its answer is missing.
            DuplicateReference: when another entry bears its reference.
            TryAgainLater, Refused, StopRun: it was not done.
        """
        entry: dict[str, Any] = self._value(
            posting(path, body),
            (is_entry, _NO_ENTRY),
            (lambda value: has_id(path, value), "the answer holds no usable Id"),
        )
        return entry

    def change(self, path: str, operations: Sequence[Operation]) -> dict[str, Any]:
        """Change an entry by a JSON Patch, all operations or none, and return it.

        Raises:
            UnknownOutcome: when it left and its answer is missing.
            TestFailed: when a `test` operation met another value.
            TryAgainLater, Refused, StopRun: it was not done.
        """
        entry: dict[str, Any] = self._value(
            patching(path, operations),
            (is_entry, _NO_ENTRY),
            (lambda value: is_entry_of(path, value), "the answer is not that entry"),
        )
        return entry

    def begin(self, path: str, body: Mapping[str, Any]) -> None:
        """Ask Go with POST to begin what it does later (202); what it answers besides is not read.

        Raises:
            UnknownOutcome: when it left and its answer is missing.
            TryAgainLater, Refused, StopRun: it was not done.
        """
        call = posting(path, body)

        def see_that_it_was_taken(answer: Answer) -> None:
            if answer.status_code >= 300:
                raise failure_of(call, answer)

        self._run(call, see_that_it_was_taken)

    def delete(self, path: str) -> None:
        """Delete an entry.

        Raises:
            UnknownOutcome: when it left and its answer is missing.
            NotFound, Conflict: when it is not there, or in use.
            TryAgainLater, Refused, StopRun: it was not done.
        """
        self._value(Call("DELETE", path))

    def cancel(self) -> None:
        """End every wait with `StopRequested`, and every later call; those in flight finish."""
        self._stop.set()

    def close(self) -> None:
        """Close the connections of all threads, once their calls are over."""
        with self._senders_lock:
            for sender in self._senders:
                sender.close()
        self._rate_limit.close()

    def _value(self, call: Call, *checks: tuple[Callable[[Any], bool], str]) -> Any:  # noqa: ANN401
        """Return the value of a call's answer; a check that it fails says what is wrong with it."""

        def checked(answer: Answer) -> Any:  # noqa: ANN401
            value = value_of(call, answer)
            for is_right, otherwise in checks:
                if not is_right(value):
                    raise without_answer(call, otherwise)
            return value

        return self._run(call, checked)

    def _read_page(
        self, call: Call, read: Callable[[bytes], Any]
    ) -> tuple[list[dict[str, Any]], str | None]:
        def page_and_header(answer: Answer) -> tuple[list[dict[str, Any]], str | None]:
            page = value_of(call, answer, read)
            if not isinstance(page, list | None):
                raise without_answer(call, "the answer is no list", status=answer.status_code)
            return page or [], answer.headers.get("X-Pagination")

        return self._run(call, page_and_header)

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
            self._see_that_go_answers(later)
            raise

    def _see_that_go_answers(self, later: TryAgainLater) -> None:
        """Distinguish one call that keeps failing from a Go that fails whatever is asked.

        Without this every record of a run would be tried for a whole budget, and rejected.
        """
        call = Call("GET", "/ClientIntegrationInformation")
        try:
            value_of(call, self._answer(call, time.monotonic() + _SIGN_OF_LIFE_SECONDS))
        except TryAgainLater:
            message = (
                f"PowerOffice Go answers no call at all; what is done stays done, and the next run"
                f" goes on from there. Last: {later}"
            )
        except Refused:
            return
        else:
            return
        raise OutOfService(message, status=later.status)

    def _answer(self, call: Call, give_up_at: float) -> Answer:
        """Make one attempt, with a second token if need be, and return what Go answered."""
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
            lambda unanswered: without_answer(call, str(unanswered)),
            method=call.method,
            url=self._connection.url_of(call.path),
            headers=headers,
            give_up_at=give_up_at,
            count=lambda: self.calls.note(call.method, call.resource),
            params=call.query(),
            data=call.body,
        )
        self.server_time = date_of(answer) or self.server_time
        return answer

    def _ask_for_token(self, headers: dict[str, str], body: bytes, give_up_at: float) -> Answer:
        return self._answer_to(
            "token",
            # A token that was given out and got lost changes nothing.
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
        what: str,
        lost: Callable[[NotAnswered], GoError],
        **request: Any,  # noqa: ANN401 - as `Sender.send` takes it
    ) -> Answer:
        """Send a request; `lost` gives the error for one that left and was not answered."""
        try:
            return self._sender().send(**request)
        except NotAnswered as unanswered:
            failure = not_sent(what, unanswered) or lost(unanswered)
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

    A page may be equal to an earlier one, where entries came before it meanwhile; but not one after
    the other for ever.

    Args:
        read_page: takes a page number from 1 and returns the page (empty for 204) and the
            `X-Pagination` header.
        page_size: the size asked for.
        path: the list, for messages.

    Raises:
        OutOfService: the pages bring nothing new any more, and still name a next one.
    """
    page_number = 1
    known: set[int] = set()
    barren = 0
    while True:
        page, pagination = read_page(page_number)
        is_full, ids = len(page) >= page_size, _ids(page)
        if not page:
            return
        yield page
        del page  # it is not held while the next one is read
        if not _has_next(pagination, page_number, is_full=is_full):
            return
        barren = barren + 1 if ids in known else 0
        known.add(ids)
        if barren == MOST_BARREN:
            raise OutOfService(
                f"GET {path}: the pages do not end: {barren} in a row are the same as earlier ones,"
                " and name a next one; " + LATER,
                method="GET",
                path=path,
            )
        page_number += 1


def _ids(page: list[dict[str, Any]]) -> int:
    """Return a hash of the ids of a page, whatever their order."""
    return hash(frozenset(str(one.get("Id") if is_entry(one) else one) for one in page))


def _has_next(pagination: str | None, page_number: int, *, is_full: bool) -> bool:
    """Return whether a page follows: by the header, and without a readable one by a full page.

    Clients in the field find `nextPageLink`, missing or empty on the last page, and `totalPages`.
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
    """Return whether an answer of a path is an entry with an id, and its order lines with theirs.

    Nothing may be linked to an entry without one.
    """
    if not isinstance(entry, dict) or not _is_id(path, entry.get("Id")):
        return False
    lines = entry.get("SalesOrderLines") or ()
    return all(isinstance(one, dict) and _is_id(path, one.get("Id")) for one in lines)


def is_entry_of(path: str, entry: object) -> bool:
    """Return whether an answer is the entry that a path names; true of a path that names none."""
    named = _OF_PATH.search(path)
    if named is None:
        return True
    return has_id(path, entry) and str(entry["Id"]).lower() == named[1].lower()  # type: ignore[index]


def with_ids(path: str, entries: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the entries of a list that have an id; how many have none is logged."""
    listed = list(entries)
    usable = [entry for entry in listed if has_id(path, entry)]
    if left_out := len(listed) - len(usable):
        logger.warning("GET %s: entries without a usable Id are left out (%s)", path, left_out)
    return usable


def _is_id(path: str, value: object) -> bool:
    if _WITH_UUIDS.match(path):
        return isinstance(value, str) and bool(_UUID.fullmatch(value))
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
