"""Payments of an order: which to post, which changed since, and their vouchers; pure.

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
"""The only currency in which payments are posted: it is not known how a voucher in another currency
must state its rate, or what Go makes of it."""

ITS_PAYMENT = "its payment of"
"""Prefix of a message about a payment of an order."""

PAID_STATUSES = ("paid", "captured")
"""The statuses of a payment whose money was received (docs/shop-api.md)."""

_UNPAID_STATUSES = frozenset(
    {
        *("unpaid", "pending", "authorized", "authorised", "reserved", "failed", "declined"),
        *("expired", "cancelled", "canceled", "voided", "refunded"),
    }
)
"""Statuses of a payment whose money was not received, or was all paid back; others are noted."""

_PAID_AT, _AMOUNT = "has an invalid paid_at:", "has an invalid amount:"


@dataclass(frozen=True)
class Payment:
    """A payment of an order: its day in the shop's time zone, and the amount in kroner.

    `payment_id` is the shop's, or is derived from the payment's content if the shop gives none.
    """

    order_id: str
    payment_id: str
    day: str
    method: str
    amount: Decimal
    currency: str = CURRENCY

    @property
    def description(self) -> str:
        """What was paid, how and when: "250.00 NOK by vipps on 2026-01-31"."""
        return f"{self.amount:.2f} {self.currency} by {self.method} on {self.day}"


@dataclass(frozen=True)
class PostedPayment:
    """A payment as it was posted, and the reference of its voucher in Go."""

    payment: Payment
    voucher: str

    @property
    def description(self) -> str:
        """What was paid, and its voucher, for a message."""
        return f"{ITS_PAYMENT} {self.payment.description} was posted in Go ({self.voucher})"


@dataclass(frozen=True)
class StatedPayments:
    """The payments that the shop states for an order.

    `problems` are the reasons why payments cannot be posted; `unknown_statuses` are statuses that
    may or may not mean paid.
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
    unknown_statuses: list[str] = field(default_factory=list)
    same_content: Counter[str] = field(default_factory=Counter)

    def add(self, raw: object) -> None:
        """Read a payment; if it cannot be read, note the reason instead."""
        try:
            if not isinstance(raw, dict):
                raise Unusable(f"should be a group of fields but is a {values.kind_of(raw)}")
            if not self._is_paid(raw):
                return
            payment = self._payment(raw)
            if payment.payment_id in self.paid:
                raise Unusable(
                    f"has the same id {values.quoted(payment.payment_id)} as another one"
                )
        except Unusable as unusable:
            self.problems.append(f"{_label(raw)} is not posted: it {unusable}")
        else:
            self.paid[payment.payment_id] = payment

    def _is_paid(self, raw: Record) -> bool:
        status = (values.text(raw.get("status"), label="has a status that") or "").lower()
        if status not in PAID_STATUSES and status not in _UNPAID_STATUSES:
            self.unknown_statuses.append(status)
        return status in PAID_STATUSES

    def _payment(self, raw: Record) -> Payment:
        return Payment(
            self.order_id,
            self._id(raw),
            values.require(
                values.date_in_zone(raw.get("paid_at"), zone=self.zone, label=_PAID_AT),
                "has no paid_at",
            ),
            values.require(method_key(raw.get("method")), "has no method"),
            self._in_kroner(
                values.require(values.amount(raw.get("amount"), label=_AMOUNT), "has no amount")
            ),
        )

    def _in_kroner(self, amount: Decimal) -> Decimal:
        if amount <= 0 or amount != values.round_to_ore(amount):
            raise Unusable(f"has an amount of {amount}; it should be above zero and in whole øre")
        if self.currency != CURRENCY:
            currency = self.currency or "a currency that is not known"
            raise Unusable(f"is in {currency}; only {CURRENCY} is posted")
        return values.round_to_ore(amount)

    def _id(self, raw: Record) -> str:
        if shop_id := _shop_id(raw):
            shop_id = shop_id.strip()
            is_short = len(shop_id) <= values.LONGEST_ID  # so that a database can index it
            return shop_id if is_short else f"long:{_digest(shop_id)}"
        members = [raw.get(name) for name in ("method", "reference", "amount", "paid_at")]
        content = f"content:{_digest(json.dumps(members, default=str))}"
        self.same_content[content] += 1
        return f"{content}:{self.same_content[content]}"


def _label(raw: object) -> str:
    """Return what to call a payment in a message: by the shop's id if it has one."""
    shop_id = _shop_id(raw) if isinstance(raw, dict) else None
    return f"payment {values.quoted(shop_id)}" if shop_id else "a payment without an id"


def _shop_id(raw: Record) -> str | None:
    shop_id = raw.get("id")
    is_id = isinstance(shop_id, (str, int)) and not isinstance(shop_id, bool)
    return str(shop_id) if is_id and str(shop_id).strip() else None


