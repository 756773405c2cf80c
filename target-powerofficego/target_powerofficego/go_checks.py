"""The checks in Go before any write: whose keys they are, and what they are allowed to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_powerofficego.go_api import ConfigurationError, MissingPrivilege

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.go_api import GoClient
    from target_powerofficego.settings.forward import Settings

_PRIVILEGES = ("Customer_Full", "Product_Full", "SalesOrders_Full")
_POSTING_PAYMENTS = ("BankVoucher_Full",)
_READING = {"OutgoingInvoice": ("OutgoingInvoice", "OutgoingInvoice_Full")}
_READING_ACCOUNTS = {
    "GeneralLedgerAccount": ("GeneralLedgerAccount", "GeneralLedgerAccount_Full"),
    "CommonServices": ("CommonServices", "CommonServices_Full"),
}


def check_privileges(go: GoClient, settings: Settings) -> Mapping[str, Any]:
    """Check the privileges of the keys, and return what Go reports about the integration.

    Raises:
        MissingPrivilege: the message names every privilege that is missing.
        ConfigurationError: Go does not report which client the keys are for.
    """
    information = go.read("/ClientIntegrationInformation")
    if not isinstance(information, dict) or not information.get("ClientId"):
        raise ConfigurationError(
            "PowerOffice Go does not report which client (ClientId) the keys are for"
        )
    held = set(information.get("ValidPrivileges") or ())
    has_accounts = settings.sales_accounts or settings.payment_accounts
    reading = {**_READING, **(_READING_ACCOUNTS if has_accounts else {})}
    writing = (*_PRIVILEGES, *(_POSTING_PAYMENTS if settings.payment_accounts else ()))
    missing = [name for name in writing if name not in held]
    missing += [name for name, accepted in reading.items() if not held.intersection(accepted)]
    if missing:
        raise MissingPrivilege(
            f"the keys lack privileges in PowerOffice Go: {', '.join(missing)};"
            " ask PowerOffice to add them to the integration"
        )
    if settings.invoice_on and information.get("AllowSendInvoice") is False:
        raise MissingPrivilege(
            "invoice_on is set, but the keys are not allowed to send invoices in PowerOffice Go;"
            " allow that for the integration in Go's settings, or leave invoice_on out"
        )
    return information
