"""The frame of every walk: a record arrives, and ends settled, parked, rejected or held.

Here is also what the walks of either way are given: the record's arrival, and the tools of the run.
"""

from __future__ import annotations

import abc
import hashlib
import json
import logging
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import orjson

from target_powerofficego.dataflow.orders.order import MADE_FOR_ORDERS
from target_powerofficego.dataflow.table import NEVER
from target_powerofficego.dataflow.values import Contradiction, Unusable, instant
from target_powerofficego.decisions.changes import (
    OUTCOME_OF,
    Hold,
    Nothing,
    Open,
    Park,
    Reject,
    Skip,
    Undecidable,
)
from target_powerofficego.decisions.merge import Evidence, Way, human_edit, merge
from target_powerofficego.decisions.personal_data import ERASED_CUSTOMER, NEVER_IN_GO
from target_powerofficego.plugin.open_files import is_out_of_files
from target_powerofficego.settle.versions import (
    MOST_RUNS,
    SURE_AFTER,
    Doubt,
    Version,
    doubt,
    see_that_it_counts,
)
from target_powerofficego.settle.writes import BrakeReached
from target_powerofficego.store.link_store import NEWER_VERSION, PROGRAM_FAULT, LinkStoreError
from target_powerofficego.store.values import back_name

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable

    from target_powerofficego.dataflow.table import Conversion, Record, Table
    from target_powerofficego.decisions.changes import Change, Conflict
    from target_powerofficego.decisions.merge import Merge, Side
    from target_powerofficego.decisions.personal_data import ErasedCustomers
    from target_powerofficego.settings.both_ways import SideSettings
    from target_powerofficego.settle.plan import Plan
    from target_powerofficego.settle.summary import Tally
    from target_powerofficego.store.link_store import Link, LinkStore, Unsettled


logger = logging.getLogger("target-powerofficego")

OTHER_WAY = "the other way"
"""What a record awaits while the other way's write to it is unanswered: it is no person's edit."""

OLD_VERSION = "a newer version waits"
"""Why nothing is done about an older version of a record that is open."""

ID_REUSED = "deleted in the shop, where its id is another record's since"
"""Why an old record that is sent again says nothing about the one that has its id now."""

_NOTHING_TO_KEEP = (OLD_VERSION, ERASED_CUSTOMER, ID_REUSED, NEVER_IN_GO)


@dataclass(kw_only=True)
class RunTools:
    """The store, and what is known of the run; shared by all workers.

    `wait` sleeps for that many seconds, where what is read may come from a replica that is behind.
    """

    settings: SideSettings
    conversion: Conversion
    store: LinkStore
    plan: Plan
    tally: Tally
    fingerprint: str
    erased: ErasedCustomers
    wait: Callable[[float], object] = time.sleep

    def merge(
        self,
        link: Link,
        shop: Side,
        go: Side,
        *,
        stamps: tuple[Any, Any],
        unstamped_rows: frozenset[str] = frozenset(),
        way: Way = Way.FORWARD,
    ) -> Merge:
        """Merge what both sides hold of a linked record; see `merge`.

        `stamps` are when the record was last changed on each side, as the shop and Go state it.
        """
        of_shop, of_go = stamps
        return merge(
            self.settings.tables[link.entity],
            shop,
            go,
            link.base,
            owners=self.settings.owners[link.entity],
            evidence=Evidence(
                shop=human_edit(of_shop, link.own_shop_stamp),
                go=human_edit(of_go, link.own_stamp),
                margin=self.settings.clock_margin,
                unstamped_rows=unstamped_rows,
                asked=self.store.conflicts.undecided(link.entity, link.shop_id),
            ),
            way=way,
        )

    def note_conflict(self, entity: str, shop_id: str, conflict: Conflict) -> None:
        """Log a property that both sides changed, and keep it with its values."""
        self.tally.note_conflict(entity, shop_id, conflict)
        self.store.conflicts.note(entity, shop_id, conflict)


@dataclass(frozen=True)
class Arrival:
    """A record, when its side was read, and whether it is taken at the end of the input.

    `at_end` is true once no more input comes: then what is still missing may be made. `text_hash`
    is a hash of its bytes, if it is to be recognised by them when it comes again.
    """

    record: Record
    read_at: datetime.datetime
    at_end: bool = False
    text_hash: str | None = None

    @property
    def is_made(self) -> bool:
        """Whether it was made for an order that needs it, rather than sent by the shop."""
        return MADE_FOR_ORDERS in self.record

    @property
    def shop_id(self) -> str:
        """The id under which the record is kept."""
        return str(self.record["id"])


