"""The entries of Go, read in bulk and kept in the link store, so that no record needs its own call.

Go allows only ten calls per second. An entity is listed in full at first, and again every
`full_check_hours`, since edits of addresses and stock do not change an entry's stamp. In between,
only entries changed since Go's own newest stamp are listed, with an overlap. An entity is read when
the first record needs it.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.table import now
from target_powerofficego.dataflow.values import instant_or_none
from target_powerofficego.go_api import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_powerofficego.dataflow.table import Table
    from target_powerofficego.go_api import GoClient
    from target_powerofficego.store.link_store import LinkStore


logger = logging.getLogger("target-powerofficego")

_OVERLAP = datetime.timedelta(minutes=5)
_MAX_AHEAD = datetime.timedelta(days=1)
_BATCH_SIZE = 500

Keys = list[str]


@dataclass(frozen=True)
class Source:
    """A list of Go: its fields, its filter for changed entries, and the keys of an entry."""

    entity: str
    resource: str
    changed_filter: str | None
    stamp: str
    fields: tuple[str, ...] | None
    keys: Callable[[Mapping[str, Any]], Keys]

    @property
    def name(self) -> str:
        """The name of its watermark; with other fields it is another list, to be read in full."""
        digest = hashlib.sha256(" ".join(self.fields or ()).encode()).hexdigest()
        return f"{self.resource} {digest[:8]}"


@dataclass(frozen=True)
class Entry:
    """An entry as last read from Go."""

    go_id: str
    body: Mapping[str, Any]
    read_at: datetime.datetime

    @property
    def is_invoice(self) -> bool:
        """Whether an order is no longer a sales order, but an invoice or credit note."""
        return "InvoiceNo" in self.body


def _customer_keys(entry: Mapping[str, Any]) -> Keys:
    return [
        *_key("ref", entry.get("ExternalImportReference")),
        *_key("org", values.normalise_organization_number(entry.get("OrganizationNumber"))),
        *_key("email", values.normalise_email(entry.get("EmailAddress"))),
    ]


def _product_keys(entry: Mapping[str, Any]) -> Keys:
    return [
        *_key("code", values.normalise_code(entry.get("Code"))),
        *_key("gtin", values.normalise_gtin(entry.get("Gtin"))),
    ]


def _order_keys(entry: Mapping[str, Any]) -> Keys:
    return [
        *_key("ref", entry.get("ExternalImportReference")),
        *(_key("credits", entry.get("RelatedInvoiceNo")) if "InvoiceNo" in entry else ()),
    ]


def _contact_keys(entry: Mapping[str, Any]) -> Keys:
    return [*_key("contact", entry.get("ContactId")), *_key("code", entry.get("ExternalCode"))]


def _key(kind: str, value: object) -> Keys:
    return [f"{kind}:{value}"] if value else []


def _fields(table: Table, *more: str) -> tuple[str, ...]:
    """Return the members that are needed for matching and merging."""
    names = [row.go.split(".")[0] for row in table.active if row.direction.reaches_go]
    return tuple(dict.fromkeys(["Id", *more, *names, "LastChangedDateTimeOffset"]))


def sources(tables: Mapping[str, Table]) -> tuple[Source, ...]:
    """Return the lists to read, with the members that the property tables name."""
    change_stamp = ("lastChangedDateTimeOffsetGreaterThan", "LastChangedDateTimeOffset")
    customers = _fields(
        tables["customers"],
        "Number",
        "SubledgerAccountId",
        "ExternalImportReference",
        "OrganizationNumber",
        "EmailAddress",
        "IsPerson",
        "Name",
    )
    products = _fields(tables["products"], "Code", "Gtin")
    return (
        Source("customers", "Customers", *change_stamp, customers, _customer_keys),
        Source("products", "Products", *change_stamp, products, _product_keys),
        Source("orders", "SalesOrders", *change_stamp, _ORDER_FIELDS, _order_keys),
        Source(
            "orders",
            "OutgoingInvoices",
            "sentDateTimeOffsetGreaterThan",
            "SentDateTimeOffset",
            _INVOICE_FIELDS,
            _order_keys,
        ),
        Source(
            "delivery_addresses", "ContactDeliveryAddresses", *change_stamp, None, _contact_keys
        ),
        Source("contact_persons", "ContactPersons", *change_stamp, None, _contact_keys),
    )


_ORDER_FIELDS = (
    "Id",
    "ExternalImportReference",
    "SalesOrderNo",
    "SalesOrderStatus",
    "TotalAmount",
    "LastChangedDateTimeOffset",
)
"""Enough to find an order and compare its total; a merge reads the order itself, with its lines.

