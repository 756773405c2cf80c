"""Addresses of a shop record: which one applies, whether Go accepts it, how it is recognised."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# PowerOffice Go: AddressLine1 and 2 take 200 characters, City 100, ZipCode 50.
_LONGEST = {"line1": 200, "line2": 200, "city": 100, "postal_code": 50}
_GO_NAMES = {
    "line1": "AddressLine1",
    "line2": "AddressLine2",
    "postal_code": "ZipCode",
    "city": "City",
    "country_code": "CountryCode",
}
DELIVERY_MEMBERS = tuple(_GO_NAMES.values())
"""The members of a delivery address in Go, in the order of `Address.content`."""


@dataclass(frozen=True)
class Address:
    """An address in Go's form; `shop_id` is the shop's own id of it, when it has one."""

    line1: str | None
    line2: str | None
    postal_code: str | None
    city: str | None
    country_code: str | None
    shop_id: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether Go accepts it: PowerOffice Go requires both a city and a postal code."""
        return self.city is not None and self.postal_code is not None

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it is known, except perhaps the country."""
        return not (self.line1 or self.line2 or self.postal_code or self.city)

    @property
    def country(self) -> str:
        """The country code; where none is given, PowerOffice Go assumes NO."""
        return self.country_code or "NO"

    @property
    def content(self) -> tuple[str, ...]:
        """What makes two addresses the same one: letters and digits, without regard to case."""
        parts = (self.line1, self.line2, self.postal_code, self.city, self.country)
        return tuple(folded(part) for part in parts)

    @property
    def key(self) -> str:
        """What sets it apart from its customer's other addresses: its shop id, else its content."""
        return self.shop_id or hashlib.sha256("\n".join(self.content).encode()).hexdigest()[:16]

    def members(self) -> dict[str, str | None]:
        """Return its members under PowerOffice Go's names, in the order of `content`."""
        named = {go: getattr(self, shop) for shop, go in _GO_NAMES.items()}
        return {**named, "CountryCode": self.country}


def folded(part: str | None) -> str:
    """Return a part of an address in the form used for comparison: case and spaces ignored."""
    return " ".join(values.without_entities(part or "").casefold().split())


def codes(shop_name: str, customer_id: str, address: Address) -> Iterator[str]:
    """Yield the possible ExternalCodes for a shop customer's address; the first free one is used.

    PowerOffice Go requires a code to be unique in the whole client, so it includes the customer.
    """
    return values.numbered_references(shop_name, f"{customer_id}:{address.key}")


def former_code(shop_name: str, address: Address) -> str:
    """Return the ExternalCode given by earlier versions, which left the customer out of it."""
    return values.short_reference(shop_name, address.key)


def read_address(raw: object, *, what: str) -> Address | None:
    """Return an address of a shop record, or None when there is none.

    Raises:
        values.Unusable: a part is not text or is too long, or there is no such country.
    """
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise values.Unusable(f"{what} should be an address but is a {values.kind_of(raw)}")
    parts = {
        part: values.words(raw.get(part), what=f"{what}, {part}", longest=longest)
        for part, longest in _LONGEST.items()
    }
    return Address(
        **parts,
        country_code=values.country(raw.get("country_code"), what=f"{what}, country_code"),
        shop_id=values.text(raw.get("id"), what=f"{what}, id"),
    )


def from_go(entry: Mapping[str, Any]) -> Address:
    """Return an address as it stands in Go."""
    return Address(**{shop: entry.get(go) or None for shop, go in _GO_NAMES.items()})


def default_address(addresses: object, kind: str) -> Address | None:
    """Return the default billing or shipping address among a customer's addresses.

    Raises:
        values.Unusable: `addresses` is not a list of addresses, or the chosen one is unusable.
    """
    if addresses is None:
        return None
    if not isinstance(addresses, list) or not all(isinstance(one, dict) for one in addresses):
        raise values.Unusable("addresses should be a list of addresses")
    place = default_place(addresses, kind)
    return read_address(None if place is None else addresses[place], what=f"the {kind} address")


def default_place(addresses: Sequence[Mapping[str, Any]], kind: str) -> int | None:
    """Return the index of the default address of a kind in a customer's addresses, or None."""
    of_kind = [place for place, one in enumerate(addresses) if one.get("type") == kind]
    if not of_kind and kind == "billing" and len(addresses) == 1 and not addresses[0].get("type"):
        of_kind = [0]
    is_default = (place for place in of_kind if addresses[place].get("is_default") is True)
    return next(is_default, of_kind[0] if of_kind else None)
