"""The walk of a customer, with its delivery address and contact person."""

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
_NORMALISE: Mapping[str, Callable[[Any], Value]] = {
    "delivery_addresses": customer.folded,
    "contact_persons": values.normalise_text,
}
"""How the members of a delivery address or contact person are normalised to compare them."""

_PERSON_MEMBERS = ("FirstName", "LastName")

_MAX_CODES = 20
"""How many codes are tried; one after the first is used only if those before it were taken."""


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
        """Settle a customer; if the shop has anonymised it, only whether it is archived."""
        record = arrival.record
        link = self.tools.store.links.get(self.entity, arrival.shop_id)
        marks, base = self.tools.settings.anonymised_marks, link.base if link else {}
        if is_anonymised_customer(record, base, marks):
            self.tools.tally.count_stage(self.entity, arrival.shop_id, "anonymised")
            arrival = replace(arrival, record=anonymous_customer(record))
        return super()._settle(arrival)

    def read_rows(self, arrival: Arrival) -> ParsedArrival:
        """See `LinkedWalk`; of an anonymised customer, only the rows that are still its own."""
        if ANONYMISED not in arrival.record:
            return super().read_rows(arrival)
        rows = ("id", "type", "archived")
        parsed = self.table.read(arrival.record, self.tools.conversion, rows=rows).values
        return ParsedArrival(arrival.record, arrival.read_at, arrival.at_end, values=parsed)

    def _settle_unlinked(self, arrival: ParsedArrival) -> Change:
        is_active = arrival.values.get("archived") is not True
        is_anonymised = is_active and ANONYMISED in arrival.record
        if is_anonymised and isinstance(self.match(arrival), Create):
            self.tools.store.unsettled.clear(self.entity, arrival.shop_id)
            return Skip(NEVER_IN_GO)
        return super()._settle_unlinked(arrival)

    def match(self, arrival: ParsedArrival) -> LinkChange | Create:
        """See `match_customer`; a guest is matched by its organisation number, else by e-mail."""
        settings = self.tools.settings
        kind = "company" if customer.is_company(arrival.record) else "person"
        guest_field = (
            "organization_number" if arrival.values.get("organization_number") else "email"
        )
        is_guest = arrival.shop_id.startswith(GUEST)
        return match_customer(
            arrival.shop_id,
            arrival.values,
            is_deleted_in_shop=self.is_deleted_in_shop(arrival),
            shop_name=settings.shop_name,
            match_on=(guest_field,) if is_guest else settings.match_customers_on[kind],
            index=self.tools.index,
            store=self.tools.store,
        )

    def target(self, arrival: ParsedArrival) -> Destination:
        """Return where the customer is created."""
        return customer_destination(arrival.shop_id, arrival.values["id"])

    def extra_base(self, arrival: Arrival, *, is_new: bool) -> dict[str, Agreement]:
        """Return the base of the address and the contact person, without those still to be written.

        Those are both for a new customer, and the buyer for an order by a company that Go has.
        """
        stated = customer.separate_entries(arrival.record)
        buyer = {customer.CONTACT_PERSON} if arrival.is_made else set()
        unwritten = set(stated) if is_new else buyer
        return {
            name: Agreement(value, None, arrival.read_at, arrival.read_at)
            for name, value in stated.items()
            if name not in unwritten
        }

    def write_extras(self, arrival: Arrival, link: Link) -> tuple[Link, bool]:
        """Create or change the delivery address and contact person where the shop changed them.

        A customer whose create was interrupted has no base for them yet.
        """
        is_anonymised, wrote_any = ANONYMISED in arrival.record, False
        stated = {} if is_anonymised else customer.separate_entries(arrival.record)
        for name, value in stated.items():
            extra = _Extra(link, name, value, arrival.read_at)
            if not extra.is_agreed:
                link, has_written = self._write_extra(arrival, extra)
                wrote_any |= has_written
        return link, wrote_any

    def complete_create(self, record: Record, link: Link, read_at: datetime.datetime) -> None:
        """Write the address and contact person of a guest whose create was interrupted before them.

        A guest's record is not sent again: only its order is.
        """
        owns_entry = bool(link.base) and not link.is_follower
        if owns_entry and not {customer.SHIPPING, customer.CONTACT_PERSON} <= link.base.keys():
            self.write_extras(Arrival(record, read_at), link)

    @property
    def _intent_entities(self) -> tuple[str, ...]:
        return (self.entity, "delivery_addresses", "contact_persons")

    def delivery_address(
        self, shop_id: str, contact: Contact, address: Address, read_at: datetime.datetime
    ) -> tuple[int, bool]:
        """Return the id of a delivery address of a Go customer, and whether it was created now.

        An equal address is reused, whoever made it. `shop_id` is the id under which an unanswered
        write of it is stored.

        Raises:
            Undecidable: with a Park; see `require_addresses_visible`.
        """
        with self._address_lock(contact):
            tools, place = self.tools, _Place("delivery_addresses", shop_id, contact.go_id)
            self.require_addresses_visible(shop_id, contact)
            for entry in tools.index.find(place.entity, f"contact:{contact.go_id}"):
                if customer.address_from_go(entry.body).content == address.content:
                    return int(entry.go_id), False
            codes = customer.address_codes(tools.settings.shop_name, contact.shop_id, address)
            return self._create_extra(place, address.members(), codes, read_at)

    def _address_lock(self, contact: Contact) -> threading.RLock:
        return self._address_locks.setdefault(contact.go_id, threading.RLock())

    def require_addresses_visible(self, shop_id: str, contact: Contact) -> None:
        """Require that Go shows all delivery addresses of a customer as they are now.

        One that is not visible may equal the wanted one, or be primary. An unanswered create of the
        same record, stored under `shop_id`, is simply sent again: Go refuses a duplicate.

        Raises:
            Undecidable: with a Park.
        """
        writer, place = self.tools.writer, _Place("delivery_addresses", shop_id, contact.go_id)
        with self._address_lock(contact):  # let another worker's write get its answer first
            changes = writer.open_changes(place.entity, place.path)
            creates = writer.open_creates(place.entity, place.path)
        if changes:
            raise Undecidable(CHANGE_NOT_VISIBLE)
        if any(intent.shop_id != shop_id for intent in creates):
            raise Undecidable(CREATE_NOT_VISIBLE)

    def _create_extra(
        self,
        place: _Place,
        wanted: Mapping[str, Value],
        codes: Iterable[str],
        read_at: datetime.datetime,
    ) -> tuple[int, bool]:
        """Create an address or contact person of a Go customer, under the first unused code.

        Return its id, and whether it was created: an equal one that appeared meanwhile is reused.
        """
        free = (code for code in codes if not self.tools.index.find(place.entity, f"code:{code}"))
        for code in free:
            body, was_created = self._create_under(code, place, wanted, read_at)
            if was_created or place.is_match(body, wanted):
                return int(body["Id"]), was_created
        raise AssertionError("unreachable: codes never end")

    def _create_under(
        self, code: str, place: _Place, wanted: Mapping[str, Value], read_at: datetime.datetime
    ) -> tuple[Mapping[str, Any], bool]:
        """Return the entry of Go that has a code, and whether it was created just now."""
        tools = self.tools
        members = {name: value for name, value in wanted.items() if value is not None}
        sent = {**members, "ExternalCode": code}
        target = contact_destination(place.resource, place.entity, place.shop_id, place.go_id, code)
        try:
            answer = tools.writer.create(target, sent, sent, read_at=read_at)
        except Refused:
            holder = self._read_by_code(place.resource, code)
            if holder is None:
                raise
            tools.index.remember(place.entity, holder, now())
            return holder, False
        body = {"ContactId": int(place.go_id), **answer.body}
        was_created = not answer.existed_already and str(body["ContactId"]) == place.go_id
        if was_created:
            tools.plan.add(place.entity, place.shop_id, Create(sent))
        with tools.store.transaction():
            tools.index.remember(place.entity, body, now())
            tools.store.intents.end(answer.intent)
        return body, was_created

    def _read_by_code(self, resource: str, code: str) -> Mapping[str, Any] | None:
        """Return the entry that has a code in Go now, whichever customer it belongs to.

        How Go words that a code is taken is not known, so any refusal may mean that.
        """
        # PowerOffice Go reads a comma in a filter as the end of one value.
        params = {} if "," in code else {"externalCodes": code}
        entries = self.tools.go.list_all(f"/{resource}", params=params)
        return next((entry for entry in entries if entry.get("ExternalCode") == code), None)

    def _find_by_codes(self, place: _Place, codes: Iterable[str]) -> Entry | None:
        """Return the entry of a Go customer that has the first of these codes, if any."""
        entries = self.tools.index.find(place.entity, f"contact:{place.go_id}")
        by_code = {entry.body.get("ExternalCode"): entry for entry in entries}
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
        existing = self._find_by_codes(place, codes)
        if existing is not None:
            change = _ExtraChange(place, existing.go_id, wanted, extra)
            return self._change_extra(change, existing.body)
        if address is None:
            references = values.numbered_references(self.tools.settings.shop_name, shop_id)
            _, was_created = self._create_extra(place, wanted, references, extra.read_at)
        else:
            contact = Contact(shop_id, go_id)
            _, was_created = self.delivery_address(shop_id, contact, address, extra.read_at)
        return self._agree(extra.agreed(list(wanted.values()))), was_created

    def _place_and_codes(
        self, shop_id: str, go_id: str, address: Address | None
    ) -> tuple[_Place, list[str]]:
        """Return where an address is kept, and its possible codes; without one, the person's."""
        shop_name = self.tools.settings.shop_name
        if address is None:
            codes = values.numbered_references(shop_name, shop_id)
            return _Place("contact_persons", shop_id, go_id), [*itertools.islice(codes, _MAX_CODES)]
        codes = customer.address_codes(shop_name, shop_id, address)
        former = customer.former_address_code(shop_name, address)
        place = _Place("delivery_addresses", shop_id, go_id)
        return place, [*itertools.islice(codes, _MAX_CODES), former]

    def _agree(self, link: Link) -> Link:
        self.tools.store.links.put(link)
        return link

    def _change_extra(
        self, change: _ExtraChange, current: Mapping[str, Value]
    ) -> tuple[Link, bool]:
        """Write the members that the shop changed; return the link, and whether there were any.

        The new base is stored together with the answer: if a run were killed in between, a return
        to the former value would not be seen as an edit.

        Raises:
            Undecidable: with a Hold, when one of them was changed in Go too.
            TestFailed: somebody kept editing it in Go.
        """
        tools, entity, shop_id = self.tools, change.place.entity, change.place.shop_id
        for is_last_try in (False, True):
            rows, conflicts = change.rows(current)
            for conflict in conflicts:
                tools.note_conflict(self.entity, shop_id, conflict)
            if conflicts:
                raise Undecidable(change.hold(conflicts))
            if not rows:
                return self._agree(change.agreed(current)), False
            try:
                answer = tools.writer.change(
                    entity, shop_id, change.path, rows, read_at=change.extra.read_at
                )
            except TestFailed:
                if is_last_try:
                    raise
                current = {**current, **tools.go.read(change.path)}
                tools.index.remember(entity, current, now())
            else:
                break
        current = {**current, **answer.body}
        link = change.agreed(current)
        tools.plan.add(entity, shop_id, Patch(tuple(rows)))
        with tools.store.transaction():
            tools.store.links.put(link)
            tools.index.remember(entity, current, now())
            tools.store.intents.end(answer.intent)
        return link, True


