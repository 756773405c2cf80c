"""The settings that both targets have, with the same names, checked and typed.

At start-up, each setting that cannot be right is reported in one line, all of them at once.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from target_powerofficego.database_address import MAY_BE_A_KEY
from target_powerofficego.dataflow.overrides import apply_overrides
from target_powerofficego.dataflow.product import with_stock
from target_powerofficego.decisions.merge import Owner
from target_powerofficego.decisions.personal_data import Marks
from target_powerofficego.plugin.plain_text import may_be_a_key
from target_powerofficego.settings.notify import address_errors
from target_powerofficego.store.location import StoreLocation, keep_private, open_private
from target_powerofficego.store.values import ENTITIES, LinkStoreError, is_shop_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.dataflow.table import Table


SHARED = ("owners", "clock_margin", "properties", "stock", "time_zone", "anonymised_marks")
"""The settings that both ways must share, because they decide what flows, and who wins."""


@dataclass(frozen=True, kw_only=True)
class SideSettings:
    """The settings of a run of either way."""

    shop_name: str
    link_store: StoreLocation
    workers: int = 4
    request_timeout: int = 60
    retry_seconds: int = 300
    dry_run: bool = False
    changes_file: Path | None = None
    owners: Mapping[str, Mapping[str, Owner]] = field(default_factory=dict)
    clock_margin: datetime.timedelta = datetime.timedelta(minutes=5)
    max_changes: int | None = None
    fails_on_unacknowledged: bool = True
    tables: Mapping[str, Table] = field(default_factory=dict)
    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Oslo"))
    anonymised_marks: Marks = field(default_factory=lambda: Marks.of(()))
    shared: Mapping[str, Any] = field(default_factory=dict)
    """The settings of `SHARED` as they were given; but owners in one form, as they have two."""


class SideReader:
    """Reads a config, and collects a line for each error in `errors`."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.errors: list[str] = []

    def common_settings(self) -> dict[str, Any]:
        """Return the members of `SideSettings`."""
        config = self.config
        tables = self._tables()
        owners = self._owners(tables)
        owners_as_text = {
            entity: {row: owner.value for row, owner in by_row.items()}
            for entity, by_row in owners.items()
        }
        unchanged = ("workers", "request_timeout", "retry_seconds", "dry_run")
        self.errors += address_errors(config.get("notify") or "")
        return {
            **{name: config[name] for name in unchanged},
            "shop_name": self._shop_name(),
            "link_store": self._link_store(),
            "changes_file": self._changes_file(),
            "owners": owners,
            "clock_margin": datetime.timedelta(seconds=float(config["clock_margin"])),
            "max_changes": config.get("max_changes"),
            "fails_on_unacknowledged": config["fail_on"] == "unacknowledged",
            "tables": tables,
            "time_zone": self._time_zone(),
            "anonymised_marks": Marks.of(config["anonymised_marks"]),
            "shared": {
                **{name: config.get(name) or None for name in SHARED},
                "owners": owners_as_text,
            },
        }

    def _shop_name(self) -> str:
        name = str(self.config["shop_name"])
        if not is_shop_name(name):
            self.errors.append("shop_name must have 1 to 20 letters, digits, - or _")
        return name

    def _link_store(self) -> StoreLocation:
        try:
            return StoreLocation.of(str(self.config["link_store"]))
        except LinkStoreError as error:
            self.errors.append(str(error))
            return StoreLocation.in_memory()

    def _changes_file(self) -> Path | None:
        name = self.config.get("changes_file")
        if not name:
            return None
        if may_be_a_key(name):
            self.errors.append(f"changes_file {MAY_BE_A_KEY}, such as ./changes.jsonl")
            return None
        path = Path(name)
        try:
            open(path, "a", encoding="utf-8", opener=open_private).close()
            keep_private(path)
        except FileNotFoundError:
            self.errors.append(
                f"changes_file: there is no folder {path.resolve().parent}; create it, or correct"
                " the path"
            )
        except OSError as error:
            self.errors.append(f"changes_file: {name} cannot be written: {error.strerror}")
        except ValueError:
            self.errors.append("changes_file is not a path")
        return path

    def _tables(self) -> dict[str, Table]:
        tables, errors = apply_overrides(self.config.get("properties") or {})
        self.errors += errors
        return {**tables, "products": with_stock(tables["products"], self.config["stock"])}

    def _owners(self, tables: Mapping[str, Table]) -> dict[str, dict[str, Owner]]:
        owners: dict[str, dict[str, Owner]] = {entity: {} for entity in ENTITIES}
        for entity, owner in (self.config.get("owners") or {}).items():
            if entity not in tables:
                self.errors.append(f'owners: "{entity}" must be customers, products or orders')
                continue
            by_row = owner if isinstance(owner, dict) else {"*": owner}
            owners[entity] = self._owners_of(tables[entity], by_row)
        return owners

    def _owners_of(self, table: Table, by_row: Mapping[str, Any]) -> dict[str, Owner]:
        """Return the owner of each row that has one; "*" stands for the rows that are not named."""
        rows = [row.name for row in table.rows]
        owners: dict[str, Owner] = {}
        for name in sorted(by_row, key=rows.__contains__):  # "*" first
            full_name = f"{table.entity}.{name}"
            if name != "*" and name not in rows:
                self.errors.append(f'owners: there is no row "{full_name}" in docs/dataflow.md')
            elif by_row[name] not in [owner.value for owner in Owner]:
                self.errors.append(f"owners: {full_name} must be shop, go or newest")
            else:
                owners |= dict.fromkeys(rows if name == "*" else [name], Owner(by_row[name]))
        return owners

    def _time_zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.config["time_zone"])
        except (ZoneInfoNotFoundError, ValueError):
            self.errors.append("time_zone: there is no such zone; use a name like Europe/Oslo")
            return ZoneInfo("UTC")
