"""What every Norwegian Go client has from the start: VAT codes, accounts, terms, currencies."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

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
"""Departments by code; the API that the sandbox serves has no route to them."""


def first_entries() -> dict[str, list[dict[str, Any]]]:
    """Return the entries of the resources that a client's books begin with."""
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
CURRENCY = ("Code", "IsActive", "Notation")
PAYMENT_TERM = tuple(_FIRST["PaymentTerms"][0])
VAT_CODE = tuple(_FIRST["VatCodes"][0])