@dataclass(frozen=True)
class Contact:
    """A customer of the shop, and its customer in Go."""

    shop_id: str
    go_id: str


@dataclass(frozen=True)
class _Place:
    """Where an address or contact person is created; its intents are stored under `shop_id`."""

    entity: str
    shop_id: str
    go_id: str

    @property
    def resource(self) -> str:
        """The name of the resource in Go."""
        return _RESOURCES[self.entity]

    @property
    def path(self) -> str:
        """The path in Go under which it is created."""
        return f"/{self.resource}/{self.go_id}"

    def is_match(self, entry: Mapping[str, Any], wanted: Mapping[str, Value]) -> bool:
        """Return whether an entry belongs to this customer and has the wanted members."""
        normalise = _NORMALISE[self.entity]
        is_equal = all(
            normalise(entry.get(name)) == normalise(value) for name, value in wanted.items()
        )
        return is_equal and str(entry.get("ContactId")) == self.go_id


@dataclass(frozen=True)
class _Extra:
    """A customer's delivery address or contact person, as the shop has it now."""

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
    def is_agreed(self) -> bool:
        """Whether the shop still has the value that was agreed on."""
        return self.base is not None and self.base.shop == self.value

    def agreed(self, in_go: list[Value] | None) -> Link:
        """Return the link once both sides have agreed and Go holds `in_go`."""
        agreement = Agreement(self.value, in_go, self.read_at, now())
        return replace(self.link, base={**self.link.base, self.name: agreement})


