"""Calls a shop as its file says: single answers, lists page by page with guards, and changes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import orjson
import requests
import simplejson

from tap_customwebshop.client import with_retries
from tap_customwebshop.connection import ShopConnection, TemporaryError
from tap_customwebshop.errors import (
    ContractBrokenError,
    ShopError,
    ShopRefusedError,
    ShopUnavailableError,
)
from tap_customwebshop.plugin.json_text import read_json
from tap_customwebshop.plugin.plain_text import plain
from tap_customwebshop.shop.auth import Authenticator, ClientCredentials, Login
from tap_customwebshop.shop.listing import (
    ABSENT,
    Answer,
    Listing,
    OnePage,
    doubt_about,
    sign_of_more,
    value_at,
)
from tap_customwebshop.shop.templates import filled, joined, query_of
from tap_customwebshop.stamps import format_stamp, parse_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_customwebshop import connection
    from tap_customwebshop.shop.auth import Auth


def write_json(value: object) -> bytes:
    """Return JSON; decimals are numbers, digit by digit, and dates and times are text.

    Raises:
        TypeError, ValueError: JSON has no form for it.
    """
    options: dict[str, Any] = {"use_decimal": True, "default": _text, "allow_nan": False}
    return simplejson.dumps(value, separators=(",", ":"), **options).encode()


def _text(value: object) -> str:
    if isinstance(value, date):
        return str(value)
    raise TypeError


_WRITERS: dict[str, Callable[[Any], bytes]] = {
    "json": write_json,
    "x-www-form-urlencoded": lambda body: urlencode(body).encode(),
}
_NUMBERS = {"page", "offset"}
"""Values that request a page by counting, so that it may not exist."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MOST_EMPTY_PAGES = 10
_LONGEST_TEXT = 200
_SERVER_ERRORS = 500
_ADVICE = {
    400: "it does not accept what was sent",
    401: "it does not accept the key; check 'auth_token', 'shop_settings' and AUTH",
    403: "the key is not allowed to read this; check its rights in the shop",
    404: "there is nothing at this path; check it and 'api_url'",
}
_DENIED = {"FORBIDDEN", "ACCESS_DENIED", "UNAUTHENTICATED"}
"""Codes of GraphQL errors for what the key is not allowed to do."""


class NotFoundError(ShopRefusedError):
    """The shop does not have this: 404, 410, or null for a single record."""


class RequestRefusedError(ShopRefusedError):
    """The shop refused this particular request; nothing was changed.

    Attributes:
        title: The shop's own short reason or code; "" if it gives none.
        detail: The rest of its answer, which may quote personal data.
    """

    def __init__(self, message: str, title: object = "", detail: object = "") -> None:
        super().__init__(message)
        self.title, self.detail = (
            plain(str(text or ""))[:_LONGEST_TEXT] for text in (title, detail)
        )


class ChangedMeanwhileError(RequestRefusedError):
    """The shop refused a change because of what it holds now: 409 or 412."""


_KINDS_OF_REFUSAL: dict[int, type[ShopRefusedError]] = {
    401: ShopRefusedError,
    403: ShopRefusedError,
    404: NotFoundError,
    410: NotFoundError,
}


@dataclass(frozen=True)
class RawPage:
    """Rows as the shop sent them.

    Attributes:
        rows: The rows.
        read_at: The moment just before this page was requested, UTC.
        server_time: The shop's own time when it answered; None if it gave none.
        is_whole: False if the list shrank during the read, so that a row may have been missed.
        doubt: Why a list without a pager may have more rows; "" if there is no reason to think so.
    """

    rows: list[Any]
    read_at: datetime
    server_time: datetime | None
    is_whole: bool = True
    doubt: str = ""


