"""The mechanism that settles the records of one side: schedule, parking, retries, end of input."""

from __future__ import annotations

import abc
import contextlib
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from target_powerofficego.dataflow.orders.order import MADE_FOR_ORDERS
from target_powerofficego.dataflow.table import now
from target_powerofficego.settle.progress import Standing
from target_powerofficego.settle.record_flow import AnyTools, Arrival, record_hash
from target_powerofficego.settle.schedule import OutputClosed, Schedule, StateGate
from target_powerofficego.store.link_store import LinkStoreError
from target_powerofficego.store.values import SettledText, entity_of

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import IO

    from target_powerofficego.settle.record_flow import Walk
    from target_powerofficego.settle.record_text import RecordText
    from target_powerofficego.settle.summary import Tally
    from target_powerofficego.store.link_store import LinkStore, Unsettled, UnsettledKind

Record = dict[str, Any]

_WITHOUT_ID = "without id "
_TEXTS_AT_ONCE = 1000
"""How many records have their bytes noted in one transaction."""


Reply = TypeVar("Reply")
AnyWalk = TypeVar("AnyWalk", bound="Walk[Any]")


class TargetSide(abc.ABC, Generic[AnyTools, AnyWalk]):
    """The side that is written to: how one record is settled, and what it must wait for.

    `entities` are the names under which the store keeps what it settles; `source` is where the
    records come from.
    """

    entities: tuple[str, ...]
    source: str

    def __init__(self, tools: AnyTools, walks: Mapping[str, AnyWalk]) -> None:
        self._tools = tools
        self._walks = walks

    def take(self, entity: str, arrival: Arrival) -> str:
        """Settle, park, reject or hold one record; return the outcome in one word."""
        return self._walks[entity].take(arrival)

    def keys(self, entity: str, record: Record) -> tuple[Collection[str], Collection[str]]:
        """Return the keys that the record's work writes, and those it only reads."""
        del entity, record
        return (), ()

    @abc.abstractmethod
    def is_settled(self, entity: str, arrival: Arrival) -> bool:
        """Return whether a record brings nothing new since it was settled; makes no call."""

    def fingerprint(self, record: Record) -> str:
        """Return a hash of a record and of all that decides what becomes of it."""
        return record_hash(record, self._tools.fingerprint)

    def text_hash(self, text: RecordText) -> str:
        """Return such a hash of a record's bytes, which need not be read for it."""
        return text.hash(self._tools.fingerprint)

    def archives(self) -> list[Unsettled]:
        """Return the parked records that are to be archived, all at once at the end."""
        return []

    def is_made_for_others(self, unsettled: Unsettled) -> bool:
        """Return whether the source never sent this record, which another record needs."""
        return MADE_FOR_ORDERS in unsettled.payload

    def settle_at_end(self) -> Iterable[Callable[[], None]]:
        """Return what is left to do once all input is settled; each is done before the next."""
        return ()


