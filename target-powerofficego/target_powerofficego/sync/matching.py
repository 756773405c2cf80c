"""Matches an unlinked customer or product with an entry of Go, by the index: no call per record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.customer import folded
from target_powerofficego.dataflow.orders.order import GUEST
from target_powerofficego.decisions.changes import Create, Hold, Link, Undecidable
from target_powerofficego.sync.go.writer import CREATE_NOT_VISIBLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.store.link_store import Link as LinkedRecord
    from target_powerofficego.store.link_store import LinkStore
    from target_powerofficego.sync.go.index import Entry, GoIndex

_KEYS = {"organization_number": "org", "email": "email", "sku": "code", "gtin": "gtin"}
MATCHED_ON: Mapping[str, Mapping[str, Callable[[Value], Value]]] = {
    "customers": {
        "organization_number": values.normalise_organization_number,
        "email": values.normalise_email,
    },
    "products": {"sku": values.normalise_code, "gtin": values.normalise_gtin},
}
"""The rows that an unlinked record is matched on, each with the function that normalises it."""


def claim_on(entity: str, go_id: str) -> str:
    """Return the key under which records wait that claim another record's entry in Go."""
    return f"{entity} in Go:{go_id}"


def match_customer(
    shop_id: str,
    row_values: Mapping[str, Value],
    *,
    is_deleted_in_shop: bool,
    shop_name: str,
    match_on: Sequence[str],
    index: GoIndex,
    store: LinkStore,
) -> Link | Create:
    """Find a customer by our reference, then by each field in `match_on`.

    A second company with the organisation number of a linked one becomes its follower; a guest
    shares the Go customer that it is matched with. By e-mail, a person is never matched with a
    company, nor a company with a person. A record that the shop deleted (`is_deleted_in_shop`)
    takes no entry from another one. If a record is new under the id of a deleted one, our reference
    belongs to the old one and does not count.

    Raises:
        Undecidable: with a Hold naming all candidates, or a Park while the entry of another record
            that would match is created but not visible.
    """
    claim = _CustomerClaim(shop_id, row_values, is_deleted_in_shop, shop_name, store)
    reference = values.short_reference(shop_name, shop_id)
    may_use_reference = is_deleted_in_shop or not store.settled.was_deleted("customers", shop_id)
    by_reference = index.find_current("customers", f"ref:{reference}") if may_use_reference else []
    if by_reference:
        return claim.on("reference", by_reference[0])
    for field in match_on:
        value = MATCHED_ON["customers"][field](row_values.get(field))
        if not value:
            continue
        is_guest = shop_id.startswith(GUEST)
        candidates = [
            entry
            for entry in index.find_current("customers", f"{_KEYS[field]}:{value}")
            if not _is_of_other_system(entry, shop_name)
            and (field != "email" or _may_be_same(entry, row_values, is_guest=is_guest))
        ]
        if len(candidates) > 1:
            raise Undecidable(Hold(_several_reason(field, candidates)))
        if candidates:
            return claim.on(field, candidates[0])
    _require_no_invisible_match("customers", shop_id, row_values, match_on, store)
    return Create(row_values)


def match_product(
    shop_id: str,
    row_values: Mapping[str, Value],
    *,
    is_deleted_in_shop: bool,
    index: GoIndex,
    store: LinkStore,
) -> Link | Create:
    """Find a product by its code (SKU), then by its GTIN; see `match_customer`.

    Raises:
        Undecidable: with a Hold naming all candidates, or the record that has the entry already;
            or with a Park, as for `match_customer`.
    """
    for field, normalise in MATCHED_ON["products"].items():
        name, value = field.upper(), normalise(row_values.get(field))
        candidates = index.find_current("products", f"{_KEYS[field]}:{value}") if value else []
        if field == "gtin":
            candidates = [
                entry for entry in candidates if not store.links.to_entry("products", entry.go_id)
            ]
        if len(candidates) > 1:
            raise Undecidable(Hold(_several_reason(name, candidates)))
        if not candidates:
            continue
        go_id = candidates[0].go_id
        owner = store.links.owner_of("products", go_id)
        if owner is None:
            return Link(go_id)
        if not is_deleted_in_shop and store.settled.was_deleted("products", owner.shop_id):
            return Link(go_id, shared_with=owner.shop_id, takes_over=True)
        if owner.shop_id == shop_id:
            return Link(go_id)
        if is_deleted_in_shop:
            return Link(go_id, is_follower=True, shared_with=owner.shop_id)
        reason = (
            f"it has the same {name} as product {owner.shop_id}, which is linked already: give one"
            f" of the two another {name}, or delete product {owner.shop_id} in the shop"
        )
        raise Undecidable(Hold(reason, awaited=(claim_on("products", go_id),)))
    _require_no_invisible_match("products", shop_id, row_values, ("sku",), store)
    return Create(row_values)


