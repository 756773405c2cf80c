"""The entries in Go that the settings name by number: accounts, and the customer for guests."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.payments import CURRENCY, PaymentAccount, PaymentAccounts
from target_powerofficego.dataflow.product import EXEMPT, GIFT_CARD
from target_powerofficego.errors import CannotStart
from target_powerofficego.go_api import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from target_powerofficego.go_api import GoClient
    from target_powerofficego.settings.forward import Settings

_NO_VAT = "0"
"""The Norwegian standard VAT code for transactions outside VAT."""


@dataclass(frozen=True, kw_only=True)
class NamedEntries:
    """The entries in Go that the settings name by number."""

    sales_accounts: Mapping[str, int]
    payment_accounts: PaymentAccounts | None
    guest_customer: str | None


class NamedInGo:
    """Looks up the entries that the settings name, and checks them, when they are first needed.

    A run that has nothing to settle does not need them.
    """

    def __init__(self, go: GoClient, settings: Settings) -> None:
        self._go = go
        self._settings = settings
        self._lock = threading.Lock()
        self._entries: NamedEntries | None = None

    @property
    def kept_as(self) -> str | None:
        """The name under which the store keeps when they were last checked; None without any.

        It depends on the settings, so that changed settings are checked again.
        """
        settings = self._settings
        named = (
            sorted(settings.sales_accounts.items()),
            sorted(settings.payment_accounts.items()),
            settings.guest_customer_number,
        )
        if not any(named):
            return None
        return f"named in settings {hashlib.sha256(repr(named).encode()).hexdigest()[:8]}"

    def entries(self) -> NamedEntries:
        """Return the entries; any thread may ask for them.

        Raises:
            ConfigurationError: one of them does not exist, or does not fit its setting.
            CannotStart: Go lists one that cannot be read.
            GoError: Go cannot be asked.
        """
        with self._lock:
            if self._entries is None:
                self._entries = _named_entries(self._go, self._settings)
            return self._entries


class SalesAccountIds(Mapping[str, int]):
    """The ids of the accounts in `sales_accounts`, looked up when one is first asked for."""

    def __init__(self, named: NamedInGo) -> None:
        self._named = named

    def __getitem__(self, rate: str) -> int:
        return self._named.entries().sales_accounts[rate]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named.entries().sales_accounts)

    def __len__(self) -> int:
        return len(self._named.entries().sales_accounts)


def _named_entries(go: GoClient, settings: Settings) -> NamedEntries:
    try:
        return NamedEntries(
            sales_accounts=_sales_account_ids(go, settings.sales_accounts),
            payment_accounts=_payment_accounts(go, settings.payment_accounts),
            guest_customer=_guest_customer_id(go, settings),
        )
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        raise CannotStart(
            "PowerOffice Go lists an account, a VAT code or a customer that cannot be read: correct"
            " it in Go, or leave out sales_accounts, payment_accounts and guest_customer_number"
        ) from None


def _sales_account_ids(go: GoClient, accounts: Mapping[str, int]) -> dict[str, int]:
    """Return the ids of the accounts in `sales_accounts`, after checking each one's VAT rate.

    Raises:
        ConfigurationError: an account is missing, inactive, or has another rate.
    """
    if not accounts:
        return {}
    by_number = _accounts_by_number(go, accounts.values())
    rates = {entry["Code"]: entry.get("Rate") for entry in go.list_all("/VatCodes")}
    errors: list[str] = []
    for rate, number in accounts.items():
        account = by_number.get(number)
        if account is None:
            errors.append(f"sales_accounts: Go has no active account {number}")
            continue
        fraction = rates.get(account.get("VatCode"))
        go_rate = Decimal(str(fraction or 0)) * 100
        wanted = "0" if rate in (EXEMPT, GIFT_CARD) else rate
        if go_rate != Decimal(wanted):
            errors.append(
                f"sales_accounts: account {number} carries {go_rate.normalize():f} % VAT in Go,"
                f" not {wanted} %"
            )
    if errors:
        raise ConfigurationError("; ".join(errors))
    return {rate: int(by_number[number]["Id"]) for rate, number in accounts.items()}


def _payment_accounts(go: GoClient, accounts: Mapping[str, int]) -> PaymentAccounts | None:
    """Return the accounts in `payment_accounts`, checked; None without any.

    Raises:
        ConfigurationError: an account is missing, inactive, carries VAT, or is kept in another
            currency; or Go has no VAT code for lines without VAT.
    """
    if not accounts:
        return None
    by_number = _accounts_by_number(go, accounts.values())
    codes = {str(entry["Code"]): entry for entry in go.list_all("/VatCodes")}
    errors = [
        f"payment_accounts: {fault}"
        for number in sorted(set(accounts.values()))
        if (fault := _payment_account_fault(number, by_number.get(number), codes))
    ]
    if _NO_VAT not in codes:
        errors.append(
            f"payment_accounts: Go has no VAT code {_NO_VAT}, which customers' lines need"
        )
    if errors:
        raise ConfigurationError("; ".join(errors))
    no_vat_id = int(codes[_NO_VAT]["Id"])
    checked = {
        number: PaymentAccount(number, int(entry["Id"]), int(entry.get("VatCodeId") or no_vat_id))
        for number, entry in by_number.items()
    }
    by_method = {method: checked[number] for method, number in accounts.items()}
    return PaymentAccounts(by_method, no_vat_id)


def _guest_customer_id(go: GoClient, settings: Settings) -> str | None:
    """Return the id of the customer for guests; None if the settings name none.

    Raises:
        ConfigurationError: Go has no customer with that number.
    """
    number = settings.guest_customer_number
    if number is None:
        return None
    for entry in go.list_all("/Customers", params={"customerNos": str(number)}):
        if entry.get("Number") == number:
            return str(entry["Id"])
    raise ConfigurationError(f"guest_customer_number: Go has no customer {number}")


def _payment_account_fault(
    number: int, account: Mapping[str, Any] | None, codes: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """Return why payments cannot be posted to an account; None if they can."""
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


def _accounts_by_number(go: GoClient, numbers: Collection[int]) -> dict[int, Mapping[str, Any]]:
    """Return the active general ledger accounts with these numbers, by number."""
    params = {"accountNos": ",".join(str(number) for number in sorted(set(numbers)))}
    return {
        int(entry["AccountNo"]): entry
        for entry in go.list_all("/GeneralLedgerAccounts", params=params)
        if entry.get("IsActive") is not False and int(entry["AccountNo"]) in numbers
    }
