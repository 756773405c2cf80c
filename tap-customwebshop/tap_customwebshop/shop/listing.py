"""How a shop's list is asked for, page by page."""

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
        seen: How many rows came up to the end of this page.
    """

    content: Any
    headers: Mapping[str, str]
    rows: list[Any]
    seen: int

    def at(self, place: str) -> Any:  # noqa: ANN401 - JSON
        """Return what is at a place such as `paging.next` or `header X-Total`; None if nothing."""
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
    """Return what is at a dotted place; ABSENT if nothing. After `[]`, of each of a list."""
    before, each, after = place.partition("[]")
    for name in filter(None, before.split(".")):
        if not isinstance(content, dict) or name not in content:
            return ABSENT
        content = content[name]
    if each and isinstance(content, list):
        return [value_at(one, after.lstrip(".")) for one in content]
    return content


_MORE = re.compile(
    r"next(_?(page|link|url|cursor|page_?token))?|has_?(more|next)(_?page)?", re.IGNORECASE
)


def sign_of_more(answer: Answer) -> str | None:
    """Return where an answer says that more rows follow on another page; None if nowhere."""
    if "next" in _links(answer):
        return "header Link"
    told = (place for place, value in values_in(answer.content) if value)
    return next(
        (one for one in told if _MORE.fullmatch(one.removesuffix(".href").rpartition(".")[2])), None
    )


def values_in(content: Any, place: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    """Yield where each value of an answer stands, and the value, lists whole; the outer first."""
    if isinstance(content, dict):
        for name, one in content.items():
            yield from values_in(one, f"{place}.{name}".lstrip("."))
    else:
        yield place, content


Step: TypeAlias = "dict[str, Any]"
"""The values that one page is asked for with; `link` is an address to follow instead."""


class Pager:
    """How to get from page to page.

    Attributes:
        send: What is sent for each page, with names in braces for its values.
        size: The most rows that the shop gives at a time.
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
    """The whole list comes in one answer."""


@dataclass(frozen=True)
class Page(Pager):
    """Pages by number, up to the first without rows, or by what the answer tells.

    Attributes:
        send: The parameters, with `{page}` and `{size}`; or an object that joins the body.
        size: The most rows that the shop gives at a time.
        first: The number of the first page.
        total: Where the answer tells how many rows there are: `total`, `header X-Total`.
        pages: Where it tells how many pages there are.
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
    """Pages by how many rows to pass over; `send` has `{offset}` and `{size}`, as in Page."""

    start = {"offset": 0}  # noqa: RUF012 - a class's, and left as it is
    send: Template = "offset={offset}&limit={size}"
    size: int = 100
    total: str = ""

    @override
    def next_step(self, step: Step, answer: Answer) -> Step | None:
        return None if _is_all(answer, self.total) else {"offset": answer.seen}


@dataclass(frozen=True)
class Cursor(Pager):
    """Each answer tells a cursor to the next page: `Cursor("after={cursor}", "paging.after")`.

    Attributes:
        send: The parameters, with `{cursor}` and `{size}`; not sent for the first page where they
            have a cursor only.
        found: Where the answer has the cursor; null, empty or missing on the last page.
        more: Where the answer tells whether more follows, if the last page has a cursor, too.
    """

    start = {"cursor": None}  # noqa: RUF012 - a class's, and left as it is
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
    """Each answer has the next page's address: `Next("links.next")`. Only its path is followed."""

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
    """Return the addresses in the header `Link` by what they are: `next`, `last`."""
    from requests.utils import parse_header_links  # noqa: PLC0415 - slow to load

    links = parse_header_links(answer.headers.get("Link") or "")
    return {kind: one["url"] for one in links for kind in one.get("rel", "").split()}


def _is_all(answer: Answer, total: str) -> bool:
    known = answer.number_at(total)
    return not answer.rows or (known is not None and answer.seen >= known)


@dataclass(frozen=True)
class Listing:
    """A list of the shop: `Listing("/orders", rows="data", pager=Page(), since="changed={since}")`.

    Attributes:
        path: The list, under `api_url`. May have `{page}`, `{offset}`, `{cursor}`, `{size}` and
            `{since}`, where a shop has them there.
        rows: Where the rows are in the answer: `data.items`; `data.edges[].node` for one member of
            each; "" where the answer is the list. An object that a query without pages answers is
            its only row.
        pager: How to get from page to page.
        params: Further parameters: `status=any&sort=id`.
        since: How to ask for what changed at a moment or later: `updated_after={since}`, or an
            object that joins the body. Left out: the list is read whole each time.
        since_format: How the moment is written: "rfc3339", "unix", or as of strftime.
        zone: The time zone in which the moment is written, such as `Europe/Oslo`.
        is_inclusive: Whether a record of that very moment is listed.
        body: What is sent as JSON, by POST.
        graphql: A query text, sent by POST; `since` and `pager` then give objects with "variables".
        method: Only if it is another than GET, or POST with a body.
        sorted: Whether the rows come by ascending change stamp, so that a run that stops half-way
            can go on from there. Not so with pages by number or offset: a record that changes
            meanwhile would pull another one, unread, over the edge of a page.
        has_stamps: Whether the records tell when they changed. If not, leave `updated_at` out: the
            tap keeps a hash of each record, and stamps those that differ.
        client_filter: Whether the tap leaves out what did not change, where the shop cannot.
        lookback_seconds: How far before the bookmark to begin; the setting's if left out.
        full_read_days: Read all, whatever the bookmark says, once so many days have passed.
        single: The path of one record, `/orders/{id}`; where the list has `graphql`, a query text
            with the variable `$id` instead; or a function of the id and `shop` which returns the
            row that holds the record, or None if it is gone. For those that `touched` names, and
            for changes.
        single_id: How that variable is written: `gid://shop/Order/{id}`, if not as the record's id.
        single_at: Where the record is in that answer.
        most_pages: A list that has more is taken for one without end.
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
