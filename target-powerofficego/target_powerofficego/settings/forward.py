"""The settings of target-powerofficego, checked and typed.

At start-up, each setting that cannot be right is reported in one line, all of them at once.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.line_amounts import ZERO
from target_powerofficego.dataflow.orders.lines import ServiceCodes
from target_powerofficego.dataflow.orders.payments import method_key
from target_powerofficego.dataflow.product import EXEMPT, GIFT_CARD
from target_powerofficego.dataflow.values import Unusable, rate_key, vat_rate
from target_powerofficego.errors import SettingsError
from target_powerofficego.go_api import ConfigurationError, Connection
from target_powerofficego.go_api.turn_stores import IN_MEMORY, check_store_location
from target_powerofficego.settings.both_ways import SideReader, SideSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.store.location import StoreLocation


@dataclass(frozen=True, kw_only=True)
class Settings(SideSettings):
    """The settings of one run forward, checked and typed."""

    connection: Connection
    new_namespace: bool = False
    requests_per_second: int = 10
    rate_limit_store: str = IN_MEMORY
    full_check: datetime.timedelta = datetime.timedelta(hours=24)
    plans_first_run: bool = False
    on_link: str = "keep"
    tests_patches: bool = True
    write_references: bool = True
    max_archives: int = 10
    max_creates: int | None = None
    match_customers_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    orders_from: datetime.date | None = None
    order_statuses: frozenset[str] = frozenset()
    confirm_on: frozenset[str] = frozenset()
    invoice_on: frozenset[str] = frozenset()
    guests: str = "by_email"
    is_vat_abroad_norwegian: bool = False
    guest_customer_number: int | None = None
    create_missing_products: bool = True
    sales_accounts: Mapping[str, int] = field(default_factory=dict)
    service_codes: ServiceCodes = field(default_factory=ServiceCodes)
    payment_accounts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Check and type a config that fits the schema.

        Raises:
            SettingsError: with a line for each setting that cannot be right.
        """
        return _Reader(config).settings()


class _Reader(SideReader):
    def settings(self) -> Settings:
        config = self.config
        connection = self._connection()
        sales_accounts = self._sales_accounts()
        common = self.common_settings()
        settings = {
            **common,
            "new_namespace": config["new_namespace"],
            "requests_per_second": config["requests_per_second"],
            "rate_limit_store": self._rate_limit_store(common["link_store"]),
            "full_check": datetime.timedelta(hours=float(config["full_check_hours"])),
            "plans_first_run": self._plans_first_run(),
            "on_link": config["on_link"],
            "tests_patches": config["patch_guard"] == "test",
            "write_references": config["write_references"],
            "max_archives": config["max_archives"],
            "max_creates": config.get("max_creates"),
            "match_customers_on": self._match_customers_on(),
            "orders_from": self._orders_from(),
            "order_statuses": frozenset(config["order_statuses"]),
            "confirm_on": self._stage_statuses("confirm_on"),
            "invoice_on": self._stage_statuses("invoice_on"),
            "guests": config["guests"],
            "is_vat_abroad_norwegian": config["abroad_vat"] == "norwegian",
            "guest_customer_number": self._guest_customer_number(),
            "create_missing_products": config["create_missing_products"],
            "sales_accounts": sales_accounts,
            "service_codes": self._service_codes(sales_accounts),
            "payment_accounts": self._payment_accounts(),
        }
        if self.errors or connection is None:
            raise SettingsError(self.errors)
        return Settings(connection=connection, **settings)

    def _connection(self) -> Connection | None:
        config = self.config
        names = ("application_key", "client_key", "subscription_key")
        empty = [f"{name} is empty" for name in names if not str(config.get(name) or "").strip()]
        if empty:
            self.errors += empty
            return None
        try:
            return Connection.for_environment(
                config["environment"],
                **{name: config[name] for name in names},
                api_url=config.get("api_url") or None,
                token_url=config.get("token_url") or None,
            )
        except ConfigurationError as error:
            self.errors.append(str(error))
            return None

    def _rate_limit_store(self, link_store: StoreLocation) -> str:
        location = self.config.get("rate_limit_store")
        if not location:
            is_shared = link_store.is_postgresql and not self.config["dry_run"]
            return str(link_store) if is_shared else IN_MEMORY
        try:
            check_store_location(location)
        except ConfigurationError as error:
            self.errors.append(str(error))
        return str(location)

    def _plans_first_run(self) -> bool:
        default = "plan" if self.config["environment"] == "production" else "accept"
        return (self.config.get("first_run") or default) == "plan"

    def _match_customers_on(self) -> dict[str, tuple[str, ...]]:
        by_kind = self.config["match_customers_on"]
        self.errors += [
            f"match_customers_on: {kind} can only be matched on organization_number or email"
            for kind, names in by_kind.items()
            for name in names
            if name not in ("organization_number", "email")
        ]
        return {kind: tuple(by_kind.get(kind, ())) for kind in ("company", "person")}

    def _orders_from(self) -> datetime.date | None:
        date = self.config.get("orders_from")
        try:
            return datetime.date.fromisoformat(str(date)[:10]) if date else None
        except ValueError:
            self.errors.append("orders_from must be a date like 2026-01-31")
            return None

    def _stage_statuses(self, name: str) -> frozenset[str]:
        written = self.config["order_statuses"]
        self.errors += [
            f"{name}: an order that is {status} is not written to Go; add that to order_statuses"
            for status in self.config[name]
            if status not in written
        ]
        return frozenset(self.config[name])

    def _guest_customer_number(self) -> int | None:
        number = self.config.get("guest_customer_number")
        if self.config["guests"] == "one_customer" and number is None:
            self.errors.append("guests is one_customer, so guest_customer_number is needed")
        return number

    def _service_codes(self, sales_accounts: Mapping[str, int]) -> ServiceCodes:
        config = self.config
        rounding = str(config.get("rounding_product_code") or "").strip() or None
        if rounding and "0" not in sales_accounts:
            self.errors.append('rounding_product_code needs an account for "0" in sales_accounts')
        rates = {
            ZERO if rate == EXEMPT else Decimal(rate)
            for rate in sales_accounts
            if rate != GIFT_CARD
        }
        codes = {
            name: str(config[f"{name}_product_code"]).strip()
            for name in ("shipping", "fee", "discount", "gift_card")
        }
        self.errors += [f"{name}_product_code is empty" for name, code in codes.items() if not code]
        return ServiceCodes(**codes, rounding=rounding, rates=tuple(sorted(rates, reverse=True)))

    def _sales_accounts(self) -> dict[str, int]:
        accounts: dict[str, int] = {}
        for rate, account in (self.config.get("sales_accounts") or {}).items():
            if rate in (EXEMPT, GIFT_CARD):
                accounts[rate] = account
                continue
            try:
                percent = vat_rate(rate.replace(",", "."), label="the rate")
            except Unusable:
                percent = None
            if percent is None:
                self.errors.append(f'sales_accounts: "{rate}" is not a VAT rate in percent')
            elif rate_key(percent) in accounts:
                self.errors.append(f"sales_accounts: the rate {rate_key(percent)} is named twice")
            else:
                accounts[rate_key(percent)] = account
        return accounts

    def _payment_accounts(self) -> dict[str, int]:
        accounts: dict[str, int] = {}
        for name, account in (self.config.get("payment_accounts") or {}).items():
            method = method_key(name)
            if method is None:
                self.errors.append("payment_accounts: a payment method has no name")
            elif method in accounts:
                self.errors.append(f'payment_accounts: "{method}" is named twice')
            else:
                accounts[method] = account
        return accounts