class Settlement:
    """Takes the records of a run in arrival order and brings each to its end."""

    def __init__(
        self,
        side: TargetSide[Any, Any],
        store: LinkStore,
        tally: Tally,
        *,
        workers: int,
        output: IO[str] | None,
    ) -> None:
        self._side = side
        self._store = store
        self._tally = tally
        self._schedule = Schedule(workers)
        self._gate = StateGate(self._schedule, output)
        self._seen: set[tuple[str, str]] = set()
        self._passed = 0
        self._texts: list[SettledText] = []
        self._is_all_read = False
        self._unsettled = {(one.entity, one.shop_id) for one in self._open()}

    def take(
        self,
        entity: str,
        record: Record,
        read_at: datetime.datetime,
        text: RecordText | None = None,
    ) -> None:
        """Take one record of the input; one that brings nothing new costs nothing.

        `text` is the record as its bytes, if it is to be recognised by them when it comes again.
        """
        arrival = Arrival(record, read_at, text_hash=text and self._side.text_hash(text))
        if self._is_untouched(entity, arrival.shop_id) and self._is_settled(entity, arrival):
            self._pass(entity)
            self._note_text(entity, arrival)
            return
        self._seen.add((entity, arrival.shop_id))
        self._submit(
            entity,
            record,
            lambda: self._side.take(entity, arrival),
            kind=entity_of(entity),
        )

    def are_unchanged(self, entity: str, texts: Sequence[RecordText]) -> Iterator[bool]:
        """Yield for each record, when its turn comes, whether its bytes are those last settled.

        What the store knows of them is read at once, and holds as long as nothing is written there.
        """
        writes = self._store.write_count
        settled = self._store.settled.text_hashes(entity, [one.shop_id for one in texts])
        for one in texts:
            known = settled.get(one.shop_id)
            is_unchanged = (
                known is not None
                and known == self._side.text_hash(one)
                and self._is_untouched(entity, one.shop_id)
                and self._store.write_count == writes
            )
            if is_unchanged:
                self._pass(entity)
            yield is_unchanged

    def _pass(self, entity: str) -> None:
        self._tally.count_unchanged(entity_of(entity))
        self._passed += 1

    def _is_untouched(self, entity: str, shop_id: str) -> bool:
        """Return whether nothing of a record is open or was taken up in this run."""
        key = (entity, shop_id)
        is_known_settled = key not in self._unsettled and key not in self._seen
        return is_known_settled and not self._schedule.is_busy_with(_own_key(*key))

    def _note_text(self, entity: str, arrival: Arrival) -> None:
        """Note the bytes of a record that was recognised only when it was read."""
        if arrival.text_hash is not None:
            record_hash = self._side.fingerprint(arrival.record)
            self._texts.append(SettledText(entity, arrival.shop_id, record_hash, arrival.text_hash))
        if len(self._texts) == _TEXTS_AT_ONCE:
            self._keep_texts()

    def _keep_texts(self) -> None:
        self._store.settled.note_texts(self._texts)
        self._texts.clear()

    def _is_settled(self, entity: str, arrival: Arrival) -> bool:
        return _asked(lambda: self._side.is_settled(entity, arrival), otherwise=False)

    def reject_without_id(self, entity: str, record: Record, read_at: datetime.datetime) -> None:
        """Keep a record that has no usable id, under a hash of itself."""
        shop_id = f"{_WITHOUT_ID}{self._side.fingerprint(record)[:12]}"
        self._seen.add((entity, shop_id))
        self._store.unsettled.put(
            "reject",
            entity,
            shop_id,
            payload={**record, "id": shop_id},
            read_at=read_at,
            reason="the record has no id, or one that is too long, so it cannot be recognised"
            f" again: give it one in {self._side.source}, then acknowledge this",
        )
        self._tally.count(entity_of(entity), shop_id, "rejected")
        self._passed += 1

    def standing(self, writes: int) -> Standing:
        """Return how far the run is, after so many writes; any thread may call this."""
        submitted, done = self._schedule.kinds()
        outcomes = self._tally.counts()
        return Standing(
            seen=dict(submitted),
            done=dict(done),
            passed=self._passed,
            writes=writes,
            parked={entity: one.get("parked", 0) for entity, one in outcomes.items()},
            open_ones=sum(
                one.get(kind, 0) for one in outcomes.values() for kind in ("rejected", "held")
            ),
            is_all_read=self._is_all_read,
        )

    def add_state(self, state: Mapping[str, Any]) -> None:
        """Take a STATE; it is printed once all records before it are settled."""
        self._gate.add(state)

    def retry_waiting(self, entity: str, shop_id: str) -> None:
        """Take up the records that waited for this one, which is linked now."""
        for one in self._store.unsettled.waiting_for(_own_key(entity, shop_id)):
            if one.entity != entity:
                self._take_up(one, is_from_worker=True)

    def finish(self) -> None:
        """Settle what is still open, in the order that makes most of it possible."""
        self._is_all_read = True
        self._keep_texts()
        self._schedule.drain()
        self._retry_refused()
        self._schedule.drain()
        self._take_up_parked()
        self._schedule.drain()
        for settle in self._side.settle_at_end():
            self._schedule.submit(settle, writes=())
            self._schedule.drain()
        self._forget_needless()
        self._gate.close()

    def interrupt(self, reason: BaseException) -> None:
        """Make the thread that hands in records, or waits for the end, raise this."""
        self._schedule.interrupt(reason)

    def stop(self, failure: BaseException) -> None:
        """Begin nothing more; calls in flight finish; print the last state that is true."""
        self._schedule.stop(failure)
        with contextlib.suppress(OutputClosed):  # why the run ends is already reported
            self._gate.close()

    def close(self) -> None:
        """End the workers."""
        self._schedule.stop()

    def _open(self, *kinds: UnsettledKind) -> list[Unsettled]:
        """Return what is open on this side, by entity: orders need customers and products."""
        found = self._store.unsettled.all(*kinds)
        entities = self._side.entities
        own = [one for one in found if one.entity in entities]
        return sorted(own, key=lambda one: entities.index(one.entity))

    def _take_up(
        self, one: Unsettled, *, at_end: bool = False, is_from_worker: bool = False
    ) -> None:
        """Take up a waiting record again, unless a newer version was dealt with meanwhile."""

        def take() -> object:
            before = self._store.unsettled.get(one.entity, one.shop_id)
            if before is None or (before.read_at, before.payload) != (one.read_at, one.payload):
                return None
            return self._side.take(one.entity, Arrival(one.payload, one.read_at, at_end))

        self._submit(
            one.entity, one.payload, take, is_thorough=at_end, is_from_worker=is_from_worker
        )

    def _submit(
        self,
        entity: str,
        record: Record,
        take: Callable[[], object],
        *,
        kind: str | None = None,
        is_thorough: bool = False,
        is_from_worker: bool = False,
    ) -> None:
        """Have a record taken once its turn comes; `is_thorough`: what it needs may be made."""
        none: tuple[Collection[str], Collection[str]] = ((), ())
        writes, reads = _asked(lambda: self._side.keys(entity, record), otherwise=none)
        if is_thorough:  # what it needs must not be made by two at once
            writes, reads = {*writes, *reads}, ()
        self._schedule.submit(
            take,
            writes={_own_key(entity, record["id"]), *writes},
            reads=reads,
            is_from_worker=is_from_worker,
            kind=kind,
            weight=1 + sum(len(one) for one in record.values() if isinstance(one, list)),
        )

    def _retry_refused(self) -> None:
        """Retry rejects and holds that this run did not replace; Go's refusals rest a while."""
        for one in self._open("reject", "hold"):
            rests = one.is_resting(now())
            is_nameless = one.shop_id.startswith(_WITHOUT_ID)
            if not rests and not is_nameless and (one.entity, one.shop_id) not in self._seen:
                self._take_up(one)

    def _take_up_parked(self) -> None:
        archives = {one.id for one in self._side.archives()}
        for one in self._open("parked"):
            if one.id not in archives:
                self._take_up(one, at_end=True)

    def _forget_needless(self) -> None:
        """Forget records that could not be made for others, once none of those waits for them."""
        for one in self._open("reject", "hold"):
            waiting = self._store.unsettled.waiting_for(_own_key(one.entity, one.shop_id))
            if not waiting and self._side.is_made_for_others(one):
                self._store.unsettled.clear(one.entity, one.shop_id)


def _own_key(entity: str, shop_id: str) -> str:
    return f"{entity}:{shop_id}"


def _asked(ask: Callable[[], Reply], *, otherwise: Reply) -> Reply:
    """Return what a side says of a record; where it cannot, the record's walk reports why."""
    try:
        return ask()
    except LinkStoreError:
        raise
    except Exception:  # noqa: BLE001 - its walk fails too, and rejects this record alone
        return otherwise
