"""Bank vouchers: which payments one holds, its reference, and the body sent to Go; pure.

One voucher for each day and payment method debits the method's account, and credits the customer
ledger line by line (PowerOffice's documents on payment events and on payments of orders).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.payments import CURRENCY, Payment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence


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

    def open_beside(self, posted: Decimal) -> Decimal | None:
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

    def shown(self, account: PaymentAccount) -> dict[str, Any]:
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


def reference_of(shop_name: str, method: str, day: str, taken: Collection[str]) -> str:
    """Return the next free reference for a voucher of a day and method."""
    references = values.numbered_references(shop_name, f"payments:{method}:{day}")
    return next(reference for reference in references if reference not in taken)


def line_reference(shop_name: str, payment: Payment) -> str:
    """Return the reference by which a payment's line is recognised in Go's voucher."""
    return values.short_reference(shop_name, f"{payment.order_id}:{payment.payment_id}")


def by_day_and_method(payments: Iterable[Payment]) -> dict[tuple[str, str], list[Payment]]:
    """Return payments grouped by what is posted together, in the order of their days."""
    found: dict[tuple[str, str], list[Payment]] = {}
    for one in sorted(payments, key=lambda one: (one.day, one.method, one.order_id)):
        found.setdefault((one.day, one.method), []).append(one)
    return found


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


def payments_there(
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
        name: values.number_in_go(lines[name].get("CurrencyAmount") or 0, what="CurrencyAmount")
        for name in known
        if name in lines
    }
    return [replace(known[name], amount=values.to_ore(-one)) for name, one in paid.items()]
