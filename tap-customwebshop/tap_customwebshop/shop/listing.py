"""How a shop's list is requested, page by page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_customwebshop.shop.templates import Template

ABSENT = object()


@dataclass(frozen=True)
class Answer:
    """One page as the shop sent it.

    Attributes:
        content: The JSON value.
        headers: The answer's headers.
        rows: The rows in it.
        seen: How many rows came so far, with those of this page.
    """

    content: Any
    headers: Mapping[str, str]
    rows: list[Any]
    seen: int

    def at(self, place: str) -> Any:  # noqa: ANN401 - JSON
        """Return the value at a place such as `paging.next` or `header X-Total`; None if absent."""
        kind, _, name = place.partition(" ")
        if kind == "header":
            return self.headers.get(name)
        value = value_at(self.content, place)
        return None if value is ABSENT else value

    def number_at(self, place: str) -> int | None:
        """Return the whole number at a place; None if there is none."""
        value = self.at(place) if place else None
        return int(str(value)) if str(value).isdecimal() else None


def value_at(content: Any, place: str) -> Any:  # noqa: ANN401 - JSON
    """Return the value at a dotted place, or ABSENT; `[]` stands for each element of a list."""
    before, each, after = place.partition("[]")
    for name in filter(None, before.split(".")):
        if not isinstance(content, dict) or name not in content:
            return ABSENT
        content = content[name]
    if each and isinstance(content, list):
        return [value_at(element, after.lstrip(".")) for element in content]
    return content


_MORE = re.compile(
    r"next(_?(page|link|url|cursor|page_?token))?|has_?(more|next)(_?page)?", re.IGNORECASE
)
_COUNT = re.compile(
    r"((total|item|row|record|result|element)s?_?)*count|antall"
    r"|(total|num|number_?of)_?(items|rows|records|results|elements|entries|hits)",
    re.IGNORECASE,
)
"""Names of a number of rows."""
_TOTAL = re.compile("total", re.IGNORECASE)
"""A name of a number of rows, or of an amount."""


def sign_of_more(answer: Answer, rows: str) -> str | None:
    """Return the place in an answer that shows that more rows follow; None if nothing does.

    Args:
        answer: The only page of a list.
        rows: Where its rows are.
    """
    if "next" in _links(answer):
        return "header Link"
    for place, value in values_in(answer.content):
        if value and _MORE.fullmatch(place.removesuffix(".href").rpartition(".")[2]):
            return place
    return next((place for place, _ in _larger_counts(answer, rows, _COUNT)), None)


def doubt_about(answer: Answer, rows: str) -> str:
    """Return why the only page of a list may lack rows; "" if there is no reason to think so."""
    for place, count in _larger_counts(answer, rows, _TOTAL):
        return (
            f"the answer says {count} rows in '{place}' but has {len(answer.rows)}, and the Listing"
            " has no pager"
        )
    return ""


def _larger_counts(
    answer: Answer, rows: str, names: re.Pattern[str]
) -> Iterator[tuple[str, object]]:
    """Yield each number with such a name that is larger than the number of rows, and its place."""
    for place, value in values_in(answer.content):
        is_in_row = place.startswith(f"{rows}.")  # where GraphQL has an object instead of a list
        is_named = names.fullmatch(place.rpartition(".")[2]) and not is_in_row
        if is_named and str(value).isdecimal() and int(value) > len(answer.rows):
            yield place, value


def values_in(content: Any, place: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    """Yield each value of an answer with its place; a list counts as one value."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from values_in(value, f"{place}.{name}".lstrip("."))
    else:
        yield place, content


Step: TypeAlias = "dict[str, Any]"
"""The values that request one page; `link` is an address to follow instead."""


class Pager:
    """How to get from page to page.

    Attributes:
        send: What is sent for each page, with names in braces for its values.
        size: The most rows that the shop returns at a time.
        start: The values for the first page.
    """

    send: Template = ""
    size: int = 1000
    start: ClassVar[Step] = {}

    def first_step(self) -> Step:
        """Return the values for the first page."""
        return self.start

    def next_step(self, step: Step, answer: Answer) -> Step | None:  # noqa: ARG002
        """Return the values for the page after an answer; None after the last."""
        return None


@dataclass(frozen=True)
class OnePage(Pager):
    """The entire list comes in one answer."""


@dataclass(frozen=True)
class Page(Pager):
    """Pages by number, up to the first without rows, or to the end that the answer reports.

    Attributes:
        send: The parameters, with `{page}` and `{size}`, or an object that is merged into the body.
        size: The most rows that the shop returns at a time.
        first: The number of the first page.
        total: Where the answer reports the number of rows: `total`, `header X-Total`.
        pages: Where it reports the number of pages.
    """

    send: Template = "page={page}&per_page={size}"
    size: int = 100
    first: int = 1
    total: str = ""
    pages: str = ""

    @override
    def first_step(self) -> Step:
        return {"page": self.first}

    @override
    def next_step(self, step: Step, answer: Answer) -> Step | None:
        pages, page = answer.number_at(self.pages), step["page"] + 1
        is_last = pages is not None and page - self.first >= pages
        return None if is_last or _is_all(answer, self.total) else {"page": page}


