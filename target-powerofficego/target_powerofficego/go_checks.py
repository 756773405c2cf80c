"""What is checked in Go before any write: who we are, what we may do, and the accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.payments import CURRENCY, PaymentAccount, PaymentAccounts
from target_powerofficego.dataflow.product import EXEMPT, GIFT_CARD
from target_powerofficego.go_api import ConfigurationError, MissingPrivilege

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from target_powerofficego.go_api import GoClient
    from target_powerofficego.settings.forward import Settings

_PRIVILEGES = ("Customer_Full", "Product_Full", "SalesOrders_Full")
_POSTING_PAYMENTS = ("BankVoucher_Full",)
_READING = {"OutgoingInvoice": ("OutgoingInvoice", "OutgoingInvoice_Full")}
_READING_ACCOUNTS = {
    "GeneralLedgerAccount": ("GeneralLedgerAccount", "GeneralLedgerAccount_Full"),
    "CommonServices": ("CommonServices", "CommonServices_Full"),
}

_NO_VAT = "0"
"""The Norwegian standard VAT code for what has nothing to do with VAT."""


def check_privileges(go: GoClient, settings: Settings) -> Mapping[str, Any]:
    """Ask Go who we are and what we may do.

    Raises:
        MissingPrivilege: naming every privilege that is needed and missing.
        ConfigurationError: Go does not say which client the keys are for.
    """
    information = go.read("/ClientIntegrationInformation")
    if not isinstance(information, dict) or not information.get("ClientId"):
        raise ConfigurationError(
            "PowerOffice Go does not say which client (ClientId) the keys are for"
        )
    held = set(information.get("ValidPrivileges") or ())
    has_accounts = settings.sales_accounts or settings.payment_accounts
    reading = {**_READING, **(_READING_ACCOUNTS if has_accounts else {})}
    writing = (*_PRIVILEGES, *(_POSTING_PAYMENTS if settings.payment_accounts else ()))
    missing = [name for name in writing if name not in held]
    missing += [name for name, any_of in reading.items() if not held.intersection(any_of)]
    if missing:
        raise MissingPrivilege(
            f"the keys lack privileges in PowerOffice Go: {', '.join(missing)};"
            " ask PowerOffice to add them to the integration"
        )
    if settings.invoice_on and information.get("AllowSendInvoice") is False:
        raise MissingPrivilege(
            "invoice_on is set, but the keys may not send invoices in PowerOffice Go; allow it for"
            " the integration in Go's settings, or leave invoice_on out"
        )
    return information


def sales_account_ids(go: GoClient, accounts: Mapping[str, int]) -> dict[str, int]:
    """Return the ids of the accounts in `sales_accounts`, after checking each one's VAT rate.

    Raises:
        ConfigurationError: an account is missing, not active, or carries another rate.
    """
    if not accounts:
        return {}
    found = _accounts(go, accounts.values())
    rates = {entry["Code"]: entry.get("Rate") for entry in go.list_all("/VatCodes")}
    wrong: list[str] = []
    for rate, number in accounts.items():
        account = found.get(number)
        if account is None:
            wrong.append(f"sales_accounts: Go has no active account {number}")
            continue
        fraction = rates.get(account.get("VatCode"))
        go_rate = Decimal(str(fraction or 0)) * 100
        wanted = "0" if rate in (EXEMPT, GIFT_CARD) else rate
        if go_rate != Decimal(wanted):
            wrong.append(
                f"sales_accounts: account {number} carries {go_rate.normalize():f} % VAT in Go,"
                f" not {wanted} %"
            )
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return {rate: int(found[number]["Id"]) for rate, number in accounts.items()}


def payment_accounts(go: GoClient, accounts: Mapping[str, int]) -> PaymentAccounts | None:
    """Return the accounts in `payment_accounts`, checked; None when there are none.

    Raises:
        ConfigurationError: an account is missing, not active, carries VAT, or is kept in another
            currency; or Go has no VAT code for lines without VAT.
    """
    if not accounts:
        return None
    found = _accounts(go, accounts.values())
    codes = {str(entry["Code"]): entry for entry in go.list_all("/VatCodes")}
    wrong = [
        f"payment_accounts: {why}"
        for number in sorted(set(accounts.values()))
        if (why := _why_no_payments(number, found.get(number), codes))
    ]
    if _NO_VAT not in codes:
        wrong.append(f"payment_accounts: Go has no VAT code {_NO_VAT}, which customers' lines need")
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    no_vat_id = int(codes[_NO_VAT]["Id"])
    by_number = {
        number: PaymentAccount(number, int(entry["Id"]), int(entry.get("VatCodeId") or no_vat_id))
        for number, entry in found.items()
    }
    return PaymentAccounts({name: by_number[one] for name, one in accounts.items()}, no_vat_id)


def guest_customer_id(go: GoClient, settings: Settings) -> str | None:
    """Return the id of the customer who buys for guests; None: the settings name none.

    Raises:
        ConfigurationError: Go has no customer of that number.
    """
    number = settings.guest_customer_number
    if number is None:
        return None
    for entry in go.list_all("/Customers", params={"customerNos": str(number)}):
        if entry.get("Number") == number:
            return str(entry["Id"])
    raise ConfigurationError(f"guest_customer_number: Go has no customer {number}")


def _why_no_payments(
    number: int, account: Mapping[str, Any] | None, codes: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """Say why payments cannot be posted to an account; None if they can."""
    if account is None:
        return f"Go has no active account {number}"
    vat = codes.get(str(account.get("VatCode"))) or {}
    rate = Decimal(str(vat.get("Rate") or 0)) * 100
    if rate:
        return f"account {number} carries {rate.normalize():f} % VAT in Go"
    currency = account.get("CurrencyCode")
    if currency not in (None, CURRENCY):
        return f"account {number} is kept in {currency} in Go, not in {CURRENCY}"
    return None


def _accounts(go: GoClient, wanted: Collection[int]) -> dict[int, Mapping[str, Any]]:
    """Return the active general ledger accounts with these numbers, by number."""
    numbers = ",".join(str(number) for number in sorted(set(wanted)))
    return {
        int(entry["AccountNo"]): entry
        for entry in go.list_all("/GeneralLedgerAccounts", params={"accountNos": numbers})
        if entry.get("IsActive") is not False and int(entry["AccountNo"]) in wanted
    }
