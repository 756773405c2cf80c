"""Property tables: their rows, how a record is read with them, and what both sides agreed on."""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.values import (
    ABSENT,
    Unusable,
    Value,
    instant,
    member_at,
    normalise_text,
    short_reference,
    text,
    value_at,
    written_like,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from zoneinfo import ZoneInfo


Record = dict[str, Any]
"""A complete shop record as sent by the tap (see docs/shop-api.md), with null for empty members."""


def is_deleted(record: Record) -> bool:
    """Return whether the shop has deleted a record of any entity.

    Raises:
        Unusable: `deleted_at` is not a timestamp; a zero date or "false" never counts as a
            deletion.
    """
    return instant(record.get("deleted_at"), label="deleted_at") is not None


class Direction(enum.Enum):
    """Which way a row's value flows; the value is the sign shown in docs/dataflow.md."""

    BOTH = "↔"
    TO_GO = "→"
    TO_SHOP = "←"
    ON_CREATE = "+"
    OFF = "off"

    @property
    def reaches_go(self) -> bool:
        """Whether an edit in the shop is written to a linked entity in Go."""
        return self in (Direction.BOTH, Direction.TO_GO)

    @property
    def reaches_shop(self) -> bool:
        """Whether an edit in Go is written to a linked record in the shop."""
        return self in (Direction.BOTH, Direction.TO_SHOP)


@dataclass(frozen=True)
class Conversion:
    """What a conversion needs besides the record; it is the same for every record of a run."""

    shop_name: str
    time_zone: ZoneInfo
    client_currency: str = "NOK"
    """The currency of product prices in Go, which the API never states."""
    sales_account_ids: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Property:
    """One row: which shop property maps to which Go property, and how the value is converted.

    `to_go` returns the value in Go's form, ABSENT when the shop omits it, or raises Unusable.
    `normalise` brings values of this row into one form for comparing. `to_shop` is the inverse of
    `to_go`: it returns the smallest JSON merge patch (RFC 7396) of a record after which `to_go`
    returns the value, and raises Unusable when the shop has no place for it. A row without it never
    flows to the shop.
    """

    name: str
    shop: str
    go: str
    go_type: str
    direction: Direction
    to_go: Callable[[Record, Conversion], Value]
    normalise: Callable[[Value], Value] = normalise_text
    note: str = ""
    overwrites: bool = False
    """For a counter (stock): if both sides changed, the source's value wins, without a conflict."""
    to_shop: Callable[[Value, Record], Record] | None = None
    read_from_go: Callable[[Mapping[str, Any]], Value] | None = None
    """How the value is read from an entry of Go, when it is not simply the member `go`."""
    needs: tuple[str, ...] = ()
    """Other members of the entry that `read_from_go` depends on."""

    @property
    def patch_path(self) -> str:
        """The JSON Patch path of this row's Go property (RFC 6901), such as /MailAddress/City."""
        return "/" + self.go.replace(".", "/")

    def from_go(self, entry: Mapping[str, Any]) -> Value:
        """Return this row's value in an entry read from Go."""
        value: Value = self.read_from_go(entry) if self.read_from_go else member_at(entry, self.go)
        return value

    @property
    def is_set_by_go(self) -> bool:
        """Whether Go alone decides this row: the shop's value is overwritten, never merged."""
        return self.direction is Direction.TO_SHOP

    def is_present_in(self, entry: Mapping[str, Any]) -> bool:
        """Return whether an entry of Go has this row's members at all, even if they are empty.

        A tap may omit members, nested ones included; members of a null address count as present.
        """
        has_member = value_at(entry, self.go) is not ABSENT
        return has_member and all(name in entry for name in self.needs)

    def patch(self, value: Value, record: Record, conversion: Conversion) -> Record:
        """Return the smallest patch of a shop record that gives this row a value from Go.

        Raises:
            Unusable: the shop has no place for it.
        """
        if self.to_shop is None or self.are_equal(self.to_go(record, conversion), value):
            return {}
        return self.to_shop(value, record)

    def are_equal(self, value: Value, other: Value) -> bool:
        """Return whether two values of this row are the same once normalised."""
        return bool(self.normalise(value) == self.normalise(other))


def member_reader(
    name: str, read: Callable[..., Value] = text, *, omitted: Value = ABSENT, **options: object
) -> Callable[[Record, Conversion], Value]:
    """Return the `to_go` that reads one member; `omitted` is its value if the shop omits it."""

    def to_go(record: Record, _: Conversion) -> Value:
        return read(record[name], label=name, **options) if name in record else omitted

    return to_go


def reference(record: Record, conversion: Conversion) -> Value:
    """Return our reference in Go for a record; a `to_go`."""
    return short_reference(conversion.shop_name, record["id"])


def archived_reader(
    is_archived: Callable[[Record], bool], name: str
) -> Callable[[Record, Conversion], Value]:
    """Return the `to_go` of whether a record is archived.

    Its value is ABSENT if the record has neither `deleted_at` nor the member `name`.
    """

    def to_go(record: Record, _: Conversion) -> Value:
        return is_archived(record) if name in record or "deleted_at" in record else ABSENT

    return to_go


def archived_writer(withdrawn: Record, on_sale: Record) -> Callable[[Value, Record], Record]:
    """Return the `to_shop` that writes one of two patches: for a record archived in Go, or not.

    A record deleted in the shop stays deleted: `to_shop` raises `Unusable` if it is no longer
    archived in Go.
    """

    def to_shop(value: Value, record: Record) -> Record:
        if not value and is_deleted(record):
            raise Unusable("it is deleted in the shop and cannot be taken out of the archive")
        return withdrawn if value else on_sale

    return to_shop


def member_writer(name: str) -> Callable[[Value, Record], Record]:
    """Return the `to_shop` that writes a value to one member, text trimmed."""
    return lambda value, record: {name: written_like(normalise_text(value), record.get(name))}


@dataclass(frozen=True)
class Reading:
    """A record in Go's form: its values by row name, and the repairs made to read it."""

    values: Mapping[str, Value]
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """The rows of one entity."""

    entity: str
    resource: str
    rows: tuple[Property, ...]
    repairs: Callable[[Record, Conversion], tuple[str, ...]] = lambda _record, _conversion: ()

    @property
    def active(self) -> tuple[Property, ...]:
        """The rows that are not switched off."""
        return tuple(row for row in self.rows if row.direction is not Direction.OFF)

    def row(self, name: str) -> Property:
        """Return the row with this name.

        Raises:
            KeyError: there is no such row.
        """
        return {row.name: row for row in self.rows}[name]

    def read(
        self, record: Record, conversion: Conversion, *, rows: Collection[str] | None = None
    ) -> Reading:
        """Convert a record to Go's form: all rows that flow to Go, or only those named.

        Raises:
            Unusable: with all reasons, not only the first.
        """
        values: dict[str, Value] = {}
        reasons: list[str] = []
        for row in self.active:
            if row.direction is Direction.TO_SHOP if rows is None else row.name not in rows:
                continue
            try:
                value = row.to_go(record, conversion)
            except Unusable as unusable:
                reasons.append(str(unusable))
            else:
                if value is not ABSENT:
                    values[row.name] = value
        if reasons:
            raise Unusable("; ".join(dict.fromkeys(reasons)))
        return Reading(values, self.repairs(record, conversion))

    def create_body(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """Return the body of a POST: every value that is not empty, nested as Go expects it."""
        body: dict[str, Any] = {}
        for row in self.active:
            value = values.get(row.name)
            if value is None:
                continue
            *parents, leaf = row.go.split(".")
            group = body
            for parent in parents:
                group = group.setdefault(parent, {})
            group[leaf] = value
        return body


NEVER = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
"""The time of reading of a side whose value has not been read yet."""

UNTOUCHED = object()
"""The value of `Agreement.replaced` when our own write has replaced nothing in the shop."""


@dataclass(frozen=True)
class Agreement:
    """What a row's two sides held when they last agreed, in Go's form, and when each was read.

    `replaced` is the shop's value that our own last write of the row replaced. It is kept until the
    shop has reported the new value, because a record read before that write still has the old one.
    """

    shop: Value
    go: Value
    shop_read_at: datetime.datetime
    go_read_at: datetime.datetime
    replaced: Value = UNTOUCHED


def now() -> datetime.datetime:
    """Return the current time as an aware datetime in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)
