"""Changes shop records, each change under an intent, so that a lost answer causes no false edit.

A change with If-Match is never made twice. But if its answer is lost and the shop stored a value in
another form than it was sent (rounded, trimmed), the next read would take that for an edit made in
the shop. So what is about to be sent is first committed to the link store.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tap_customwebshop.errors import ShopError
from target_powerofficego.dataflow.customer import PERSON_NAMES, full_name
from target_powerofficego.dataflow.table import Agreement, now
from target_powerofficego.dataflow.values import ABSENT, Unusable, text
from target_powerofficego.settle.shop_values import equality_by_name, shop_values
from target_powerofficego.settle.writes import CarefulWrite
from target_powerofficego.store.tables import to_stamp
from target_powerofficego.store.values import back_name, entity_of
from target_powerofficego.sync.go.operations import is_variant_of

from target_customwebshop.shop_records import (
    ChangedMeanwhile,
    NoAnswer,
    RecordError,
    RecordMissing,
)

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Mapping, Sequence

    from target_powerofficego.dataflow.table import Conversion, Table
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.decisions.changes import RowChange
    from target_powerofficego.settle.writes import Brakes
    from target_powerofficego.store.link_store import Intent, Link, LinkStore

    from target_customwebshop.shop_records import Read, Record, ShopRecords

logger = logging.getLogger("target-customwebshop")


@dataclass(frozen=True)
class ShopChange:
    """A change to write to a shop record: rows with Go's values, and their patch.

    `before` has the shop's values of all rows before the change, and `expected` those after it.
    """

    rows: Sequence[RowChange]
    patch: Record
    before: Mapping[str, Value]
    expected: Mapping[str, Value]
    go_read_at: datetime.datetime


class ShopWriter:
    """Changes records, each under an intent, and stores what both sides then agree on."""

    def __init__(
        self,
        store: LinkStore,
        shop: ShopRecords[Any],
        brakes: Brakes,
        tables: Mapping[str, Table],
        conversion: Conversion,
    ) -> None:
        self._store = store
        self._shop = shop
        self._brakes = brakes
        self._tables = tables
        self._conversion = conversion

    def change(self, link: Link, current: Read, change: ShopChange) -> Link:
        """Change a record if it is still as it was read; return the link with its new base.

        Raises:
            ChangedMeanwhile, RecordMissing, ChangeRefused, ChangeUnsupported, TryLater: nothing was
                changed, or only part of it, on which both sides then agree.
            NoAnswer, ShopError: it is not known whether the record was changed, and the shop could
                not be checked; the intent stays.
            BrakeReached: nothing was changed.
        """
        self._shop.require_supported(link.entity, link.shop_id, change.patch)
        self._brakes.before_change()
        detail = {
            "rows": {row.row: row.after for row in change.rows},
            "before": dict(change.before),
            "expected": dict(change.expected),
            "read_at": to_stamp(change.go_read_at),
            "updated_at": stamp_of(current.record),
        }
        intent = self._store.intents.begin(back_name(link.entity), link.shop_id, "patch", detail)
        write = CarefulWrite(self._store, intent, NoAnswer, (), (RecordError, ShopError))

        def send() -> tuple[Read, bool]:
            try:
                return self._shop.change(link.entity, link.shop_id, change.patch, current), True
            except ChangedMeanwhile as error:
                raise write.unanswered or error from None  # an earlier attempt may have changed it

        def look(_is_last: bool) -> tuple[Read, bool] | None:
            after = self._read_after(link, write)
            return None if after.tag == current.tag and not refusal() else (after, False)

        def refusal() -> Exception | None:
            return write.unanswered and write.unanswered.refusal

        after, is_answer = write.run(send, look, write.give_up)
        link, undone = self._agree(link, intent, after, is_answer=is_answer)
        if error := refusal():
            raise error
        if undone and is_answer:
            title = f"it kept its own value of {', '.join(undone)}"
            raise self._shop.unchanged_error(f"the shop accepted it, but {title}", title=title)
        if undone:
            raise ChangedMeanwhile(
                f"{link.entity} {link.shop_id} was edited in the shop in the meantime"
            )
        return link

    def settle_unanswered_change(self, intent: Intent) -> None:
        """Find out what happened to a change without an answer.

        Raises:
            ShopError, TryLater: the shop could not be checked; the intent stays.
        """
        entity = entity_of(intent.entity)
        link = self._store.links.get(entity, intent.shop_id)
        try:
            after = None if link is None else self._shop.read(entity, intent.shop_id)
        except RecordMissing:
            after = None
        if link is None or after is None:
            self._store.intents.end(intent)
            return
        _, undone = self._agree(link, intent, after, is_answer=False)
        outcome = f"not done: {', '.join(undone)}" if undone else "it was done"
        logger.info("%s %s: a change had no answer; %s", entity, intent.shop_id, outcome)

    def values(self, entity: str, record: Record) -> dict[str, Value]:
        """Return a record in Go's form; see `shop_values`."""
        return shop_values(entity, record, self._tables[entity], self._conversion)

    def _read_after(self, link: Link, write: CarefulWrite[NoAnswer, Exception]) -> Read:
        """Read a record whose change got no answer.

        Raises:
            NoAnswer: it cannot be read either; the intent stays.
        """
        try:
            return self._shop.read(link.entity, link.shop_id)
        except (RecordError, ShopError) as error:
            raise write.unanswered or error from error

    def _agree(
        self, link: Link, intent: Intent, after: Read, *, is_answer: bool
    ) -> tuple[Link, list[str]]:
        """Store what both sides have now, in the transaction that ends the intent.

        Return the link, and the rows that were sent but not stored by the shop. If the shop changes
        other rows along with ours, for example one price derived from another, that is not a
        person's edit, unless such an edit was waiting already. Without an answer, or if the shop
        does not detect edits made in the meantime, only expected values count as ours: a person may
        have edited the rest.
        """
        values = self.values(link.entity, after.record)
        sent, undone = self._agreed_on_sent(link, intent, values, is_answer=is_answer)
        base = {**link.base, **sent}
        base |= self._agreed_on_others(
            link, intent, base, values, is_ours=is_answer and self._shop.detects_edits
        )
        stamp = stamp_of(after.record)
        if sent and stamp != intent.detail.get("updated_at"):
            link = replace(link, own_shop_stamp=stamp)
        link = replace(link, base=base)
        with self._store.transaction():
            self._store.links.put(link)
            self._store.intents.end(intent)
        return link, undone

    def _agreed_on_sent(
        self, link: Link, intent: Intent, after: Mapping[str, Value], *, is_answer: bool
    ) -> tuple[dict[str, Agreement], list[str]]:
        """Return what both sides have of the rows that were sent, and the rows not stored."""
        detail, base, answered_at = intent.detail, dict(link.base), now()
        equal = equality_by_name(self._tables[link.entity])
        agreed: dict[str, Agreement] = {}
        undone = []
        for name, sent in detail["rows"].items():
            value, previous = after.get(name, ABSENT), base.get(name)
            is_same_name = _is_same_full_name(name, detail["rows"], base, after)
            if is_same_name or self._is_done(equal, detail, name, value, is_answer=is_answer):
                agreed[name] = base[name] = Agreement(
                    _merge_members(previous and previous.shop, _sent_members(value, sent)),
                    _merge_members(previous and previous.go, sent),
                    answered_at,
                    intent.read_at,
                    replaced=_sent_members(detail["before"].get(name), sent),
                )
            else:
                undone.append(name)
        return agreed, undone

    def _agreed_on_others(
        self,
        link: Link,
        intent: Intent,
        base: Mapping[str, Agreement],
        after: Mapping[str, Value],
        *,
        is_ours: bool,
    ) -> dict[str, Agreement]:
        """Return what both sides have of rows that the shop changed along with those sent.

        `is_ours` is whether any change can only follow from ours.
        """
        detail, answered_at = intent.detail, now()
        equal = equality_by_name(self._tables[link.entity])
        agreed: dict[str, Agreement] = {}
        for name, value in after.items():
            previous, before = base.get(name), detail["before"].get(name)
            if name in detail["rows"] or previous is None:
                continue
            follows_from_ours = (
                is_ours
                or equal(name, value, detail["expected"].get(name))
                or _is_same_full_name(name, detail["rows"], base, after)
            )
            if follows_from_ours and equal(name, before, previous.shop):
                agreed[name] = replace(
                    previous,
                    shop=_merge_members(previous.shop, value),
                    shop_read_at=answered_at,
                    replaced=before,
                )
        return agreed

    def _is_done(
        self,
        equal: Callable[[str, Value, Value], bool],
        detail: Mapping[str, Any],
        name: str,
        value: Value,
        *,
        is_answer: bool,
    ) -> bool:
        """Return whether a row has the value that was sent, or the shop's form of it."""
        sent, before = detail["rows"][name], detail["before"].get(name)
        if value is ABSENT or equal(name, value, sent):
            return value is not ABSENT
        if equal(name, value, before):
            return is_answer and is_variant_of(value, sent)
        return is_answer or is_variant_of(value, sent)


def _is_same_full_name(
    name: str, sent: Mapping[str, Value], base: Mapping[str, Agreement], after: Mapping[str, Value]
) -> bool:
    """Return whether the shop has Go's full name, however each side divides it."""
    if name not in PERSON_NAMES:
        return False
    in_go = {
        part: sent[part] if part in sent else base[part].go for part in PERSON_NAMES if part in base
    }
    return full_name(in_go) == full_name(after)


def _merge_members(previous: Value, current: Value) -> Value:
    """Return what a side has now; a line keeps its previous members that are not in `current`."""
    is_line = isinstance(previous, dict) and isinstance(current, dict)
    return {**previous, **current} if is_line else current


def _sent_members(value: Value, sent: Value) -> Value:
    """Return a value; of a line, only the members that were sent."""
    is_line = isinstance(value, dict) and isinstance(sent, dict)
    return {name: value.get(name) for name in sent} if is_line else value


def stamp_of(record: Record) -> str | None:
    """Return the timestamp of a record's last change in the shop, if it has a valid one."""
    try:
        return text(record.get("updated_at"), label="updated_at")
    except Unusable:
        return None
