"""The walk of a customer, with the delivery address and the contact person that hang on it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from target_powerofficego.changes import (
    Conflict,
    Create,
    Hold,
    Nothing,
    Patch,
    RowChange,
    Undecidable,
)
from target_powerofficego.changes import Link as LinkChange
from target_powerofficego.dataflow import addresses, customer, values
from target_powerofficego.dataflow.anonymised import (
    ANONYMISED,
    anonymous_customer,
    is_anonymised_customer,
)
from target_powerofficego.dataflow.order import GUEST, MADE_FOR_ORDERS
from target_powerofficego.destinations import (
    Destination,
    contact_destination,
    customer_destination,
)
from target_powerofficego.erased import ERASED_CUSTOMER
from target_powerofficego.go_api import TestFailed
from target_powerofficego.links import Agreement, now
from target_powerofficego.matching import match_customer
from target_powerofficego.walks.entity_walk import EntityWalk

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Mapping, Sequence

    from target_powerofficego.changes import Change
    from target_powerofficego.dataflow.addresses import Address
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.links import Link
    from target_powerofficego.walks.tools import Tools

_SHIPPING, _PERSON = "shipping_address", "contact_person"


class CustomersWalk(EntityWalk):
    """Customers of the shop, and guests made into customers."""

    entity = "customers"
    silent_rows = frozenset(
        f"address_{part}" for part in ("line1", "line2", "postal_code", "city", "country_code")
    )

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._address_locks: dict[str, threading.Lock] = {}

    def _take(
        self, record: Record, read_at: datetime.datetime, *, at_end: bool
    ) -> tuple[str, Change]:
        if self.tools.erased.id_of(record["id"]) is not None:
            return "unchanged", Nothing(ERASED_CUSTOMER)
        return super()._take(record, read_at, at_end=at_end)

    def _settle(
        self, record: Record, read_at: datetime.datetime, *, at_end: bool
    ) -> tuple[str, Change]:
        """Settle a customer; of one that the shop has anonymised only whether it may buy."""
        link = self.tools.store.link(self.entity, record["id"])
        marks, base = self.tools.settings.anonymised_marks, link.base if link else {}
        if is_anonymised_customer(record, base, marks):
            self.tools.tally.count_stage(self.entity, record["id"], "anonymised")
            record = anonymous_customer(record)
        return super()._settle(record, read_at, at_end=at_end)

    def _read(self, record: Record) -> Mapping[str, Value]:
        if ANONYMISED not in record:
            return super()._read(record)
        rows = ("id", "type", "archived")
        return self.table.read(record, self.tools.conversion, rows=rows).values

    def _meet(
        self, record: Record, row_values: Mapping[str, Value], read_at: datetime.datetime
    ) -> tuple[str, Change]:
        if ANONYMISED in record and isinstance(self.match(record, row_values), Create):
            return "unchanged", Nothing("anonymised in the shop and never in Go")
        return super()._meet(record, row_values, read_at)

    def match(self, record: Record, row_values: Mapping[str, Value]) -> LinkChange | Create:
        """See `match_customer`; a guest is matched on the number of its company, else by e-mail."""
        settings = self.tools.settings
        kind = "company" if customer.is_company(record) else "person"
        is_guest = record["id"].startswith(GUEST)
        by_guest = ("organization_number" if row_values.get("organization_number") else "email",)
        return match_customer(
            record["id"],
            row_values,
            shop_name=settings.shop_name,
            match_on=by_guest if is_guest else settings.match_customers_on[kind],
            index=self.tools.index,
            store=self.tools.store,
        )

    def target(self, record: Record, row_values: Mapping[str, Value]) -> Destination:
        """Return where the customer is created."""
        return customer_destination(record["id"], row_values["id"])

    def extra_base(
        self, record: Record, read_at: datetime.datetime, *, is_new: bool
    ) -> dict[str, Agreement]:
        """Return the base of address and person; empty where they are to be written.

        So both are of a new customer, and the buyer of an order for a company that Go has already.
        """
        told = what_hangs_on(record)
        unwritten = set(told) if is_new else {_PERSON} if MADE_FOR_ORDERS in record else set()
        return {
            name: Agreement(None if name in unwritten else value, None, read_at, read_at)
            for name, value in told.items()
        }

    def write_extras(self, record: Record, read_at: datetime.datetime) -> bool:
        """Create or change delivery address and contact person where the shop changed them.

        A customer whose create was cut off has no base for them yet.
        """
        wrote = False
        for name, value in () if ANONYMISED in record else what_hangs_on(record).items():
            link = self.tools.store.link(self.entity, record["id"])
            if link is None:
                continue
            extra = _Extra(link, name, value, read_at)
            if extra.is_known:
                continue
            if value is None:
                self.tools.store.put_link(extra.agreed(None))
                continue
            write = self._write_address if name == _SHIPPING else self._write_person
            wrote |= write(record, extra)
        return wrote

    @property
    def _intent_entities(self) -> tuple[str, ...]:
        return (self.entity, "delivery_addresses", "contact_persons")

    def delivery_address(
        self, shop_id: str, go_id: str, address: Address, read_at: datetime.datetime
    ) -> tuple[int, bool]:
        """Return the id of a delivery address of a Go customer, and whether it had to be created.

        An equal one is used again, whoever made it. `shop_id` is what an unanswered write of it
        stands under.
        """
        with self._address_locks.setdefault(go_id, threading.Lock()):
            return self._delivery_address(shop_id, go_id, address, read_at)

    def _delivery_address(
        self, shop_id: str, go_id: str, address: Address, read_at: datetime.datetime
    ) -> tuple[int, bool]:
        tools = self.tools
        for entry in tools.index.find("delivery_addresses", f"contact:{go_id}"):
            if addresses.from_go(entry.body).content == address.content:
                return int(entry.go_id), False
        code = address.reference(tools.settings.shop_name)
        target = contact_destination(
            "ContactDeliveryAddresses", "delivery_addresses", shop_id, go_id, code
        )
        taken = tools.index.find("delivery_addresses", f"code:{code}")
        if any(str(entry.body.get("ContactId")) == go_id for entry in taken):
            code = replace(address, shop_id=None).reference(tools.settings.shop_name)
            target = contact_destination(
                "ContactDeliveryAddresses", "delivery_addresses", shop_id, go_id, code
            )
        body = {**address.body(), "ExternalCode": code}
        answer = tools.writer.create(target, body, body, read_at=read_at)
        tools.plan.add("delivery_addresses", shop_id, Create(body))
        with tools.store.transaction():
            kept = {"ContactId": int(go_id), **answer.body}
            tools.index.remember("delivery_addresses", kept, now())
            tools.store.end_intent(answer.intent)
        return int(answer.body["Id"]), True

    def _write_address(self, record: Record, extra: _Extra) -> bool:
        link = extra.link
        address = customer.shipping_address(record)
        if address is None:
            self.tools.store.put_link(extra.agreed(None))
            return False
        wanted = {**address.members(), "CountryCode": address.country_code or "NO"}
        code = address.reference(self.tools.settings.shop_name)
        for entry in self.tools.index.find("delivery_addresses", f"code:{code}"):
            if str(entry.body.get("ContactId")) == link.go_id:
                path = f"/ContactDeliveryAddresses/{link.go_id}/{entry.go_id}"
                change = _PartsChange(
                    "delivery_addresses", path, wanted, extra.base, addresses.folded
                )
                return self._change_parts(record, extra, change, entry.body)
        _, was_made = self.delivery_address(record["id"], link.go_id, address, extra.read_at)
        self.tools.store.put_link(extra.agreed(list(wanted.values())))
        return was_made

    def _write_person(self, record: Record, extra: _Extra) -> bool:
        tools, link = self.tools, extra.link
        names = customer.contact_person(record)
        if names is None:
            tools.store.put_link(extra.agreed(None))
            return False
        code = values.short_reference(tools.settings.shop_name, record["id"])
        body = {"FirstName": names[0], "LastName": names[1]}
        for entry in tools.index.find("contact_persons", f"code:{code}"):
            if str(entry.body.get("ContactId")) == link.go_id:
                path = f"/ContactPersons/{link.go_id}/{entry.go_id}"
                change = _PartsChange("contact_persons", path, body, extra.base, values.same_text)
                return self._change_parts(record, extra, change, entry.body)
        target = contact_destination(
            "ContactPersons", "contact_persons", record["id"], link.go_id, code
        )
        sent = {**body, "ExternalCode": code}
        answer = tools.writer.create(target, sent, sent, read_at=extra.read_at)
        tools.plan.add("contact_persons", record["id"], Create(sent))
        with tools.store.transaction():
            tools.store.put_link(extra.agreed(list(names)))
            tools.index.remember(
                "contact_persons", {"ContactId": int(link.go_id), **answer.body}, now()
            )
            tools.store.end_intent(answer.intent)
        return True

    def _change_parts(
        self, record: Record, extra: _Extra, change: _PartsChange, there: Mapping[str, Value]
    ) -> bool:
        """Write the parts that the shop changed; return whether any were.

        What both sides hold then is kept with the answer, at once: a run that is killed in between
        would take a return to the value before for no edit.

        Raises:
            Undecidable: with a Hold, when Go changed one of them too.
        """
        tools = self.tools
        for is_last_try in (False, True):
            rows, clashes = change.rows(there)
            for clash in clashes:
                tools.note_conflict(self.entity, record["id"], clash)
            if clashes:
                raise Undecidable(change.hold(clashes))
            if not rows:
                tools.store.put_link(extra.agreed(change.of(there)))
                return False
            try:
                answer = tools.writer.change(
                    change.entity, record["id"], change.path, rows, read_at=extra.read_at
                )
            except TestFailed:
                if is_last_try:
                    raise
                there = {**there, **tools.go.read(change.path)}
                tools.index.remember(change.entity, there, now())
                continue
            there = {**there, **answer.body}
            tools.plan.add(change.entity, record["id"], Patch(tuple(rows)))
            with tools.store.transaction():
                tools.store.put_link(extra.agreed(change.of(there)))
                tools.index.remember(change.entity, there, now())
                tools.store.end_intent(answer.intent)
            return True
        msg = "unreachable: the last try returns or raises"
        raise AssertionError(msg)


@dataclass(frozen=True)
class _Extra:
    """The delivery address or contact person of a customer, as the shop tells it now."""

    link: Link
    name: str
    value: list[str] | None
    read_at: datetime.datetime

    @property
    def base(self) -> Agreement | None:
        """What both sides last agreed on."""
        return self.link.base.get(self.name)

    @property
    def is_known(self) -> bool:
        """Whether the shop says what was agreed on, or was read before that."""
        base = self.base
        return base is not None and (base.shop == self.value or self.read_at < base.shop_read_at)

    def agreed(self, in_go: list[Value] | None) -> Link:
        """Return the link once both sides have agreed, and Go holds this."""
        told = Agreement(self.value, in_go, self.read_at, now())
        return replace(self.link, base={**self.link.base, self.name: told})


@dataclass(frozen=True)
class _PartsChange:
    """What an address or a contact person is to hold, and what both sides last agreed on."""

    entity: str
    path: str
    wanted: Mapping[str, Value]
    base: Agreement | None
    same: Callable[[Value], Value]

    def of(self, entry: Mapping[str, Value]) -> list[Value]:
        """Return the parts of an entry in the order in which they are agreed on."""
        return [entry.get(name) for name in self.wanted]

    def hold(self, clashes: Sequence[Conflict]) -> Hold:
        """Return the hold of parts that both sides changed."""
        names = ", ".join(clash.row.rpartition(": ")[2] for clash in clashes)
        return Hold(f"both sides changed {names} in its {self._kind}")

    def rows(self, there: Mapping[str, Value]) -> tuple[list[RowChange], list[Conflict]]:
        """Return the parts to write, and those that both sides changed."""
        same = self.same
        told = (self.base and self.base.shop) or [None] * len(self.wanted)
        known = (self.base and self.base.go) or self.of(there)
        rows: list[RowChange] = []
        clashes: list[Conflict] = []
        for (name, value), before, in_go in zip(self.wanted.items(), told, known, strict=True):
            is_told_again = before is not None and same(before) == same(value)
            if is_told_again or same(value) == same(there.get(name)):
                continue
            if same(in_go) != same(there.get(name)):
                agreed = replace(self.base, shop=before, go=in_go) if self.base else None
                why = "both sides changed it"
                row = f"{self._kind}: {name}"
                clashes.append(Conflict(row, value, there.get(name), None, why, agreed))
            rows.append(RowChange(name, f"/{name}", there.get(name), value))
        return rows, clashes

    @property
    def _kind(self) -> str:
        return self.entity.replace("_", " ")


def what_hangs_on(record: Record) -> dict[str, list[str] | None]:
    """Return what the shop tells of entries of their own, under the names that the base has."""
    return {_SHIPPING: _shipping_value(record), _PERSON: _person_value(record)}


def _shipping_value(record: Record) -> list[str] | None:
    address = customer.shipping_address(record)
    return list(address.content) if address else None


def _person_value(record: Record) -> list[str] | None:
    names = customer.contact_person(record)
    return list(names) if names else None
