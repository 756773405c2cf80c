"""Payments of an order: which are posted, what the shop has changed, and their vouchers; pure.

One bank voucher for each day and payment method debits the method's account, and credits the
customer ledger line by line (PowerOffice's documents on payment events and on payments of orders).
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.values import Unusable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from target_powerofficego.dataflow.table import Record

CURRENCY = "NOK"
"""The only currency in which payments are posted: how a voucher in another one must state its rate,
and what Go makes of it, is not known."""

ITS_PAYMENT = "its payment of"
"""Prefix of a message about a payment of an order."""

PAID_STATUSES = ("paid", "captured")
"""The statuses of a payment whose money was taken (docs/shop-api.md)."""

_UNPAID_STATUSES = frozenset(
    {
        *("unpaid", "pending", "authorized", "authorised", "reserved", "failed", "declined"),
        *("expired", "cancelled", "canceled", "voided", "refunded"),
    }
)
"""Known statuses of a payment whose money was not taken, or was all paid back; others are noted."""

_PAID_AT, _AMOUNT = "has a paid_at that is wrong:", "has an amount that is wrong:"


@dataclass(frozen=True)
class Payment:
    """A payment of an order: its day in the shop's time zone, and the amount in kroner.

    `payment_id` is the shop's, or is derived from the payment's content where the shop gives none.
    """

    order_id: str
    payment_id: str
    day: str
    method: str
    amount: Decimal
    currency: str = CURRENCY

    @property
    def description(self) -> str:
        """What was paid, how and when, in words."""
        return f"{self.amount:.2f} {self.currency} by {self.method} on {self.day}"


@dataclass(frozen=True)
class PostedPayment:
    """A payment as it was posted, and the reference of its voucher in Go."""

    payment: Payment
    voucher: str

    @property
    def description(self) -> str:
        """A statement in words that it was posted."""
        return f"{ITS_PAYMENT} {self.payment.description} was posted in Go ({self.voucher})"


@dataclass(frozen=True)
class StatedPayments:
    """What an order says about its payments.

    `problems` says why a payment that was made cannot be posted; `unknown_statuses` are statuses of
    which it is not known whether they mean paid.
    """

    paid: tuple[Payment, ...] = ()
    problems: tuple[str, ...] = ()
    unknown_statuses: tuple[str, ...] = ()


@dataclass
class _Reading:
    order_id: str
    currency: str | None
    zone: ZoneInfo
    paid: dict[str, Payment] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    alike: Counter[str] = field(default_factory=Counter)

    def take(self, told: object) -> None:
        """Read one payment; what cannot be read is left out, with the reason."""
        try:
            if not isinstance(told, dict):
                raise Unusable(f"should be a group of fields but is a {values.kind_of(told)}")
            if not self._is_paid(told):
                return
            payment = self._payment(told)
            if payment.payment_id in self.paid:
                raise Unusable(
                    f"has the same id {values.quoted(payment.payment_id)} as another one"
                )
        except Unusable as why:
            self.problems.append(f"{_named(told)} is not posted: it {why}")
        else:
            self.paid[payment.payment_id] = payment

    def _is_paid(self, told: Record) -> bool:
        word = (values.text(told.get("status"), label="has a status that") or "").lower()
        if word not in PAID_STATUSES and word not in _UNPAID_STATUSES:
            self.strange.append(word)
        return word in PAID_STATUSES

    def _payment(self, told: Record) -> Payment:
        return Payment(
            self.order_id,
            self._id(told),
            values.require(
                values.date_in_zone(told.get("paid_at"), zone=self.zone, label=_PAID_AT),
                "has no paid_at",
            ),
            values.require(method_key(told.get("method")), "has no method"),
            self._in_kroner(
                values.require(values.amount(told.get("amount"), label=_AMOUNT), "has no amount")
            ),
        )

    def _in_kroner(self, amount: Decimal) -> Decimal:
        if amount <= 0 or amount != values.round_to_ore(amount):
            raise Unusable(f"is of {amount}, which is no amount above zero in whole øre")
        if self.currency != CURRENCY:
            told = f"in {self.currency}" if self.currency else "in a currency that is not known"
            raise Unusable(f"is {told}; only {CURRENCY} is posted")
        return values.round_to_ore(amount)

    def _id(self, told: Record) -> str:
        if given := _given_id(told):
            given = given.strip()
            is_short = len(given) <= values.LONGEST_ID  # so that a database can index it
            return given if is_short else f"long:{_digest(given)}"
        said = [told.get(name) for name in ("method", "reference", "amount", "paid_at")]
        content = f"content:{_digest(json.dumps(said, default=str))}"
        self.alike[content] += 1
        return f"{content}:{self.alike[content]}"


def _named(told: object) -> str:
    """Return a payment's name in words, by the shop's id where it has one."""
    given = _given_id(told) if isinstance(told, dict) else None
    return f"payment {values.quoted(given)}" if given else "a payment without an id"


def _given_id(told: Record) -> str | None:
    given = told.get("id")
    is_id = isinstance(given, (str, int)) and not isinstance(given, bool) and str(given).strip()
    return str(given) if is_id else None


def read_payments(order: Record, currency: str | None, zone: ZoneInfo) -> StatedPayments | None:
    """Return what an order says about its payments; None if it says nothing.

    Args:
        order: the shop's order.
        currency: the currency of the order, None where it is not known.
        zone: the time zone in which a stamp gives a payment's day.
    """
    if "payments" not in order:
        return None
    told = order["payments"] or ()
    if not isinstance(told, (list, tuple)):
        kind = values.kind_of(told)
        return StatedPayments(problems=(f"payments should be a list but is a {kind}",))
    reading = _Reading(order["id"], currency, zone)
    for one in told:
        reading.take(one)
    paid = tuple(reading.paid.values())
    return StatedPayments(paid, tuple(reading.problems), tuple(reading.strange))


def method_key(method: object) -> str | None:
    """Return a payment method in the form compared with the names in `payment_accounts`.

    Raises:
        Unusable: it is not text.
    """
    told = values.text(method, label="has a method that")
    return None if told is None else told.lower()


def changes_since_posting(posted: Iterable[PostedPayment], told: StatedPayments) -> Iterator[str]:
    """Say which posted payments the shop no longer lists as they were posted."""
    now = {one.payment_id: one for one in told.paid}
    for one in posted:
        said = now.get(one.payment.payment_id)
        if said != one.payment:
            tells = (
                "no longer tells it as paid" if said is None else f"now tells {said.description}"
            )
            yield f"{one.description}, but the shop {tells}"


def payments_to_post(
    posted: Collection[PostedPayment], told: StatedPayments, methods: Collection[str]
) -> list[Payment]:
    """Return the payments to be posted: those never posted whose method has an account."""
    known = {one.payment.payment_id for one in posted}
    return [one for one in told.paid if one.payment_id not in known and one.method in methods]


def _digest(told: Any) -> str:  # noqa: ANN401 - text
    return hashlib.blake2b(str(told).encode(errors="replace"), digest_size=16).hexdigest()


@dataclass(frozen=True)
class PaymentAccount:
    """The account to which payments of a method are debited, by its number and its id in Go."""

    number: int
    go_id: int
    vat_id: int


@dataclass(frozen=True)
class PaymentAccounts:
    """The accounts by method, and the id of the VAT code for lines without VAT."""

    by_method: Mapping[str, PaymentAccount]
    no_vat_id: int


@dataclass(frozen=True)
class OrderInGo:
    """What Go says of a paid order: who owes it, how it is matched, and what is outstanding.

    `open_amount` and `invoice_total` are None while the order is not yet an invoice.
    `ledger_account_id` is the customer's own account in the customer ledger.
    """

    currency: str | None
    matching_reference: str | None
    ledger_account_id: int | None
    open_amount: Decimal | None = None
    invoice_no: int | None = None
    invoice_total: Decimal | None = None

    def open_amount_without(self, posted: Decimal) -> Decimal | None:
        """Return what is outstanding apart from what was posted from here; None if no invoice.

        Go may not have matched that yet, in which case its balance still includes it.
        """
        if self.open_amount is None or self.invoice_total is None:
            return self.open_amount
        return min(self.open_amount, self.invoice_total - posted)


@dataclass(frozen=True)
class Voucher:
    """The payments of a day and a method that are posted together, under one reference."""

    reference: str
    day: str
    method: str
    payments: tuple[Payment, ...]

    @property
    def total(self) -> Decimal:
        """The total paid."""
        return sum((one.amount for one in self.payments), Decimal(0))

    def planned(self, account: PaymentAccount) -> dict[str, Any]:
        """Return the voucher for a plan: with the shop's ids, as Go has not given its own yet."""
        paid: dict[str, Decimal] = {}
        for one in self.payments:
            name = f"credit, order {one.order_id}"
            paid[name] = paid.get(name, Decimal(0)) + one.amount
        return {
            "VoucherDate": self.day,
            "CurrencyCode": CURRENCY,
            f"debit, account {account.number}": self.total,
            **paid,
        }


