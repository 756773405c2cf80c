"""References of bodies: VAT codes, accounts, terms, currencies; and the resulting VAT."""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from go_sandbox.go.problems import broken_rule, duplicate, unknown_reference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from go_sandbox.go.ledger import Entry, Ledger, Register

_SINCE = "2024-01-01T00:00:00.0000000Z"

_CURRENCIES = {"NOK": "kr", "SEK": "kr", "DKK": "kr", "EUR": "€", "USD": "$", "GBP": "£"}
_VAT_CODES = (
    ("0", "No VAT treatment", "0"),
    ("1", "Input VAT, high rate", "0.25"),
    ("3", "Output VAT, high rate", "0.25"),
    ("31", "Output VAT, middle rate", "0.15"),
    ("33", "Output VAT, low rate", "0.12"),
    ("5", "Domestic sales at zero rate", "0"),
    ("52", "Export at zero rate", "0"),
    ("6", "Sales outside the VAT act", "0"),
)
_ACCOUNTS = (
    (1500, "Kundefordringer", "0", "Asset", True),
    (1901, "Kasse", "0", "Asset", True),
    (1920, "Bank", "0", "Asset", True),
    (2900, "Forskudd fra kunder", "0", "Liability", True),
    (3000, "Salgsinntekt, høy sats", "3", "Income", True),
    (3001, "Salgsinntekt, middels sats", "31", "Income", True),
    (3002, "Salgsinntekt, lav sats", "33", "Income", True),
    (3010, "Salgsinntekt, utgått konto", "3", "Income", False),
    (3100, "Salgsinntekt, avgiftsfri", "5", "Income", True),
    (3150, "Salgsinntekt, utførsel", "52", "Income", True),
    (3200, "Salgsinntekt, utenfor avgiftsområdet", "6", "Income", True),
    (3700, "Øreavrunding", "6", "Income", True),
    (4300, "Varekjøp, høy sats", "1", "Expense", True),
)
_TERMS = ((0, "Kontant", False), (14, "14 dager", True), (30, "30 dager", False))

STANDARD_ACCOUNT_NO = 3000
OPTIONAL_ACCOUNT_NO = 3100
DEPARTMENTS = {"10": 1}
"""Departments by code; the sandbox has no route to them."""

CURRENCY = ("Code", "IsActive", "Notation")
_ORE = Decimal("0.01")
_ALLOWANCE = (Decimal(-1000), Decimal(100))
_DIMENSIONS = tuple(
    f"{name}{part}"
    for name in ("Project", "Location", "Dim1", "Dim2", "Dim3")
    for part in ("Id", "Code")
)


def first_entries() -> dict[str, list[dict[str, Any]]]:
    """Return the first entries of a client's books, by resource."""
    return {
        "Currencies": [
            {"Id": code, "Code": code, "Notation": sign, "IsActive": code != "GBP"}
            for code, sign in _CURRENCIES.items()
        ],
        "VatCodes": [_vat_code(100 + index, *row) for index, row in enumerate(_VAT_CODES)],
        "GeneralLedgerAccounts": [
            _account(7000 + index, *row) for index, row in enumerate(_ACCOUNTS)
        ],
        "PaymentTerms": [_term(200 + index, *row) for index, row in enumerate(_TERMS)],
    }


def _vat_code(entry_id: int, code: str, name: str, rate: str) -> dict[str, Any]:
    return {
        "Id": entry_id,
        "Code": code,
        "Name": name,
        "Description": name,
        "Rate": Decimal(rate),
        "IsActive": True,
        "IsCustom": False,
        "BaseVatCodeId": None,
        "ValidFrom": "2006-01-01",
        "ValidTo": None,
        "VatBasisRatio": None,
        "VatBasisRatioValidFrom": None,
        "VatBasisRatios": [],
    }


