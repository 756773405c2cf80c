"""What a comparison finds, as values, and the words for how amounts differ; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from target_powerofficego.dataflow.orders.line_amounts import NOTHING, ORE
from target_powerofficego.dataflow.orders.sums import tolerance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_powerofficego.dataflow.orders.line_amounts import Money
    from target_powerofficego.links_command.reconciliation.sides import GoEntry

FindingKind = Literal[
    "missing",
    "doubled",
    "not linked",
    "VAT rate",
    "amount",
    "currency",
    "credit note without refund",
    "reversed",
    "not in Go",
    "open",
    "not known",
    "buyer",
    "date",
    "credited by hand",
]


@dataclass(frozen=True)
class Finding:
    """An order that differs, or that has to be told of; `is_difference` counts for the exit status.

    `shop` and `go` are what each side comes to by VAT rate; None: it has none, or it is not known.
    """

    kind: FindingKind
    is_difference: bool
    told: str
    shop_id: str | None
    date: str | None
    currency: str | None
    entry: GoEntry | None = None
    shop: Mapping[str | None, Money] | None = None
    go: Mapping[str | None, Money] | None = None


def rate_in_words(rate: str | None) -> str:
    """Name a VAT rate in percent."""
    return "rate not told" if rate is None else f"{rate} %"


def have_other_rates(shop: Mapping[str | None, Money], go: Mapping[str | None, Money]) -> bool:
    """Tell whether the two sides have amounts of different VAT rates."""
    return {rate for rate in shop if rate is not None} != {rate for rate in go if rate is not None}


def differences(shop: Mapping[str | None, Money], go: Mapping[str | None, Money]) -> Iterator[str]:
    """Say of each VAT rate in what the two sides differ.

    Where the shop does not tell the rate of every line, only the whole can be compared.
    """
    if None in shop:
        yield from _in_words("in all", sum(shop.values(), NOTHING), sum(go.values(), NOTHING))
        return
    for rate in sorted({*shop, *go}, key=lambda one: (one is None, one)):
        told = rate_in_words(rate)
        yield from _in_words(told, shop.get(rate, NOTHING), go.get(rate, NOTHING))


def is_rounding(
    shop: Mapping[str | None, Money], go: Mapping[str | None, Money], line_count: int
) -> bool:
    """Tell whether two sides come to the same with VAT and differ by rate only as Go rounds.

    So does an order of which øre were moved between lines: by an øre for each line at most, on the
    line for rounding too, which is without VAT. VAT may be apart as far as an order's may that is
    written.
    """
    apart = sum(shop.values(), NOTHING) - sum(go.values(), NOTHING)
    if None in shop or None in go or apart.incl:
        return False
    most = line_count * ORE
    by_rate = (shop.get(rate, NOTHING) - go.get(rate, NOTHING) for rate in {*shop, *go})
    return all(
        abs(one.incl) <= most and abs(one.tax) <= tolerance(line_count) for one in by_rate
    ) and {*shop, "0"} >= set(go)


def _in_words(what: str, shop: Money, go: Money) -> Iterator[str]:
    pairs = (
        ("without VAT", shop.excl, go.excl),
        ("VAT", shop.tax, go.tax),
        ("with VAT", shop.incl, go.incl),
    )
    parts = [
        f"{name} the shop says {one}, Go says {other}" for name, one, other in pairs if one != other
    ]
    if parts:
        yield f"{what}: {'; '.join(parts)}"