def read_payments(order: Record, currency: str | None, zone: ZoneInfo) -> StatedPayments | None:
    """Return the payments that the shop states for an order; None if it states nothing.

    Args:
        order: the shop's order.
        currency: the currency of the order; None if it is not known.
        zone: the time zone in which a stamp gives a payment's day.
    """
    if "payments" not in order:
        return None
    payments = order["payments"] or ()
    if not isinstance(payments, (list, tuple)):
        kind = values.kind_of(payments)
        return StatedPayments(problems=(f"payments should be a list but is a {kind}",))
    reading = _Reading(order["id"], currency, zone)
    for raw in payments:
        reading.add(raw)
    paid = tuple(reading.paid.values())
    return StatedPayments(paid, tuple(reading.problems), tuple(reading.unknown_statuses))


def method_key(method: object) -> str | None:
    """Return a payment method in the form compared with the names in `payment_accounts`.

    Raises:
        Unusable: it is not text.
    """
    name = values.text(method, label="has a method that")
    return None if name is None else name.lower()


def changes_since_posting(posted: Iterable[PostedPayment], stated: StatedPayments) -> Iterator[str]:
    """Yield the posted payments that the shop no longer lists as they were posted."""
    current = {payment.payment_id: payment for payment in stated.paid}
    for entry in posted:
        payment = current.get(entry.payment.payment_id)
        if payment is None:
            yield f"{entry.description}, but the shop no longer lists it as paid"
        elif payment != entry.payment:
            yield f"{entry.description}, but the shop now lists {payment.description}"


def payments_to_post(
    posted: Collection[PostedPayment], stated: StatedPayments, methods: Collection[str]
) -> list[Payment]:
    """Return the payments that were never posted and whose method has an account."""
    posted_ids = {entry.payment.payment_id for entry in posted}
    return [
        payment
        for payment in stated.paid
        if payment.payment_id not in posted_ids and payment.method in methods
    ]


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()


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
    """A paid order in Go: its customer's account, how it is matched, and what is outstanding.

    `open_amount` and `invoice_total` are None until the order is an invoice. `ledger_account_id` is
    the customer's own account in the customer ledger.
    """

    currency: str | None
    matching_reference: str | None
    ledger_account_id: int | None
    open_amount: Decimal | None = None
    invoice_no: int | None = None
    invoice_total: Decimal | None = None

    def open_amount_without(self, posted: Decimal) -> Decimal | None:
        """Return what is outstanding without the payments that we posted; None if no invoice.

        Go's balance still includes those that it has not matched yet.
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
        return sum((payment.amount for payment in self.payments), Decimal(0))

    def planned(self, account: PaymentAccount) -> dict[str, Any]:
        """Return the voucher as a plan shows it: with the shop's ids, as Go may have none yet."""
        paid: dict[str, Decimal] = {}
        for payment in self.payments:
            name = f"credit, order {payment.order_id}"
            paid[name] = paid.get(name, Decimal(0)) + payment.amount
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
    """Return the reference of a payment's line in a voucher in Go."""
    return values.short_reference(shop_name, f"{payment.order_id}:{payment.payment_id}")


def by_day_and_method(payments: Iterable[Payment]) -> dict[tuple[str, str], list[Payment]]:
    """Return payments grouped by what is posted together, in the order of their days."""
    ordered = sorted(payments, key=lambda paid: (paid.day, paid.method, paid.order_id))
    groups = itertools.groupby(ordered, key=lambda paid: (paid.day, paid.method))
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
    common = {"PostingDate": voucher.day, "CurrencyCode": CURRENCY}
    debit = {
        **common,
        "AccountId": account.go_id,
        "VatId": account.vat_id,
        "CurrencyAmount": voucher.total,
    }
    credit_lines = [
        {
            **common,
            "AccountId": orders[payment.order_id].ledger_account_id,
            "VatId": accounts.no_vat_id,
            "CurrencyAmount": -payment.amount,
            "CustomMatchingReference": orders[payment.order_id].matching_reference,
            "ExternalLineReference": line_reference(shop_name, payment),
        }
        for payment in voucher.payments
    ]
    return {
        "ExternalImportReference": voucher.reference,
        "VoucherDate": voucher.day,
        "CurrencyCode": CURRENCY,
        "Description": f"{shop_name}: {voucher.method} {voucher.day}",
        "VoucherLines": [debit, *credit_lines],
    }


def payments_in_voucher(
    entry: Mapping[str, Any], shop_name: str, payments: Sequence[Payment]
) -> list[Payment]:
    """Return the payments that a voucher in Go has, with the amounts that it has for them."""
    lines = {
        line["ExternalLineReference"]: line
        for line in entry.get("VoucherLines") or ()
        if line.get("ExternalLineReference")
    }
    found = []
    for reference, payment in {line_reference(shop_name, paid): paid for paid in payments}.items():
        if reference in lines:
            amount = lines[reference].get("CurrencyAmount") or 0
            credited = -values.number_in_go(amount, label="CurrencyAmount")
            found.append(replace(payment, amount=values.round_to_ore(credited)))
    return found
