"""The walk of an entry of Go back to the shop: what Go changed is written to the linked record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tap_customwebshop.errors import ShopError
from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.customer import PERSON_NAMES
from target_powerofficego.dataflow.orders.order import HAS_CREDIT_NOTE, PAYMENT_ROW
from target_powerofficego.dataflow.table import Agreement, is_deleted
from target_powerofficego.dataflow.values import Unusable
from target_powerofficego.decisions.changes import (
    Hold,
    Nothing,
    Park,
    Patch,
    Reject,
    RowChange,
    Undecidable,
)
from target_powerofficego.decisions.merge import Side, Way, rows_edited_in_go
from target_powerofficego.decisions.personal_data import is_anonymised_customer
from target_powerofficego.settle.record_flow import OTHER_WAY, RunTools, Walk, record_hash
from target_powerofficego.settle.writes import BrakeReached
from target_powerofficego.store.link_store import LinkStoreError
from target_powerofficego.sync.go.index import newest_stamp
from target_powerofficego.sync.linked import both_edited

from target_customwebshop.shop_records import (
    ChangedMeanwhile,
    ChangeRefused,
    ChangeUnsupported,
    NoAnswer,
    RecordMissing,
    ShopFileFailed,
    TryLater,
    patched,
)
from target_customwebshop.shop_writer import Change as ShopChange
from target_customwebshop.shop_writer import stamp_of as stamp_of_shop

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence, Set

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.decisions.changes import Change
    from target_powerofficego.decisions.merge import Merge
    from target_powerofficego.settle.record_flow import Arrival
    from target_powerofficego.store.link_store import Link

    from target_customwebshop.settings import BackSettings
    from target_customwebshop.shop_records import Read, ShopRecords
    from target_customwebshop.shop_writer import ShopWriter

CREDIT_NOTES = "credit_notes"
"""The name under which the store keeps which of Go's invoices a credit note relates to."""

REFERENCE = "ExternalImportReference"
STAMP = "newest stamp"
"""Under this an entry keeps when Go says that it, or its mail address, was last changed."""
_ALWAYS_KEPT = frozenset({"id", "Id", REFERENCE, "InvoiceNo", "LastChangedDateTimeOffset"})
_TRIES = 3


@dataclass(kw_only=True)
class BackTools(RunTools):
    """The store, the shop, and what is known of the run; shared by all workers."""

    settings: BackSettings
    shop: ShopRecords[Any]
    writer: ShopWriter


