"""What the base of an order's link keeps of it, and what its status asks of Go; pure.

The base keeps what both sides agreed on for each row and line; what only the shop knows (where the
order is sent, who bought it, its refunds, what it comes to); and what was done in Go: its stage
and, once it is invoiced, its credit notes.
"""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.line_amounts import NOTHING, Money, sum_by
from target_powerofficego.dataflow.orders.lines_back import lines_never_read
from target_powerofficego.dataflow.orders.order import DELETING_STATUSES, ORDER_STATUSES
from target_powerofficego.dataflow.orders.shop_order import OF_ONE_ORDER, AgreedBuyer, ShopOrder
from target_powerofficego.dataflow.table import Agreement, Record, now
from target_powerofficego.dataflow.values import Unusable, Value, rate_key

if TYPE_CHECKING:
    import datetime
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from target_powerofficego.dataflow.orders.lines import OrderLine

LINE = "line:"
"""Prefix of the name under which the base keeps a line."""

AMOUNTS = "amounts"
"""The name under which the base keeps what an order comes to in the shop."""

_ADDRESS, _BUYER, _BUYER_IDENTITY, _REFUNDS = "address_key", "buyer_id", "buyer_told", "refunds"
_CREDITED, _TAKEN_BACK, _UNLOCKED, _STAGE = "credited", "taken_back", "unlocked", "stage"

_SHOP_ONLY = (_ADDRESS, _BUYER, _BUYER_IDENTITY, _REFUNDS, AMOUNTS)
_LASTING = (_CREDITED, _TAKEN_BACK, _UNLOCKED, _STAGE)
"""What stays in the base when both sides agree again."""


def shop_side_of_base(
    address: Sequence[str] | None,
    buyer: AgreedBuyer,
    refunds: Collection[str],
    amounts: OrderAmounts,
) -> dict[str, Value]:
    """Return what only the shop knows of an order, with the names and the form of the base."""
    identity = {} if buyer.identity is None else {_BUYER_IDENTITY: [buyer.identity, buyer.is_known]}
    return {
        _ADDRESS: address,
        _BUYER: [buyer.id],
        **identity,
        _REFUNDS: list(refunds),
        AMOUNTS: amounts_to_base(amounts),
    }


