"""An unlinked customer or product: is it already in Go? From the index, no call per record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_powerofficego.changes import Create, Hold, Link, Undecidable
from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.addresses import folded
from target_powerofficego.dataflow.order import GUEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.go_index import Entry, GoIndex
    from target_powerofficego.links import LinkStore

_KEYS = {"organization_number": "org", "email": "email", "sku": "code", "gtin": "gtin"}
MATCHED_ON: Mapping[str, Mapping[str, Callable[[Value], Value]]] = {
    "customers": {
        "organization_number": values.same_organization_number,
        "email": values.same_email,
    },
    "products": {"sku": values.same_code, "gtin": values.same_gtin},
}
"""The rows that an unlinked record is matched on, each with how its value is normalised."""


def match_customer(
    shop_id: str,
    row_values: Mapping[str, Value],
    *,
    shop_name: str,
    match_on: Sequence[str],
    index: GoIndex,
    store: LinkStore,
) -> Link | Create:
    """Find a customer by our reference, then by each field in `match_on`.

    A second company with the organisation number of a linked one becomes its follower; a guest
    shares the Go customer that it is matched with. By e-mail a person is never found to be a
    company, nor a company a person.

    Raises:
        Undecidable: with a Hold naming all candidates.
    """
    own = values.short_reference(shop_name, shop_id)
    by_reference = index.find_present("customers", f"ref:{own}")
    if by_reference:
        return Link(by_reference[0].go_id)
    for field in match_on:
        value = MATCHED_ON["customers"][field](row_values.get(field))
        if not value:
            continue
        found = index.find_present("customers", f"{_KEYS[field]}:{value}")
        is_guest = shop_id.startswith(GUEST)
        candidates = [
            entry
            for entry in found
            if not _is_anothers(entry, shop_name)
            and (field != "email" or _is_alike(entry, row_values, is_guest=is_guest))
        ]
        if len(candidates) > 1:
            raise Undecidable(Hold(_several(field, candidates)))
        if candidates:
            return _claim(shop_id, field, candidates[0], shop_name=shop_name, store=store)
    return Create(row_values)


def match_product(
    shop_id: str, row_values: Mapping[str, Value], *, index: GoIndex, store: LinkStore
) -> Link | Create:
    """Find a product by its code (SKU), then by its GTIN.

    Raises:
        Undecidable: with a Hold naming all candidates, or the record that has the entry already.
    """
    for field, same in MATCHED_ON["products"].items():
        name, value = field.upper(), same(row_values.get(field))
        candidates = index.find_present("products", f"{_KEYS[field]}:{value}") if value else []
        if field == "gtin":
            candidates = [one for one in candidates if not store.links_to("products", one.go_id)]
        if len(candidates) > 1:
            raise Undecidable(Hold(_several(name, candidates)))
        if not candidates:
            continue
        others = [link.shop_id for link in store.links_to("products", candidates[0].go_id)]
        if others and others != [shop_id]:
            reason = f"it has the same {name} as product {others[0]}, which is linked already"
            raise Undecidable(Hold(reason))
        return Link(candidates[0].go_id)
    return Create(row_values)


def _claim(shop_id: str, field: str, entry: Entry, *, shop_name: str, store: LinkStore) -> Link:
    """Link the one candidate, or share it with the record that has it."""
    others = [
        link.shop_id for link in store.links_to("customers", entry.go_id) if not link.is_follower
    ]
    reference = entry.body.get("ExternalImportReference") or ""
    other = others[0] if others else reference.removeprefix(f"{shop_name}:")
    if not other or other == shop_id:
        return Link(entry.go_id)
    if shop_id.startswith(GUEST):
        return Link(entry.go_id, is_follower=True, shared_with=other)
    if other.startswith(GUEST):
        return Link(entry.go_id, shared_with=other)
    if field == "organization_number":
        return Link(entry.go_id, is_follower=True, shared_with=other)
    reason = (
        f"it has the same {field} as customer {other}, who is Go's customer"
        f" {_named(entry)}; two customers are not made one without a person"
    )
    raise Undecidable(Hold(reason))


def _is_alike(entry: Entry, row_values: Mapping[str, Value], *, is_guest: bool) -> bool:
    """Return whether an entry with the same e-mail address may be the customer, person or company.

    A guest's company, which is not known by a number then, has the same name too.
    """
    is_person, told = entry.body.get("IsPerson"), row_values.get("company_name")
    if is_person is not None and is_person is not row_values.get("type"):
        return False
    return not is_guest or told is None or folded(told) == folded(entry.body.get("Name"))


def _is_anothers(entry: Entry, shop_name: str) -> bool:
    reference = entry.body.get("ExternalImportReference") or ""
    return bool(reference) and not reference.startswith(f"{shop_name}:")


def _several(field: str, candidates: Sequence[Entry]) -> str:
    named = " and ".join(_named(entry) for entry in candidates)
    return f"several entries in Go have its {field}: {named}; it is not known which one is meant"


def _named(entry: Entry) -> str:
    number = entry.body.get("Number") or entry.body.get("Code")
    return f"{number} (id {entry.go_id})" if number else f"id {entry.go_id}"
