"""Rules that customers, delivery addresses and contact persons share: addresses and e-mail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from go_sandbox.go.countries import COUNTRIES
from go_sandbox.go.problems import broken_rule

if TYPE_CHECKING:
    from collections.abc import Iterable

_EMAIL = re.compile(r"[^@\s;,<>]+@[^@\s;,<>.]+(\.[^@\s;,<>.]+)+")
ADDRESS_MEMBERS = ("AddressLine1", "AddressLine2", "City", "CountryCode", "ZipCode")


def checked_address(kind: str, address: dict[str, Any], *, names: Iterable[str]) -> dict[str, Any]:
    """Return a complete address; CountryCode is NO when left out of one that has a City.

    An address may be emptied as a whole, but may not lose its City or ZipCode alone.

    Raises:
        Refusal: the address lacks City or ZipCode, or names no ISO 3166-1 country.
    """
    address = {name: address.get(name) for name in names}
    if not any(address[name] for name in ADDRESS_MEMBERS if name != "CountryCode"):
        return {**address, "CountryCode": None}
    for name in ("City", "ZipCode"):
        if not address[name]:
            raise broken_rule(kind, f"{name} is required in an address")
    country = (address["CountryCode"] or "NO").upper()
    if country not in COUNTRIES:
        raise broken_rule(kind, f'CountryCode "{country}" is not an ISO 3166-1 alpha-2 code')
    return {**address, "CountryCode": country}


def check_email(kind: str, field: str, value: str | None) -> None:
    """Check one e-mail address.

    Raises:
        Refusal: the text is no e-mail address.
    """
    if value and not _EMAIL.fullmatch(value):
        raise broken_rule(kind, f"{field} is not a valid e-mail address")
