"""The settings of target-powerofficego, checked and typed.

Every setting that cannot be right is told in one line at start-up, all of them at once.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from target_powerofficego.dataflow.overrides import apply_overrides
from target_powerofficego.dataflow.product import rate_key
from target_powerofficego.dataflow.values import Unusable, vat_rate
from target_powerofficego.go_api import ConfigurationError, Connection
from target_powerofficego.merge import Owner
from target_powerofficego.settings_schema import ENTITIES
from target_powerofficego.store.location import StoreLocation
from target_powerofficego.store.values import LinkStoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.dataflow.table import Table


class SettingsError(Exception):
    """One or more settings cannot be right; `lines` has one line each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


@dataclass(frozen=True)
class Settings:
    """The settings of one run, checked and typed."""

    connection: Connection
    shop_name: str
    link_store: StoreLocation
    new_namespace: bool = False
    requests_per_second: int = 10
    workers: int = 4
    request_timeout: int = 60
    retry_seconds: int = 300
    full_check: datetime.timedelta = datetime.timedelta(hours=24)
    dry_run: bool = False
    changes_file: Path | None = None
    plans_first_run: bool = False
    on_link: str = "keep"
    owners: Mapping[str, Mapping[str, Owner]] = field(default_factory=dict)
    clock_margin: datetime.timedelta = datetime.timedelta(minutes=5)
    tests_patches: bool = True
    write_references: bool = True
    max_archives: int = 10
    max_creates: int | None = None
    max_changes: int | None = None
    fails_on_unacknowledged: bool = True
    match_customers_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    stock: str = "none"
    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Oslo"))
    orders_from: datetime.date | None = None
    order_statuses: frozenset[str] = frozenset()
    guests: str = "by_email"
    guest_customer_number: int | None = None
    create_missing_products: bool = True
    sales_accounts: Mapping[str, int] = field(default_factory=dict)
    shipping_product_code: str = "FRAKT"

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Check and type a config that fits the schema.

        Raises:
            SettingsError: with one line for each setting that cannot be right.
        """
        return _Reader(config).settings()


class _Reader:
    """Reads one config and collects what is wrong with it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.wrong: list[str] = []

    def settings(self) -> Settings:
        config = self.config
        connection = self._connection()
        tables = self._tables()
        settings = {
            "shop_name": self._shop_name(),
            "link_store": self._link_store(),
            "new_namespace": config["new_namespace"],
            "requests_per_second": config["requests_per_second"],
            "workers": config["workers"],
            "request_timeout": config["request_timeout"],
            "retry_seconds": config["retry_seconds"],
            "full_check": datetime.timedelta(hours=float(config["full_check_hours"])),
            "dry_run": config["dry_run"],
            "changes_file": self._changes_file(),
            "plans_first_run": self._plans_first_run(),
            "on_link": config["on_link"],
            "owners": self._owners(tables),
            "clock_margin": datetime.timedelta(seconds=float(config["clock_margin"])),
            "tests_patches": config["patch_guard"] == "test",
            "write_references": config["write_references"],
            "max_archives": config["max_archives"],
            "max_creates": config.get("max_creates"),
            "max_changes": config.get("max_changes"),
            "fails_on_unacknowledged": config["fail_on"] == "unacknowledged",
            "match_customers_on": self._match_customers_on(),
            "tables": tables,
            "stock": config["stock"],
            "time_zone": self._time_zone(),
            "orders_from": self._orders_from(),
            "order_statuses": frozenset(config["order_statuses"]),
            "guests": config["guests"],
            "guest_customer_number": self._guest_customer_number(),
            "create_missing_products": config["create_missing_products"],
            "sales_accounts": self._sales_accounts(),
            "shipping_product_code": config["shipping_product_code"],
        }
        if self.wrong or connection is None:
            raise SettingsError(self.wrong)
        return Settings(connection=connection, **settings)

    def _connection(self) -> Connection | None:
        config = self.config
        empty = [
            name
            for name in ("application_key", "client_key", "subscription_key")
            if not str(config.get(name) or "").strip()
        ]
        self.wrong += [f"{name} is empty" for name in empty]
        try:
            return Connection.for_environment(
                config["environment"],
                application_key=config["application_key"],
                client_key=config["client_key"],
                subscription_key=config["subscription_key"],
                api_url=config.get("api_url") or None,
                token_url=config.get("token_url") or None,
            )
        except ConfigurationError as error:
            self.wrong.append(str(error))
            return None

    def _shop_name(self) -> str:
        name = str(self.config["shop_name"])
        if not (0 < len(name) <= 20 and all(c.isalnum() or c in "-_" for c in name)):
            self.wrong.append("shop_name must have 1 to 20 letters, digits, - or _")
        return name

    def _link_store(self) -> StoreLocation:
        try:
            return StoreLocation.of(str(self.config["link_store"]))
        except LinkStoreError as error:
            self.wrong.append(str(error))
            return StoreLocation.in_memory()

    def _changes_file(self) -> Path | None:
        told = self.config.get("changes_file")
        if not told:
            return None
        path = Path(told)
        try:
            path.open("a", encoding="utf-8").close()
        except (OSError, ValueError) as error:
            self.wrong.append(f"changes_file: {told} cannot be written ({error})")
        return path

    def _plans_first_run(self) -> bool:
        default = "plan" if self.config["environment"] == "production" else "accept"
        return (self.config.get("first_run") or default) == "plan"

    def _tables(self) -> dict[str, Table]:
        tables, wrong = apply_overrides(self.config.get("properties") or {})
        self.wrong += wrong
        return tables

    def _owners(self, tables: Mapping[str, Table]) -> dict[str, dict[str, Owner]]:
        owners: dict[str, dict[str, Owner]] = {entity: {} for entity in ENTITIES}
        for entity, told in (self.config.get("owners") or {}).items():
            if entity not in tables:
                self.wrong.append(f'owners: "{entity}" must be customers, products or orders')
                continue
            by_row = told if isinstance(told, dict) else {"*": told}
            owners[entity] = self._owners_of(tables[entity], by_row)
        return owners

    def _owners_of(self, table: Table, told: Mapping[str, Any]) -> dict[str, Owner]:
        """Return the owner of each row that has one; "*" stands for the rows that are not named."""
        rows = [row.name for row in table.rows]
        owners: dict[str, Owner] = {}
        for name in sorted(told, key=rows.__contains__):
            named = f"{table.entity}.{name}"
            if name != "*" and name not in rows:
                self.wrong.append(f'owners: there is no row "{named}" in docs/dataflow.md')
            elif told[name] not in [owner.value for owner in Owner]:
                self.wrong.append(f'owners: {named} must be shop, go or newest, not "{told[name]}"')
            else:
                owners |= dict.fromkeys(rows if name == "*" else [name], Owner(told[name]))
        return owners

    def _match_customers_on(self) -> dict[str, tuple[str, ...]]:
        told = self.config["match_customers_on"]
        for kind, names in told.items():
            for name in names:
                if name not in ("organization_number", "email"):
                    self.wrong.append(
                        f'match_customers_on: {kind} cannot be matched on "{name}";'
                        " use organization_number or email"
                    )
        return {kind: tuple(told.get(kind, ())) for kind in ("company", "person")}

    def _time_zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.config["time_zone"])
        except (ZoneInfoNotFoundError, ValueError):
            self.wrong.append(f'time_zone: there is no zone "{self.config["time_zone"]}"')
            return ZoneInfo("UTC")

    def _orders_from(self) -> datetime.date | None:
        told = self.config.get("orders_from")
        try:
            return datetime.date.fromisoformat(str(told)[:10]) if told else None
        except ValueError:
            self.wrong.append(f'orders_from must be a date like 2026-01-31, not "{told}"')
            return None

    def _guest_customer_number(self) -> int | None:
        number = self.config.get("guest_customer_number")
        if self.config["guests"] == "one_customer" and number is None:
            self.wrong.append("guests is one_customer, so guest_customer_number is needed")
        return number

    def _sales_accounts(self) -> dict[str, int]:
        accounts: dict[str, int] = {}
        for rate, account in (self.config.get("sales_accounts") or {}).items():
            if rate == "exempt":
                self.wrong.append(
                    "sales_accounts: exempt is not there yet: sales without VAT go by the optional"
                    " account that the product or the client has in Go"
                )
                continue
            try:
                percent = vat_rate(rate.replace(",", "."), what="the rate")
            except Unusable:
                percent = None
            if percent is None:
                self.wrong.append(f'sales_accounts: "{rate}" is not a VAT rate in percent')
            else:
                accounts[rate_key(percent)] = account
        return accounts