@dataclass(frozen=True)
class OrderState:
    """The base of an order's link, with its values by name; each change returns a new state.

    A change that makes no difference keeps the same base, so that nothing needs to be stored.
    """

    base: Mapping[str, Agreement]

    @property
    def rows(self) -> dict[str, Agreement]:
        """What both sides last agreed on of the header, by row."""
        others = (*_SHOP_ONLY, *_LASTING)
        return {
            name: agreed
            for name, agreed in self.base.items()
            if name not in others and not name.startswith(LINE)
        }

    @functools.cached_property
    def lines(self) -> Mapping[str, Agreement]:
        """What both sides last agreed on of the lines, by reference."""
        return {
            name.removeprefix(LINE): agreed
            for name, agreed in self.base.items()
            if name.startswith(LINE)
        }

    def with_rows(self, rows: Mapping[str, Agreement]) -> OrderState:
        """Return the state with these rows."""
        return OrderState({**self.base, **rows}) if rows else self

    def with_lines(self, lines: Mapping[str, Agreement]) -> OrderState:
        """Return the state with these lines, by reference."""
        return self.with_rows({f"{LINE}{reference}": lines[reference] for reference in lines})

    def without_line(self, reference: str) -> OrderState:
        """Return the state without a line."""
        return self._without(f"{LINE}{reference}")

    def with_go_lines(self, lines: Mapping[str, Record], read_at: datetime.datetime) -> OrderState:
        """Return the state with Go's lines as they are, where it has never held Go's side.

        For an order that was found in Go and linked, only the shop's side is known. What differs is
        then not an edit in Go, and must not count as one when the totals are compared.
        """
        base = self.lines
        return self.with_lines(
            {
                reference: replace(base[reference], go=line, go_read_at=read_at)
                for reference, line in lines_never_read(lines, base).items()
            }
        )

    def after(self, before: OrderState) -> OrderState:
        """Return the state with what stays of the previous one, once both sides agree again."""
        is_same = self._kept(AMOUNTS) == before._kept(AMOUNTS)
        names = (*_LASTING, AMOUNTS) if is_same else _LASTING
        return self.with_rows({name: before.base[name] for name in names if name in before.base})

    # What only the shop knows

    @property
    def buyer(self) -> AgreedBuyer | None:
        """Who bought the order; None if unknown. Several buyers may share a customer in Go."""
        if _BUYER not in self.base:
            return None
        (shop_id,) = self.base[_BUYER].shop
        if _BUYER_IDENTITY in self.base:
            return AgreedBuyer(shop_id, *self.base[_BUYER_IDENTITY].shop)
        has_name = "buyer" in self.base and bool(self.base["buyer"].shop)
        return AgreedBuyer(shop_id, None, has_name and not shop_id.startswith(OF_ONE_ORDER))

    @property
    def address(self) -> Sequence[str]:
        """The parts of the address to which the order is sent; empty if it is not known."""
        return (self._kept(_ADDRESS) or ())[1:]

    def goes_to(self, address: Sequence[str] | None) -> bool:
        """Return whether the order was last sent to this customer in Go and address."""
        return _ADDRESS in self.base and self.base[_ADDRESS].shop == address

    def with_address(self, address: Sequence[str] | None, read_at: datetime.datetime) -> OrderState:
        """Return the state with where the order is sent: the customer in Go, and the address."""
        return self._with(_ADDRESS, address, read_at)

    @property
    def refunds(self) -> tuple[str, ...]:
        """The ids of the refunds that are subtracted from the order's lines in Go."""
        return tuple(self._kept(_REFUNDS) or ())

    def with_refunds(self, refunds: Collection[str], read_at: datetime.datetime) -> OrderState:
        """Return the state with the refunds now subtracted from an otherwise unchanged order.

        A shop may replace a refund by another of the same amount. Refunds after the invoice are
        credited instead.
        """
        if self.is_invoiced or set(self.refunds) == set(refunds):
            return self
        return self._with(_REFUNDS, list(refunds), read_at)

    @functools.cached_property
    def amounts(self) -> OrderAmounts | None:
        """What the order comes to in the shop; None if it was linked before this was kept."""
        kept = self._kept(AMOUNTS)
        return None if kept is None else amounts_from_base(kept)

    def with_amounts(self, amounts: OrderAmounts, read_at: datetime.datetime) -> OrderState:
        """Return the state with what the order comes to in the shop."""
        kept = amounts_to_base(amounts)
        return self if kept == self._kept(AMOUNTS) else self._with(AMOUNTS, kept, read_at)

    def without_buyer(self, rows: Collection[str]) -> OrderState:
        """Return what is kept once the buyer is erased: of the header, only these rows."""
        names = {*rows, _ADDRESS, _REFUNDS, AMOUNTS, *_LASTING}
        return OrderState(
            {
                name: replace(agreed, shop=None, go=None) if name == _ADDRESS else agreed
                for name, agreed in self.base.items()
                if name in names or name.startswith(LINE)
            }
        )

    # What was done in Go

    @property
    def stage(self) -> Stage | None:
        """The stage that the order has reached; None before the first."""
        kept = self._kept(_STAGE)
        return None if kept is None else Stage(kept[0])

    def at_stage(
        self, stage: Stage | None, status: str | None, read_at: datetime.datetime
    ) -> OrderState:
        """Return the state with a stage, and the status that asked for it; unchanged for None."""
        return self if stage is None else self._with(_STAGE, [stage.value, status], read_at)

    @property
    def is_unlocked(self) -> bool:
        """Whether the order was Confirmed and we made it a Draft, to edit it."""
        return _UNLOCKED in self.base

    def unlocked(self, read_at: datetime.datetime) -> OrderState:
        """Return the state with the note that the order must be Confirmed again."""
        return self._with(_UNLOCKED, ["Confirmed"], read_at)

    def locked(self) -> OrderState:
        """Return the state without that note, once the order is Confirmed again."""
        return self._without(_UNLOCKED)

    @property
    def is_invoiced(self) -> bool:
        """Whether the order is known to be invoiced; what is paid back since then is credited."""
        return _CREDITED in self.base

    def invoiced(self, read_at: datetime.datetime) -> OrderState:
        """Return the state with the note that the order is invoiced."""
        return self if self.is_invoiced else self.with_credit_marks({}, read_at)

    @property
    def credit_marks(self) -> dict[str, str | None]:
        """The marks of credit notes by refund id, in the order in which the notes were made.

        A mark shows whether the refund is still the same; it is None while the credit note is only
        begun.
        """
        return dict(self._kept(_CREDITED) or ())

    def with_credit_marks(
        self, marks: Mapping[str, str | None], read_at: datetime.datetime
    ) -> OrderState:
        """Return the state with these marks in place of all others."""
        return self._with(_CREDITED, [[name, mark] for name, mark in marks.items()], read_at)

    @property
    def credited(self) -> dict[str, str]:
        """The marks of refunds that have a credit note in Go, or that changed no sum."""
        return {name: mark for name, mark in self.credit_marks.items() if mark is not None}

    @property
    def known_refunds(self) -> tuple[str, ...]:
        """The refunds subtracted from the order in Go, and those with a credit note, even begun."""
        return (*self.refunds, *self.credit_marks)

    @property
    def withdrawn(self) -> dict[str, list[str]]:
        """The credit notes that were deleted because Go's amounts differed from those sent.

        By refund id: the mark of what was to be credited, and the reason for the hold.
        """
        return dict(self._kept(_TAKEN_BACK) or {})

    def with_withdrawn(
        self, name: str, entry: Sequence[str], read_at: datetime.datetime
    ) -> OrderState:
        """Return the state with a credit note that was withdrawn."""
        return self._with(_TAKEN_BACK, {**self.withdrawn, name: list(entry)}, read_at)

    def _kept(self, name: str) -> Value:
        return self.base[name].shop if name in self.base else None

    def _with(self, name: str, value: Value, read_at: datetime.datetime) -> OrderState:
        return self.with_rows({name: Agreement(value, None, read_at, now())})

    def _without(self, name: str) -> OrderState:
        return OrderState({other: self.base[other] for other in self.base if other != name})


