"""The seeded customers: persons and companies, some with few details."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from stdnum.no import orgnr

from go_sandbox.seed.chance import REFERENCE, record
from go_sandbox.shop.contract import ADDRESS, BUYER, CUSTOMER
from go_sandbox.shop.stamps import render

if TYPE_CHECKING:
    from go_sandbox.seed.chance import Chance

PLACES = (
    ("0150", "Oslo"),
    ("0357", "Oslo"),
    ("1383", "Asker"),
    ("1607", "Fredrikstad"),
    ("2609", "Lillehammer"),
    ("3187", "Horten"),
    ("3916", "Porsgrunn"),
    ("4006", "Stavanger"),
    ("4836", "Arendal"),
    ("5003", "Bergen"),
    ("5700", "Voss"),
    ("6003", "Ålesund"),
    ("6413", "Molde"),
    ("6800", "Førde"),
    ("7010", "Trondheim"),
    ("7600", "Levanger"),
    ("8006", "Bodø"),
    ("8370", "Leknes"),
    ("9008", "Tromsø"),
    ("9510", "Alta"),
)
STREETS = (
    "Storgata",
    "Kirkeveien",
    "Åsveien",
    "Bjørkelia",
    "Sjøgata",
    "Nedre Strandgate",
    "Skolegata",
    "Fjordveien",
    "Øvre Torggate",
    "Grønlandsleiret",
    "Hagebyen",
    "Ærfuglveien",
)
TRADES = (
    "Kafé",
    "Gartneri",
    "Hotell",
    "Interiør",
    "Bakeri",
    "Byggservice",
    "Regnskap",
    "Gård",
    "Sport",
    "Galleri",
)
ENDINGS = ("AS", "AS", "AS", "ANS", "DA")
COMPANY_EVERY = 4
LATIN = str.maketrans({"æ": "ae", "ø": "o", "å": "a", "é": "e", "ü": "u", "ö": "o", "ä": "a"})


def customers(chance: Chance, count: int) -> list[dict[str, Any]]:
    """Return `count` customers; every fourth is a company."""
    return [
        _company(chance, number) if number % COMPANY_EVERY == 0 else _person(chance, number)
        for number in range(1, count + 1)
    ]


def guests(chance: Chance, count: int) -> list[dict[str, Any]]:
    """Return buyers without an account, each with `buyer` and `address`."""
    found = []
    for number in range(1, count + 1):
        first, last = chance.first_name(), chance.last_name()
        buyer = record(
            BUYER,
            email=_email(f"{first}.{last}.gjest{number}"),
            name=f"{first} {last}",
            first_name=first,
            last_name=last,
            phone=chance.phone() if chance.happens(70) else None,
        )
        found.append({"buyer": buyer, "address": address(chance, None, "billing", buyer["name"])})
    return found


def organization_number(chance: Chance) -> str:
    """Return a valid organisation number: nine digits, the last by modulus 11."""
    while True:
        digits = f"9{chance.number(1000000, 9999999)}"
        valid = [f"{digits}{last}" for last in range(10) if orgnr.is_valid(f"{digits}{last}")]
        if valid:
            return valid[0]


def address(chance: Chance, address_id: str | None, kind: str, name: str) -> dict[str, Any]:
    """Return a Norwegian address; postal codes are text, because some begin with a zero."""
    postal_code, city = chance.pick(PLACES)
    return record(
        ADDRESS,
        id=address_id,
        type=kind,
        is_default=True,
        name=name,
        line1=f"{chance.pick(STREETS)} {chance.number(1, 98)}",
        line2=chance.pick(("Oppgang B", "H0301", "v/resepsjonen")) if chance.happens(12) else None,
        postal_code=postal_code,
        city=city,
        country_code="NO",
    )


def _person(chance: Chance, number: int) -> dict[str, Any]:
    first, last = chance.first_name(), chance.last_name()
    name = f"{first} {last}"
    return _customer(
        chance,
        number,
        type="person",
        email=None if number % 17 == 0 else _email(f"{first}.{last}.{number}"),
        name=name,
        first_name=first,
        last_name=last,
    )


def _company(chance: Chance, number: int) -> dict[str, Any]:
    first, last = chance.first_name(), chance.last_name()
    name = f"{last} {chance.pick(TRADES)} {chance.pick(ENDINGS)}"
    return _customer(
        chance,
        number,
        type="company",
        email=_email(f"post@{last}-{number}"),
        name=name,
        company_name=name,
        first_name=first,
        last_name=last,
        organization_number=organization_number(chance),
    )


def _customer(chance: Chance, number: int, **members: object) -> dict[str, Any]:
    created = REFERENCE - timedelta(days=chance.number(60, 700), minutes=number)
    updated = created + timedelta(days=chance.number(0, 59))
    return record(
        CUSTOMER,
        id=str(1000 + number),
        number=str(1000 + number),
        is_guest=False,
        phone=chance.phone() if chance.happens(80) else None,
        language="nb",
        currency="NOK",
        tax_exempt=False,
        is_active=True,
        addresses=_addresses(chance, number, str(members["name"])),
        created_at=render(created),
        updated_at=render(updated),
        custom={},
        **members,
    )


def _addresses(chance: Chance, number: int, name: str) -> list[dict[str, Any]]:
    if number % 13 == 0:
        return []
    found = [address(chance, f"{1000 + number}-1", "billing", name)]
    if number % 5 == 0:
        found.append(address(chance, f"{1000 + number}-2", "shipping", name))
    return found


def _email(text: str) -> str:
    local, at, company = text.lower().translate(LATIN).replace(" ", "-").partition("@")
    return f"{local}@{company}.example.com" if at else f"{local}@example.com"