def _require_no_invisible_match(
    entity: str,
    shop_id: str,
    row_values: Mapping[str, Value],
    match_on: Sequence[str],
    store: LinkStore,
) -> None:
    """Require that no unanswered create of another record would match.

    Raises:
        Undecidable: with a Park.
    """
    for intent in store.intents.of_entity(entity):
        if intent.kind != "create" or intent.shop_id == shop_id:
            continue
        for field in match_on:
            normalise = MATCHED_ON[entity][field]
            sent = normalise(intent.detail["values"].get(field))
            if sent and sent == normalise(row_values.get(field)):
                raise Undecidable(CREATE_NOT_VISIBLE)


@dataclass(frozen=True)
class _CustomerClaim:
    """Decides about a customer that matches an entry in Go which another record may have."""

    shop_id: str
    row_values: Mapping[str, Value]
    is_deleted_in_shop: bool
    shop_name: str
    store: LinkStore

    def on(self, field: str, entry: Entry) -> Link:
        """Link the customer with the entry, share it with the record that has it, or take it over.

        Raises:
            Undecidable: with a Hold naming that record.
        """
        owner = self.store.links.owner_of("customers", entry.go_id)
        referred = self.shop_id if field == "reference" else self._referred_to(entry)
        other = owner.shop_id if owner else referred
        is_guest = self.shop_id.startswith(GUEST)
        is_same = field != "email" or _has_name_of(entry, owner, self.row_values)
        if (
            owner
            and not self.is_deleted_in_shop
            and self.store.settled.was_deleted("customers", owner.shop_id)
        ):
            if is_same or is_guest:
                has_rivals = field != "organization_number"
                return Link(entry.go_id, shared_with=other, takes_over=True, has_rivals=has_rivals)
            raise self._hold(entry, _deleted_customer_reason(other, entry))
        if not other or other == self.shop_id:
            return Link(entry.go_id)
        if is_guest or (self.is_deleted_in_shop and is_same and owner):
            return Link(entry.go_id, is_follower=True, shared_with=other)
        if other.startswith(GUEST) and not self.is_deleted_in_shop:
            return Link(entry.go_id, shared_with=other)
        if field == "organization_number":
            return Link(entry.go_id, is_follower=True, shared_with=other)
        raise self._hold(entry, _other_customer_reason(field, other, entry))

    def _referred_to(self, entry: Entry) -> str:
        reference: str = entry.body.get("ExternalImportReference") or ""
        return reference.removeprefix(f"{self.shop_name}:")

    def _hold(self, entry: Entry, reason: str) -> Undecidable:
        return Undecidable(Hold(reason, awaited=(claim_on("customers", entry.go_id),)))


def _other_customer_reason(field: str, other: str, entry: Entry) -> str:
    return (
        f"it has the same {field} as customer {other}, who is Go's customer {_label(entry)}; two"
        " customers are not merged automatically: correct one of the two, or delete customer"
        f" {other} in the shop"
    )


def _deleted_customer_reason(other: str, entry: Entry) -> str:
    return (
        f"it has the e-mail of customer {other}, whom the shop deleted, but another name; that"
        f" customer is Go's customer {_label(entry)}: if they are the same person, make the name in"
        " Go the same as in the shop; if not, remove the e-mail in Go"
    )


_NAMES = {"company_name": "Name", "first_name": "FirstName", "last_name": "LastName"}


def _has_name_of(entry: Entry, owner: LinkedRecord | None, row_values: Mapping[str, Value]) -> bool:
    """Return whether a customer has the name of an entry in Go, or of the record that has it."""
    names = {name: folded(row_values[name]) for name in _NAMES if row_values.get(name)}
    base = owner.base if owner else {}
    in_go = {name: folded(entry.body.get(_NAMES[name])) for name in names}
    in_shop = {name: folded(base[name].shop) for name in names if name in base}
    return bool(names) and names in (in_go, in_shop)


def _may_be_same(entry: Entry, row_values: Mapping[str, Value], *, is_guest: bool) -> bool:
    """Return whether an entry with the same e-mail address may be this person or company.

    A guest's company has no organisation number then, so its name must be the same too.
    """
    is_person, company = entry.body.get("IsPerson"), row_values.get("company_name")
    if is_person is not None and is_person is not row_values.get("type"):
        return False
    return not is_guest or company is None or folded(company) == folded(entry.body.get("Name"))


def _is_of_other_system(entry: Entry, shop_name: str) -> bool:
    """Return whether an entry has a reference that is not one of this shop's."""
    reference = entry.body.get("ExternalImportReference") or ""
    return bool(reference) and not reference.startswith(f"{shop_name}:")


def _several_reason(field: str, candidates: Sequence[Entry]) -> str:
    labels = " and ".join(_label(entry) for entry in candidates)
    return f"several entries in Go have its {field}: {labels}; it is not known which one is meant"


def _label(entry: Entry) -> str:
    number = entry.body.get("Number") or entry.body.get("Code")
    return f"{number} (id {entry.go_id})" if number else f"id {entry.go_id}"
