"""An unlinked customer or product: met in Go and linked as it is, or created."""

from __future__ import annotations

import abc
from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.changes import Create, Hold, Nothing, RowChange, Undecidable
from target_powerofficego.changes import Link as LinkChange
from target_powerofficego.go_api import TestFailed
from target_powerofficego.links import Agreement, Link, now
from target_powerofficego.merge import Side, created_base, first_meeting, go_side
from target_powerofficego.walks.go_walk import GoWalk
from target_powerofficego.walks.stamps import newest_stamp
from target_powerofficego.walks.walk import created_at

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from target_powerofficego.changes import Change
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.destinations import Destination
    from target_powerofficego.go_index import Entry
    from target_powerofficego.writing import Answer


class MeetingWalk(GoWalk):
    """The first steps of customers and products; `EntityWalk` takes them on from there."""

    @abc.abstractmethod
    def match(self, record: Record, row_values: Mapping[str, Value]) -> LinkChange | Create:
        """Say which entry of Go an unlinked record is, or that it is to be created.

        Raises:
            Undecidable: with a Hold, when several could be meant.
        """

    @abc.abstractmethod
    def target(self, record: Record, row_values: Mapping[str, Value]) -> Destination:
        """Return where the entity is created and how it is found again."""

    def extra_base(
        self, record: Record, read_at: datetime.datetime, *, is_new: bool
    ) -> dict[str, Agreement]:
        """Return the base of what hangs on the entity; empty for one that we just created."""
        del record, read_at, is_new
        return {}

    def write_extras(self, record: Record, read_at: datetime.datetime) -> bool:
        """Write what hangs on a linked entity; return whether anything was written."""
        del record, read_at
        return False

    @abc.abstractmethod
    def _compare(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        read_at: datetime.datetime,
        link: Link,
        *,
        at_end: bool,
    ) -> tuple[str, Change]:
        """Merge a linked record with its entry."""

    def _meet(
        self, record: Record, row_values: Mapping[str, Value], read_at: datetime.datetime
    ) -> tuple[str, Change]:
        found = self.match(record, row_values)
        if isinstance(found, Create):
            if row_values.get("archived") is True:
                return "unchanged", Nothing("archived in the shop and never in Go")
            self._create(record, row_values, read_at)
            outcome = "created"
        else:
            found = self._link(record, row_values, read_at, found)
            outcome = "linked"
        self.tools.on_linked(self.entity, record["id"])
        return outcome, found

    def _meet_as_told(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        read_at: datetime.datetime,
        link: Link,
    ) -> tuple[str, Change]:
        """Meet the entry that a person linked the record with; both sides stay as they are."""
        if self._entry(link) is None:
            return self._meet_again(record, row_values, read_at)
        found = self._link(record, row_values, read_at, LinkChange(link.go_id))
        self.tools.on_linked(self.entity, record["id"])
        return "linked", found

    def _create(
        self, record: Record, row_values: Mapping[str, Value], read_at: datetime.datetime
    ) -> None:
        tools = self.tools
        body = self.table.create_body(row_values)
        target = self.target(record, row_values)
        answer = tools.writer.create(target, body, row_values, read_at=read_at)
        answered_at = now()
        if answer.was_there:
            side = Side(row_values, read_at)
            go = go_side(self.table, answer.body, answered_at)
            base, _ = first_meeting(self.table, side, go, on_link=tools.settings.on_link)
        else:
            base = created_base(self.table, row_values, answer.body, read_at, answered_at)
        extras = self.extra_base(record, read_at, is_new=not answer.was_there)
        link = Link(
            self.entity,
            record["id"],
            str(answer.body["Id"]),
            shop_created_at=created_at(record),
            base={**base, **extras},
            own_stamp=newest_stamp(answer.body),
        )
        self._store_answer(link, answer, answered_at)
        self.write_extras(record, read_at)

    def _link(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        read_at: datetime.datetime,
        found: LinkChange,
    ) -> LinkChange:
        tools = self.tools
        entry = tools.index.entry(self.entity, found.go_id)
        link = Link(
            self.entity,
            record["id"],
            found.go_id,
            is_follower=found.is_follower,
            shop_created_at=created_at(record),
        )
        if entry is None:
            raise Undecidable(Hold("Go removed its counterpart while it was being linked"))
        if found.is_follower:
            tools.store.put_link(link)
            return found
        base, differing = first_meeting(
            self.table,
            Side(row_values, read_at),
            go_side(self.table, entry.body, entry.read_at),
            on_link=tools.settings.on_link,
        )
        base |= self.extra_base(record, read_at, is_new=False)
        with tools.store.transaction():
            self._demote(found.go_id)
            tools.store.put_link(replace(link, base=base))
        if tools.settings.on_link in ("shop", "fill_empty"):
            self._compare(record, row_values, read_at, replace(link, base=base), at_end=False)
        else:
            self._write_reference(record, row_values, read_at, entry)
            self.write_extras(record, read_at)
        return replace(found, differences=differing)

    def _demote(self, go_id: str) -> None:
        """Make the guest that had this Go entity to itself a follower of the record now linked."""
        for other in self.tools.store.links_to(self.entity, go_id):
            if not other.is_follower:
                self.tools.store.put_link(replace(other, is_follower=True, base={}))

    def _write_reference(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        read_at: datetime.datetime,
        entry: Entry,
    ) -> bool:
        """Write our reference where Go has none; another's is never replaced."""
        row = self.table.row("id") if self.entity == "customers" else None
        if row is None or not self.tools.settings.write_references or row.from_go(entry.body):
            return False
        change = RowChange(row.name, row.patch_path, None, row_values["id"])
        path = f"/{self.table.resource}/{entry.go_id}"
        try:
            answer = self.tools.writer.change(
                self.entity, record["id"], path, [change], read_at=read_at, whole=entry.body
            )
        except TestFailed:
            self.tools.index.read_again(self.entity, entry.go_id)
            return False
        link = self.tools.store.link(self.entity, record["id"])
        if link is not None:
            self._store_answer(replace(link, own_stamp=newest_stamp(answer.body)), answer, now())
        return True

    def _entry(self, link: Link) -> Entry | None:
        """Return the linked entry, read again where a record is about to be written unguarded."""
        entry = self.tools.index.entry(self.entity, link.go_id)
        if entry is None or not self.tools.settings.tests_patches:
            return self.tools.index.read_again(self.entity, link.go_id)
        return entry

    def _meet_again(
        self, record: Record, row_values: Mapping[str, Value], read_at: datetime.datetime
    ) -> tuple[str, Change]:
        """Match a record anew whose linked entry is gone; it is never created a second time."""
        found = self.match(record, row_values)
        if isinstance(found, Create):
            raise Undecidable(Hold("it was removed in Go; it is not created again"))
        return "linked", self._link(record, row_values, read_at, found)

    def _store_answer(self, link: Link, answer: Answer, answered_at: datetime.datetime) -> None:
        """Replace the intent by Go's answer, in one transaction."""
        tools = self.tools
        with tools.store.transaction():
            tools.store.put_link(link)
            tools.index.remember(self.entity, answer.body, answered_at)
            tools.store.end_intent(answer.intent)
