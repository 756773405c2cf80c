"""The walk of a customer, with the delivery address and the contact person that belong to it."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import customer, values
from target_powerofficego.dataflow.orders.order import GUEST
from target_powerofficego.dataflow.table import Agreement, now
from target_powerofficego.decisions.changes import (
    Conflict,
    Create,
    Hold,
    Patch,
    RowChange,
    Skip,
    Undecidable,
)
from target_powerofficego.decisions.changes import Link as LinkChange
from target_powerofficego.decisions.personal_data import (
    ANONYMISED,
    ERASED_CUSTOMER,
    NEVER_IN_GO,
    anonymous_customer,
    is_anonymised_customer,
)
from target_powerofficego.go_api import Refused, TestFailed
from target_powerofficego.settle.record_flow import Arrival
from target_powerofficego.sync.go.operations import (
    Destination,
    contact_destination,
    customer_destination,
)
from target_powerofficego.sync.go.writer import CHANGE_NOT_VISIBLE, CREATE_NOT_VISIBLE
from target_powerofficego.sync.linked import ParsedArrival
from target_powerofficego.sync.matching import match_customer
from target_powerofficego.sync.unlinked import EntityWalk

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from target_powerofficego.dataflow.customer import Address
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
    "delivery_addresses": customer.folded,
    "contact_persons": values.normalise_text,
}
"""How a member of what belongs to a customer is compared."""

_PERSON_MEMBERS = ("FirstName", "LastName")

_OWN_CODES = 20
"""How many codes are looked for: each but the first means that another customer had all before."""


class CustomersWalk(EntityWalk):
    """Customers of the shop, and guests made into customers."""

    entity = "customers"
    unstamped_rows = frozenset(
        f"address_{part}" for part in ("line1", "line2", "postal_code", "city", "country_code")
    )

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._address_locks: dict[str, threading.RLock] = {}

    def _take(self, arrival: Arrival) -> Change:
        if self.tools.erased.id_of(arrival.shop_id) is not None:
            return Skip(ERASED_CUSTOMER)
        return super()._take(arrival)

    def _settle(self, arrival: Arrival) -> Change:
        """Settle a customer; of one that the shop has anonymised, only whether it may buy."""
        record = arrival.record
        link = self.tools.store.links.get(self.entity, arrival.shop_id)
        marks, base = self.tools.settings.anonymised_marks, link.base if link else {}
        if is_anonymised_customer(record, base, marks):
            self.tools.tally.count_stage(self.entity, arrival.shop_id, "anonymised")
            arrival = replace(arrival, record=anonymous_customer(record))
        return super()._settle(arrival)

    def read_rows(self, arrival: Arrival) -> ParsedArrival:
        """See `LinkedWalk`; of an anonymised customer, only what says whether it may buy."""
        if ANONYMISED not in arrival.record:
            return super().read_rows(arrival)
        rows = ("id", "type", "archived")
        told = self.table.read(arrival.record, self.tools.conversion, rows=rows).values
        return ParsedArrival(arrival.record, arrival.read_at, arrival.at_end, values=told)

    def _settle_unlinked(self, arrival: ParsedArrival) -> Change:
        is_there = arrival.values.get("archived") is not True
        is_wiped = is_there and ANONYMISED in arrival.record
        if is_wiped and isinstance(self.match(arrival), Create):
            self.tools.store.unsettled.clear(self.entity, arrival.shop_id)
            return Skip(NEVER_IN_GO)
        return super()._settle_unlinked(arrival)

    def match(self, arrival: ParsedArrival) -> LinkChange | Create:
        """See `match_customer`; a guest is matched on its company's number, else by e-mail."""
        settings = self.tools.settings
        kind = "company" if customer.is_company(arrival.record) else "person"
        by_guest = "organization_number" if arrival.values.get("organization_number") else "email"
        is_guest = arrival.shop_id.startswith(GUEST)
        return match_customer(
            arrival.shop_id,
            arrival.values,
            is_deleted_in_shop=self.is_deleted_in_shop(arrival),
            shop_name=settings.shop_name,
            match_on=(by_guest,) if is_guest else settings.match_customers_on[kind],
            index=self.tools.index,
            store=self.tools.store,
        )

    def target(self, arrival: ParsedArrival) -> Destination:
        """Return where the customer is created."""
        return customer_destination(arrival.shop_id, arrival.values["id"])

    def extra_base(self, arrival: Arrival, *, is_new: bool) -> dict[str, Agreement]:
        """Return the base of address and person, without those that have yet to be written.

        For a new customer that is both; for an order of a company that Go already has, it is the
        buyer.
        """
        told = customer.separate_entries(arrival.record)
        of_order = {customer.CONTACT_PERSON} if arrival.is_made else set()
        unwritten = set(told) if is_new else of_order
        return {
            name: Agreement(value, None, arrival.read_at, arrival.read_at)
            for name, value in told.items()
            if name not in unwritten
        }

    def write_extras(self, arrival: Arrival, link: Link) -> tuple[Link, bool]:
        """Create or change delivery address and contact person where the shop changed them.

        A customer whose create was cut off has no base for them yet.
        """
        is_wiped, wrote = ANONYMISED in arrival.record, False
        told = {} if is_wiped else customer.separate_entries(arrival.record)
        for name, value in told.items():
            extra = _Extra(link, name, value, arrival.read_at)
            if not extra.is_known:
                link, has_written = self._write_extra(arrival, extra)
                wrote |= has_written
        return link, wrote

    def complete_create(self, record: Record, link: Link, read_at: datetime.datetime) -> None:
        """Write what belongs to a guest whose create was cut off before that was written.

        A guest's record is not sent again: only its order is.
        """
        is_own = bool(link.base) and not link.is_follower
        if is_own and not {customer.SHIPPING, customer.CONTACT_PERSON} <= link.base.keys():
            self.write_extras(Arrival(record, read_at), link)

    @property
    def _intent_entities(self) -> tuple[str, ...]:
        return (self.entity, "delivery_addresses", "contact_persons")

    def delivery_address(
        self, shop_id: str, contact: Contact, address: Address, read_at: datetime.datetime
    ) -> tuple[int, bool]:
        """Return the id of a delivery address of a Go customer, and whether it had to be created.

        An equal address is reused, whoever made it. `shop_id` is the id under which an unanswered
        write of it is kept.

        Raises:
            Undecidable: with a Park, as `require_addresses_visible`.
        """
        with self._address_lock(contact):
            tools, place = self.tools, _Place("delivery_addresses", shop_id, contact.go_id)
            self.require_addresses_visible(shop_id, contact)
            for entry in tools.index.find(place.entity, f"contact:{contact.go_id}"):
                if customer.address_from_go(entry.body).content == address.content:
                    return int(entry.go_id), False
            codes = customer.address_codes(tools.settings.shop_name, contact.shop_id, address)
            return self._create_part(place, address.members(), codes, read_at)

    def _address_lock(self, contact: Contact) -> threading.RLock:
        return self._address_locks.setdefault(contact.go_id, threading.RLock())

    def require_addresses_visible(self, shop_id: str, contact: Contact) -> None:
        """Require that Go shows all delivery addresses of a customer as they are.

        One that is not seen may be equal to the wanted one, or primary. An unanswered create of
        the same record, kept under `shop_id`, is sent again, and Go refuses it a second time.

        Raises:
            Undecidable: with a Park.
        """
        writer, place = self.tools.writer, _Place("delivery_addresses", shop_id, contact.go_id)
        with self._address_lock(contact):  # what another worker has under way gets its answer
            changes = writer.open_changes(place.entity, place.path)
            creates = writer.open_creates(place.entity, place.path)
        if changes:
            raise Undecidable(CHANGE_NOT_VISIBLE)
        if any(intent.shop_id != shop_id for intent in creates):
            raise Undecidable(CREATE_NOT_VISIBLE)

    def _create_part(
        self,
        place: _Place,
        wanted: Mapping[str, Value],
        codes: Iterable[str],
        read_at: datetime.datetime,
    ) -> tuple[int, bool]:
        """Create what belongs to a Go customer, under the first code that nothing in Go has.

        Return its id, and whether it was created: an equal one that appeared meanwhile is reused.
        """
        free = (code for code in codes if not self.tools.index.find(place.entity, f"code:{code}"))
        for code in free:
            there, was_made = self._create_under(code, place, wanted, read_at)
            if was_made or place.has(there, wanted):
                return int(there["Id"]), was_made
        raise AssertionError("unreachable: codes never end")

    def _create_under(
        self, code: str, place: _Place, wanted: Mapping[str, Value], read_at: datetime.datetime
    ) -> tuple[Mapping[str, Any], bool]:
        """Return the entry of Go that has a code, and whether it was created just now."""
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
        was_made = not answer.existed_already and str(there["ContactId"]) == place.go_id
        if was_made:
            tools.plan.add(place.entity, place.shop_id, Create(sent))
        with tools.store.transaction():
            tools.index.remember(place.entity, there, now())
            tools.store.intents.end(answer.intent)
        return there, was_made

    def _holder(self, resource: str, code: str) -> Mapping[str, Any] | None:
        """Return what has a code in Go now, whichever customer it belongs to.

        How Go words that a code is taken is not known, so any refusal may mean it.
        """
        # PowerOffice Go reads a comma in a filter as the end of one value.
        params = {} if "," in code else {"externalCodes": code}
        listed = self.tools.go.list_all(f"/{resource}", params=params)
        return next((one for one in listed if one.get("ExternalCode") == code), None)

    def _own_part(self, place: _Place, codes: Iterable[str]) -> Entry | None:
        """Return the entry of a Go customer that has the first of these codes, if any."""
        found = self.tools.index.find(place.entity, f"contact:{place.go_id}")
        by_code = {entry.body.get("ExternalCode"): entry for entry in found}
        return next((by_code[code] for code in codes if code in by_code), None)

    def _write_extra(self, arrival: Arrival, extra: _Extra) -> tuple[Link, bool]:
        """Write an address or a person; return the link, and whether anything was written."""
        if extra.value is None:
            return self._agree(extra.agreed(None)), False
        shop_id, go_id = arrival.shop_id, extra.link.go_id
        address = customer.shipping_address(arrival.record) if extra.is_address else None
        members = zip(_PERSON_MEMBERS, extra.value, strict=True) if address is None else ()
        wanted: dict[str, Value] = {**address.members()} if address else dict(members)
        place, codes = self._place_and_codes(shop_id, go_id, address)
        own = self._own_part(place, codes)
        if own is not None:
            return self._change_parts(_PartsChange(place, own.go_id, wanted, extra), own.body)
        if address is None:
            free = values.numbered_references(self.tools.settings.shop_name, shop_id)
            _, was_made = self._create_part(place, wanted, free, extra.read_at)
        else:
            contact = Contact(shop_id, go_id)
            _, was_made = self.delivery_address(shop_id, contact, address, extra.read_at)
        return self._agree(extra.agreed(list(wanted.values()))), was_made

    def _place_and_codes(
        self, shop_id: str, go_id: str, address: Address | None
    ) -> tuple[_Place, list[str]]:
        """Return where an address is, or a person without one, and the codes it may have there."""
        shop_name = self.tools.settings.shop_name
        if address is None:
            codes = values.numbered_references(shop_name, shop_id)
            return _Place("contact_persons", shop_id, go_id), [*itertools.islice(codes, _OWN_CODES)]
        codes = customer.address_codes(shop_name, shop_id, address)
        former = customer.former_address_code(shop_name, address)
        place = _Place("delivery_addresses", shop_id, go_id)
        return place, [*itertools.islice(codes, _OWN_CODES), former]

    def _agree(self, link: Link) -> Link:
        self.tools.store.links.put(link)
        return link

    def _change_parts(self, change: _PartsChange, there: Mapping[str, Value]) -> tuple[Link, bool]:
        """Write the parts that the shop changed; return the link, and whether any were.

        What both sides then hold is kept with the answer, at once: after a run that is killed in
        between, a return to the former value would not be seen as an edit.

        Raises:
            Undecidable: with a Hold, when Go changed one of them too.
            TestFailed: Go was edited again and again.
        """
        tools, entity, shop_id = self.tools, change.place.entity, change.place.shop_id
        for is_last_try in (False, True):
            rows, clashes = change.rows(there)
            for clash in clashes:
                tools.note_conflict(self.entity, shop_id, clash)
            if clashes:
                raise Undecidable(change.hold(clashes))
            if not rows:
                return self._agree(change.agreed(there)), False
            try:
                answer = tools.writer.change(
                    entity, shop_id, change.path, rows, read_at=change.extra.read_at
                )
            except TestFailed:
                if is_last_try:
                    raise
                there = {**there, **tools.go.read(change.path)}
                tools.index.remember(entity, there, now())
            else:
                break
        there, link = {**there, **answer.body}, change.agreed({**there, **answer.body})
        tools.plan.add(entity, shop_id, Patch(tuple(rows)))
        with tools.store.transaction():
            tools.store.links.put(link)
            tools.index.remember(entity, there, now())
            tools.store.intents.end(answer.intent)
        return link, True