@dataclass(frozen=True)
class _ExtraChange:
    """The members that an address or a contact person in Go should have."""

    place: _Place
    go_id: str
    wanted: Mapping[str, Value]
    extra: _Extra

    @property
    def path(self) -> str:
        """Its path in Go."""
        return f"{self.place.path}/{self.go_id}"

    def agreed(self, entry: Mapping[str, Value]) -> Link:
        """Return the link once both sides have agreed and Go holds this entry."""
        return self.extra.agreed(self._members_of(entry))

    def _members_of(self, entry: Mapping[str, Value]) -> list[Value]:
        """Return the members of an entry in the order in which the base holds them."""
        return [entry.get(name) for name in self.wanted]

    def hold(self, conflicts: Sequence[Conflict]) -> Hold:
        """Return the hold for members that both sides changed."""
        names = ", ".join(conflict.row.rpartition(": ")[2] for conflict in conflicts)
        return Hold(f"both sides changed {names} in its {self._kind}")

    def rows(self, current: Mapping[str, Value]) -> tuple[list[RowChange], list[Conflict]]:
        """Return the members to write, and those that both sides changed."""
        normalise, base = _NORMALISE[self.place.entity], self.extra.base
        shop_base = (base and base.shop) or [None] * len(self.wanted)
        go_base = (base and base.go) or self._members_of(current)
        rows: list[RowChange] = []
        conflicts: list[Conflict] = []
        for (name, value), shop, go in zip(self.wanted.items(), shop_base, go_base, strict=True):
            is_unchanged = shop is not None and normalise(shop) == normalise(value)
            if is_unchanged or normalise(value) == normalise(current.get(name)):
                continue
            if normalise(go) != normalise(current.get(name)):
                agreed = replace(base, shop=shop, go=go) if base else None
                row, reason = f"{self._kind}: {name}", "both sides changed it"
                conflicts.append(Conflict(row, value, current.get(name), None, reason, agreed))
            rows.append(RowChange(name, f"/{name}", current.get(name), value))
        return rows, conflicts

    @property
    def _kind(self) -> str:
        return self.place.entity.replace("_", " ")