@dataclass(frozen=True)
class Offset(Pager):
    """Pages by the number of rows to skip; `send` has `{offset}` and `{size}`, as in Page."""

    start = {"offset": 0}  # noqa: RUF012 - of the class, and never changed
    send: Template = "offset={offset}&limit={size}"
    size: int = 100
    total: str = ""

    @override
    def next_step(self, step: Step, answer: Answer) -> Step | None:
        return None if _is_all(answer, self.total) else {"offset": answer.seen}


@dataclass(frozen=True)
class Cursor(Pager):
    """Each answer has a cursor for the next page: `Cursor("after={cursor}", "paging.after")`.

    Attributes:
        send: The parameters, with `{cursor}` and `{size}`. On the first page, those with
            `{cursor}` are not sent.
        found: Where the answer has the cursor; null, empty or missing on the last page.
        more: Where the answer states whether more follows, if the last page has a cursor too.
    """

    start = {"cursor": None}  # noqa: RUF012 - of the class, and never changed
    send: Template = "cursor={cursor}"
    found: str = "next_cursor"
    more: str = ""
    size: int = 100

    @override
    def next_step(self, step: Step, answer: Answer) -> Step | None:
        cursor = answer.at(self.found)
        is_last = cursor in (None, "") or (self.more and not answer.at(self.more))
        return None if is_last else {"cursor": cursor}


@dataclass(frozen=True)
class Next(Pager):
    """Each answer has the next page's address: `Next("links.next")`. Only its path is used."""

    found: str = "next"
    send: Template = ""
    size: int = 100

    @override
    def next_step(self, step: Step, answer: Answer) -> Step | None:
        link = answer.at(self.found)
        link = link.get("href") if isinstance(link, dict) else link
        return {"link": str(link)} if link else None


@dataclass(frozen=True)
class Link(Pager):
    """Each answer has the next page's address in the header `Link` (RFC 8288)."""

    send: Template = "per_page={size}"
    size: int = 100

    @override
    def next_step(self, step: Step, answer: Answer) -> Step | None:
        link = _links(answer).get("next")
        return {"link": link} if link else None


def _links(answer: Answer) -> dict[str, str]:
    """Return the addresses in the header `Link` by their relation, such as `next` or `last`."""
    from requests.utils import parse_header_links  # noqa: PLC0415 - slow to load

    links = parse_header_links(answer.headers.get("Link") or "")
    return {kind: link["url"] for link in links for kind in link.get("rel", "").split()}


def _is_all(answer: Answer, total: str) -> bool:
    count = answer.number_at(total)
    return not answer.rows or (count is not None and answer.seen >= count)


@dataclass(frozen=True)
class Listing:
    """A list of the shop: `Listing("/orders", rows="data", pager=Page(), since="changed={since}")`.

    Attributes:
        path: The list's path under `api_url`. It may have `{page}`, `{offset}`, `{cursor}`,
            `{size}` and `{since}`.
        rows: Where the rows are in the answer: `data.items`; `data.edges[].node` for one member of
            each; "" if the answer is the list. If a GraphQL list without pages has an object there,
            it is the only row.
        pager: How to get from page to page.
        params: Further parameters: `status=any&sort=id`.
        since: How to request what changed at a moment or later: `updated_after={since}`, or an
            object that is merged into the body. If left out, each run reads the entire list.
        since_format: How the moment is written: "rfc3339", "unix", or a format of strftime.
        zone: The time zone in which the moment is written, such as `Europe/Oslo`.
        is_inclusive: Whether a record that changed at that very moment is listed.
        body: What is sent as JSON, by POST.
        graphql: A query, sent by POST; `since` and `pager` are then objects with "variables".
        method: The HTTP method, if not GET, or POST with a body.
        sorted: Whether the rows come in ascending order of their change stamps, so that the next
            run can go on where one stopped. With pages by number or offset it must be False: a
            record that changes during a read would move another one, unread, to an earlier page.
        has_stamps: Whether the records have a change stamp. If not, leave `updated_at` out: the tap
            keeps a hash of each record, and stamps those that differ.
        client_filter: Whether the tap leaves out what did not change, because the shop cannot.
        lookback_seconds: How far before the bookmark to begin; by default as in the settings.
        full_read_days: Read everything, whatever the bookmark, once so many days have passed.
        single: How to read one record, which `touched` and `change` need: its path, `/orders/{id}`;
            with `graphql`, a query with the variable `$id`; or a function of the id and `shop` that
            returns the row that holds the record, or None if it is gone.
        single_id: How that variable is written, if not as the id: `gid://shop/Order/{id}`.
        single_at: Where the record is in that answer.
        most_pages: A list with more pages is considered endless.
    """

    path: str
    rows: str = ""
    pager: Pager = field(default_factory=OnePage)
    params: str = ""
    since: Template = ""
    since_format: str = "rfc3339"
    zone: str = "UTC"
    is_inclusive: bool = True
    body: Mapping[str, Any] | None = None
    graphql: str = ""
    method: str = ""
    sorted: bool = True
    has_stamps: bool = True
    client_filter: bool = False
    lookback_seconds: int | None = None
    full_read_days: float | None = None
    single: str | Callable[[str, Any], Any] = ""
    single_id: str = "{id}"
    single_at: str = ""
    most_pages: int = 100_000