def record_hash(record: Record, fingerprint: str) -> str:
    """Return a hash of a record and of the tables and settings by which it is read."""
    try:
        body = orjson.dumps(record, default=str, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # a whole number beyond 64 bits, or nested too deep
        body = json.dumps(record, default=str, sort_keys=True).encode()
    return hashlib.blake2b(body, digest_size=16, key=fingerprint.encode()[:64]).hexdigest()


AnyTools = TypeVar("AnyTools", bound=RunTools)


class Walk(abc.ABC, Generic[AnyTools]):
    """Takes records of one entity through the rooms; safe to use from several workers."""

    entity: str
    goes_back: ClassVar[bool] = False
    """Whether records of Go are taken to the shop."""
    stops: tuple[type[Exception], ...] = (BrakeReached, LinkStoreError)
    """What ends the run."""

    def __init__(self, tools: AnyTools) -> None:
        self.tools = tools

    @property
    def kept_as(self) -> str:
        """The name under which the store keeps what is settled or open."""
        return back_name(self.entity) if self.goes_back else self.entity

    @property
    def other_way(self) -> str:
        """The name under which the other way keeps such a record and its writes."""
        return self.entity if self.goes_back else back_name(self.entity)

    @property
    def table(self) -> Table:
        """The property table of this entity."""
        return self.tools.settings.tables[self.entity]

    def take(self, arrival: Arrival) -> str:
        """Settle one record, whatever happens to it; return the outcome in one word.

        Raises:
            BrakeReached, LinkStoreError, and what else `stops` names: the run cannot go on; the
                record is not settled.
        """
        kept = replace(arrival, record=self.kept(arrival.record))
        if (resting := self._resting(kept.record)) is not None:
            outcome = OUTCOME_OF[resting.kind]
            self.tools.tally.count(self.entity, arrival.shop_id, outcome)
            return outcome
        change = self._outcome(kept)
        self.keep(arrival, change, kept)
        return change.outcome

    def _outcome(self, arrival: Arrival) -> Change:
        """Return what is done about a record, or why nothing can be."""
        try:
            return self._take(arrival)
        except Undecidable as undecidable:
            return undecidable.change
        except Contradiction as contradiction:
            return Hold(str(contradiction))
        except Unusable as unusable:
            return Reject(str(unusable))
        except self.stops:
            raise
        except Exception as error:  # one bad record never stops the others
            if is_out_of_files(error):
                raise
            return self._refusal(error) or self._own_fault(arrival.shop_id, error)

    def _own_fault(self, shop_id: str, error: Exception) -> Reject:
        """Return where our own code broke; values are left out, as they may be personal data."""
        steps = traceback.extract_tb(error.__traceback__)
        logger.error(
            "%s %s: a fault of this program, please report it with this line: %s at %s",
            *(self.entity, shop_id, type(error).__name__),
            ", in ".join(f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in steps),
        )
        place = f"{steps[-1].name}, line {steps[-1].lineno}"
        reason = f"this program could not read it ({type(error).__name__} in {place}); report it"
        return Reject(reason, title=PROGRAM_FAULT)

    def _resting(self, record: Record) -> Unsettled | None:
        """Return the other side's refusal of just this record, while it is too early to retry."""
        before = self.tools.store.unsettled.resting(self.kept_as, record["id"])
        if before is None or record_hash(before.payload, "") != record_hash(record, ""):
            return None
        return before

    def money_members(self, record: Record) -> Record:
        """Return the part of an open record whose change a person must hear of again."""
        del record
        return {}

    def _has_same_stakes(self, before: Record, record: Record) -> bool:
        return record_hash(self.money_members(before), "") == record_hash(
            self.money_members(record), ""
        )

    def kept(self, record: Record) -> Record:
        """Return a record as it may be worked with and kept: without what was erased."""
        return record

    @abc.abstractmethod
    def _settle(self, arrival: Arrival) -> Change:
        """Decide and write; return the change.

        Raises:
            Undecidable, Unusable, and what `stops` and `_refusal` cover.
        """

    @abc.abstractmethod
    def settle_unanswered(self, shop_id: str) -> None:
        """Find out first what became of a record's writes that have no answer."""

    @abc.abstractmethod
    def _refusal(self, error: Exception) -> Reject | None:
        """Return what an error of the side that is written to means for the record.

        None: it is not an error of that side.
        """

    def _take(self, arrival: Arrival) -> Change:
        self.settle_unanswered(arrival.shop_id)
        open_word = self._see_that_it_is_the_newest(arrival)
        if open_word is not None:
            return Nothing(OLD_VERSION, open_word)
        self.require_other_way_answered(arrival.shop_id)
        return self._settle(arrival)

    def require_other_way_answered(self, shop_id: str) -> None:
        """Require that every write of the other way to a record has been answered.

        Raises:
            Undecidable: with a Park.
        """
        if self.tools.store.intents.of_record((self.other_way,), shop_id):
            raise Undecidable(
                Park(
                    "a write of the other way has no answer yet; the next run that way looks",
                    (OTHER_WAY,),
                )
            )

    def _see_that_it_is_the_newest(self, arrival: Arrival) -> str | None:
        """Require that a record is not an older version than the one known.

        The outcome of a newer version that is open and stays so is returned, in one word.

        Raises:
            Undecidable: with a Park or Hold, where it may be older than the version that was
                settled.
        """
        store, shop_id = self.tools.store, arrival.shop_id
        record, read_at = arrival.record, arrival.read_at
        stamp = self.stamp_of(record)
        link = store.links.get(self.entity, shop_id)
        settled = store.settled.last_version(self.kept_as, shop_id)
        newest = store.unsettled.get(self.kept_as, shop_id)
        is_overdue = False
        if newest is not None and NEWER_VERSION in store.unsettled.awaited_by(newest.id):
            is_overdue = newest.kind == "hold" or newest.attempts >= MOST_RUNS
            newest = None
        known = []
        if link is not None:
            replaced = self._shows_what_was_replaced(record, link)
            known.append(Version(stamp, self._own_stamp(link), seems_old=replaced))
        if settled is not None:
            known.append(Version(stamp, settled.stamp, seems_old=read_at < settled.read_at))
        than_open = None
        if newest is not None:
            seems_old = read_at < newest.read_at
            than_open = doubt([Version(stamp, self.stamp_of(newest.payload), seems_old=seems_old)])
        found = doubt(known)
        if found is None and than_open is None:
            return None
        readings = store.settled.count_reading(self.kept_as, shop_id, read_at)
        if newest and than_open and (than_open is Doubt.OLDER or readings < SURE_AFTER):
            return OUTCOME_OF[newest.kind]
        # an open one is not in any books: what may be newer, and was read so often, replaces it
        if found is not None:
            see_that_it_counts(found, readings, is_overdue=is_overdue)
        return None

    @abc.abstractmethod
    def stamp_of(self, record: Record) -> str | None:
        """Return when a record was last changed, as its own side states it."""

    @abc.abstractmethod
    def _own_stamp(self, link: Link) -> str | None:
        """Return the stamp that our own last write left on that side."""

    def _shows_what_was_replaced(self, record: Record, link: Link) -> bool:
        """Return whether a record shows a value that our own last write to its side replaced."""
        del record, link
        return False

    def keep(self, arrival: Arrival, change: Change, kept: Arrival | None = None) -> None:
        """Count and keep what became of a record; `kept` is the record without what was erased."""
        tools, shop_id = self.tools, arrival.shop_id
        if type(change) is not Nothing:
            tools.plan.add(self.entity, shop_id, change)
        why_skipped = change.reason if isinstance(change, Skip) else ""
        tools.tally.count(self.entity, shop_id, change.outcome, why_skipped)
        if isinstance(change, Open):
            self.keep_open(kept or arrival, change)
        elif not (isinstance(change, Nothing) and change.reason in _NOTHING_TO_KEEP):
            tools.store.settled.put(
                self.kept_as,
                shop_id,
                record_hash(arrival.record, tools.fingerprint),
                NEVER if arrival.is_made else arrival.read_at,
                self.stamp_of(arrival.record),
                arrival.text_hash,
            )

    def keep_open(self, arrival: Arrival, change: Open) -> None:
        """Keep a record that is open, and why it is."""
        before = self.tools.store.unsettled.get(self.kept_as, arrival.shop_id)
        same = before is None or self._has_same_stakes(before.payload, arrival.record)
        self.tools.store.unsettled.put(
            change.kind,
            self.kept_as,
            arrival.shop_id,
            payload=arrival.record,
            read_at=arrival.read_at,
            reason=change.reason,
            title=change.title,
            detail=change.detail,
            is_refusal=change.is_refusal,
            waits_for=change.awaited,
            keeps_acknowledgement=same,
        )

    def require_same_record(self, record: Record, link: Link) -> Link:
        """Return the link of a record, with when the shop made it if that was not known yet.

        Raises:
            Undecidable: with a Hold, when the shop has given the id to another record.
        """
        created = created_at(record)
        if created and not link.shop_created_at:
            link = replace(link, shop_created_at=created)
            self.tools.store.links.put(link)
        if created and link.shop_created_at and not _is_same_moment(created, link.shop_created_at):
            reason = (
                f"the shop now has another record under the id {record['id']}"
                f" (created {created}, the linked one {link.shop_created_at})"
            )
            raise Undecidable(Hold(reason))
        return link


def created_at(record: Record) -> str | None:
    """Return when the shop made a record, as the shop states it; None where that is not text."""
    stamp = record.get("created_at")
    return stamp if isinstance(stamp, str) and stamp.strip() else None


def _is_same_moment(one: object, other: object) -> bool:
    """Return whether two stamps mean the same; what is not a stamp is compared as it stands."""
    try:
        return instant(one, label="created_at") == instant(other, label="created_at")
    except Unusable:
        return one == other
