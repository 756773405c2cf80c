"""What should be done with a record, as plain values.

A change refers to records by shop id, never by an id that Go has yet to assign, so a dry run prints
exactly the values that a real run carries out. Its `outcome` is what the record is counted as.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_powerofficego.dataflow.table import Agreement
    from target_powerofficego.dataflow.values import Value


@dataclass(frozen=True)
class RowChange:
    """A property to be changed: its row, and its values before and after in Go's form.

    `path` is its JSON Patch path in Go.
    """

    row: str
    path: str
    before: Value
    after: Value


@dataclass(frozen=True)
class Conflict:
    """A property that both sides changed differently, and who won (None: a person must decide).

    `reason` never quotes the values. `base` is what both sides last agreed on, if known.
    """

    row: str
    shop: Value
    go: Value
    winner: str | None
    reason: str
    base: Agreement | None = None

    def __str__(self) -> str:
        return f"{self.row}: the shop says {self.shop!s}, Go says {self.go!s} ({self.reason})"


@dataclass(frozen=True)
class Create:
    """Post a new entity."""

    outcome: ClassVar[str] = "created"
    values: Mapping[str, Value]


@dataclass(frozen=True)
class Patch:
    """Change properties of a linked entity."""

    outcome: ClassVar[str] = "changed"
    rows: tuple[RowChange, ...]


@dataclass(frozen=True)
class Link:
    """Link the record with an entity in Go; only our reference is written, and only if Go has none.

    `shared_with` is the shop id of the record that is already linked with the entity. If the shop
    deleted that record, this one `takes_over` and gets its base, so that all differences are
    written. `has_rivals` is false if other records that claim the entity may share it.
    """

    outcome: ClassVar[str] = "linked"
    go_id: str
    is_follower: bool = False
    shared_with: str | None = None
    takes_over: bool = False
    has_rivals: bool = True
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Archive:
    """Archive a linked entity at the end of the input."""

    outcome: ClassVar[str] = "archived"


@dataclass(frozen=True)
class Delete:
    """Delete an order that is still a Draft in Go."""

    outcome: ClassVar[str] = "deleted"


@dataclass(frozen=True)
class Credit:
    """Post a credit note for an invoiced order; `values` is as for `Create`."""

    outcome: ClassVar[str] = "credited"
    values: Mapping[str, Value]


@dataclass(frozen=True)
class Confirm:
    """Set an order that is the same in Go and the shop to Confirmed, because of its `status`.

    `outcome` is that of an earlier change of the order in the same run, if there was one.
    """

    status: str
    outcome: str = Patch.outcome


@dataclass(frozen=True)
class Invoice:
    """Have Go make and send an order's invoice, because of its `status`.

    `outcome` is as for `Confirm`.
    """

    status: str
    outcome: str = Patch.outcome


@dataclass(frozen=True)
class Nothing:
    """Leave Go as it is; `outcome` is that of an earlier change, or of what remains open."""

    reason: str = "unchanged"
    outcome: str = "unchanged"


@dataclass(frozen=True)
class Skip(Nothing):
    """Leave a record out; the run reports how many were skipped for each `reason`."""

    outcome: str = "skipped"


class Open:
    """The base of changes that leave a record open; `kind` is the store's word for it.

    Each subclass declares which of the fields it has.
    """

    kind: ClassVar[Literal["parked", "reject", "hold"]]
    reason: str
    title: str | None = None
    detail: str | None = None
    awaited: tuple[str, ...] = ()
    is_refusal: bool = False


@dataclass(frozen=True)
class Park(Open):
    """Wait until other records are linked; `awaited` names them as "customers:12".

    If it `is_refusal`, wait until the other side no longer refuses the record.
    """

    outcome: ClassVar[str] = "parked"
    kind = "parked"
    reason: str
    awaited: tuple[str, ...]
    is_refusal: bool = False


@dataclass(frozen=True)
class Reject(Open):
    """The record cannot be written; `title` and `detail` quote the other side's refusal."""

    outcome: ClassVar[str] = "rejected"
    kind = "reject"
    reason: str
    title: str | None = None
    detail: str | None = None
    is_refusal: bool = False


@dataclass(frozen=True)
class Hold(Open):
    """The record could be written, but a person should decide first.

    `detail` may quote values, which may be personal data; `reason` does not. `awaited` names the
    entry of another record that this one claims.
    """

    outcome: ClassVar[str] = "held"
    kind = "hold"
    reason: str
    detail: str | None = None
    awaited: tuple[str, ...] = ()


OUTCOME_OF = {change.kind: change.outcome for change in (Park, Reject, Hold)}
"""The outcome of an open record, by its kind."""

Change = (
    Create
    | Patch
    | Link
    | Archive
    | Delete
    | Credit
    | Confirm
    | Invoice
    | Nothing
    | Park
    | Reject
    | Hold
)


class Undecidable(Exception):  # noqa: N818 - describes the record, which is no error of the program
    """Ends the walk of a record with a Park, Reject or Hold."""

    def __init__(self, change: Park | Reject | Hold) -> None:
        super().__init__(change.reason)
        self.change = change


class OrderDiffers(Undecidable):
    """Ends the walk of an order that differs between Go and the shop, with a Hold.

    `differences` describe how they differ.
    """

    def __init__(self, differences: Sequence[str]) -> None:
        self.differences = tuple(differences)
        listed = "; ".join(differences)
        super().__init__(Hold(f"Go's order differs from the shop's: {listed}. Check it in Go"))