def next_voucher_reference(shop_name: str, method: str, day: str, taken: Collection[str]) -> str:
    """Return the next free reference for a voucher of a day and method."""
    references = values.numbered_references(shop_name, f"payments:{method}:{day}")
    return next(reference for reference in references if reference not in taken)


def line_reference(shop_name: str, payment: Payment) -> str:
    """Return the reference by which a payment's line is recognised in Go's voucher."""
    return values.short_reference(shop_name, f"{payment.order_id}:{payment.payment_id}")


def by_day_and_method(payments: Iterable[Payment]) -> dict[tuple[str, str], list[Payment]]:
    """Return payments grouped by what is posted together, in the order of their days."""
    ordered = sorted(payments, key=lambda one: (one.day, one.method, one.order_id))
    groups = itertools.groupby(ordered, key=lambda one: (one.day, one.method))
    return {key: list(group) for key, group in groups}


def voucher_body(
    voucher: Voucher,
    shop_name: str,
    accounts: PaymentAccounts,
    orders: Mapping[str, OrderInGo],
) -> dict[str, Any]:
    """Return a voucher as `BankVoucherPostDto`; `orders` is keyed by the shop's ids.

    A positive amount is a debit. Every line needs AccountId, VatId and PostingDate.
    """
    account = accounts.by_method[voucher.method]
    usual = {"PostingDate": voucher.day, "CurrencyCode": CURRENCY}
    debit = {
        **usual,
        "AccountId": account.go_id,
        "VatId": account.vat_id,
        "CurrencyAmount": voucher.total,
    }
    paid = [
        {
            **usual,
            "AccountId": orders[one.order_id].ledger_account_id,
            "VatId": accounts.no_vat_id,
            "CurrencyAmount": -one.amount,
            "CustomMatchingReference": orders[one.order_id].matching_reference,
            "ExternalLineReference": line_reference(shop_name, one),
        }
        for one in voucher.payments
    ]
    return {
        "ExternalImportReference": voucher.reference,
        "VoucherDate": voucher.day,
        "CurrencyCode": CURRENCY,
        "Description": f"{shop_name}: {voucher.method} {voucher.day}",
        "VoucherLines": [debit, *paid],
    }


def payments_in_voucher(
    entry: Mapping[str, Any], shop_name: str, payments: Sequence[Payment]
) -> list[Payment]:
    """Return those of these payments that a voucher in Go holds, with its amounts for them."""
    lines = {
        line["ExternalLineReference"]: line
        for line in entry.get("VoucherLines") or ()
        if line.get("ExternalLineReference")
    }
    known = {line_reference(shop_name, one): one for one in payments}
    paid = {
        name: values.number_in_go(lines[name].get("CurrencyAmount") or 0, label="CurrencyAmount")
        for name in known
        if name in lines
    }
    return [replace(known[name], amount=values.round_to_ore(-one)) for name, one in paid.items()]
