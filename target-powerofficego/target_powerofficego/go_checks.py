"""What is asked of Go before any write: who we are, what we may do, and the sales accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.product import EXEMPT
from target_powerofficego.go_api import ConfigurationError, MissingPrivilege

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.go_api import GoClient
    from target_powerofficego.settings import Settings

_PRIVILEGES = ("Customer_Full", "Product_Full", "SalesOrders_Full")
_READING = {"OutgoingInvoice": ("OutgoingInvoice", "OutgoingInvoice_Full")}
_READING_ACCOUNTS = {
    "GeneralLedgerAccount": ("GeneralLedgerAccount", "GeneralLedgerAccount_Full"),
    "CommonServices": ("CommonServices", "CommonServices_Full"),
}


def check_privileges(go: GoClient, settings: Settings) -> Mapping[str, Any]:
    """Ask Go who we are and what we may do.

    Raises:
        MissingPrivilege: naming every privilege that is needed and missing.
        ConfigurationError: Go does not say which client the keys are for.
    """
    information = go.read("/ClientIntegrationInformation")
    if not isinstance(information, dict) or not information.get("ClientId"):
        msg = "PowerOffice Go does not say which client (ClientId) the keys are for"
        raise ConfigurationError(msg)
    held = set(information.get("ValidPrivileges") or ())
    reading = {**_READING, **(_READING_ACCOUNTS if settings.sales_accounts else {})}
    missing = [name for name in _PRIVILEGES if name not in held]
    missing += [name for name, any_of in reading.items() if not held.intersection(any_of)]
    if missing:
        msg = (
            f"the keys lack privileges in PowerOffice Go: {', '.join(missing)};"
            " ask PowerOffice to add them to the integration"
        )
        raise MissingPrivilege(msg)
    if settings.invoice_on and information.get("AllowSendInvoice") is False:
        msg = (
            "invoice_on is set, but the keys may not send invoices in PowerOffice Go; allow it for"
            " the integration in Go's settings, or leave invoice_on out"
        )
        raise MissingPrivilege(msg)
    return information


def sales_account_ids(go: GoClient, accounts: Mapping[str, int]) -> dict[str, int]:
    """Return the ids of the accounts in `sales_accounts`, after checking each one's VAT rate.

    Raises:
        ConfigurationError: an account is missing, not active, or carries another rate.
    """
    if not accounts:
        return {}
    numbers = ",".join(str(number) for number in sorted(set(accounts.values())))
    found = {
        int(entry["AccountNo"]): entry
        for entry in go.list_all("/GeneralLedgerAccounts", params={"accountNos": numbers})
    }
    rates = {entry["Code"]: entry.get("Rate") for entry in go.list_all("/VatCodes")}
    wrong: list[str] = []
    for rate, number in accounts.items():
        account = found.get(number)
        if account is None or account.get("IsActive") is False:
            wrong.append(f"sales_accounts: Go has no active account {number}")
            continue
        fraction = rates.get(account.get("VatCode"))
        go_rate = Decimal(str(fraction or 0)) * 100
        wanted = "0" if rate == EXEMPT else rate
        if go_rate != Decimal(wanted):
            wrong.append(
                f"sales_accounts: account {number} carries {go_rate.normalize():f} % VAT in Go,"
                f" not {wanted} %"
            )
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return {rate: int(found[number]["Id"]) for rate, number in accounts.items()}