class BackWalk(Walk[BackTools]):
    """Takes entries of Go of one entity back to the shop; `id` is the shop's id of the record."""

    goes_back = True
    stops = (ShopError, BrakeReached, LinkStoreError)

    def __init__(self, tools: BackTools, entity: str, unstamped_rows: frozenset[str]) -> None:
        super().__init__(tools)
        self.entity = entity
        self._silent_rows = unstamped_rows

    def moved(self, link: Link, arrival: Arrival) -> list[str]:
        """Name the rows that Go changed since both sides agreed; costs no call."""
        return rows_edited_in_go(self.table, self._go_side(arrival), link.base)

    def stamp_of(self, record: Record) -> str | None:
        """See `Walk`."""
        return record[STAMP] if STAMP in record else newest_stamp(record)

    def _own_stamp(self, link: Link) -> str | None:
        return link.own_stamp

    def kept(self, record: Record) -> Record:
        """Return an entry with what the rows need of it, which leaves out who bought an order."""
        rows = [row for row in self.table.active if row.direction.reaches_shop]
        link = self.tools.store.links.get(self.entity, record["id"])
        base = link.base if link else {}
        members = {
            name
            for row in rows
            if row.is_set_by_go or row.name in base
            for name in (row.go.partition(".")[0], *row.needs)
        }
        kept = {name: told for name, told in record.items() if name in members | _ALWAYS_KEPT}
        return {**kept, STAMP: self.stamp_of(record)}

    def _check_client(self, link: Link, entry: Record) -> None:
        """Require that an entry is the linked one: another client of Go may use its number.

        Raises:
            Undecidable: with a Hold.
        """
        known = self.tools.store.go_entries.get(self.entity, link.go_id)
        expected = values.short_reference(self.tools.settings.shop_name, link.shop_id)
        told = entry.get(REFERENCE, expected)
        if known is not None and known[0].get(REFERENCE) == expected and told != expected:
            reason = (
                "the entry bears another reference than the one that was linked: its reference was"
                " changed in Go, or the tap reads another client of Go"
            )
            raise Undecidable(Hold(reason))

    def settle_unanswered(self, shop_id: str) -> None:
        """See `Walk`."""
        store = self.tools.store
        for intent in store.intents.of_record((self.kept_as,), shop_id):
            self.tools.writer.settle_unanswered_change(intent)

    def _refusal(self, error: Exception) -> Reject | None:
        if isinstance(error, ChangeRefused):
            said = f": {error.title}" if error.title else ""
            return Reject(
                f"the shop refused it{said}",
                title=error.title or None,
                detail=error.detail or None,
                is_refusal=True,
            )
        if isinstance(error, RecordMissing):  # each run looks again: the address may be put right
            return Reject(f"the shop has no such record ({error})")
        if isinstance(error, ShopFileFailed):
            return Reject(str(error))
        if isinstance(error, (TryLater, NoAnswer)):
            return Reject(f"the shop gave no answer ({error}); the next run looks and goes on")
        return None

    def _settle(self, arrival: Arrival) -> Change:
        link = self.tools.store.links.get(self.entity, arrival.shop_id)
        if link is None or link.is_follower:
            return Nothing("it is not linked, or shares the entry of another record")
        if not link.base:
            raise Undecidable(
                Park("a person linked it; the next run forward meets it first", (OTHER_WAY,))
            )
        self._check_client(link, arrival.record)
        moved = self.moved(link, arrival)
        if not moved:
            return Nothing()
        self._see_that_it_may_be_taken(arrival.record)
        if PAYMENT_ROW in moved and not arrival.at_end:
            raise Undecidable(
                Park(
                    "whether it was paid or credited is known once all credit notes are read",
                    (CREDIT_NOTES,),
                )
            )
        for _ in range(_TRIES):
            try:
                return self._merge_and_write(link, arrival, moved)
            except ChangedMeanwhile:
                link = self.tools.store.links.get(self.entity, link.shop_id) or link
        raise Undecidable(Hold("the shop was edited again and again while this was to be written"))

    def _see_that_it_may_be_taken(self, entry: Record) -> None:
        """Require that it is not known that the shop, by its file as it is, takes no such edit.

        Raises:
            Undecidable: with a Park, until the shop file or the entry changes; no call is made.
        """
        why = self.tools.shop.unsupported_reason(self.entity)
        unsettled = self.tools.store.unsettled
        before = unsettled.get(self.kept_as, entry["id"])
        if before is not None and self.tools.shop.mark in unsettled.awaited_by(before.id):
            is_same = record_hash(before.payload, "") == record_hash(entry, "")
            why = before.reason if is_same else why
        if why is not None:
            raise Undecidable(self.left_alone(why))

    def left_alone(self, why: str) -> Park:
        """Return that an edit waits until the shop file takes it."""
        return Park(why, (self.tools.shop.mark,))

    def _merge_and_write(self, link: Link, arrival: Arrival, moved: Sequence[str]) -> Change:
        found = self.tools.shop.read(self.entity, link.shop_id)
        if is_deleted(found.record):
            return Nothing("deleted in the shop")
        if self.entity == "customers" and is_anonymised_customer(
            found.record, link.base, self.tools.settings.anonymised_marks
        ):
            return Nothing("anonymised in the shop")
        link = self.require_same_record(found.record, link)
        merged = self._merge(link, arrival, found, moved)
        if any(merged.base[name].shop != one.shop for name, one in link.base.items()):
            told = stamp_of_shop(found.record)
            self.tools.store.settled.note_version(self.other_way, link.shop_id, told)
        link = replace(link, base=merged.base)
        self.tools.store.links.put(link)
        for conflict in merged.conflicts:
            self.tools.note_conflict(self.entity, link.shop_id, conflict)
        link, written = self._write(link, found, merged.writes, arrival.read_at)
        self._agree_on_untold(link, written.untold, arrival.read_at)
        held = [*written.held, *self._untold(found.record, moved)]
        if merged.open_conflicts:
            raise Undecidable(both_edited(merged.open_conflicts))
        if held:
            raise Undecidable(Hold("; ".join(held)))
        if written.left is not None:
            raise Undecidable(self.left_alone(written.left))
        return Patch(written.rows) if written.rows else Nothing()

    def _agree_on_untold(
        self, link: Link, untold: Sequence[RowChange], read_at: datetime.datetime
    ) -> None:
        """Keep what Go says of rows that must not be sent to the shop.

        So a value is sent again when Go says it a second time: paid, taken back, and paid again.
        """
        agreed = {
            change.row: Agreement(change.before, change.after, read_at, read_at)
            for change in untold
        }
        if agreed:
            self.tools.store.links.put(replace(link, base={**link.base, **agreed}))

    def _untold(self, record: Record, moved: Sequence[str]) -> list[str]:
        """Say which of Go's edits the shop has no place for while the record is as it is."""
        values_there = self.tools.writer.values(self.entity, record)
        if record.get("addresses") and any(
            name.startswith("address_") and name not in values_there for name in moved
        ):
            return ["the shop's billing address is incomplete: give it a city and a postal code"]
        return []

    def _merge(
        self,
        link: Link,
        arrival: Arrival,
        found: Read,
        moved: Sequence[str],
    ) -> Merge:
        reading = self.table.read(found.record, self.tools.conversion, rows=moved)
        go = self._go_side(arrival)
        stamps = (found.record.get("updated_at"), arrival.record.get("LastChangedDateTimeOffset"))
        return self.tools.merge(
            link,
            Side(reading.values, found.read_at),
            replace(go, values={name: go.values[name] for name in moved}),
            stamps=stamps,
            unstamped_rows=self._silent_rows,
            way=Way.BACK,
        )

    def _go_side(self, arrival: Arrival) -> Side:
        """Return Go's side: the rows that the entry includes, since a tap may leave some out."""
        entry = arrival.record
        told = self._with_credit_note(entry)
        rows = [row for row in self.table.active if row.is_present_in(entry)]
        return Side({row.name: row.from_go(told) for row in rows}, arrival.read_at)

    def _with_credit_note(self, entry: Record) -> Mapping[str, Any]:
        """Add to an invoice whether a credit note for it is known, here or in forward's index.

        The index is read in full when the link store is new, so neither knows less than the other.
        """
        number, store = entry.get("InvoiceNo"), self.tools.store
        if number is None:
            return entry
        found = store.go_entries.ids(CREDIT_NOTES, f"invoice:{number}") or store.go_entries.ids(
            "orders", f"credits:{number}"
        )
        return {**entry, HAS_CREDIT_NOTE: True} if found else entry

    def _write(
        self, link: Link, found: Read, rows: Sequence[RowChange], read_at: datetime.datetime
    ) -> tuple[Link, Written]:
        """Write the rows that the shop has a form for; an address is one group, all else by itself.

        A row without a patch is one that the shop already holds, or that must not be sent to it.
        """
        before = self.tools.writer.values(self.entity, found.record)
        patch: Record = {}
        after = found.record
        written: list[RowChange] = []
        untold: list[RowChange] = []
        held: list[str] = []
        own = {change.row for change in rows}
        for group in self._groups([*rows, *self._other_names(own, link, before)]):
            try:
                one = self._patch_of(group, after)
            except Unusable as unusable:
                held.append(str(unusable))
                continue
            after, patch = patched(after, one), patched(patch, one)
            values = self.tools.writer.values(self.entity, after)
            for change in group:
                is_told = self._holds(change.row, values, change.after)
                if change.row in own:
                    (written if is_told else untold).append(change)
        left = None
        if patch:
            expected = self.tools.writer.values(self.entity, after)
            whole = ShopChange(written, patch, before, expected, read_at)
            try:
                link = self.tools.writer.change(link, found, whole)
            except ChangeUnsupported as error:
                left = str(error)
                link = self.tools.store.links.get(self.entity, link.shop_id) or link
        return link, Written(tuple(written) if patch else (), tuple(untold), tuple(held), left)

    def _other_names(self, own: Set[str], link: Link, before: Mapping[str, Any]) -> list[RowChange]:
        """Return the other part of a name, where the shop keeps it as one and divides it otherwise.

        "Turid Berg Moe" is Turid / Berg Moe in Go and Turid Berg / Moe by the shop: a new first
        name would be put before Moe alone.
        """
        return [
            RowChange(name, self.table.row(name).patch_path, before[name], link.base[name].go)
            for name in PERSON_NAMES
            if name not in own and not own.isdisjoint(PERSON_NAMES)
            if name in link.base and name in before
            if self.table.row(name).are_equal(before[name], link.base[name].shop)
            and not self.table.row(name).are_equal(before[name], link.base[name].go)
        ]

    def _groups(self, rows: Sequence[RowChange]) -> list[list[RowChange]]:
        groups: dict[str, list[RowChange]] = {}
        for change in rows:
            parent = self.table.row(change.row).go.rpartition(".")[0]
            groups.setdefault(parent or change.row, []).append(change)
        return list(groups.values())

    def _patch_of(self, group: Sequence[RowChange], record: Record) -> Record:
        """Return the patch after which a record says what Go says, and is otherwise unchanged.

        Raises:
            Unusable: the shop has no form for it.
        """
        patch: Record = {}
        after = record
        for change in group:
            one = self.table.row(change.row).patch(change.after, after, self.tools.conversion)
            after, patch = patched(after, one), patched(patch, one)
        if not patch:
            return {}
        before = self.tools.writer.values(self.entity, record)
        values = self.tools.writer.values(self.entity, after)
        wanted = {**before, **{change.row: change.after for change in group}}
        for row in self.table.active:
            is_told = row.direction.reaches_shop and row.name in wanted
            if is_told and not self._holds(row.name, values, wanted[row.name]):
                names = ", ".join(change.row for change in group)
                raise Unusable(f"the shop has no form for what Go says of {names}")
        return patch

    def _holds(self, name: str, values: Mapping[str, Any], value: object) -> bool:
        return name in values and self.table.row(name).are_equal(values[name], value)


@dataclass(frozen=True)
class Written:
    """Rows that the record now holds, those that must not be sent, and why others are held.

    `left` says why the shop did not take all of the rows.
    """

    rows: tuple[RowChange, ...]
    untold: tuple[RowChange, ...]
    held: tuple[str, ...]
    left: str | None
