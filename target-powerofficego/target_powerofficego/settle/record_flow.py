"""The frame of every walk: a record arrives, and ends as settled, parked, rejected or held.

Also what the walks of both directions receive: the record's arrival, and the tools of the run.
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
    MAX_RUNS,
    MIN_READINGS,
    Doubt,
    Version,
    find_doubt,
    require_enough_readings,
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
"""What a record waits for while a write of the other direction to it is unanswered."""

OLD_VERSION = "a newer version waits"
"""Why nothing is done about an older version of an open record."""

ID_REUSED = "deleted in the shop, where its id is another record's since"
"""Why an old record that is sent again does not concern the one that has its id now."""

_IS_MADE = "; this was taken from an order: correct the order, or make the shop send the record"
_NOTHING_TO_KEEP = (OLD_VERSION, ERASED_CUSTOMER, ID_REUSED, NEVER_IN_GO)


@dataclass(kw_only=True)
class RunTools:
    """The store, and what is known about the run; shared by all workers.

    `wait` sleeps for a number of seconds, so that a replica that is behind can catch up.
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
        """Merge both sides of a linked record; see `merge`.

        `stamps` are the times of the last change that the shop and Go state.
        """
        shop_stamp, go_stamp = stamps
        return merge(
            self.settings.tables[link.entity],
            shop,
            go,
            link.base,
            owners=self.settings.owners[link.entity],
            evidence=Evidence(
                shop=human_edit(shop_stamp, link.own_shop_stamp),
                go=human_edit(go_stamp, link.own_stamp),
                margin=self.settings.clock_margin,
                unstamped_rows=unstamped_rows,
                asked=self.store.conflicts.undecided(link.entity, link.shop_id),
            ),
            way=way,
        )

    def note_conflict(self, entity: str, shop_id: str, conflict: Conflict) -> None:
        """Log a property that both sides changed, and store it with its values."""
        self.tally.note_conflict(entity, shop_id, conflict)
        self.store.conflicts.note(entity, shop_id, conflict)