def _account(
    entry_id: int, number: int, name: str, vat: str, kind: str, active: bool
) -> dict[str, Any]:
    return {
        "Id": entry_id,
        "AccountNo": number,
        "Name": name,
        "VatCode": vat,
        "VatCodeId": 100 + [row[0] for row in _VAT_CODES].index(vat),
        "GeneralLedgerAccountType": kind,
        "IsActive": active,
        "IsVatCodeLocked": False,
        "IsDepartmentRequired": False,
        "IsProjectRequired": False,
        "AgricultureDepartment": None,
        "CurrencyCode": None,
        "DepartmentCode": None,
        "DepartmentId": None,
        "Unit1": None,
        "Unit2": None,
        "VatReturnSpecification": None,
        "LastChangedDateTimeOffset": _SINCE,
    }


def _term(entry_id: int, days: int, name: str, default: bool) -> dict[str, Any]:
    return {
        "Id": entry_id,
        "CreditDays": days,
        "Name": name,
        "IsActive": True,
        "IsDefault": default,
        "CreatedDateTimeOffset": _SINCE,
        "LastChangedDateTimeOffset": _SINCE,
    }


_FIRST = first_entries()
ACCOUNT = tuple(_FIRST["GeneralLedgerAccounts"][0])
PAYMENT_TERM = tuple(_FIRST["PaymentTerms"][0])
VAT_CODE = tuple(_FIRST["VatCodes"][0])


def rounded(amount: Decimal, step: Decimal = _ORE) -> Decimal:
    """Round half away from zero, to whole øre unless another `step` is given."""
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
        raise LookupError("the books lack the client's own sales accounts")
    return usual


def line_amounts(ledger: Ledger, line: Entry) -> dict[str, Any]:
    """Return the VAT members and the amounts of a line; all zero without a product.

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


def named(
    register: Register, kind: str, entry: Entry, by_id: str, by_other: str, field: str
) -> Entry | None:
    """Return the entry of a register that another entry names by id, else by a unique field.

    None when the other entry has neither.

    Raises:
        Refusal: there is no such entry (404).
    """
    name = by_other if entry[by_id] is None else by_id
    value = entry[name]
    if value is None:
        return None
    holder = register.get(value) if name == by_id else register.holder(field, value)
    if holder is None:
        raise unknown_reference(kind, name, value)
    return holder


def check_unique(ledger: Ledger, kind: str, resource: str, field: str, entry: Entry) -> None:
    """Check that no other entry of a resource holds the same value in a unique field.

    Raises:
        Refusal: another entry has it.
    """
    holder = ledger.register(resource).holder(field, entry[field])
    if holder and holder["Id"] != entry["Id"]:
        raise duplicate(kind, field, entry[field], holder["Id"])


def check_filled(kind: str, entry: Entry, names: Iterable[str]) -> None:
    """Check that these texts are present and not blank.

    Raises:
        Refusal: one is missing.
    """
    for name in names:
        if not (entry[name] or "").strip():
            raise broken_rule(kind, f"{name} is required")


def check_nowhere(
    kind: str, entry: Entry, names: Iterable[str], *, unset: tuple[object, ...] = (None,)
) -> None:
    """Check that these members, which refer to entries the sandbox does not have, are unset.

    Raises:
        Refusal: one is set (404).
    """
    for name in names:
        if entry[name] not in unset:
            raise unknown_reference(kind, name, entry[name])


def check_dimensions(kind: str, entry: Entry) -> None:
    """Check that no project, location or dimension of the client's own is named; -1 means none.

    Raises:
        Refusal: one is named (404).
    """
    check_nowhere(kind, entry, _DIMENSIONS, unset=(None, -1))


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
    term = named(terms, kind, entry, "PaymentTermId", "PaymentTerm", "CreditDays")
    if term:
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
    """Return a unit price rounded to the decimals that the books keep."""
    decimals = ledger.switches.price_decimals
    if price is None or decimals is None:
        return price
    return rounded(price, Decimal(1).scaleb(-decimals))


def open_balance(ledger: Ledger, customer_id: int) -> bool:
    """Return whether a customer has an invoice, credit note or payment that is not settled."""
    entries = (
        *ledger.register("OutgoingInvoices").values(),
        *ledger.register("OpenPayments").values(),
    )
    return any(entry["CustomerId"] == customer_id and entry["Balance"] for entry in entries)
