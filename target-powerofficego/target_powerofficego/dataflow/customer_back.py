"""Customers on the way back: what a shop record must become to hold what Go says; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.addresses import default_place
from target_powerofficego.dataflow.names import NAMELESS, person_names
from target_powerofficego.dataflow.table import is_deleted
from target_powerofficego.dataflow.values import Unusable, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_powerofficego.dataflow.table import Record

_PARTS = ("first_name", "last_name")


def company_name(value: Value, record: Record) -> Record:
    """Write a company's name where the shop keeps it; a `name` that repeats it follows."""
    name, told = record.get("name"), record.get("company_name")
    value = values.written_like(value, told or name)
    if not told:
        return {"name": value}
    return {"company_name": value, **({"name": value} if name == told else {})}


def person_name(part: int) -> Callable[[Value, Record], Record]:
    """Return what writes a first name (0) or last name (1).

    The whole `name` follows where it is made of the two. "-" stands in Go for a name that is
    missing, and is empty in the shop.
    """

    def write(value: Value, record: Record) -> Record:
        before = person_names(record)
        after = [*before]
        after[part] = values.same_text(value) or NAMELESS
        whole = _joined(after)
        if not (record.get("first_name") or record.get("last_name")):
            patch: Record = {"name": whole}
            if person_names({**record, **patch}) == tuple(after):
                return _written_like(patch, record)
        patch = {
            name: _told(one)
            for name, one in zip(_PARTS, after, strict=True)
            if values.same_text(record.get(name)) not in (one, _told(one))
        }
        if values.same_text(record.get("name")) == _joined(before):
            patch["name"] = whole
        return _written_like(patch, record)

    return write


def address_part(part: str) -> Callable[[Value, Record], Record]:
    """Return what writes a part of the default billing address.

    The list of addresses goes back as it was read, with members that are not known here.
    """

    def write(value: Value, record: Record) -> Record:
        addresses = record.get("addresses") or []
        place = default_place(addresses, "billing")
        if place is None:
            new = {"type": "billing", "is_default": True, part: value}
            return {"addresses": [*addresses, new]} if value is not None else {}
        before = addresses[place]
        changed = {**before, part: values.written_like(value, before.get(part))}
        return {"addresses": [*addresses[:place], changed, *addresses[place + 1 :]]}

    return write


def archived(value: Value, record: Record) -> Record:
    """Write whether the customer may buy; what the shop deleted stays deleted.

    Raises:
        Unusable: Go has it again, but the shop has deleted it.
    """
    if not value and is_deleted(record):
        msg = "it is deleted in the shop and cannot be taken out of the archive"
        raise Unusable(msg)
    return {"is_active": not value}


def _written_like(patch: Record, record: Record) -> Record:
    return {name: values.written_like(one, record.get(name)) for name, one in patch.items()}


def _joined(names: list[str] | tuple[str, ...]) -> str | None:
    told = (values.text(name, what="the name in Go") for name in names if name != NAMELESS)
    return " ".join(name or "" for name in told) or None


def _told(name: str) -> str | None:
    return None if name == NAMELESS else name
