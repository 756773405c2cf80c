"""What the link store keeps, as values, and the names under which it keeps them.

There are two ways: forward, from the shop to Go, and back. Records of the way back have names of
their own, such as "customers_back", so that a customer can be settled on one way while it waits on
the other. Records that the shop deleted have names of their own too.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.dataflow.table import Agreement
    from target_powerofficego.dataflow.values import Value


WayName = Literal["forward", "back"]

ENTITIES = ("customers", "products", "orders")
"""The entities that are kept in sync; each may need those before it."""

PAYMENTS = "payments"
"""The name under which vouchers, their intents and their open records are kept."""

_BACK = "_back"
_DELETED = "_deleted"


def back_name(entity: str) -> str:
    """Return the name under which the store keeps an entity on the way back."""
    return f"{entity}{_BACK}"


def deleted_name(entity: str) -> str:
    """Return the name under which the store keeps an entity's records that the shop deleted."""
    return f"{entity}{_DELETED}"


def entity_of(kept_as: str) -> str:
    """Return the entity that such a name stands for, on either way."""
    return kept_as.removesuffix(_BACK)


def way_of(kept_as: str) -> WayName:
    """Return the way that the records kept under this name came."""
    return "back" if kept_as.endswith(_BACK) else "forward"


LARGEST_NUMBER = 2**31 - 1
"""The largest value that a PostgreSQL integer column holds."""

LONGEST_REST = datetime.timedelta(hours=24)
"""The longest time before a record that the other side refused is tried again."""

NEWER_VERSION = "a newer version"
"""What a record waits for if it may be older than the version that is known."""

SHOP_FILE = "shop file"
"""The prefix of what an edit waits for if the shop file in use does not write it to the shop."""

PROGRAM_FAULT = "a fault of this program"
"""The title of a reject for which neither the record nor the other side is to blame."""

_LONGEST_SHOP_NAME = 20

UnsettledKind = Literal["parked", "reject", "hold"]


class LinkStoreError(Exception):
    """The link store cannot be used; the message says why and what to do about it."""


class RunUnderWay(LinkStoreError):  # noqa: N818 - the name says what happened
    """Another run for the shop holds the lock."""


@dataclass(frozen=True)
class Namespace:
    """A Go client and a shop; `newest_run` is the number of its newest run, 0 before the first."""

    id: int
    client_id: str
    shop_name: str
    newest_run: int


@dataclass(frozen=True)
class Settled:
    """What was last settled of a record: its hash, when it was read, and its side's stamp."""

    record_hash: str
    read_at: datetime.datetime
    stamp: str | None


class SettledText(NamedTuple):
    """The hash of the bytes that were read as the settled record with this `record_hash`."""

    entity: str
    shop_id: str
    record_hash: str
    text_hash: str


@dataclass(frozen=True)
class Link:
    """A shop record and the Go entity that is its counterpart.

    A follower shares the Go entity of another record; no properties flow through it. `own_stamp` is
    Go's last-changed stamp after our last write to Go, `own_shop_stamp` the shop's `updated_at`
    after our last write to the shop. The store sets `linked_at` itself.
    """

    entity: str
    shop_id: str
    go_id: str
    is_follower: bool = False
    shop_created_at: str | None = None
    base: Mapping[str, Agreement] = field(default_factory=dict)
    own_stamp: str | None = None
    own_shop_stamp: str | None = None
    linked_at: datetime.datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Intent:
    """A write that was about to be sent; it stays in the store if no answer came."""

    id: int
    entity: str
    shop_id: str
    kind: str
    detail: Mapping[str, Any]
    started_at: datetime.datetime

    @property
    def read_at(self) -> datetime.datetime:
        """When the record behind this write was read."""
        stamp: str | None = self.detail.get("read_at")
        return datetime.datetime.fromisoformat(stamp) if stamp else self.started_at


@dataclass(frozen=True)
class Unsettled:
    """A record that is parked, rejected or held, with its payload and the reason."""

    id: int
    entity: str
    shop_id: str
    kind: UnsettledKind
    payload: dict[str, Any]
    read_at: datetime.datetime
    reason: str
    title: str | None
    detail: str | None
    first_seen: datetime.datetime
    last_seen: datetime.datetime
    attempts: int
    next_attempt_at: datetime.datetime | None
    acknowledged_at: datetime.datetime | None
    shop_name: str = ""

    @property
    def is_program_fault(self) -> bool:
        """Whether neither the record nor the other side is to blame."""
        return self.title == PROGRAM_FAULT

    def is_resting(self, at: datetime.datetime) -> bool:
        """Return whether the other side refused it and it is too early to try again.

        A time further ahead than the longest rest comes from a wrong clock, and is ignored.
        """
        due = self.next_attempt_at
        return due is not None and datetime.timedelta(0) < due - at <= LONGEST_REST


@dataclass(frozen=True)
class OpenCount:
    """How many records of one shop, name in the store and kind are open.

    `number` counts all, `acknowledged` those that a person has acknowledged, and `program_faults`
    those of the rest that are faults of this program. `oldest` is when the oldest was first seen.
    """

    shop_name: str
    entity: str
    kind: UnsettledKind
    number: int
    acknowledged: int
    program_faults: int
    oldest: datetime.datetime

    @property
    def waiting(self) -> int:
        """How many wait for a person."""
        return 0 if self.kind == "parked" else self.number - self.acknowledged


@dataclass(frozen=True)
class Run:
    """One run as it was recorded."""

    id: int
    shop_name: str
    way: str
    started_at: datetime.datetime
    finished_at: datetime.datetime | None
    exit_status: int | None
    outcomes: Mapping[str, Any]
    calls: Mapping[str, Any]
    has_input: bool = True
    has_whole_input: bool = True


@dataclass(frozen=True)
class StoredConflict:
    """A property that both sides changed: their values, what they last agreed on, and who won.

    If `winner` is None, a person must decide; `is_settled` is then whether the record no longer
    waits. `base` has the values of both sides, or is None if none were kept.
    """

    id: int
    shop_name: str
    run: int | None
    entity: str
    shop_id: str
    property: str
    shop: Value
    go: Value
    base: Mapping[str, Value] | None
    winner: str | None
    is_settled: bool
    why: str
    first_seen: datetime.datetime
    last_seen: datetime.datetime


@dataclass(frozen=True)
class Erasure:
    """A customer whose personal data was erased: a keyed hash of its id, and its entry in Go."""

    id: int
    entity: str
    shop_id: str
    go_id: str


def is_shop_name(text: str) -> bool:
    """Return whether a text can be a shop's name, which goes into references and file names."""
    is_plain = all(character.isalnum() or character in "-_" for character in text)
    return is_plain and 0 < len(text) <= _LONGEST_SHOP_NAME
