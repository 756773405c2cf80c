"""The seeded products: the store's catalogue, and its records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import count as counting
from typing import TYPE_CHECKING, Any

from stdnum import ean

from go_sandbox.seed.chance import REFERENCE, record
from go_sandbox.seed.money import rounded, with_vat
from go_sandbox.shop.contract import PRODUCT
from go_sandbox.shop.stamps import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from go_sandbox.seed.chance import Chance

FREIGHT = (("Posten, hentested", Decimal("79.20")), ("Hjemlevering", Decimal("119.20")))
DRAFT_EVERY = 19
ARCHIVED_EVERY = 23
INCL_ONLY_EVERY = 6
GTIN_EVERY = 3


@dataclass(frozen=True)
class Article:
    """A product of the catalogue; if it has variants, each variant is a record of its own.

    `price_excl` is in krone without VAT and always a multiple of 20 øre, so that the price with
    25 or 15 percent VAT is a whole number of øre as well.
    """

    code: str
    name: str
    category: str
    rate: str
    price_excl: Decimal
    variants: tuple[str, ...] = ()
    kind: str = "goods"
    unit: str = "stk"
    description: str | None = None


def _article(code: str, name: str, category: str, rate: str, price: str, **rest: object) -> Article:
    return Article(code, name, category, rate, Decimal(price), **rest)  # type: ignore[arg-type]


ARTICLES = (
    _article(
        "GEN-FJORD",
        "Strikkegenser Fjord",
        "Klær",
        "25",
        "1039.20",
        variants=("S", "M", "L", "XL"),
        description="<p>Varm genser i <strong>norsk ull</strong>, strikket på Vestlandet.</p>",
    ),
    _article("LUE-VIDDE", "Lue Vidde", "Klær", "25", "279.20", variants=("Grå", "Rød", "Blå")),
    _article("VOTT-SELBU", "Selbuvotter", "Klær", "25", "359.20", variants=("Dame", "Herre")),
    _article("SOKK-RAGG", "Raggsokker", "Klær", "25", "159.20", unit="par"),
    _article("SJAL-HARD", "Ullsjal Hardanger", "Klær", "25", "639.20"),
    _article(
        "KOPP-BLA",
        "Håndlaget kopp «Blåbær»",
        "Kjøkken",
        "25",
        "239.20",
        description="<p>Dreid for hånd.</p><ul><li>35 cl</li><li>Tåler oppvaskmaskin</li></ul>",
    ),
    _article("OSTEHØV", "Ostehøvel i bjørk", "Kjøkken", "25", "183.20"),
    _article("FJØL-EIK", "Skjærefjøl i eik", "Kjøkken", "25", "439.20"),
    _article("GRYTE-5L", "Støpejernsgryte 5 l", "Kjøkken", "25", "1199.20"),
    _article("DUK-LIN", "Linduk 150 × 250", "Hjem", "25", "719.20"),
    _article("LYS-FURU", "Duftlys furunål", "Hjem", "25", "199.20"),
    _article("PLEDD-ULL", "Ullpledd Sølvrev", "Hjem", "25", "959.20"),
    _article("KNIV-TUR", "Turkniv med slire", "Tur", "25", "519.20"),
    _article("TERM-075", "Termos 0,75 l", "Tur", "25", "319.20"),
    _article("SITTE-UL", "Sitteunderlag", "Tur", "25", "119.20"),
    _article("KAFFE-MØRK", "Kaffe Nordavind, mørkbrent 250 g", "Mat", "15", "112.20"),
    _article("KAFFE-LYS", "Kaffe Sørvest, lysbrent 250 g", "Mat", "15", "112.20"),
    _article("BRUNOST", "Brunost fra Gudbrandsdalen 500 g", "Mat", "15", "86.00"),
    _article("HONNING", "Lynghonning 350 g", "Mat", "15", "129.00"),
    _article("MULTE-SYL", "Multesyltetøy 200 g", "Mat", "15", "103.20"),
    _article("FLATBRØD", "Flatbrød, tynt 300 g", "Mat", "15", "51.60"),
    _article("SPEKE-FÅR", "Fenalår, hel", "Mat", "15", "258.00", unit="kg"),
    _article("TE-EINER", "Urtete med einebær", "Mat", "15", "77.40"),
    _article("BOK-FJORD", "Boken om fjordene", "Bøker", "0", "399.00"),
    _article("BOK-STRIKK", "Strikk fra nord", "Bøker", "0", "449.00"),
    _article("BOK-MAT", "Mat på bål", "Bøker", "0", "349.00"),
    _article("KURS-STRIKK", "Strikkekurs, en kveld", "Kurs", "25", "476.00", kind="service"),
    _article("INNPAKK", "Gaveinnpakning", "Tjenester", "25", "39.20", kind="service", unit="stk"),
    _article(
        "REP-ULL",
        "Reparasjon av ullplagg",
        "Tjenester",
        "25",
        "600.00",
        kind="service",
        unit="time",
    ),
    _article("BØRSTE-TRE", "Oppvaskbørste i tre", "Kjøkken", "25", "79.20"),
    _article("LØYPE-KART", "Løypekart Jotunheimen", "Tur", "0", "189.00"),
    _article("SÅPE-TJÆRE", "Tjæresåpe", "Hjem", "25", "71.20"),
    _article("HYTTE-SKILT", "Hytteskilt med navn", "Hjem", "25", "559.20"),
    _article("KART-RELI", "Reliefkart over Norge", "Hjem", "25", "799.20"),
    _article("NØKKELR", "Nøkkelring «Torsk»", "Gaver", "25", "63.20"),
)

VANISHED = (
    _article("UTG-KRUS-07", "Krus «Jubileum» (utgått)", "Kjøkken", "25", "151.20"),
    _article("UTG-SJOKO", "Julesjokolade (utgått)", "Mat", "15", "68.80"),
)


def products(chance: Chance, count: int) -> list[dict[str, Any]]:
    """Return `count` products; after its end, the catalogue begins again as a new series."""
    things = _things()
    return [_product(chance, number, *next(things)) for number in range(1, count + 1)]


def _things() -> Iterator[tuple[Article, str | None, int]]:
    for series in counting(1):
        for article in ARTICLES:
            for variant in article.variants or (None,):
                yield article, variant, series


def _product(
    chance: Chance, number: int, article: Article, variant: str | None, series: int
) -> dict[str, Any]:
    code = article.code if series == 1 else f"{article.code}-{series}"
    price_incl = with_vat(article.price_excl, Decimal(article.rate))
    is_goods = article.kind == "goods"
    return record(
        PRODUCT,
        id=str(2000 + number),
        parent_id=f"g-{code}" if variant else None,
        sku=f"{code}-{variant.upper()}" if variant else code,
        gtin=_gtin(number) if is_goods and number % GTIN_EVERY == 0 else None,
        type=article.kind,
        name=article.name if series == 1 else f"{article.name}, serie {series}",
        variant_name=variant,
        description=article.description,
        status=_status(number),
        unit=article.unit,
        category=article.category,
        currency="NOK",
        price_excl=None if number % INCL_ONLY_EVERY == 0 else str(article.price_excl),
        price_incl=str(price_incl),
        prices_include_tax=True,
        cost_price=str(rounded(article.price_excl * 2 / 5)) if is_goods else None,
        tax_rate=article.rate,
        tax_class={"25": "standard", "15": "food", "0": "books"}[article.rate],
        stock_tracked=is_goods,
        stock_on_hand=str(chance.number(0, 120)) if is_goods else None,
        url=f"https://butikk.example.com/vare/{2000 + number}",
        created_at=render(REFERENCE - timedelta(days=400, minutes=-number)),
        updated_at=render(REFERENCE - timedelta(days=chance.number(1, 300), minutes=-number)),
        custom={},
    )


def _status(number: int) -> str:
    if number % DRAFT_EVERY == 0:
        return "draft"
    return "archived" if number % ARCHIVED_EVERY == 0 else "active"


def _gtin(number: int) -> str:
    digits = f"7091234{number:05}"
    return f"{digits}{ean.calc_check_digit(digits)}"