@dataclass(frozen=True)
class Arrival:
    """A record, and when it was read from its side.

    `at_end`: the input has ended, so what is still missing may be made. `text_hash` is a hash of
    the record's bytes, if it should be recognised by them when it comes again.
    """

    record: Record
    read_at: datetime.datetime
    at_end: bool = False
    text_hash: str | None = None

    @property
    def is_made(self) -> bool:
        """Whether it was made for an order that needs it, and not sent by the shop."""
        return MADE_FOR_ORDERS in self.record

    @property
    def shop_id(self) -> str:
        """The id under which the record is stored."""
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
    """Settles the records of one entity; safe to use from several workers."""

    entity: str
    goes_back: ClassVar[bool] = False
    """Whether records of Go are written to the shop."""
    stops: tuple[type[Exception], ...] = (BrakeReached, LinkStoreError)
    """The exceptions that end the run."""

    def __init__(self, tools: AnyTools) -> None:
        self.tools = tools

    @property
    def kept_as(self) -> str:
        """The name under which the store keeps settled and open records."""
        return back_name(self.entity) if self.goes_back else self.entity

    @property
    def other_way(self) -> str:
        """The name under which the other direction keeps these records and its writes."""
        return self.entity if self.goes_back else back_name(self.entity)

    @property
    def table(self) -> Table:
        """The property table of this entity."""
        return self.tools.settings.tables[self.entity]

    def take(self, arrival: Arrival) -> str:
        """Bring one record to its outcome, and return that in one word.

        Raises:
            BrakeReached, LinkStoreError, and what else `stops` names: the run cannot continue; the
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
        """Return what was done about a record, or why nothing could be."""
        try:
            return self._take(arrival)
        except Undecidable as undecidable:
            return undecidable.change
        except Contradiction as contradiction:
            return Hold(str(contradiction))
        except Unusable as unusable:
            return Reject(f"{unusable}{_IS_MADE if arrival.is_made else ''}")
        except self.stops:
            raise
        except Exception as error:  # a bad record never stops the others
            if is_out_of_files(error):
                raise
            return self._refusal(error) or self._program_fault(arrival.shop_id, error)

    def _program_fault(self, shop_id: str, error: Exception) -> Reject:
        """Return a reject with where our code failed, without values, as they may be personal."""
        steps = traceback.extract_tb(error.__traceback__)
        logger.error(
            "%s %s: a fault of this program, please report it with this line: %s at %s",
            *(self.entity, shop_id, type(error).__name__),
            ", in ".join(f"{Path(step.filename).name}:{step.lineno} {step.name}" for step in steps),
        )
        place = f"{steps[-1].name}, line {steps[-1].lineno}"
        reason = f"this program could not read it ({type(error).__name__} in {place}); report it"
        return Reject(reason, title=PROGRAM_FAULT)

    def _resting(self, record: Record) -> Unsettled | None:
        """Return the refusal of this same record by the other side, if it is too early to retry."""
        refused = self.tools.store.unsettled.resting(self.kept_as, record["id"])
        if refused is None or record_hash(refused.payload, "") != record_hash(record, ""):
            return None
        return refused

    def money_members(self, record: Record) -> Record:
        """Return the part of an open record that a person must hear about again if it changes."""
        del record
        return {}

    def _has_same_money(self, before: Record, record: Record) -> bool:
        return record_hash(self.money_members(before), "") == record_hash(
            self.money_members(record), ""
        )

    def kept(self, record: Record) -> Record:
        """Return a record without what was erased, as it may be used and stored."""
        return record

    @abc.abstractmethod
    def _settle(self, arrival: Arrival) -> Change:
        """Decide and write; return the change.

        Raises:
            Undecidable, Unusable, and the exceptions of `stops` and `_refusal`.
        """

    @abc.abstractmethod
    def settle_unanswered(self, shop_id: str) -> None:
        """Find out what became of a record's unanswered writes."""

    @abc.abstractmethod
    def _refusal(self, error: Exception) -> Reject | None:
        """Return the reject for a refusal by the side that is written to.

        None: it is not an error of that side.
        """

    def _take(self, arrival: Arrival) -> Change:
        self.settle_unanswered(arrival.shop_id)
        newer_outcome = self._require_newest(arrival)
        if newer_outcome is not None:
            return Nothing(OLD_VERSION, newer_outcome)
        self.require_other_way_answered(arrival.shop_id)
        return self._settle(arrival)

    def require_other_way_answered(self, shop_id: str) -> None:
        """Require that every write of the other direction to a record has been answered.

        Raises:
            Undecidable: with a Park.
        """
        if self.tools.store.intents.of_record((self.other_way,), shop_id):
            raise Undecidable(
                Park(
                    "a write in the other direction has no answer yet; the next run in that"
                    " direction checks it",
                    (OTHER_WAY,),
                )
            )

    def _require_newest(self, arrival: Arrival) -> str | None:
        """Require that a record is not older than the known version.

        Return the outcome, in one word, of a newer version that is open and remains so; else None.

        Raises:
            Undecidable: with a Park or Hold; it may be older than the version that was settled.
        """
        store, shop_id = self.tools.store, arrival.shop_id
        record, read_at = arrival.record, arrival.read_at
        stamp = self.stamp_of(record)
        link = store.links.get(self.entity, shop_id)
        settled = store.settled.last_version(self.kept_as, shop_id)
        unsettled = store.unsettled.get(self.kept_as, shop_id)
        is_overdue = False
        if unsettled is not None and NEWER_VERSION in store.unsettled.awaited_by(unsettled.id):
            is_overdue = unsettled.kind == "hold" or unsettled.attempts >= MAX_RUNS
            unsettled = None
        versions = []
        if link is not None:
            replaced = self._shows_what_was_replaced(record, link)
            versions.append(Version(stamp, self._own_stamp(link), seems_old=replaced))
        if settled is not None:
            versions.append(Version(stamp, settled.stamp, seems_old=read_at < settled.read_at))
        open_doubt = None
        if unsettled is not None:
            known_stamp, seems_old = self.stamp_of(unsettled.payload), read_at < unsettled.read_at
            open_doubt = find_doubt([Version(stamp, known_stamp, seems_old=seems_old)])
        doubt = find_doubt(versions)
        if doubt is None and open_doubt is None:
            return None
        readings = store.settled.count_reading(self.kept_as, shop_id, read_at)
        if unsettled and open_doubt and (open_doubt is Doubt.OLDER or readings < MIN_READINGS):
            return OUTCOME_OF[unsettled.kind]
        # an open version was never booked: one that may be newer, and was read often enough,
        # replaces it
        if doubt is not None:
            require_enough_readings(doubt, readings, is_overdue=is_overdue)
        return None

    @abc.abstractmethod
    def stamp_of(self, record: Record) -> str | None:
        """Return the time of a record's last change that its own side states."""

    @abc.abstractmethod
    def _own_stamp(self, link: Link) -> str | None:
        """Return the stamp that our own last write left on the record's side."""

    def _shows_what_was_replaced(self, record: Record, link: Link) -> bool:
        """Return whether a record shows a value that our own last write to its side replaced."""
        del record, link
        return False

    def keep(self, arrival: Arrival, change: Change, kept: Arrival | None = None) -> None:
        """Count and store what became of a record; `kept` is the record without what was erased."""
        tools, shop_id = self.tools, arrival.shop_id
        if type(change) is not Nothing:
            tools.plan.add(self.entity, shop_id, change)
        skip_reason = change.reason if isinstance(change, Skip) else ""
        tools.tally.count(self.entity, shop_id, change.outcome, skip_reason)
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
        """Store an open record, and the reason."""
        before = self.tools.store.unsettled.get(self.kept_as, arrival.shop_id)
        has_same_money = before is None or self._has_same_money(before.payload, arrival.record)
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
            keeps_acknowledgement=has_same_money,
        )

    def require_same_record(self, record: Record, link: Link) -> Link:
        """Return the link of a record, with its time of creation in the shop if that was unknown.

        Raises:
            Undecidable: with a Hold; the shop has given the id to another record.
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
    """Return the time of creation that the shop states for a record; None if it is not text."""
    stamp = record.get("created_at")
    return stamp if isinstance(stamp, str) and stamp.strip() else None


def _is_same_moment(stamp: object, other: object) -> bool:
    """Return whether two stamps mean the same moment, or are equal if one cannot be read."""
    try:
        return instant(stamp, label="created_at") == instant(other, label="created_at")
    except Unusable:
        return stamp == other
