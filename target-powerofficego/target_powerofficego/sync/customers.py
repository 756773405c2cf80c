"""The walk of a customer, with the delivery address and the contact person that hang on it."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import addresses, customer, values
from target_powerofficego.dataflow.agreement import Agreement, now
from target_powerofficego.dataflow.anonymised import (
    ANONYMISED,
    NEVER_KNOWN,
    anonymous_customer,
    is_anonymised_customer,
)
from target_powerofficego.dataflow.orders.order import GUEST, MADE_FOR_ORDERS
from target_powerofficego.decisions.changes import (
    Conflict,
    Create,
    Hold,
    Nothing,
    Patch,
    RowChange,
    Undecidable,
)
from target_powerofficego.decisions.changes import Link as LinkChange
from target_powerofficego.decisions.erased import ERASED_CUSTOMER
from target_powerofficego.go_api import Refused, TestFailed
from target_powerofficego.settle.arrival import Arrival
from target_powerofficego.sync.go.destinations import (
    Destination,
    contact_destination,
    customer_destination,
)
from target_powerofficego.sync.go.writer import CHANGE_NOT_SEEN
from target_powerofficego.sync.linked import EntityWalk
from target_powerofficego.sync.matching import match_customer

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from target_powerofficego.dataflow.addresses import Address
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.decisions.changes import Change
    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.go.index import Entry

_RESOURCES = {
    "delivery_addresses": "ContactDeliveryAddresses",
    "contact_persons": "ContactPersons",
}
_SAME: Mapping[str, Callable[[Any], Value]] = {
    "delivery_addresses": addresses.folded,
    "contact_persons": values.same_text,
}
"""How a member of what hangs on a customer is compared."""

_OWN_CODES = 20
"""How many codes are looked for: each but the first means that another customer had all before."""


class CustomersWalk(EntityWalk):
    """Customers of the shop, and guests made into customers."""

    entity = "customers"
    silent_rows = frozenset(
        f"address_{part}" for part in ("line1", "line2", "postal_code", "city", "country_code")
    )

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._address_locks: dict[str, threading.Lock] = {}

    def _take(self, arrival: Arrival) -> Change:
        if self.tools.erased.id_of(arrival.shop_id) is not None:
            return Nothing(ERASED_CUSTOMER)
        return super()._take(arrival)

    def _settle(self, arrival: Arrival) -> Change:
        """Settle a customer; of one that the shop has anonymised only whether it may buy."""
        record = arrival.record
        link = self.tools.store.link(self.entity, arrival.shop_id)
        marks, base = self.tools.settings.anonymised_marks, link.base if link else {}
        if is_anonymised_customer(record, base, marks):
            self.tools.tally.count_stage(self.entity, arrival.shop_id, "anonymised")
            arrival = replace(arrival, record=anonymous_customer(record))
        return super()._settle(arrival)

    def _read(self, record: Record) -> Mapping[str, Value]:
        if ANONYMISED not in record:
            return super()._read(record)
        rows = ("id", "type", "archived")
        return self.table.read(record, self.tools.conversion, rows=rows).values

    def _meet(
        self,
        arrival: Arrival,
        row_values: Mapping[str, Value],
    ) -> Change:
        is_there = row_values.get("archived") is not True
        is_wiped = is_there and ANONYMISED in arrival.record
        if is_wiped and isinstance(self.match(arrival.record, row_values), Create):
            self.tools.store.clear_unsettled(self.entity, arrival.shop_id)
            return Nothing(NEVER_KNOWN)
        return super()._meet(arrival, row_values)

    def match(self, record: Record, row_values: Mapping[str, Value]) -> LinkChange | Create:
        """See `match_customer`; a guest is matched on the number of its company, else by e-mail."""
        settings = self.tools.settings
        kind = "company" if customer.is_company(record) else "person"
        is_guest = record["id"].startswith(GUEST)
        by_guest = ("organization_number" if row_values.get("organization_number") else "email",)
        return match_customer(
            record["id"],
            row_values,
            is_gone=self.is_gone(record),
            shop_name=settings.shop_name,
            match_on=by_guest if is_guest else settings.match_customers_on[kind],
            index=self.tools.index,
            store=self.tools.store,
        )

    def target(self, record: Record, row_values: Mapping[str, Value]) -> Destination:
        """Return where the customer is created."""
        return customer_destination(record["id"], row_values["id"])

    def extra_base(self, arrival: Arrival, *, is_new: bool) -> dict[str, Agreement]:
        """Return the base of address and person, without those that are to be written.

        So both are of a new customer, and the buyer of an order for a company that Go has already.
        """
        told = customer.what_hangs_on(arrival.record)
        of_order = {customer.CONTACT_PERSON} if MADE_FOR_ORDERS in arrival.record else set()
        unwritten = set(told) if is_new else of_order
        return {
            name: Agreement(value, None, arrival.read_at, arrival.read_at)
            for name, value in told.items()
            if name not in unwritten
        }

    def write_extras(self, arrival: Arrival) -> bool:
        """Create or change delivery address and contact person where the shop changed them.

        A customer whose create was cut off has no base for them yet.
        """
        wrote, record = False, arrival.record
        for name, value in () if ANONYMISED in record else customer.what_hangs_on(record).items():
            link = self.tools.store.link(self.entity, record["id"])
            if link is None:
                continue
            extra = _Extra(link, name, value, arrival.read_at)
            if extra.is_known:
                continue
            if value is None:
                self.tools.store.put_link(extra.agreed(None))
                continue
            write = self._write_address if name == customer.SHIPPING else self._write_person
            wrote |= write(record, extra)
        return wrote

    def write_cut_off(self, record: Record, link: Link, read_at: datetime.datetime) -> None:
        """Write what hangs on a guest whose create was cut off before it was there.

        A guest's record is not told again: only its order is.
        """
        is_own = bool(link.base) and not link.is_follower
        if is_own and not {customer.SHIPPING, customer.CONTACT_PERSON} <= link.base.keys():
            self.write_extras(Arrival(record, read_at))

    @property
    def _intent_entities(self) -> tuple[str, ...]:
        return (self.entity, "delivery_addresses", "contact_persons")

    def delivery_address(
        self, shop_id: str, contact: Contact, address: Address, read_at: datetime.datetime
    ) -> tuple[int, bool]:
        """Return the id of a delivery address of a Go customer, and whether it had to be created.

        An equal one is used again, whoever made it. `shop_id` is what an unanswered write of it
        stands under.

        Raises:
            Undecidable: with a Park, while a change of one of them has no answer and is not seen.
        """
        with self._address_locks.setdefault(contact.go_id, threading.Lock()):
            tools = self.tools
            for entry in tools.index.find("delivery_addresses", f"contact:{contact.go_id}"):
                if addresses.from_go(entry.body).content == address.content:
                    return int(entry.go_id), False
            if tools.writer.open_changes("delivery_addresses", _addresses_of(contact)):
                raise Undecidable(CHANGE_NOT_SEEN)  # one of them may be equal by now
            codes = addresses.codes(tools.settings.shop_name, contact.shop_id, address)
            place = _Place("delivery_addresses", shop_id, contact.go_id)
            return self._create_part(place, address.members(), codes, read_at)

    def _create_part(
        self,
        place: _Place,
        wanted: Mapping[str, Value],
        codes: Iterable[str],
        read_at: datetime.datetime,
    ) -> tuple[int, bool]:
        """Create what hangs on a Go customer, under the first code that nothing in Go has.

        Return its id, and whether it was created: an equal one that came meanwhile is used again.
        """
        free = (code for code in codes if not self.tools.index.find(place.entity, f"code:{code}"))
        for code in free:
            there, was_made = self._create_under(code, place, wanted, read_at)
            if was_made or place.has(there, wanted):
                return int(there["Id"]), was_made
        msg = "unreachable: codes never end"
        raise AssertionError(msg)

    def _create_under(
        self, code: str, place: _Place, wanted: Mapping[str, Value], read_at: datetime.datetime
    ) -> tuple[Mapping[str, Any], bool]:
        """Return the entry of Go that has a code, and whether it was created under it just now."""
        tools = self.tools
        told = {name: value for name, value in wanted.items() if value is not None}
        sent = {**told, "ExternalCode": code}
        target = contact_destination(place.resource, place.entity, place.shop_id, place.go_id, code)
        try:
            answer = tools.writer.create(target, sent, sent, read_at=read_at)
        except Refused:
            holder = self._holder(place.resource, code)
            if holder is None:
                raise
            tools.index.remember(place.entity, holder, now())
            return holder, False
        there = {"ContactId": int(place.go_id), **answer.body}
        was_made = not answer.was_there and str(there["ContactId"]) == place.go_id
        if was_made:
            tools.plan.add(place.entity, place.shop_id, Create(sent))
        with tools.store.transaction():
            tools.index.remember(place.entity, there, now())
            tools.store.end_intent(answer.intent)
        return there, was_made

    def _holder(self, resource: str, code: str) -> Mapping[str, Any] | None:
        """Return what has a code in Go now, whichever customer it hangs on.

        How Go words that a code is taken is not known, so any refusal may mean it.
        """
        # PowerOffice Go reads a comma in a filter as the end of one value.
        params = {} if "," in code else {"externalCodes": code}
        listed = self.tools.go.list_all(f"/{resource}", params=params)
        return next((one for one in listed if one.get("ExternalCode") == code), None)

    def _own_part(self, entity: str, go_id: str, codes: Iterable[str]) -> Entry | None:
        """Return the entry of a Go customer that has the first of these codes, if any."""
        found = self.tools.index.find(entity, f"contact:{go_id}")
        by_code = {entry.body.get("ExternalCode"): entry for entry in found}
        return next((by_code[code] for code in codes if code in by_code), None)

    def _write_address(self, record: Record, extra: _Extra) -> bool:
        link, shop_name = extra.link, self.tools.settings.shop_name
        address = customer.shipping_address(record)
        if address is None:
            self.tools.store.put_link(extra.agreed(None))
            return False
        wanted, contact = address.members(), Contact(record["id"], link.go_id)
        codes = itertools.islice(addresses.codes(shop_name, record["id"], address), _OWN_CODES)
        former = addresses.former_code(shop_name, address)
        own = self._own_part("delivery_addresses", link.go_id, (*codes, former))
        if own is not None:
            path = f"{_addresses_of(contact)}/{own.go_id}"
            change = _PartsChange("delivery_addresses", path, wanted, extra.base)
            return self._change_parts(record, extra, change, own.body)
        _, was_made = self.delivery_address(record["id"], contact, address, extra.read_at)
        self.tools.store.put_link(extra.agreed(list(wanted.values())))
        return was_made

    def _write_person(self, record: Record, extra: _Extra) -> bool:
        link, shop_name = extra.link, self.tools.settings.shop_name
        names = customer.contact_person(record)
        if names is None:
            self.tools.store.put_link(extra.agreed(None))
            return False
        wanted = dict(zip(("FirstName", "LastName"), names, strict=True))
        codes = values.numbered_references(shop_name, record["id"])
        own = self._own_part("contact_persons", link.go_id, itertools.islice(codes, _OWN_CODES))
        if own is not None:
            path = f"/ContactPersons/{link.go_id}/{own.go_id}"
            change = _PartsChange("contact_persons", path, wanted, extra.base)
            return self._change_parts(record, extra, change, own.body)
        codes = values.numbered_references(shop_name, record["id"])
        place = _Place("contact_persons", record["id"], link.go_id)
        _, was_made = self._create_part(place, wanted, codes, extra.read_at)
        self.tools.store.put_link(extra.agreed(list(names)))
        return was_made

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
class Contact:
    """A customer of the shop, and the one in Go that stands for it."""

    shop_id: str
    go_id: str


def _addresses_of(contact: Contact) -> str:
    return f"/ContactDeliveryAddresses/{contact.go_id}"


@dataclass(frozen=True)
class _Place:
    """Where what hangs on a Go customer is created; `shop_id` is what an intent stands under."""

    entity: str
    shop_id: str
    go_id: str

    @property
    def resource(self) -> str:
        """The path of its kind in Go."""
        return _RESOURCES[self.entity]

    def has(self, entry: Mapping[str, Any], wanted: Mapping[str, Value]) -> bool:
        """Return whether an entry of Go hangs on this customer and is what is wanted."""
        same = _SAME[self.entity]
        is_equal = all(same(entry.get(name)) == same(value) for name, value in wanted.items())
        return is_equal and str(entry.get("ContactId")) == self.go_id


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
        """Whether the shop says what was agreed on."""
        return self.base is not None and self.base.shop == self.value

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

    def of(self, entry: Mapping[str, Value]) -> list[Value]:
        """Return the parts of an entry in the order in which they are agreed on."""
        return [entry.get(name) for name in self.wanted]

    def hold(self, clashes: Sequence[Conflict]) -> Hold:
        """Return the hold of parts that both sides changed."""
        names = ", ".join(clash.row.rpartition(": ")[2] for clash in clashes)
        return Hold(f"both sides changed {names} in its {self._kind}")

    def rows(self, there: Mapping[str, Value]) -> tuple[list[RowChange], list[Conflict]]:
        """Return the parts to write, and those that both sides changed."""
        same = _SAME[self.entity]
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
