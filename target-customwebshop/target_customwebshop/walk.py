"""The walk of an entry of Go back to the shop: edits in Go are written to the linked record."""

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
from target_customwebshop.shop_writer import ShopChange
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
"""The name under which the store keeps which invoice a credit note in Go relates to."""

REFERENCE = "ExternalImportReference"
STAMP = "newest stamp"
"""The member in which an entry keeps when Go last changed it or its mail address."""
_ALWAYS_KEPT = frozenset({"id", "Id", REFERENCE, "InvoiceNo", "LastChangedDateTimeOffset"})
_TRIES = 3


@dataclass(kw_only=True)
class BackTools(RunTools):
    """The store, the shop, and the state of the run; shared by all workers."""

    settings: BackSettings
    shop: ShopRecords[Any]
    writer: ShopWriter


class BackWalk(Walk[BackTools]):
    """Takes entries of Go back to the shop, for one entity; their `id` is the record's id there."""

    goes_back = True
    stops = (ShopError, BrakeReached, LinkStoreError)

    def __init__(self, tools: BackTools, entity: str, unstamped_rows: frozenset[str]) -> None:
        super().__init__(tools)
        self.entity = entity
        self._unstamped_rows = unstamped_rows

    def edited_rows(self, link: Link, arrival: Arrival) -> list[str]:
        """Return the names of the rows edited in Go since both sides agreed; makes no call."""
        return rows_edited_in_go(self.table, self._go_side(arrival), link.base)

    def stamp_of(self, record: Record) -> str | None:
        """See `Walk`."""
        return record[STAMP] if STAMP in record else newest_stamp(record)

    def _own_stamp(self, link: Link) -> str | None:
        return link.own_stamp

    def kept(self, record: Record) -> Record:
        """Return an entry with only what the rows need, so without the buyer of an order."""
        rows = [row for row in self.table.active if row.direction.reaches_shop]
        link = self.tools.store.links.get(self.entity, record["id"])
        base = link.base if link else {}
        members = {
            name
            for row in rows
            if row.is_set_by_go or row.name in base
            for name in (row.go.partition(".")[0], *row.needs)
        }
        kept = {name: value for name, value in record.items() if name in members | _ALWAYS_KEPT}
        return {**kept, STAMP: self.stamp_of(record)}

    def _require_same_client(self, link: Link, entry: Record) -> None:
        """Require that an entry is the linked one; another client of Go may have the same id.

        Raises:
            Undecidable: with a Hold.
        """
        indexed = self.tools.store.go_entries.get(self.entity, link.go_id)
        expected = values.short_reference(self.tools.settings.shop_name, link.shop_id)
        current = entry.get(REFERENCE, expected)
        if indexed is not None and indexed[0].get(REFERENCE) == expected and current != expected:
            reason = (
                "the entry in Go no longer has the reference that it had when it was linked: it was"
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
            suffix = f": {error.title}" if error.title else ""
            return Reject(
                f"the shop refused it{suffix}",
                title=error.title or None,
                detail=error.detail or None,
                is_refusal=True,
            )
        if isinstance(error, RecordMissing):  # each run looks again: the address may be corrected
            return Reject(f"the shop has no such record ({error})")
        if isinstance(error, ShopFileFailed):
            return Reject(str(error))
        if isinstance(error, (TryLater, NoAnswer)):
            return Reject(f"the shop gave no answer ({error}); the next run checks and continues")
        return None

    def _settle(self, arrival: Arrival) -> Change:
        link = self.tools.store.links.get(self.entity, arrival.shop_id)
        if link is None or link.is_follower:
            return Nothing("it is not linked, or shares the entry of another record")
        if not link.base:
            raise Undecidable(
                Park("a person linked it; the next run forward must take it first", (OTHER_WAY,))
            )
        self._require_same_client(link, arrival.record)
        edited = self.edited_rows(link, arrival)
        if not edited:
            return Nothing()
        self._require_not_unsupported(arrival.record)
        if PAYMENT_ROW in edited and not arrival.at_end:
            raise Undecidable(
                Park(
                    "whether it is paid or credited is not known until all credit notes are read",
                    (CREDIT_NOTES,),
                )
            )
        for _ in range(_TRIES):
            try:
                return self._merge_and_write(link, arrival, edited)
            except ChangedMeanwhile:
                link = self.tools.store.links.get(self.entity, link.shop_id) or link
        raise Undecidable(
            Hold("somebody kept editing it in the shop while this run was writing it")
        )

    def _require_not_unsupported(self, entry: Record) -> None:
        """Require that the edit is not already known to be unsupported by the shop file.

        Raises:
            Undecidable: with a Park, until the shop file or the entry changes; no call is made.
        """
        reason = self.tools.shop.unsupported_reason(self.entity)
        unsettled = self.tools.store.unsettled
        before = unsettled.get(self.kept_as, entry["id"])
        if before is not None and self.tools.shop.shop_file_mark in unsettled.awaited_by(before.id):
            is_same = record_hash(before.payload, "") == record_hash(entry, "")
            reason = before.reason if is_same else reason
        if reason is not None:
            raise Undecidable(self.park_unsupported(reason))

    def park_unsupported(self, reason: str) -> Park:
        """Return a Park of an edit, until the shop file supports it."""
        return Park(reason, (self.tools.shop.shop_file_mark,))

    def _merge_and_write(self, link: Link, arrival: Arrival, edited: Sequence[str]) -> Change:
        current = self.tools.shop.read(self.entity, link.shop_id)
        if is_deleted(current.record):
            return Nothing("deleted in the shop")
        if self.entity == "customers" and is_anonymised_customer(
            current.record, link.base, self.tools.settings.anonymised_marks
        ):
            return Nothing("anonymised in the shop")
        link = self.require_same_record(current.record, link)
        merged = self._merge(link, arrival, current, edited)
        if any(merged.base[name].shop != agreed.shop for name, agreed in link.base.items()):
            stamp = stamp_of_shop(current.record)
            self.tools.store.settled.note_version(self.other_way, link.shop_id, stamp)
        link = replace(link, base=merged.base)
        self.tools.store.links.put(link)
        for conflict in merged.conflicts:
            self.tools.note_conflict(self.entity, link.shop_id, conflict)
        link, written = self._write(link, current, merged.writes, arrival.read_at)
        self._agree_on_unsent(link, written.unsent, arrival.read_at)
        held = [*written.held, *self._address_faults(current.record, edited)]
        if merged.open_conflicts:
            raise Undecidable(both_edited(merged.open_conflicts))
        if held:
            raise Undecidable(Hold("; ".join(held)))
        if written.unsupported is not None:
            raise Undecidable(self.park_unsupported(written.unsupported))
        return Patch(written.rows) if written.rows else Nothing()

    def _agree_on_unsent(
        self, link: Link, unsent: Sequence[RowChange], read_at: datetime.datetime
    ) -> None:
        """Store Go's values of rows that must not be sent to the shop.

        So a value is sent if Go later returns to it: paid, not paid, and paid again.
        """
        agreed = {
            change.row: Agreement(change.before, change.after, read_at, read_at)
            for change in unsent
        }
        if agreed:
            self.tools.store.links.put(replace(link, base={**link.base, **agreed}))

    def _address_faults(self, record: Record, edited: Sequence[str]) -> list[str]:
        """Return why edits of an address cannot be written to the record as it is now, if so."""
        shop_values = self.tools.writer.values(self.entity, record)
        if record.get("addresses") and any(
            name.startswith("address_") and name not in shop_values for name in edited
        ):
            return ["the shop's billing address is incomplete: give it a city and a postal code"]
        return []

    def _merge(
        self,
        link: Link,
        arrival: Arrival,
        current: Read,
        edited: Sequence[str],
    ) -> Merge:
        reading = self.table.read(current.record, self.tools.conversion, rows=edited)
        go = self._go_side(arrival)
        stamps = (current.record.get("updated_at"), arrival.record.get("LastChangedDateTimeOffset"))
        return self.tools.merge(
            link,
            Side(reading.values, current.read_at),
            replace(go, values={name: go.values[name] for name in edited}),
            stamps=stamps,
            unstamped_rows=self._unstamped_rows,
            way=Way.BACK,
        )

    def _go_side(self, arrival: Arrival) -> Side:
        """Return Go's side: the rows that the entry has, because a tap may leave some out."""
        entry = arrival.record
        completed = self._with_credit_note(entry)
        rows = [row for row in self.table.active if row.is_present_in(entry)]
        return Side({row.name: row.from_go(completed) for row in rows}, arrival.read_at)

    def _with_credit_note(self, entry: Record) -> Mapping[str, Any]:
        """Return an entry with `HAS_CREDIT_NOTE` if a credit note for it is known.

        It may be known from this way or from the index of the way forward, which is read in full
        when the link store is new.
        """
        number, store = entry.get("InvoiceNo"), self.tools.store
        if number is None:
            return entry
        credit_notes = store.go_entries.ids(
            CREDIT_NOTES, f"invoice:{number}"
        ) or store.go_entries.ids("orders", f"credits:{number}")
        return {**entry, HAS_CREDIT_NOTE: True} if credit_notes else entry

    def _write(
        self, link: Link, current: Read, rows: Sequence[RowChange], read_at: datetime.datetime
    ) -> tuple[Link, Written]:
        """Write the rows that the shop can represent; those of an address only all together.

        A row without a patch is one that the shop already has, or that must not be sent to it.
        """
        before = self.tools.writer.values(self.entity, current.record)
        patch: Record = {}
        after = current.record
        written: list[RowChange] = []
        unsent: list[RowChange] = []
        held: list[str] = []
        edited = {change.row for change in rows}
        for group in self._groups([*rows, *self._other_name_parts(edited, link, before)]):
            try:
                group_patch = self._patch_of(group, after)
            except Unusable as unusable:
                held.append(str(unusable))
                continue
            after, patch = patched(after, group_patch), patched(patch, group_patch)
            values = self.tools.writer.values(self.entity, after)
            for change in group:
                is_written = self._has_value(change.row, values, change.after)
                if change.row in edited:
                    (written if is_written else unsent).append(change)
        unsupported = None
        if patch:
            expected = self.tools.writer.values(self.entity, after)
            shop_change = ShopChange(written, patch, before, expected, read_at)
            try:
                link = self.tools.writer.change(link, current, shop_change)
            except ChangeUnsupported as error:
                unsupported = str(error)
                link = self.tools.store.links.get(self.entity, link.shop_id) or link
        rows_written = tuple(written) if patch else ()
        return link, Written(rows_written, tuple(unsent), tuple(held), unsupported)

    def _other_name_parts(
        self, edited: Set[str], link: Link, before: Mapping[str, Any]
    ) -> list[RowChange]:
        """Return the unedited part of a name, if the sides divide the full name differently.

        "Turid Berg Moe" is Turid / Berg Moe in Go but Turid Berg / Moe in the shop: a new first
        name would be put before Moe alone.
        """
        return [
            RowChange(name, self.table.row(name).patch_path, before[name], link.base[name].go)
            for name in PERSON_NAMES
            if name not in edited and not edited.isdisjoint(PERSON_NAMES)
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
        """Return the patch that gives a record Go's values and changes nothing else.

        Raises:
            Unusable: the shop cannot represent Go's values.
        """
        patch: Record = {}
        after = record
        for change in group:
            row_patch = self.table.row(change.row).patch(change.after, after, self.tools.conversion)
            after, patch = patched(after, row_patch), patched(patch, row_patch)
        if not patch:
            return {}
        before = self.tools.writer.values(self.entity, record)
        values = self.tools.writer.values(self.entity, after)
        wanted = {**before, **{change.row: change.after for change in group}}
        for row in self.table.active:
            is_expected = row.direction.reaches_shop and row.name in wanted
            if is_expected and not self._has_value(row.name, values, wanted[row.name]):
                names = ", ".join(change.row for change in group)
                raise Unusable(f"the shop cannot represent Go's value of {names}")
        return patch

    def _has_value(self, name: str, values: Mapping[str, Any], value: object) -> bool:
        return name in values and self.table.row(name).are_equal(values[name], value)


@dataclass(frozen=True)
class Written:
    """Rows that the record now has, rows that must not be sent, and why others are held.

    `unsupported` is why the shop did not accept all of the rows, if it did not.
    """

    rows: tuple[RowChange, ...]
    unsent: tuple[RowChange, ...]
    held: tuple[str, ...]
    unsupported: str | None
