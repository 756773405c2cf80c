"""Changes of shop records that leave an intent first, so that a lost answer makes no false edit.

A change with If-Match is never done twice. But when its answer is lost, and the shop made something
else of a value than was sent (rounded, trimmed), the next look would take that for an edit of the
shop's. So what is about to be sent is committed to the link store before the call.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tap_customwebshop.errors import ShopError
from target_powerofficego.dataflow.values import ABSENT, Unusable, text
from target_powerofficego.links import Agreement, now
from target_powerofficego.store.columns import to_stamp
from target_powerofficego.ways import entity_of, on_the_way_back

from target_customwebshop.errors import (
    ChangedMeanwhile,
    NoAnswer,
    NotTaken,
    NotThere,
    TryLater,
)

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

    from target_powerofficego.brakes import Brakes
    from target_powerofficego.changes import RowChange
    from target_powerofficego.dataflow.table import Conversion, Table
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.links import Intent, Link, LinkStore

    from target_customwebshop.merge_patch import Record
    from target_customwebshop.shop_records import Read, ShopRecords

logger = logging.getLogger("target-customwebshop")

_MOST_TRIES = 3


@dataclass(frozen=True)
class Change:
    """What is about to be written to a shop record: rows with Go's values, and the patch of it.

    `before` are the values of all rows as the shop had them.
    """

    rows: Sequence[RowChange]
    patch: Record
    before: Mapping[str, Value]
    go_read_at: datetime.datetime


class ShopWriter:
    """Changes records, each under an intent, and keeps what both sides agree on since."""

    def __init__(
        self,
        store: LinkStore,
        shop: ShopRecords,
        brakes: Brakes,
        tables: Mapping[str, Table],
        conversion: Conversion,
    ) -> None:
        self._store = store
        self._shop = shop
        self._brakes = brakes
        self._tables = tables
        self._conversion = conversion

    def change(self, link: Link, found: Read, change: Change) -> Link:
        """Change a record that is still as it was found; return the link with its new base.

        Raises:
            ChangedMeanwhile, NotThere, NotTaken, TryLater: nothing was changed.
            NoAnswer: whether it was is not known, and the shop could not be looked at; the intent
                stays.
            ShopError, BrakeReached: nothing was changed.
        """
        self._brakes.before_change()
        detail = {
            "rows": {row.row: row.after for row in change.rows},
            "before": dict(change.before),
            "read_at": to_stamp(change.go_read_at),
            "updated_at": _stamp(found.record),
        }
        intent = self._store.begin_intent(
            on_the_way_back(link.entity), link.shop_id, "patch", detail
        )
        try:
            there = self._send(link, found, change)
        except (ChangedMeanwhile, NotThere, NotTaken, TryLater, ShopError):
            self._store.end_intent(intent)
            raise
        return self._agree(link, intent, there)

    def settle_leftovers(self, intents: Sequence[Intent]) -> None:
        """See what became of changes without an answer, oldest first.

        Raises:
            ShopError, TryLater: the shop could not be looked at; the intents stay.
        """
        for intent in intents:
            entity = entity_of(intent.entity)
            logger.info("%s %s: looking what became of a change", entity, intent.shop_id)
            link = self._store.link(entity, intent.shop_id)
            there = None if link is None else self._look(link)
            if link is None or there is None or not self._was_done(link, intent.detail, there):
                self._store.end_intent(intent)
            else:
                self._agree(link, intent, there)

    def values(self, entity: str, record: Record) -> dict[str, Value]:
        """Return a record in Go's form, each row by itself; what cannot be read is left out."""
        found: dict[str, Value] = {}
        for row in self._tables[entity].active:
            try:
                value = row.to_go(record, self._conversion)
            except Unusable:
                continue
            if value is not ABSENT:
                found[row.name] = value
        return found

    def _send(self, link: Link, found: Read, change: Change) -> Read:
        detail = {"rows": {row.row: row.after for row in change.rows}, "before": change.before}
        is_unanswered = False
        for tries_left in reversed(range(_MOST_TRIES)):
            try:
                return self._shop.change(link.entity, link.shop_id, change.patch, found.tag)
            except NoAnswer as lost:
                there = self._look(link)
                if there is None:
                    raise NotThere(str(lost)) from None
                if self._was_done(link, detail, there):
                    return there
                if there.tag != found.tag:
                    raise ChangedMeanwhile(str(lost)) from None
                if not tries_left:
                    raise
                is_unanswered = True
            except ChangedMeanwhile:
                there = self._look(link) if is_unanswered else None
                if there is None or not self._was_done(link, detail, there):
                    raise
                return there
        msg = "unreachable: the last try returns or raises"
        raise AssertionError(msg)

    def _look(self, link: Link) -> Read | None:
        try:
            return self._shop.read(link.entity, link.shop_id)
        except NotThere:
            return None

    def _was_done(self, link: Link, detail: Mapping[str, Any], there: Read) -> bool:
        """Tell whether a change was carried out: whether any of its rows is another than before."""
        table, values = self._tables[link.entity], self.values(link.entity, there.record)
        return any(
            not table.row(name).are_equal(values.get(name), detail["before"].get(name))
            for name in detail["rows"]
            if _has(table, name)
        )

    def _agree(self, link: Link, intent: Intent, there: Read) -> Link:
        """Keep what both sides hold now, in the transaction that ends the intent.

        A row that the shop changed on its own with ours, as it derives one price from another, is
        no edit of a person's either, unless one was waiting there already.
        """
        table, detail = self._tables[link.entity], intent.detail
        before, after = detail["before"], self.values(link.entity, there.record)
        answered_at = now()
        base = dict(link.base)
        for name, value in after.items():
            row = table.row(name)
            if name in detail["rows"]:
                go = detail["rows"][name]
                base[name] = Agreement(value, go, answered_at, intent.read_at)
            elif (one := base.get(name)) is not None and row.are_equal(before.get(name), one.shop):
                base[name] = replace(one, shop=value, shop_read_at=answered_at)
        stamp = _stamp(there.record)
        own = link.own_shop_stamp if stamp == detail.get("updated_at") else stamp
        link = replace(link, base=base, own_shop_stamp=own)
        with self._store.transaction():
            self._store.put_link(link)
            self._store.end_intent(intent)
        return link


def _has(table: Table, name: str) -> bool:
    return any(row.name == name for row in table.rows)


def _stamp(record: Record) -> str | None:
    """Return when the shop says that a record was last changed."""
    try:
        return text(record.get("updated_at"), what="updated_at")
    except Unusable:
        return None