@dataclass(frozen=True)
class Contact:
    """A customer of the shop, and the Go customer that stands for it."""

    shop_id: str
    go_id: str


@dataclass(frozen=True)
class _Place:
    """Where what belongs to a Go customer is created; an intent is kept under `shop_id`."""

    entity: str
    shop_id: str
    go_id: str

    @property
    def resource(self) -> str:
        """The path of its kind in Go."""
        return _RESOURCES[self.entity]

    @property
    def path(self) -> str:
        """Where it is created in Go, and what is below."""
        return f"/{self.resource}/{self.go_id}"

    def has(self, entry: Mapping[str, Any], wanted: Mapping[str, Value]) -> bool:
        """Return whether an entry of Go belongs to this customer and is what is wanted."""
        same = _SAME[self.entity]
        is_equal = all(same(entry.get(name)) == same(value) for name, value in wanted.items())
        return is_equal and str(entry.get("ContactId")) == self.go_id


@dataclass(frozen=True)
class _Extra:
    """The delivery address or contact person of a customer, as the shop has it now."""

    link: Link
    name: str
    value: list[str] | None
    read_at: datetime.datetime

    @property
    def is_address(self) -> bool:
        """Whether it is the delivery address."""
        return self.name == customer.SHIPPING

    @property
    def base(self) -> Agreement | None:
        """What both sides last agreed on."""
        return self.link.base.get(self.name)

    @property
    def is_known(self) -> bool:
        """Whether the shop says what was agreed on."""
        return self.base is not None and self.base.shop == self.value

    def agreed(self, in_go: list[Value] | None) -> Link:
        """Return the link once both sides have agreed and Go holds `in_go`."""
        told = Agreement(self.value, in_go, self.read_at, now())
        return replace(self.link, base={**self.link.base, self.name: told})


