"""The parts of a write to Go: the destination of a new entry, and the operations of a change.

Also how to see from Go's entry whether an unanswered write was done.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.values import member_at, normalise_text
from target_powerofficego.go_api import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.decisions.changes import RowChange
    from target_powerofficego.store.link_store import Intent


@dataclass(frozen=True)
class Destination:
    """Where an entry is created, and how it is found again: by a list filter, or by reference.

    `refuses_duplicates`: Go is known to refuse the same entry a second time.
    """

    entity: str
    shop_id: str
    path: str
    look_path: str
    look_params: Mapping[str, str]
    member: str
    value: str
    refuses_duplicates: bool = True

    @property
    def place(self) -> tuple[str, str]:
        """What must be unique: the path with this reference or code."""
        return self.path, self.value

    def detail(self, values_sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return the detail that the intent keeps."""
        return {
            "path": self.path,
            "look_path": self.look_path,
            "look_params": dict(self.look_params),
            "member": self.member,
            "value": self.value,
            "refuses_duplicates": self.refuses_duplicates,
            "values": dict(values_sent),
        }

    @classmethod
    def of_intent(cls, intent: Intent) -> Destination:
        """Return the destination that an intent was left for."""
        detail = intent.detail
        return cls(
            intent.entity,
            intent.shop_id,
            detail["path"],
            detail["look_path"],
            detail["look_params"],
            detail["member"],
            detail["value"],
            detail["refuses_duplicates"],
        )


def customer_destination(shop_id: str, reference: str) -> Destination:
    """Return the destination of a customer; Go refuses a second one with our reference."""
    params = {"externalImportReference": reference}
    return Destination(
        "customers",
        shop_id,
        "/Customers",
        "/Customers",
        params,
        "ExternalImportReference",
        reference,
    )


def product_destination(shop_id: str, code: str) -> Destination:
    """Return the destination of a product; it is not known whether Go refuses a second code."""
    return Destination(
        "products",
        shop_id,
        "/Products",
        "/Products",
        {"codes": code},
        "Code",
        code,
        refuses_duplicates=False,
    )


def order_destination(shop_id: str, reference: str) -> Destination:
    """Return the destination of an order; it is found again by listing, as there is no filter."""
    return Destination(
        "orders",
        shop_id,
        "/SalesOrders/Complete",
        "/SalesOrders",
        {},
        "ExternalImportReference",
        reference,
    )


def contact_destination(
    resource: str, entity: str, shop_id: str, contact_id: str, code: str
) -> Destination:
    """Return the destination of a customer's delivery address or contact person.

    Go refuses a second one with the same code, even for another customer.
    """
    return Destination(
        entity,
        shop_id,
        f"/{resource}/{contact_id}",
        f"/{resource}",
        {"externalCodes": code},
        "ExternalCode",
        code,
    )


def line_destination(shop_id: str, path: str, reference: str) -> Destination:
    """Return the destination of an order line; references are unique within an order."""
    return Destination("orders", shop_id, path, path, {}, "ExternalImportReference", reference)


_ROUNDING = Decimal("0.005")  # krone: some systems keep whole øre


def patch_operations(
    rows: Sequence[RowChange], current: Mapping[str, Any] | None, *, tests: bool
) -> Iterator[Operation]:
    """Yield a JSON Patch: a `test` of each value that was merged against, then the `replace`s.

    A member of `current`, the entry as last read, that is null is replaced as a whole, since a JSON
    Patch cannot reach into it.
    """
    nested: dict[str, dict[str, Any]] = {}
    flat: list[RowChange] = []
    for row in rows:
        parent, _, leaf = row.path.lstrip("/").rpartition("/")
        if parent and current is not None and current.get(parent) is None:
            nested.setdefault(parent, {})[leaf] = row.after
        else:
            flat.append(row)
    if tests:
        yield from (Operation("test", f"/{parent}", None) for parent in nested)
        yield from (Operation("test", row.path, row.before) for row in flat)
    for parent, members in nested.items():
        filled = {name: value for name, value in members.items() if value is not None}
        if filled:
            yield Operation("replace", f"/{parent}", filled)
    yield from (Operation("replace", row.path, row.after) for row in flat)


def applied_rows(entry: Mapping[str, Any], rows: Sequence[RowChange]) -> tuple[RowChange, ...]:
    """Return the rows that an unanswered patch has changed, judging by Go's values.

    A person may have edited the entry since, so only the value sent, or a variant of it, counts.
    """
    return tuple(
        row
        for row in rows
        if not _has_value(entry, row, row.before)
        and is_variant_of(member_at(entry, row.path), row.after)
    )


def is_variant_of(value: Value, sent: Value) -> bool:
    """Return whether a system may keep the value sent as this one: other spaces, case or rounding.

    For an order line, each member that was sent is compared.
    """
    if normalise_text(value) == normalise_text(sent):
        return True
    if isinstance(sent, dict) and isinstance(value, dict):
        return all(is_variant_of(value.get(name), member) for name, member in sent.items())
    if isinstance(sent, (Decimal, int)) and isinstance(value, (Decimal, int)):
        return abs(Decimal(value) - Decimal(sent)) <= _ROUNDING
    if isinstance(sent, str) and isinstance(value, str):
        return _letters_and_digits(value) == _letters_and_digits(sent)
    return False


def _letters_and_digits(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def is_untouched(entry: Mapping[str, Any], rows: Sequence[RowChange]) -> bool:
    """Return whether every row still has the value merged against, so that nothing was done."""
    return all(_has_value(entry, row, row.before) for row in rows)


def describe_outcome(done: Sequence[RowChange], rows: Sequence[RowChange]) -> str:
    """Return, for the log, what became of an unanswered patch."""
    if not done:
        return "it was not done"
    if len(done) == len(rows):
        return "it was done"
    missing = ", ".join(row.row for row in rows if row not in done)
    return f"it was done, except for {missing}, which Go still has as before"


def _has_value(entry: Mapping[str, Any], row: RowChange, value: Value) -> bool:
    return bool(normalise_text(member_at(entry, row.path)) == normalise_text(value))
