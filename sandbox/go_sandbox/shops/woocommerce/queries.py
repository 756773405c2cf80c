"""The parameters of a list, and the records that they select.

Parameters that a list does not have are ignored, as WordPress does (`WP_REST_Request` keeps them,
nothing reads them): customers, who have no `modified_after`, are all listed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from go_sandbox.shops.woocommerce.errors import invalid_parameters
from go_sandbox.shops.woocommerce.shop import STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from go_sandbox.shops.woocommerce.shop import Record, WooCommerce

DATE = re.compile(  # `rest_parse_date`
    r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d(?::?\d\d)?)?"
)
POST_STATUSES = ("any", "future", "trash", "draft", "pending", "private", "publish")
ORDER_STATUSES = ("any", "trash", *STATUSES)
ROLES = ("all", "administrator", "editor", "author", "contributor", "subscriber", "customer")
DATES = ("before", "after", "modified_before", "modified_after")
MOST_A_PAGE = 100


@dataclass(frozen=True)
class Listing:
    """One page of a list: the records on it, and how many there are on all pages."""

    records: Sequence[Record]
    total: int
    pages: int
    page: int


class Query:
    """The parameters of a list, checked as `rest_validate_request_arg` does.

    Raises:
        RestError: 400 `rest_invalid_param`, which names every parameter with a bad value.
    """

    def __init__(self, kind: str, given: Mapping[str, str], shop: WooCommerce) -> None:
        self._given = given
        self._wrong: dict[str, str] = {}
        self.page = self._number("page", 1)
        self.per_page = self._number("per_page", 10, MOST_A_PAGE)
        self.offset = self._number("offset", 0) if "offset" in given else None
        self.order = self._choice("order", ("asc", "desc"), _first_order(kind))
        self.orderby = self._choice("orderby", _sorts(kind, shop), _sorts(kind, shop)[0])
        self.statuses = self._statuses(kind)
        self.role = self._choice("role", ROLES, "customer") if kind == "customers" else "all"
        self.dates = {} if kind == "customers" else self._dates()
        self.are_gmt = given.get("dates_are_gmt", "") in ("1", "true", "TRUE")
        if self._wrong:
            raise invalid_parameters(self._wrong)

    def _number(self, name: str, default: int, most: int | None = None) -> int:
        text = self._given.get(name)
        if text is None:
            return default
        least = 0 if name == "offset" else 1
        if not re.fullmatch(r"-?\d+", text):
            self._wrong[name] = f"{name} is not of type integer."
        elif most is not None and not least <= int(text) <= most:
            self._wrong[name] = f"{name} must be between {least} (inclusive) and {most} (inclusive)"
        elif int(text) < least:
            self._wrong[name] = f"{name} must be greater than or equal to {least}"
        else:
            return int(text)
        return default

    def _choice(self, name: str, choices: Sequence[str], default: str) -> str:
        text = self._given.get(name, default)
        if text not in choices:
            self._wrong[name] = f"{name} is not one of {_listed(choices)}."
        return text

    def _statuses(self, kind: str) -> Sequence[str]:
        """Return the requested statuses; only for orders may there be several."""
        if kind == "orders":
            asked = self._given.get("status", "any").split(",")
            for number, status in enumerate(asked):
                if status not in ORDER_STATUSES:
                    reason = f"status[{number}] is not one of {_listed(ORDER_STATUSES)}."
                    self._wrong["status"] = reason
            return ["any"] if "any" in asked else asked
        if kind in ("products", "variations"):
            return [self._choice("status", POST_STATUSES, "any")]
        return ["any"]

    def _dates(self) -> dict[str, str]:
        dates = {name: self._given[name] for name in DATES if name in self._given}
        for name, text in dates.items():
            if not DATE.fullmatch(text):
                self._wrong[name] = "Invalid date."
        return dates


def _first_order(kind: str) -> str:
    return "asc" if kind == "customers" else "desc"


def _sorts(kind: str, shop: WooCommerce) -> tuple[str, ...]:
    """Return how a list can be sorted, the default first."""
    if kind == "customers":
        return ("name", "id", "include", "registered_date")
    more = ("price", "popularity", "rating", "menu_order") if kind == "products" else ()
    modified = ("modified",) if shop.sorts_by_modified else ()
    return ("date", "id", "include", "title", "slug", *modified, *more)


def _listed(choices: Sequence[str]) -> str:
    return f"{', '.join(choices[:-1])}, and {choices[-1]}"


def pick(query: Query, records: Sequence[Record], zone: ZoneInfo) -> Listing:
    """Return the requested page; past the end it is empty.

    `offset` replaces `page` (`WP_Query`).
    """
    found = [record for record in records if _is_asked_for(query, record, zone)]
    found.sort(key=lambda record: _sort_key(query.orderby, record), reverse=query.order == "desc")
    start = (query.page - 1) * query.per_page if query.offset is None else query.offset
    return Listing(
        records=found[start : start + query.per_page],
        total=len(found),
        pages=-(-len(found) // query.per_page),
        page=query.page,
    )


def _is_asked_for(query: Query, record: Record, zone: ZoneInfo) -> bool:
    if query.role != "all" and record.get("role") != query.role:
        return False
    if not _has_status(query.statuses, record.get("status")):
        return False
    for name, text in query.dates.items():
        column = "date_modified_gmt" if name.startswith("modified") else "date_created_gmt"
        edge, stamp = boundary(text, zone, are_gmt=query.are_gmt), record[column]
        if not (stamp > edge if name.endswith("after") else stamp < edge):
            return False
    return True


def _has_status(asked: Sequence[str], status: str | None) -> bool:
    """Return whether a status is requested; `any` excludes the trash and statuses plug-ins hide."""
    if "any" in asked:
        return status != "trash"
    return status in asked


def boundary(text: str, zone: ZoneInfo, *, are_gmt: bool) -> str:
    """Return the moment to which stamps in GMT are compared, in whole seconds.

    A stamp without a zone is local time, or GMT with `dates_are_gmt`. One with a zone is
    turned into local time first (`WP_Date_Query::build_mysql_datetime`), and then, with
    `dates_are_gmt`, taken for GMT: so the two together are off by the site's zone.
    """
    match = DATE.fullmatch(text)
    assert match, "checked before"  # noqa: S101
    moment = datetime.fromisoformat(match[1].upper().replace(" ", "T"))
    if match[2]:
        digits = f"{match[2].replace('Z', '+').replace(':', ''):0<5}"
        aware = datetime.strptime(moment.isoformat() + digits, "%Y-%m-%dT%H:%M:%S%z")
        moment = aware.astimezone(zone).replace(tzinfo=None)
    if not are_gmt:
        moment = moment.replace(tzinfo=zone).astimezone(timezone.utc).replace(tzinfo=None)
    return moment.isoformat(timespec="seconds")


def _sort_key(orderby: str, record: Record) -> tuple[Any, ...]:
    """Return what sorts a record; dates with the id, so that pages do not overlap."""
    if orderby in ("date", "registered_date"):
        return record["date_created_gmt"], record["id"]
    if orderby == "modified":
        return record["date_modified_gmt"], record["id"]
    if orderby in ("name", "title", "slug"):
        name = record.get("name") or f"{record.get('first_name')} {record.get('last_name')}"
        return name, record["id"]
    return (record["id"],)