class ShopFileClient:
    """Calls one shop. Not thread-safe.

    Args:
        connect: Makes a connection with this authentication.
        auth: How requests are authenticated.
        secrets: The settings that texts of the shop file may name.
        retry_seconds: Seconds for all attempts at one answer.
        page_size: The most rows to request at a time.
        sleep: Waits for so many seconds before a retry; an exception from it ends the retries.
    """

    def __init__(
        self,
        connect: Callable[[Authenticator], ShopConnection],
        auth: Auth,
        secrets: Mapping[str, str],
        *,
        retry_seconds: float,
        page_size: int,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._sleep = sleep
        self._auth = auth
        self._secrets = secrets
        self._authenticator = Authenticator(auth, secrets)
        self._connection = connect(self._authenticator)
        self._retry_seconds = retry_seconds
        self._page_size = page_size
        self._token_until = 0.0

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON answer at a path, or at an address that the shop gave.

        Raises:
            NotFoundError: The shop has nothing there.
            ShopError: The shop cannot be reached, or refuses.
        """
        if not path.startswith("/"):
            path = self._connection.path_of(path, seen_from="/")
        return self.look(path)[0]

    def single(self, listing: Listing, key: str) -> RawPage:
        """Return one record of a list, alone on its page, by the path or query in `single`.

        Raises:
            NotFoundError: The shop no longer has it.
            ShopError: The shop cannot be reached, or refuses.
        """
        read_at = datetime.now(timezone.utc)
        content, headers = self._ask(*_request_of_single(listing, key))
        row = value_at(content, listing.single_at)
        if row is ABSENT:
            raise self._broken(listing, f"single: the answer has nothing at '{listing.single_at}'")
        if row is None:
            raise NotFoundError(
                f"{self._connection.redacted(listing.path)}: there is no such record."
            )
        return RawPage([row], read_at, parse_date(headers.get("Date")))

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def look(self, path: str) -> tuple[Any, Mapping[str, str]]:
        """Return the JSON answer at a path, and its headers; errors are those of `get`."""
        return self._ask("GET", path, {}, None)

    def send(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """Send a change once: without an answer, it may have been made all the same.

        Return the JSON answer; None if it is empty.

        Raises:
            TemporaryError: No answer, or one that leaves open whether the change was made.
            NotFoundError, ChangedMeanwhileError, RequestRefusedError: Nothing was changed.
            ShopError: No change can succeed at present; nothing was changed.
        """
        answer = self._authenticated(method, path, {}, body)
        description = f"{method} {self._connection.redacted(path)}"
        if answer.status >= _SERVER_ERRORS:
            raise TemporaryError(f"the shop answered {answer.status}")
        if answer.status not in range(200, 300):
            raise _refused_change(description, answer)
        content = _read(answer.body)
        _check_mutation(description, body, content)
        return content

    def probe(self, listing: Listing) -> None:
        """Check once that the shop answers at a list's path, whatever it answers.

        Raises:
            TemporaryError: It does not answer.
        """
        self._once("GET", listing.path.partition("{")[0], {}, None)

    def pages(self, listing: Listing, since: datetime | None) -> Iterator[RawPage]:
        """Yield the pages of a list from the first to the last.

        The first is kept until the second is read, which shows whether the shop ignores the pager.

        Raises:
            ContractBrokenError: There are no rows where the file says, or the pages do not end.
            ShopError: The shop cannot be reached, or refuses.
        """
        pages = self._pages(listing, since)
        yield from [*islice(pages, 2)]
        yield from pages

    def _pages(self, listing: Listing, since: datetime | None) -> Iterator[RawPage]:
        pager = listing.pager
        size = min(pager.size, self._page_size)
        pages_by_hash: dict[int, int] = {}
        step, seen, empty_pages, highest_total = pager.first_step(), 0, 0, 0
        steps: set[str] = set()
        for number in range(1, listing.most_pages + 1):
            read_at = datetime.now(timezone.utc)
            content, headers = self._page(listing, step, size, since, is_first=number == 1)
            rows = self._rows(listing, content)
            seen += len(rows)
            answer = Answer(content, headers, rows, seen)
            total = answer.number_at(getattr(pager, "total", ""))
            same = pages_by_hash.setdefault(_hash_of(rows), number) if rows else number
            if same != number:
                raise self._broken(
                    listing,
                    f"page {number} is the same as page {same}: the shop ignores what the pager"
                    f" sends ({self._sent(listing)}), or repeats its last page; if it does, name"
                    " in 'total' where it reports the number of rows",
                )
            next_step = pager.next_step(step, answer)
            if isinstance(pager, OnePage) and (place := sign_of_more(answer, listing.rows)):
                raise self._broken(
                    listing,
                    f"more rows follow according to '{place}', but the Listing has no pager",
                )
            if next_step is None and total is not None and seen < total:
                raise self._broken(
                    listing, f"the shop reports {total} rows, but sent {seen}; check the pager"
                )
            is_whole = total is None or total >= highest_total
            highest_total = max(highest_total, total or 0)
            doubt = doubt_about(answer, listing.rows) if isinstance(pager, OnePage) else ""
            yield RawPage(rows, read_at, parse_date(headers.get("Date")), is_whole, doubt)
            if next_step is None:
                return
            empty_pages = 0 if rows else empty_pages + 1
            key = json.dumps(next_step, default=str)
            if key in steps or empty_pages == _MOST_EMPTY_PAGES:
                raise self._broken(listing, "the pages do not end: check what the pager follows")
            steps.add(key)
            step = next_step
        raise self._broken(listing, f"there are more than {listing.most_pages} pages (most_pages)")

    def _page(
        self,
        listing: Listing,
        step: Mapping[str, Any],
        size: int,
        since: datetime | None,
        *,
        is_first: bool,
    ) -> tuple[Any, Mapping[str, str]]:
        """Return a page's content and headers; an empty page after the last one by number."""
        try:
            if "link" in step:
                path = self._connection.path_of(step["link"], seen_from=listing.path)
                return self._ask(listing.method or "GET", path, {}, None)
            return self._ask(*self._request(listing, step, size, since))
        except NotFoundError:
            if is_first:
                raise
            if step.keys() <= _NUMBERS:
                return [], {}
            fault = (
                "a page that the shop itself named was not found, so rows are missing; run again"
            )
            raise self._broken(listing, fault) from None
        except ShopUnavailableError as error:
            raise ShopUnavailableError(
                f"{error} Sent: {self._sent(listing)}; some shops fail if one of these is wrong."
            ) from None

    def _request(
        self, listing: Listing, step: Mapping[str, Any], size: int, since: datetime | None
    ) -> tuple[str, str, dict[str, str], object]:
        """Return the method, path, parameters and body that request one page."""
        values = {**step, "size": size, "since": self._moment(listing, since or _EPOCH)}
        is_first = step.get("cursor", "") is None
        send = listing.pager.send
        templates = [_without_cursor(send) if is_first else send]
        templates += [listing.since] if since is not None else []
        query = query_of(listing.params, values)
        body = dict(listing.body) if listing.body is not None else None
        if listing.graphql:
            body = joined({"query": listing.graphql, "variables": {}}, body or {})
        for template in templates:
            query |= query_of(template, values)
            if not isinstance(template, str):
                body = joined(body or {}, filled(template, values))
        method = listing.method or ("GET" if body is None else "POST")
        path = filled(listing.path, values, lambda value: quote(str(value), safe=""))
        return method, path, query, body

    def _moment(self, listing: Listing, since: datetime) -> str:
        moment = since if listing.is_inclusive or since == _EPOCH else since - timedelta(seconds=1)
        moment = moment.astimezone(ZoneInfo(listing.zone))
        if listing.since_format == "unix":
            return str(int(moment.timestamp()))
        if listing.since_format == "rfc3339":
            return format_stamp(moment)
        return moment.strftime(listing.since_format)

    def _rows(self, listing: Listing, content: object) -> list[Any]:
        """Return the rows of an answer; an empty list has none, wherever the rows should be."""
        if content == []:
            return []
        rows = value_at(content, listing.rows)
        if listing.graphql and isinstance(rows, dict) and isinstance(listing.pager, OnePage):
            return [rows]
        if isinstance(rows, list) and ABSENT not in rows:
            return rows
        place = f" at rows='{listing.rows}'" if listing.rows else ""
        found = ", ".join(content) if isinstance(content, dict) else type(content).__name__
        fault = f"the answer has no list{place}; it has: {found:.200}"
        inner = listing.rows.partition("[]")[0]
        while inner and not isinstance(value_at(content, inner), dict):
            inner = inner.rpartition(".")[0]
        if inner:
            fault += f"; {inner} has: {', '.join(value_at(content, inner)):.200}"
        raise self._broken(listing, fault)

    def _ask(
        self, method: str, path: str, query: Mapping[str, str], body: object
    ) -> tuple[Any, Mapping[str, str]]:
        return with_retries(
            lambda: self._attempt(method, path, query, body),
            description=f"{method} {self._connection.redacted(path)}",
            retry_seconds=self._retry_seconds,
            sleep=self._sleep,
        )

    def _attempt(
        self, method: str, path: str, query: Mapping[str, str], body: object
    ) -> tuple[Any, Mapping[str, str]]:
        answer = self._authenticated(method, path, query, body)
        description = f"{method} {self._connection.redacted(path)}"
        if answer.status not in range(200, 300):
            advice = _ADVICE.get(answer.status, "the tap cannot go on from here")
            names = _names(query, body)
            sent = f"; sent: {names}" if names else ""
            kind = _KINDS_OF_REFUSAL.get(answer.status, RequestRefusedError)
            raise kind(f"{description}: the shop answered {answer.status}: {advice}{sent}.")
        content = _read(answer.body)
        _check_graphql(description, body, content)
        return content, answer.headers

    def _authenticated(
        self, method: str, path: str, query: Mapping[str, str], body: object
    ) -> connection.Answer:
        """Send a request once; again with a new token if the shop rejects the old one."""
        was_new = self._log_in()
        answer = self._once(method, path, query, body)
        if self._authenticator.token and not was_new and _is_unauthenticated(answer, body):
            self._authenticator.token = ""
            self._log_in()
            answer = self._once(method, path, query, body)
        return answer

    def _once(
        self, method: str, path: str, query: Mapping[str, str], body: object, kind: str = "json"
    ) -> connection.Answer:
        if body is None:
            return self._connection.send(method, path, query=query)
        sent, headers = _WRITERS[kind](body), {"Content-Type": f"application/{kind}"}
        return self._connection.send(method, path, query=query, body=sent, headers=headers)

    def _log_in(self) -> bool:
        """Get a token if one is needed and none is valid; return whether it is new."""
        auth = self._auth
        is_valid = self._authenticator.token and time.monotonic() < self._token_until
        if is_valid or not isinstance(auth, (ClientCredentials, Login)):
            return False
        self._authenticator.token = ""
        description = f"POST {self._connection.redacted(auth.path)}"
        body = filled(dict(auth.body), self._secrets)
        kind = "json" if isinstance(auth, Login) else "x-www-form-urlencoded"
        response = self._once("POST", auth.path, {}, body, kind)
        if response.status not in range(200, 300):
            raise ShopRefusedError(
                f"{description}: the shop answered {response.status} to the log-in; check AUTH and"
                " 'shop_settings'."
            )
        answer = Answer(_read(response.body), response.headers, [], 0)
        token = answer.at(auth.token)
        if not isinstance(token, str) or not token.isprintable() or not token:
            raise ShopRefusedError(
                f"{description}: the answer to the log-in has no token at '{auth.token}'."
            )
        self._authenticator.token = token
        seconds = answer.number_at("expires_in") or 3600
        self._token_until = time.monotonic() + max(seconds - 60, seconds / 2)
        return True

    def _broken(self, listing: Listing, fault: str) -> ShopError:
        return ContractBrokenError(f"{self._connection.redacted(listing.path)}: {fault}.")

    def _sent(self, listing: Listing) -> str:
        """Return the names of a listing's parameters."""
        step = dict.fromkeys(listing.pager.first_step(), "")
        _, _, query, body = self._request(listing, step, 1, _EPOCH)
        return _names(query, body) or "no parameters"


def like(listing: Listing, path: str) -> Listing:
    """Return a list that is paged like another one, and read in full."""
    path, _, params = path.partition("?")
    return replace(listing, path=path, params=params, since="")


def _without_cursor(send: Any) -> Any:  # noqa: ANN401 - a template
    if isinstance(send, str):
        return "&".join(pair for pair in send.split("&") if "{cursor}" not in pair)
    return {
        name: _without_cursor(value) if isinstance(value, dict) else value
        for name, value in send.items()
        if value != "{cursor}"
    }


def _hash_of(rows: list[Any]) -> int:
    try:
        return hash(orjson.dumps(rows, default=str))
    except TypeError:  # a whole number beyond 64 bits
        return hash(repr(rows))


def _names(query: Mapping[str, str], body: object) -> str:
    return ", ".join([*query, *(body if isinstance(body, dict) else ())])


def _read(body: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return read_json(body) if body else None
    except ValueError:
        reason = "the shop's answer is not JSON"
        raise TemporaryError(reason, most_attempts=3) from None


def _is_unauthenticated(answer: connection.Answer, body: object) -> bool:
    """Return whether the shop did nothing because it does not accept the token.

    A GraphQL server reports this in an answer that looks like a success.
    """
    if answer.status == requests.codes.unauthorized:
        return True
    if not _is_graphql(body) or not any(code.encode() in answer.body for code in _DENIED):
        return False
    try:
        content = read_json(answer.body)
    except ValueError:
        return False
    errors = _errors_of(body, content)
    return _is_denied(errors) and not _may_have_happened(content, errors)


def _may_have_happened(content: object, errors: list[Any]) -> bool:
    """Return whether a GraphQL server may have done what was requested, in spite of errors.

    Then there is a result, or an error names a place within one: if that place cannot be shown, the
    entire result may be null.
    """
    paths = [value_at(error, "path") for error in errors]
    return bool(_results_of(content)) or any(
        isinstance(path, list) and len(path) > 1 for path in paths
    )


def _results_of(content: object) -> list[Any]:
    """Return what a GraphQL server did or read."""
    data = content.get("data") if isinstance(content, dict) else None
    return [value for value in data.values() if value is not None] if isinstance(data, dict) else []


def _check_graphql(description: str, body: object, content: object) -> None:
    """Raise the errors of a GraphQL server in an answer that looks like a success."""
    errors = _errors_of(body, content)
    if not errors:
        return
    messages = plain("; ".join(str(value_at(error, "message")) for error in errors))
    if "THROTTLED" in str(errors):
        raise TemporaryError("the shop is busy (THROTTLED)", may_have_happened=False)
    kind = ShopRefusedError if _is_denied(errors) else RequestRefusedError
    raise kind(f"{description}: the shop reported: {messages:.200}.")


def _errors_of(body: object, content: object) -> list[Any]:
    """Return the errors in an answer to a GraphQL request."""
    errors = content.get("errors") if _is_graphql(body) and isinstance(content, dict) else None
    return errors if isinstance(errors, list) else []


def _is_graphql(body: object) -> bool:
    query = body.get("query") if isinstance(body, dict) else None
    return isinstance(query, str) and "{" in query


def _request_of_single(
    listing: Listing, key: str
) -> tuple[str, str, dict[str, str], dict[str, Any] | None]:
    """Return the method, path, parameters and body that request one record."""
    single = str(listing.single)
    if not single.startswith("/"):
        variables = {"id": filled(listing.single_id, {"id": key})}
        return "POST", listing.path, {}, {"query": single, "variables": variables}
    path, _, params = single.partition("?")
    path = filled(path, {"id": key}, lambda value: quote(str(value), safe=""))
    return "GET", path, query_of(params, {"id": key}), None


def _refused_change(description: str, answer: connection.Answer) -> ShopRefusedError:
    """Return the error for a change that was answered with a status other than success."""
    message = f"{description}: the shop answered {answer.status}"
    if answer.status in (401, 403):
        return ShopRefusedError(
            f"{message}: the key is not allowed to change this; check its rights."
        )
    if answer.status in (404, 410):
        return NotFoundError(message)
    try:
        content = read_json(answer.body)
    except ValueError:
        content = None
    kind = ChangedMeanwhileError if answer.status in (409, 412) else RequestRefusedError
    return kind(message, *_title_and_detail(content))


def _check_mutation(description: str, body: object, content: Any) -> None:  # noqa: ANN401 - JSON
    """Raise the refusals of a GraphQL server in an answer that looks like a success.

    An error beside a result concerns only what can be shown of it: the change may have been made.
    """
    if not _is_graphql(body):
        return
    errors = _errors_of(body, content)
    if errors and _may_have_happened(content, errors):
        raise TemporaryError("the shop answered with an error beside the result")
    if "THROTTLED" in str(errors):
        raise TemporaryError("the shop is busy (THROTTLED)", may_have_happened=False)
    if _is_denied(errors):
        raise ShopRefusedError(
            f"{description}: the key is not allowed to change this; check its rights."
        )
    refusals = errors or [
        refusal for result in _results_of(content) for refusal in _refusals_in(result)
    ]
    if refusals:
        raise RequestRefusedError(
            f"{description}: the shop refused the change", *_title_and_detail(refusals[0])
        )


def _is_denied(errors: list[Any]) -> bool:
    """Return whether a GraphQL server reports that the key is not allowed to do this."""
    return not _DENIED.isdisjoint(str(value_at(error, "extensions.code")) for error in errors)


def _refusals_in(result: object) -> list[Any]:
    """Return the errors in a mutation's result, in Shopify's form or Vendure's."""
    if not isinstance(result, dict):
        return []
    lists = [
        errors for name, errors in result.items() if name.lower().endswith("errors") and errors
    ]
    return [result] if result.get("errorCode") else [error for errors in lists for error in errors]


def _title_and_detail(refusal: object) -> tuple[str, str]:
    """Return a refusal's short reason or code, and its longer text (RFC 9457, GraphQL)."""
    places = ("title", "code", "errorCode", "extensions.code"), ("detail", "message")
    title, detail = (
        next((text for place in group if isinstance(text := value_at(refusal, place), str)), "")
        for group in places
    )
    return title, detail
