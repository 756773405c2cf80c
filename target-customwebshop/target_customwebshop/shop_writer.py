"""Changes to shop records, each under an intent, so that a lost answer makes no false edit.

A change with If-Match is never done twice. But when its answer is lost, and the shop made something
else of a value than was sent (rounded, trimmed), the next look would take that for an edit made in
the shop. So what is about to be sent is committed to the link store before the call.
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
class Change:
    """What is about to be written to a shop record: rows with Go's values, and their patch.

    `before` are the values of all rows as the shop has them, `expected` those that it should have
    then.
    """

    rows: Sequence[RowChange]
    patch: Record
    before: Mapping[str, Value]
    expected: Mapping[str, Value]
    go_read_at: datetime.datetime


class ShopWriter:
    """Changes records, each under an intent, and keeps what both sides then agree on."""

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

    def change(self, link: Link, found: Read, change: Change) -> Link:
        """Change a record that is still as it was found; return the link with its new base.

        Raises:
            ChangedMeanwhile, RecordMissing, ChangeRefused, ChangeUnsupported, TryLater: nothing was changed, or not
                all of it; then both sides agree on what was.
            NoAnswer: whether it was changed is not known, and the shop could not be looked at; the
                intent stays.
            ShopError: the same.
            BrakeReached: nothing was changed.
        """
        self._shop.require_supported(link.entity, link.shop_id, change.patch)
        self._brakes.before_change()
        detail = {
            "rows": {row.row: row.after for row in change.rows},
            "before": dict(change.before),
            "expected": dict(change.expected),
            "read_at": to_stamp(change.go_read_at),
            "updated_at": stamp_of(found.record),
        }
        intent = self._store.intents.begin(back_name(link.entity), link.shop_id, "patch", detail)
        write = CarefulWrite(self._store, intent, NoAnswer, (), (RecordError, ShopError))

        def send() -> tuple[Read, bool]:
            try:
                return self._shop.change(link.entity, link.shop_id, change.patch, found), True
            except ChangedMeanwhile as error:
                raise write.unanswered or error from None  # an earlier try may have changed it

        def look(_is_last: bool) -> tuple[Read, bool] | None:
            there = self._look_after(link, write)
            return None if there.tag == found.tag and not refusal() else (there, False)

        def refusal() -> Exception | None:
            return write.unanswered and write.unanswered.refusal

        there, is_answer = write.run(send, look, write.give_up)
        link, undone = self._agree(link, intent, there, is_answer=is_answer)
        if error := refusal():
            raise error
        if undone and is_answer:
            kept = f"the shop took it and kept its own value of {', '.join(undone)}"
            raise self._shop.unchanged_error(kept, title=kept)
        if undone:
            raise ChangedMeanwhile(f"{link.entity} {link.shop_id} was edited in the shop meanwhile")
        return link

    def settle_unanswered_change(self, intent: Intent) -> None:
        """See what became of a change without an answer.

        Raises:
            ShopError, TryLater: the shop could not be looked at; the intent stays.
        """
        entity = entity_of(intent.entity)
        link = self._store.links.get(entity, intent.shop_id)
        try:
            there = None if link is None else self._shop.read(entity, intent.shop_id)
        except RecordMissing:
            there = None
        if link is None or there is None:
            self._store.intents.end(intent)
            return
        _, undone = self._agree(link, intent, there, is_answer=False)
        outcome = f"not done: {', '.join(undone)}" if undone else "it was done"
        logger.info("%s %s: a change had no answer; %s", entity, intent.shop_id, outcome)

    def values(self, entity: str, record: Record) -> dict[str, Value]:
        """Return a record in Go's form; see `shop_values`."""
        return shop_values(entity, record, self._tables[entity], self._conversion)

    def _look_after(self, link: Link, write: CarefulWrite[NoAnswer, Exception]) -> Read:
        """Read a record whose change was not answered.

        Raises:
            NoAnswer: it cannot be read either; the intent stays.
        """
        try:
            return self._shop.read(link.entity, link.shop_id)
        except (RecordError, ShopError) as error:
            raise write.unanswered or error from error

    def _agree(
        self, link: Link, intent: Intent, there: Read, *, is_answer: bool
    ) -> tuple[Link, list[str]]:
        """Keep what both sides hold now, in the transaction that ends the intent.

        Return the link, and the rows that were sent and are not there. A row that the shop changed
        by itself along with ours, as when it derives one price from another, is not a person's edit
        either, unless one was waiting there already. Without an answer, or where the shop does not
        see edits made meanwhile, only what was to be expected is taken for ours: a person may have
        edited the rest.
        """
        after = self.values(link.entity, there.record)
        sent, undone = self._agreed_on_sent(link, intent, after, is_answer=is_answer)
        base = {**link.base, **sent}
        is_whole_answer = is_answer and self._shop.detects_edits
        base |= self._agreed_beside(link, intent, base, after, is_whole_answer=is_whole_answer)
        stamp = stamp_of(there.record)
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
        """Return what both sides hold of the rows that were sent, and those that are not there."""
        detail, base, answered_at = intent.detail, dict(link.base), now()
        same = equality_by_name(self._tables[link.entity])
        agreed: dict[str, Agreement] = {}
        undone = []
        for name, sent in detail["rows"].items():
            value, one = after.get(name, ABSENT), base.get(name)
            is_whole = _is_whole_name(name, detail["rows"], base, after)
            if is_whole or self._is_done(same, detail, name, value, is_answer=is_answer):
                agreed[name] = base[name] = Agreement(
                    _held(one and one.shop, _part(value, sent)),
                    _held(one and one.go, sent),
                    answered_at,
                    intent.read_at,
                    replaced=_part(detail["before"].get(name), sent),
                )
            else:
                undone.append(name)
        return agreed, undone

    def _agreed_beside(
        self,
        link: Link,
        intent: Intent,
        base: Mapping[str, Agreement],
        after: Mapping[str, Value],
        *,
        is_whole_answer: bool,
    ) -> dict[str, Agreement]:
        """Return what both sides hold of rows that the shop changed along with those sent."""
        detail, answered_at = intent.detail, now()
        same = equality_by_name(self._tables[link.entity])
        agreed: dict[str, Agreement] = {}
        for name, value in after.items():
            one, before = base.get(name), detail["before"].get(name)
            if name in detail["rows"] or one is None:
                continue
            is_ours = (
                is_whole_answer
                or same(name, value, detail["expected"].get(name))
                or _is_whole_name(name, detail["rows"], base, after)
            )
            if is_ours and same(name, before, one.shop):
                agreed[name] = replace(
                    one,
                    shop=_held(one.shop, value),
                    shop_read_at=answered_at,
                    replaced=before,
                )
        return agreed

    def _is_done(
        self,
        same: Callable[[str, Value, Value], bool],
        detail: Mapping[str, Any],
        name: str,
        value: Value,
        *,
        is_answer: bool,
    ) -> bool:
        """Return whether a row holds what was sent, or what the shop makes of that."""
        sent, before = detail["rows"][name], detail["before"].get(name)
        if value is ABSENT or same(name, value, sent):
            return value is not ABSENT
        if same(name, value, before):
            return is_answer and is_variant_of(value, sent)
        return is_answer or is_variant_of(value, sent)


def _is_whole_name(
    name: str, sent: Mapping[str, Value], base: Mapping[str, Agreement], after: Mapping[str, Value]
) -> bool:
    """Return whether a shop that keeps a name as one holds Go's, however it is divided there."""
    if name not in PERSON_NAMES:
        return False
    in_go = {one: sent[one] if one in sent else base[one].go for one in PERSON_NAMES if one in base}
    return full_name(in_go) == full_name(after)


def _held(known: Value, told: Value) -> Value:
    """Return what a side holds now; a line keeps the members that are not in `told`."""
    is_line = isinstance(known, dict) and isinstance(told, dict)
    return {**known, **told} if is_line else told


def _part(value: Value, sent: Value) -> Value:
    """Return a value; of a line, only the members that were sent."""
    is_line = isinstance(value, dict) and isinstance(sent, dict)
    return {name: value.get(name) for name in sent} if is_line else value


def stamp_of(record: Record) -> str | None:
    """Return when the shop says that a record was last changed."""
    try:
        return text(record.get("updated_at"), label="updated_at")
    except Unusable:
        return None
