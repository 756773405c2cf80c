"""What a line and an order come to: the VAT behind a product's sales account, and rounding."""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from go_sandbox.go.reference_data import OPTIONAL_ACCOUNT_NO, STANDARD_ACCOUNT_NO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from go_sandbox.go.ledger import Ledger
    from go_sandbox.go.register import Entry

_ORE = Decimal("0.01")


def rounded(amount: Decimal, step: Decimal = _ORE) -> Decimal:
    """Round half away from zero, to the øre unless told otherwise."""
    return amount.quantize(step, rounding=ROUND_HALF_UP)


def sales_account(ledger: Ledger, product: Entry, *, standard: bool) -> Entry:
    """Return the sales account of a product: its own, else its group's, else the client's."""
    accounts = ledger.register("GeneralLedgerAccounts")
    group = ledger.register("ProductGroups").get(product["ProductGroupId"]) or {}
    field = "StandardSalesAccountId" if standard else "OptionalSalesAccountId"
    for source in (product, group):
        account = accounts.get(source.get(field))
        if account:
            return account
    usual = accounts.holder("AccountNo", STANDARD_ACCOUNT_NO if standard else OPTIONAL_ACCOUNT_NO)
    if usual is None:
        message = "the books lack the client's own sales accounts"
        raise LookupError(message)
    return usual


def line_amounts(ledger: Ledger, line: Entry) -> dict[str, Any]:
    """Return VAT members and amounts of a line; all zero without a product.

    Net is quantity x price less the allowance (percent); prices exclude VAT.
    """
    product = ledger.register("Products").get(line["ProductId"])
    if product is None:
        empty = dict.fromkeys(("VatCode", "VatId", "VatRate"))
        return {**empty, **dict.fromkeys(("NetAmount", "VatAmount", "TotalAmount"), Decimal(0))}
    account = sales_account(ledger, product, standard=bool(line["UseStandardSalesAccount"]))
    vat = ledger.register("VatCodes").holder("Code", account["VatCode"]) or {"Rate": Decimal(0)}
    price = line["ProductUnitPrice"] or Decimal(0)
    share = 1 - (line["Allowance"] or Decimal(0)) / 100
    net = rounded((line["Quantity"] or Decimal(0)) * price * share)
    tax = rounded(net * vat["Rate"])
    return {
        "VatCode": vat.get("Code"),
        "VatId": vat.get("Id"),
        "VatRate": vat["Rate"],
        "NetAmount": net,
        "VatAmount": tax,
        "TotalAmount": net + tax,
    }


def order_amounts(lines: Iterable[Entry], rounding: str) -> dict[str, Decimal]:
    """Return `NetAmount` and `TotalAmount` of an order; `rounding` is "line" or "rate"."""
    nets: dict[Decimal, Decimal] = defaultdict(Decimal)
    tax = Decimal(0)
    for line in lines:
        nets[line["VatRate"] or Decimal(0)] += line["NetAmount"]
        tax += line["VatAmount"]
    if rounding == "rate":
        tax = sum((rounded(net * rate) for rate, net in nets.items()), Decimal(0))
    net_amount = sum(nets.values(), Decimal(0))
    return {"NetAmount": net_amount, "TotalAmount": net_amount + tax}
