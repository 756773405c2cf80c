"""Checks of what a body refers to: payment terms, departments, currencies, accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from go_sandbox.go.problems import broken_rule, unknown_reference
from go_sandbox.go.reference_data import DEPARTMENTS
from go_sandbox.go.vat import rounded

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Ledger
    from go_sandbox.go.register import Entry

_ALLOWANCE = (Decimal(-1000), Decimal(100))


def resolve_department(kind: str, entry: Entry) -> None:
    """Fill the department's id from its code, or the code from the id; the id wins.

    Raises:
        Refusal: there is no such department (404).
    """
    department_id, code = entry["DepartmentId"], entry["DepartmentCode"]
    by_id = {number: name for name, number in DEPARTMENTS.items()}
    if department_id is not None:
        if department_id not in by_id:
            raise unknown_reference(kind, "DepartmentId", department_id)
        entry["DepartmentCode"] = by_id[department_id]
    elif code is not None:
        if code not in DEPARTMENTS:
            raise unknown_reference(kind, "DepartmentCode", code)
        entry["DepartmentId"] = DEPARTMENTS[code]


def resolve_payment_term(ledger: Ledger, kind: str, entry: Entry) -> None:
    """Fill the payment term's id from its days, or the days from the id; the id wins.

    Raises:
        Refusal: there is no such payment term (404).
    """
    terms = ledger.register("PaymentTerms")
    if entry["PaymentTermId"] is not None:
        term = terms.get(entry["PaymentTermId"])
        if term is None:
            raise unknown_reference(kind, "PaymentTermId", entry["PaymentTermId"])
    elif entry["PaymentTerm"] is not None:
        term = terms.holder("CreditDays", entry["PaymentTerm"])
        if term is None:
            raise unknown_reference(kind, "PaymentTerm", entry["PaymentTerm"])
    else:
        return
    entry |= {"PaymentTermId": term["Id"], "PaymentTerm": term["CreditDays"]}


def check_currency(ledger: Ledger, kind: str, code: str | None) -> None:
    """Check that a currency is one of the client's.

    Raises:
        Refusal: there is no such currency (404).
    """
    if code is not None and ledger.register("Currencies").get(code) is None:
        raise unknown_reference(kind, "CurrencyCode", code)


def check_allowance(kind: str, allowance: Decimal | None) -> None:
    """Check that an allowance (percent) lies between -1000 and 100.

    Raises:
        Refusal: it does not.
    """
    lowest, highest = _ALLOWANCE
    if allowance is not None and not lowest <= allowance <= highest:
        raise broken_rule(kind, f"Allowance must lie between {lowest} and {highest}")


def sales_account_id(ledger: Ledger, kind: str, name: str, entry: Entry) -> int | None:
    """Return the id of a sales account given by id or by number; the id wins.

    Raises:
        Refusal: there is no such account (404), or it is not active.
    """
    accounts = ledger.register("GeneralLedgerAccounts")
    account_id, number = entry[f"{name}Id"], entry[name]
    if account_id is None and number is None:
        return None
    account = accounts.get(account_id) if account_id else accounts.holder("AccountNo", number)
    if account is None:
        raise unknown_reference(kind, name, account_id or number)
    if not account["IsActive"]:
        raise broken_rule(kind, f"{name}: account {account['AccountNo']} is not active")
    return int(account["Id"])


def kept_price(ledger: Ledger, price: Decimal | None) -> Decimal | None:
    """Return a unit price with the decimals that the books keep."""
    decimals = ledger.switches.price_decimals
    if price is None or decimals is None:
        return price
    return rounded(price, Decimal(1).scaleb(-decimals))


def open_balance(ledger: Ledger, customer_id: int) -> bool:
    """Tell whether a customer has an invoice, credit note or payment that is not settled."""
    entries = (
        *ledger.register("OutgoingInvoices").values(),
        *ledger.register("OpenPayments").values(),
    )
    return any(entry["CustomerId"] == customer_id and entry["Balance"] for entry in entries)