class Stage(enum.Enum):
    """How far an order has come in Go; a later stage includes the earlier ones.

    `UNDELIVERED`: Go made the invoice, but could not deliver it to the buyer.
    """

    CONFIRMED = "confirmed"
    UNDELIVERED = "undelivered"
    INVOICED = "invoiced"


class Wanted(enum.Enum):
    """What an order's status asks of Go."""

    WRITTEN = "written"
    DELETED = "deleted"
    LEFT_BY_STATUS = "the status is not among order_statuses"
    LEFT_BY_DATE = "placed before orders_from"


def wanted(
    order: ShopOrder,
    statuses: Collection[str],
    orders_from: datetime.date | None,
    zone: datetime.tzinfo,
    *,
    is_linked: bool,
) -> Wanted:
    """Return whether an order is to be written, deleted from Go while it is a Draft, or left out.

    `zone` is the time zone of the date `orders_from`. A linked order is never left out, so that
    money paid back for it is not missed.

    Raises:
        Unusable: `status` is unknown, `deleted_at` or `placed_at` is not a timestamp, or there is
            no stamp to compare with `orders_from`.
    """
    status = order.status
    if status in DELETING_STATUSES or order.is_deleted:
        return Wanted.DELETED
    if not is_linked and status in ORDER_STATUSES and status not in statuses:
        return Wanted.LEFT_BY_STATUS
    if not is_linked and orders_from and _placed_on(order, zone) < orders_from:
        return Wanted.LEFT_BY_DATE
    if status not in ORDER_STATUSES:
        fault = "is missing" if status is None else f"{values.quoted(status)} is not known"
        raise Unusable(f"the status {fault}; it should be one of {', '.join(ORDER_STATUSES)}")
    return Wanted.WRITTEN


def _placed_on(order: ShopOrder, zone: datetime.tzinfo) -> datetime.date:
    """Return the day on which an order was placed, else that on which it was created.

    Raises:
        Unusable: the shop gives neither, or what it gives is not a timestamp.
    """
    for name in ("placed_at", "created_at"):
        moment = values.instant(order.raw.get(name), label=name)
        if moment is not None:
            return moment.astimezone(zone).date()
    raise Unusable(
        "it has neither placed_at nor created_at, so it cannot be compared with orders_from"
    )


def asked_stage(
    status: str | None, confirm_on: Collection[str], invoice_on: Collection[str]
) -> Stage | None:
    """Return the stage that a status asks for; an order may be invoiced without being Confirmed."""
    if status in invoice_on:
        return Stage.INVOICED
    return Stage.CONFIRMED if status in confirm_on else None


def is_due(asked: Stage | None, reached: Stage | None) -> bool:
    """Return whether the stage that is asked for has not been reached.

    Each stage is reached only once, so an order that a person sets back in Go stays that way.
    """
    if asked is None:
        return False
    return reached is None or (asked is Stage.INVOICED and reached is Stage.CONFIRMED)


@dataclass(frozen=True)
class OrderAmounts:
    """What an order comes to: its date, currency, and sums by VAT rate.

    `date` is ISO, in the shop's time zone. A rate is in percent as `rate_key` writes it; None is
    that of lines for which no rate is given.
    """

    date: str | None = None
    currency: str | None = None
    by_rate: Mapping[str | None, Money] = field(default_factory=dict)

    @property
    def total(self) -> Money:
        """The total over all rates."""
        return sum(self.by_rate.values(), NOTHING)


def order_amounts(header: Mapping[str, Value], lines: Iterable[OrderLine]) -> OrderAmounts:
    """Return what an order comes to, from its header in Go's form and its lines."""
    by_rate = sum_by(
        (None if line.rate is None else rate_key(line.rate), line.total) for line in lines
    )
    return OrderAmounts(header.get("placed_at"), header.get("currency"), by_rate)


def amounts_to_base(amounts: OrderAmounts) -> list[Value]:
    """Return amounts as the base keeps them: a list of JSON, decimals as text."""
    rates = sorted(amounts.by_rate.items(), key=lambda item: item[0] or "")
    return [
        amounts.date,
        amounts.currency,
        [[rate, str(money.excl), str(money.tax), str(money.incl)] for rate, money in rates],
    ]


def amounts_from_base(kept: Value) -> OrderAmounts:
    """Return the amounts that the base keeps."""
    date, currency, rates = kept
    by_rate = {
        rate: Money(Decimal(excl), Decimal(tax), Decimal(incl)) for rate, excl, tax, incl in rates
    }
    return OrderAmounts(date, currency, by_rate)