@dataclass(frozen=True)
class _PartsChange:
    """What an address or a contact person in Go is to hold."""

    place: _Place
    go_id: str
    wanted: Mapping[str, Value]
    extra: _Extra

    @property
    def path(self) -> str:
        """Where it is in Go."""
        return f"{self.place.path}/{self.go_id}"

    def agreed(self, entry: Mapping[str, Value]) -> Link:
        """Return the link once both sides have agreed and Go holds this entry."""
        return self.extra.agreed(self._parts_of(entry))

    def _parts_of(self, entry: Mapping[str, Value]) -> list[Value]:
        """Return the parts of an entry in the order in which they are agreed on."""
        return [entry.get(name) for name in self.wanted]

    def hold(self, clashes: Sequence[Conflict]) -> Hold:
        """Return the hold for parts that both sides changed."""
        names = ", ".join(clash.row.rpartition(": ")[2] for clash in clashes)
        return Hold(f"both sides changed {names} in its {self._kind}")

    def rows(self, there: Mapping[str, Value]) -> tuple[list[RowChange], list[Conflict]]:
        """Return the parts to write, and those that both sides changed."""
        same, base = _SAME[self.place.entity], self.extra.base
        told = (base and base.shop) or [None] * len(self.wanted)
        known = (base and base.go) or self._parts_of(there)
        rows: list[RowChange] = []
        clashes: list[Conflict] = []
        for (name, value), before, in_go in zip(self.wanted.items(), told, known, strict=True):
            is_told_again = before is not None and same(before) == same(value)
            if is_told_again or same(value) == same(there.get(name)):
                continue
            if same(in_go) != same(there.get(name)):
                agreed = replace(base, shop=before, go=in_go) if base else None
                why = "both sides changed it"
                row = f"{self._kind}: {name}"
                clashes.append(Conflict(row, value, there.get(name), None, why, agreed))
            rows.append(RowChange(name, f"/{name}", there.get(name), value))
        return rows, clashes

    @property
    def _kind(self) -> str:
        return self.place.entity.replace("_", " ")
