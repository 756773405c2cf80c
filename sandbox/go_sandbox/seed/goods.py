"""The seeded products, made from the catalogue."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import count as counting
from typing import TYPE_CHECKING, Any

from stdnum import ean

from go_sandbox.seed.catalogue import ARTICLES
from go_sandbox.seed.chance import REFERENCE, record
from go_sandbox.seed.money import rounded, with_vat
from go_sandbox.shop.contract import PRODUCT
from go_sandbox.shop.stamps import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from go_sandbox.seed.catalogue import Article
    from go_sandbox.seed.chance import Chance

DRAFT_EVERY = 19
ARCHIVED_EVERY = 23
INCL_ONLY_EVERY = 6
GTIN_EVERY = 3


def products(chance: Chance, count: int) -> list[dict[str, Any]]:
    """Return `count` products; past the end of the catalogue it begins again as a new series."""
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
        cost_price=str(_cost(article.price_excl)) if is_goods else None,
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


def _cost(price_excl: Decimal) -> Decimal:
    return rounded(price_excl * 2 / 5)


def _gtin(number: int) -> str:
    digits = f"7091234{number:05}"
    return f"{digits}{ean.calc_check_digit(digits)}"
