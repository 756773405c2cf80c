"""Asks a shop as its file says: single answers, and lists from page to page, with guards."""

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
from tap_customwebshop.shop.auth import ClientCredentials, Login, Signature
from tap_customwebshop.shop.listing import (
    ABSENT,
    Answer,
    Listing,
    OnePage,
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
    """Return JSON; decimals are numbers, digit by digit, and moments are text.

    Raises:
        TypeError, ValueError: JSON has no form for it.
    """
    how: dict[str, Any] = {"use_decimal": True, "default": _text, "allow_nan": False}
    return simplejson.dumps(value, separators=(",", ":"), **how).encode()


def _text(value: object) -> str:
    if isinstance(value, date):
        return str(value)
    raise TypeError


_WRITERS: dict[str, Callable[[Any], bytes]] = {
    "json": write_json,
    "x-www-form-urlencoded": lambda body: urlencode(body).encode(),
}
_COUNTED = {"page", "offset"}
"""What asks for a page that the shop did not name, and may not have."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MOST_BARREN = 10
_LONGEST_WORDS = 200
_SERVER_ERRORS = 500
_ADVICE = {
    400: "it does not take what is sent",
    401: "it does not know who asks; check 'auth_token', 'shop_settings' and AUTH",
    403: "the key may not read this; check its rights in the shop",
    404: "there is nothing at this path; check it and 'api_url'",
}


_DENIED = {"FORBIDDEN", "ACCESS_DENIED", "UNAUTHENTICATED"}
"""Codes of GraphQL errors which say that the key may not do this."""


class NotFoundError(ShopRefusedError):
    """The shop has no such thing: 404, 410, or null for a single record."""


class RequestRefusedError(ShopRefusedError):
    """The shop refuses just this request; nothing was changed.

    Attributes:
        title: The shop's own short words or code for why; "" if it gives none.
        detail: What else it says, which may quote personal data.
    """

    def __init__(self, message: str, title: object = "", detail: object = "") -> None:
        super().__init__(message)
        self.title, self.detail = (
            plain(str(words or ""))[:_LONGEST_WORDS] for words in (title, detail)
        )


class ChangedMeanwhileError(RequestRefusedError):
    """The shop does not take a change because of what it holds now: 409 or 412."""


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
        server_time: The time that the shop itself gave with it; None if it gave none.
        is_whole: Whether no row can have slipped past it; False if the list shrank meanwhile.
    """

    rows: list[Any]
    read_at: datetime
    server_time: datetime | None
    is_whole: bool = True


class ShopFileClient:
    """Asks one shop. Not for more than one thread.

    Args:
        connect: Makes a connection that shows who asks in this way.
        auth: How the shop is shown who asks.
        secrets: The settings that texts of the shop file may name.
        retry_seconds: Seconds for all attempts at one answer.
        page_size: The most rows to ask for at a time.
        sleep: Waits so many seconds before something is asked for again; what it raises ends that.
    """

    def __init__(
        self,
        connect: Callable[[Signature], ShopConnection],
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
        self._signature = Signature(auth, secrets)
        self._connection = connect(self._signature)
        self._retry_seconds = retry_seconds
        self._page_size = page_size
        self._token_until = 0.0

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON answer of a path, or of an address that the shop gave.

        Raises:
            NotFoundError: The shop has nothing there.
            ShopError: The shop cannot be asked, or refuses.
        """
        if not path.startswith("/"):
            path = self._connection.path_of(path, seen_from="/")
        return self._ask("GET", path, {}, None)[0]

    def single(self, listing: Listing, key: str) -> RawPage:
        """Return one record of a list, alone on its page, by the path or query in `single`.

        Raises:
            NotFoundError: The shop has it no longer.
            ShopError: The shop cannot be asked, or refuses.
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
        """Return the JSON answer of a path, and its headers; errors as of `get`."""
        return self._ask("GET", path, {}, None)

    def send(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """Send a change once, for an answer that does not come may have been acted on.

        Return the JSON answer; None where it is empty.

        Raises:
            TemporaryError: No answer, or one that does not tell whether it was done.
            NotFoundError, ChangedMeanwhileError, RequestRefusedError: Nothing was changed.
            ShopError: No change can succeed as things are; nothing was changed.
        """
        answer = self._signed(method, path, {}, body)
        shown = f"{method} {self._connection.redacted(path)}"
        if answer.status >= _SERVER_ERRORS:
            raise TemporaryError(f"the shop answered {answer.status}")
        if answer.status not in range(200, 300):
            raise _refusal_of_change(shown, answer)
        content = _read(answer.body)
        _check_mutation(shown, body, content)
        return content

    def probe(self, listing: Listing) -> None:
        """Ask once whether the shop answers at a list's path, whatever it answers.

        Raises:
            TemporaryError: It does not.
        """
        self._once("GET", listing.path.partition("{")[0], {}, None)

    def pages(self, listing: Listing, since: datetime | None) -> Iterator[RawPage]:
        """Yield the pages of a list from the first to the last.

        The first waits for the second, which shows whether the shop heeds what the pager sends.

        Raises:
            ContractBrokenError: There are no rows where the file says, or the pages do not end.
            ShopError: The shop cannot be asked, or refuses.
        """
        pages = self._pages(listing, since)
        yield from [*islice(pages, 2)]
        yield from pages

    def _pages(self, listing: Listing, since: datetime | None) -> Iterator[RawPage]:
        pager = listing.pager
        size = min(pager.size, self._page_size)
        known: dict[int, int] = {}
        step, seen, barren, most = pager.first_step(), 0, 0, 0
        steps: set[str] = set()
        for number in range(1, listing.most_pages + 1):
            read_at = datetime.now(timezone.utc)
            content, headers = self._page(listing, step, size, since, is_first=number == 1)
            rows = self._rows(listing, content)
            seen += len(rows)
            answer = Answer(content, headers, rows, seen)
            total = answer.number_at(getattr(pager, "total", ""))
            self._check_repeated(listing, rows, number, known)
            step_after = pager.next_step(step, answer)
            if isinstance(pager, OnePage) and (place := sign_of_more(answer)):
                raise self._broken(
                    listing, f"more rows follow by '{place}', but the Listing has no pager"
                )
            if step_after is None and total is not None and seen < total:
                raise self._broken(
                    listing, f"the shop tells of {total} rows, but sends {seen}; check the pager"
                )
            is_whole = total is None or total >= most
            most = max(most, total or 0)
            yield RawPage(rows, read_at, parse_date(headers.get("Date")), is_whole)
            if step_after is None:
                return
            barren = 0 if rows else barren + 1
            if json.dumps(step_after, default=str) in steps or barren == _MOST_BARREN:
                raise self._broken(listing, "the pages do not end: check what the pager follows")
            steps.add(json.dumps(step_after, default=str))
            step = step_after
        raise self._broken(listing, f"there are more than {listing.most_pages} pages (most_pages)")

    def _check_repeated(
        self, listing: Listing, rows: list[Any], number: int, known: dict[int, int]
    ) -> None:
        """Raise if a page is the same as one before: its parameter is then not heeded."""
        same = known.setdefault(_hash_of(rows), number) if rows else number
        if same != number:
            raise self._broken(
                listing,
                f"page {number} is the same as page {same}: the shop does not heed what the pager"
                f" sends ({self._sent(listing)}), or repeats its last page: then say in 'total'"
                " where it tells how many rows there are",
            )

    def _page(
        self,
        listing: Listing,
        step: Mapping[str, Any],
        size: int,
        since: datetime | None,
        *,
        is_first: bool,
    ) -> tuple[Any, Mapping[str, str]]:
        """Return one page's content and headers; an empty one where a shop counts no further."""
        try:
            if "link" in step:
                path = self._connection.path_of(step["link"], seen_from=listing.path)
                return self._ask(listing.method or "GET", path, {}, None)
            return self._ask(*self._request(listing, step, size, since))
        except NotFoundError:
            if is_first:
                raise
            if step.keys() <= _COUNTED:
                return [], {}
            what = "a further page that the shop itself named is not there, so rows are missing"
            raise self._broken(listing, f"{what}; run again") from None
        except ShopUnavailableError as error:
            raise ShopUnavailableError(
                f"{error} Sent were: {self._sent(listing)}; some shops fail at a wrong one."
            ) from None

    def _request(
        self, listing: Listing, step: Mapping[str, Any], size: int, since: datetime | None
    ) -> tuple[str, str, dict[str, str], object]:
        """Return method, path, parameters and body that ask for one page."""
        values = {**step, "size": size, "since": self._moment(listing, since or _EPOCH)}
        is_first = step.get("cursor", "") is None
        send = listing.pager.send
        sent = [_without_cursor(send) if is_first else send]
        sent += [listing.since] if since is not None else []
        query = query_of(listing.params, values)
        body = dict(listing.body) if listing.body is not None else None
        if listing.graphql:
            body = joined({"query": listing.graphql, "variables": {}}, body or {})
        for template in sent:
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
        """Return the rows of an answer; an empty list has none, wherever they should be."""
        if content == []:
            return []
        rows = value_at(content, listing.rows)
        if listing.graphql and isinstance(rows, dict) and isinstance(listing.pager, OnePage):
            return [rows]
        if isinstance(rows, list) and ABSENT not in rows:
            return rows
        what = ", ".join(content) if isinstance(content, dict) else type(content).__name__
        place = f"no list at rows='{listing.rows}'" if listing.rows else "no list"
        raise self._broken(listing, f"the answer has {place}; it is: {what:.200}")

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
        """Make one attempt to read something."""
        answer = self._signed(method, path, query, body)
        shown = f"{method} {self._connection.redacted(path)}"
        if answer.status not in range(200, 300):
            advice = _ADVICE.get(answer.status, "the tap cannot go on from here")
            names = _names(query, body)
            sent = f"; sent were: {names}" if names else ""
            kind = _KINDS_OF_REFUSAL.get(answer.status, RequestRefusedError)
            raise kind(f"{shown}: the shop answered {answer.status}: {advice}{sent}.")
        content = _read(answer.body)
        _check_graphql(shown, body, content)
        return content, answer.headers

    def _signed(
        self, method: str, path: str, query: Mapping[str, str], body: object
    ) -> connection.Answer:
        """Ask once; once more with a new token where the shop no longer takes the old."""
        was_new = self._log_in()
        answer = self._once(method, path, query, body)
        if self._signature.token and not was_new and _is_turned_away(answer, body):
            self._signature.token = ""
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
        """Get a token if one is needed and there is none that still holds; return whether."""
        auth = self._auth
        holds = self._signature.token and time.monotonic() < self._token_until
        if holds or not isinstance(auth, (ClientCredentials, Login)):
            return False
        self._signature.token = ""
        shown = f"POST {self._connection.redacted(auth.path)}"
        body = filled(dict(auth.body), self._secrets)
        kind = "json" if isinstance(auth, Login) else "x-www-form-urlencoded"
        answer = self._once("POST", auth.path, {}, body, kind)
        if answer.status not in range(200, 300):
            raise ShopRefusedError(
                f"{shown}: the shop answered {answer.status} to the log-in; check AUTH and"
                " 'shop_settings'."
            )
        told = Answer(_read(answer.body), answer.headers, [], 0)
        token = told.at(auth.token)
        if not isinstance(token, str) or not token.isprintable() or not token:
            raise ShopRefusedError(
                f"{shown}: the answer to the log-in has no token at '{auth.token}'."
            )
        self._signature.token = token
        lasts = told.number_at("expires_in") or 3600
        self._token_until = time.monotonic() + max(lasts - 60, lasts / 2)
        return True

    def _broken(self, listing: Listing, what: str) -> ShopError:
        return ContractBrokenError(f"{self._connection.redacted(listing.path)}: {what}.")

    def _sent(self, listing: Listing) -> str:
        """Return the names of the parameters of a listing."""
        step = dict.fromkeys(listing.pager.first_step(), "")
        _, _, query, body = self._request(listing, step, 1, _EPOCH)
        return _names(query, body) or "no parameters"


def like(listing: Listing, path: str) -> Listing:
    """Return a list beside another one, which is paged in the same way and read whole."""
    path, _, params = path.partition("?")
    return replace(listing, path=path, params=params, since="")


def _without_cursor(send: Any) -> Any:  # noqa: ANN401 - a template
    if isinstance(send, str):
        return "&".join(pair for pair in send.split("&") if "{cursor}" not in pair)
    return {
        name: _without_cursor(one) if isinstance(one, dict) else one
        for name, one in send.items()
        if one != "{cursor}"
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
        what = "the shop's answer is not JSON"
        raise TemporaryError(what, most_attempts=3) from None


def _is_turned_away(answer: connection.Answer, body: object) -> bool:
    """Return whether the shop did nothing, because it does not know or does not admit who asks.

    A GraphQL server says so in an answer that looks like a success.
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
    return _deny(errors) and not _may_be_done(content, errors)


def _may_be_done(content: object, errors: list[Any]) -> bool:
    """Return whether a GraphQL server may have done what was asked, in spite of errors.

    It shows a result then, or an error names a place within one: what that place may not show can
    leave nothing of the whole result.
    """
    paths = [value_at(one, "path") for one in errors]
    return bool(_results_of(content)) or any(
        isinstance(one, list) and len(one) > 1 for one in paths
    )


def _results_of(content: object) -> list[Any]:
    """Return what a GraphQL server did or read."""
    data = content.get("data") if isinstance(content, dict) else None
    return [one for one in data.values() if one is not None] if isinstance(data, dict) else []


def _check_graphql(shown: str, body: object, content: object) -> None:
    """Raise what a GraphQL server says in an answer that looks like a success."""
    errors = _errors_of(body, content)
    if not errors:
        return
    words = plain("; ".join(str(value_at(one, "message")) for one in errors))
    if "THROTTLED" in str(errors):
        raise TemporaryError("the shop is busy (THROTTLED)", may_have_happened=False)
    kind = ShopRefusedError if _deny(errors) else RequestRefusedError
    raise kind(f"{shown}: the shop says: {words:.200}.")


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
    """Return method, path, parameters and body that ask for one record."""
    single = str(listing.single)
    if not single.startswith("/"):
        body = {
            "query": single,
            "variables": {"id": filled(listing.single_id, {"id": key})},
        }
        return "POST", listing.path, {}, body
    path, _, params = single.partition("?")
    path = filled(path, {"id": key}, lambda value: quote(str(value), safe=""))
    return "GET", path, query_of(params, {"id": key}), None


def _refusal_of_change(shown: str, answer: connection.Answer) -> ShopRefusedError:
    """Return what a status other than success means for a change."""
    told = f"{shown}: the shop answered {answer.status}"
    if answer.status in (401, 403):
        return ShopRefusedError(f"{told}: the key may not change this; check its rights.")
    if answer.status in (404, 410):
        return NotFoundError(told)
    try:
        said = read_json(answer.body)
    except ValueError:
        said = None
    kind = ChangedMeanwhileError if answer.status in (409, 412) else RequestRefusedError
    return kind(told, *_words_of(said))


def _check_mutation(shown: str, body: object, content: Any) -> None:  # noqa: ANN401 - JSON
    """Raise what a GraphQL server refuses in an answer that looks like a success.

    An error beside a result is one of what was to be shown of it: the change may be made.
    """
    if not _is_graphql(body):
        return
    errors = _errors_of(body, content)
    if errors and _may_be_done(content, errors):
        raise TemporaryError("the shop answered with an error beside the result")
    if "THROTTLED" in str(errors):
        raise TemporaryError("the shop is busy (THROTTLED)", may_have_happened=False)
    if _deny(errors):
        raise ShopRefusedError(f"{shown}: the key may not change this; check its rights.")
    refusals = errors or [one for result in _results_of(content) for one in _refusals_in(result)]
    if refusals:
        raise RequestRefusedError(f"{shown}: the shop refused the change", *_words_of(refusals[0]))


def _deny(errors: list[Any]) -> bool:
    """Return whether the errors of a GraphQL server say that the key may not do this."""
    return not _DENIED.isdisjoint(str(value_at(one, "extensions.code")) for one in errors)


def _refusals_in(result: object) -> list[Any]:
    """Return what a mutation's result says against it, in Shopify's form or Vendure's."""
    if not isinstance(result, dict):
        return []
    lists = [one for name, one in result.items() if name.lower().endswith("errors") and one]
    return [result] if result.get("errorCode") else [one for errors in lists for one in errors]


def _words_of(said: object) -> tuple[object, object]:
    """Return a refusal's short words or code, and the rest of what it says (RFC 9457, GraphQL)."""
    places = ("title", "code", "errorCode", "extensions.code"), ("detail", "message")
    title, detail = (
        next((words for one in names if isinstance(words := value_at(said, one), str)), "")
        for names in places
    )
    return title, detail