No member reveals the buyer.
"""

_INVOICE_FIELDS = (
    "Id",
    "ExternalImportReference",
    "InvoiceNo",
    "OrderNo",
    "SentDateTimeOffset",
    "TotalAmount",
    "RelatedInvoiceNo",
)


class GoIndex:
    """Finds entries of Go by id or key; invoices are listed from the date `orders_from` on."""

    def __init__(
        self,
        store: LinkStore,
        go: GoClient,
        *,
        tables: Mapping[str, Table],
        full_check: datetime.timedelta,
        orders_from: datetime.date | None,
    ) -> None:
        self._store = store
        self._go = go
        self._sources = sources(tables)
        self._erased = store.erasures.customers()
        self._full_check = full_check
        self._orders_from = orders_from
        self._opened_at = now()
        self._entities_read: set[str] = set()
        self._read_lock = threading.RLock()

    def find(self, entity: str, key: str) -> list[Entry]:
        """Return the entries with a key such as "ref:shop:12"."""
        self.ensure_read(entity)
        entries = (self.entry(entity, go_id) for go_id in self._store.go_entries.ids(entity, key))
        return [entry for entry in entries if entry is not None]

    def find_current(self, entity: str, key: str) -> list[Entry]:
        """As `find`, but read again any match from an earlier run: Go may no longer have it.

        Use it for linking, which is permanent.
        """
        matches = self.find(entity, key)
        old = [entry for entry in matches if not self._opened_at <= entry.read_at <= now()]
        for entry in old:
            self.read_again(entity, entry.go_id)
        return self.find(entity, key) if old else matches

    def entry(self, entity: str, go_id: str) -> Entry | None:
        """Return an entry by its id in Go."""
        self.ensure_read(entity)
        stored = self._store.go_entries.get(entity, go_id)
        return None if stored is None else Entry(go_id, *stored)

    def read_again(self, entity: str, go_id: str) -> Entry | None:
        """Read an entry from Go now; None if Go no longer has it.

        An order that is no longer a sales order is looked up among the outgoing invoices.
        """
        for source in self._sources:
            entry = self._read_now(source, go_id) if source.entity == entity else None
            if entry is not None:
                return entry
        self._store.go_entries.remove(entity, go_id)
        return None

    def read_invoice(self, entity: str, go_id: str) -> Entry | None:
        """Read the invoice of an order, which has the order's id, now; None if there is none."""
        source = next(source for source in self._sources if source.resource == "OutgoingInvoices")
        return self._read_now(source, go_id) if source.entity == entity else None

    def _read_now(self, source: Source, go_id: str) -> Entry | None:
        read_at = now()
        body = read_or_none(self._go, f"/{source.resource}/{go_id}")
        return None if body is None else self.remember(source.entity, body, read_at, source)

    def remember(
        self,
        entity: str,
        body: Mapping[str, Any],
        read_at: datetime.datetime,
        source: Source | None = None,
    ) -> Entry:
        """Keep an entry that Go has just returned; of an erased customer only what orders need."""
        source = source or next(source for source in self._sources if source.entity == entity)
        members = {name: body.get(name) for name in source.fields} if source.fields else dict(body)
        kept = self._erased.kept_entry(entity, members)
        go_id = str(body["Id"])
        if kept is None:
            return Entry(go_id, members, read_at)
        self._store.go_entries.put(entity, go_id, kept, source.keys(kept), read_at)
        return Entry(go_id, kept, read_at)

    def forget(self, entity: str, go_id: str) -> None:
        """Remove an entry that we deleted in Go."""
        self._store.go_entries.remove(entity, go_id)

    def ensure_read(self, entity: str) -> None:
        """Read an entity in bulk, once a run."""
        if entity in self._entities_read:
            return
        with self._read_lock:
            if entity in self._entities_read:
                return
            entity_sources = [source for source in self._sources if source.entity == entity]
            if any(self._is_full_read_due(source) for source in entity_sources):
                with self._store.transaction():
                    self._store.go_entries.clear(entity)
                    for source in entity_sources:
                        self._store.go_entries.remove_watermark(source.name)
            for source in entity_sources:
                mark = self._store.go_entries.watermark(source.name)
                self._list(source, *(mark or (None, now())))
            self._entities_read.add(entity)

    def _is_full_read_due(self, source: Source) -> bool:
        mark = self._store.go_entries.watermark(source.name)
        if mark is None:
            return True
        age = now() - mark[1]  # negative if a clock was wrong
        return not datetime.timedelta(0) <= age < self._full_check

    def _list(
        self, source: Source, changed_since: str | None, full_read_at: datetime.datetime
    ) -> None:
        params: dict[str, str] = {}
        since = values.instant_or_none(changed_since)
        if since and source.changed_filter:
            params[source.changed_filter] = (since - _OVERLAP).isoformat().replace("+00:00", "Z")
        elif source.resource == "OutgoingInvoices" and self._orders_from:
            params["fromDate"] = self._orders_from.isoformat()
        newest = changed_since or "" if since else ""
        read_at = now()
        listed = self._go.list_all(f"/{source.resource}", params=params, fields=source.fields)
        # no database lock is held during calls to Go, so that others can use the database
        while page := list(itertools.islice(listed, _BATCH_SIZE)):
            with self._store.transaction():
                for body in page:
                    self.remember(source.entity, body, read_at, source)
                    newest = max(
                        newest, _changed_at(body.get(source.stamp), self._go.server_time or read_at)
                    )
        self._store.go_entries.put_watermark(source.name, newest or None, full_read_at)


def read_or_none(go: GoClient, path: str) -> Mapping[str, Any] | None:
    """Return the entry that Go has at a path now; None if there is none."""
    try:
        entry: Mapping[str, Any] = go.read(path)
    except NotFound:
        return None
    return entry


def _changed_at(stamp: object, server_time: datetime.datetime) -> str:
    """Return an entry's stamp of its last change; "" if it is missing or implausible.

    A watermark in the future would hide all changes until then.
    """
    moment = values.instant_or_none(stamp)
    return str(stamp) if moment is not None and moment <= server_time + _MAX_AHEAD else ""


_STAMP = "LastChangedDateTimeOffset"


def newest_stamp(entry: Mapping[str, Any]) -> str | None:
    """Return when an entry of Go, or its mail address, was last changed.

    An edit of the address changes only the address's own stamp.
    """
    address = entry.get("MailAddress")
    stamps = [entry.get(_STAMP), address.get(_STAMP) if isinstance(address, dict) else None]
    by_moment = {moment: stamp for stamp in stamps if (moment := instant_or_none(stamp))}
    return by_moment[max(by_moment)] if by_moment else None
