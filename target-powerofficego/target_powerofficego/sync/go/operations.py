"""What a write to Go is made of: where a new entry goes, and the operations of a change.

It also says how Go shows whether a write that got no answer was done.
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
    """Where a create goes, and how its entry is found again: a list filter, or by reference.

    `refuses_duplicates` means that Go is known to refuse the same entry a second time.
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
        """What there may be one of: an entry of this path with this reference or code."""
        return self.path, self.value

    def detail(self, values_sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the intent keeps."""
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
    """Return where a customer is created; Go refuses a second one with our reference."""
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
    """Return where a product is created; whether Go refuses a second code is not known."""
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
    """Return where an order is created; it is found again by listing, as no filter exists."""
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
    """Return where a customer's delivery address or contact person is created.

    Go refuses a second one with the same code, even of another customer.
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
    """Return where a line of an order is created; references are unique within an order."""
    return Destination("orders", shop_id, path, path, {}, "ExternalImportReference", reference)


_ROUNDING = Decimal("0.005")  # krone: a system that keeps whole øre


def patch_operations(
    rows: Sequence[RowChange], whole: Mapping[str, Any] | None, *, tests: bool
) -> Iterator[Operation]:
    """Yield the JSON Patch: first every `test` of what was merged against, then every `replace`."""
    nested: dict[str, dict[str, Any]] = {}
    flat: list[RowChange] = []
    for row in rows:
        parent, _, leaf = row.path.lstrip("/").rpartition("/")
        if parent and whole is not None and whole.get(parent) is None:
            nested.setdefault(parent, {})[leaf] = row.after
        else:
            flat.append(row)
    if tests:
        yield from (Operation("test", f"/{parent}", None) for parent in nested)
        yield from (Operation("test", row.path, row.before) for row in flat)
    for parent, members in nested.items():
        given = {name: value for name, value in members.items() if value is not None}
        if given:
            yield Operation("replace", f"/{parent}", given)
    yield from (Operation("replace", row.path, row.after) for row in flat)


def applied_rows(entry: Mapping[str, Any], rows: Sequence[RowChange]) -> tuple[RowChange, ...]:
    """Return the rows that an unanswered patch has changed, as far as Go's values show.

    A person may have edited the entry since, so only what was sent, or a form of it, is ours.
    """
    return tuple(
        row
        for row in rows
        if not _is_at(entry, row, row.before)
        and is_variant_of(member_at(entry, row.path), row.after)
    )


def is_variant_of(value: Value, sent: Value) -> bool:
    """Return whether a system may have made this of what was sent: other spaces, case or rounding.

    Of an order line, each member that was sent is compared.
    """
    if normalise_text(value) == normalise_text(sent):
        return True
    if isinstance(sent, dict) and isinstance(value, dict):
        return all(is_variant_of(value.get(name), one) for name, one in sent.items())
    if isinstance(sent, (Decimal, int)) and isinstance(value, (Decimal, int)):
        return abs(Decimal(value) - Decimal(sent)) <= _ROUNDING
    if isinstance(sent, str) and isinstance(value, str):
        return _letters(value) == _letters(sent)
    return False


def _letters(text: str) -> str:
    return "".join(one for one in text.casefold() if one.isalnum())


def is_untouched(entry: Mapping[str, Any], rows: Sequence[RowChange]) -> bool:
    """Return whether every row still holds the value merged against, so that nothing was done."""
    return all(_is_at(entry, row, row.before) for row in rows)


def describe_outcome(done: Sequence[RowChange], rows: Sequence[RowChange]) -> str:
    """Say in words, for the log, what became of a patch."""
    if not done:
        return "it was not done"
    if len(done) == len(rows):
        return "it was done"
    open_ones = ", ".join(row.row for row in rows if row not in done)
    return f"it was done, but for {open_ones}, which Go holds as before"


def _is_at(entry: Mapping[str, Any], row: RowChange, value: Value) -> bool:
    return bool(normalise_text(member_at(entry, row.path)) == normalise_text(value))
