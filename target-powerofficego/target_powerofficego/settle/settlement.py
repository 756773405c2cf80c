"""Settling the records of one direction: schedule, parking, retries and the end of the input."""

from __future__ import annotations

import abc
import contextlib
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from target_powerofficego.dataflow.orders.order import MADE_FOR_ORDERS
from target_powerofficego.dataflow.table import now
from target_powerofficego.settle.progress import Snapshot
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
_BATCH_SIZE = 1000
"""How many records have the hash of their bytes stored in one transaction."""


Reply = TypeVar("Reply")
AnyWalk = TypeVar("AnyWalk", bound="Walk[Any]")


class TargetSide(abc.ABC, Generic[AnyTools, AnyWalk]):
    """The side that is written to: how a record is settled, and what it must wait for.

    `entities` are the names under which the store keeps the records it settles; `source` is where
    they come from.
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
        """Return the keys that the work of a record writes, and those it only reads."""
        del entity, record
        return (), ()

    @abc.abstractmethod
    def is_settled(self, entity: str, arrival: Arrival) -> bool:
        """Return whether a record has nothing new since it was settled; make no call."""

    def fingerprint(self, record: Record) -> str:
        """Return a hash of a record and of everything that decides its outcome."""
        return record_hash(record, self._tools.fingerprint)

    def text_hash(self, text: RecordText) -> str:
        """Return such a hash of the bytes of a record, without parsing them."""
        return text.hash(self._tools.fingerprint)

    def archives(self) -> list[Unsettled]:
        """Return the parked records that are archived together at the end."""
        return []

    def is_made_for_others(self, unsettled: Unsettled) -> bool:
        """Return whether a record was made for one that needs it; the source did not send it."""
        return MADE_FOR_ORDERS in unsettled.payload

    def settle_at_end(self) -> Iterable[Callable[[], None]]:
        """Return the work that remains once all input is settled, to be done in this order."""
        return ()


class Settlement:
    """Takes the records of a run in the order of arrival, and settles each."""

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
        self._settled_texts: list[SettledText] = []
        self._is_all_read = False
        self._unsettled = {(record.entity, record.shop_id) for record in self._open()}

    def take(
        self,
        entity: str,
        record: Record,
        read_at: datetime.datetime,
        text: RecordText | None = None,
    ) -> None:
        """Take one record of the input; one with nothing new costs no call.

        `text` is the record as bytes, if it should be recognised by them when it comes again.
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

        Their stored hashes are all read at the beginning, and are valid until the store changes.
        """
        writes = self._store.write_count
        settled = self._store.settled.text_hashes(entity, [text.shop_id for text in texts])
        for text in texts:
            settled_hash = settled.get(text.shop_id)
            is_unchanged = (
                settled_hash is not None
                and settled_hash == self._side.text_hash(text)
                and self._is_untouched(entity, text.shop_id)
                and self._store.write_count == writes
            )
            if is_unchanged:
                self._pass(entity)
            yield is_unchanged

    def _pass(self, entity: str) -> None:
        self._tally.count_unchanged(entity_of(entity))
        self._passed += 1

    def _is_untouched(self, entity: str, shop_id: str) -> bool:
        """Return whether a record is not open, and was not taken in this run."""
        key = (entity, shop_id)
        is_known_settled = key not in self._unsettled and key not in self._seen
        return is_known_settled and not self._schedule.is_busy_with(_record_key(*key))

    def _note_text(self, entity: str, arrival: Arrival) -> None:
        """Note the hash of the bytes of a record that was recognised only after parsing."""
        if arrival.text_hash is not None:
            record_hash = self._side.fingerprint(arrival.record)
            self._settled_texts.append(
                SettledText(entity, arrival.shop_id, record_hash, arrival.text_hash)
            )
        if len(self._settled_texts) == _BATCH_SIZE:
            self._store_texts()

    def _store_texts(self) -> None:
        self._store.settled.note_texts(self._settled_texts)
        self._settled_texts.clear()

    def _is_settled(self, entity: str, arrival: Arrival) -> bool:
        return _call_side(lambda: self._side.is_settled(entity, arrival), default=False)

    def reject_without_id(self, entity: str, record: Record, read_at: datetime.datetime) -> None:
        """Reject a record without a usable id, and store it under a hash of itself."""
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

    def snapshot(self, writes: int) -> Snapshot:
        """Return the progress of the run, with the number of writes; any thread may call this."""
        submitted, done = self._schedule.kinds()
        outcomes = self._tally.counts()
        return Snapshot(
            seen=dict(submitted),
            done=dict(done),
            passed=self._passed,
            writes=writes,
            parked={entity: counts.get("parked", 0) for entity, counts in outcomes.items()},
            open_ones=sum(
                counts.get(kind, 0) for counts in outcomes.values() for kind in ("rejected", "held")
            ),
            is_all_read=self._is_all_read,
        )

    def add_state(self, state: Mapping[str, Any]) -> None:
        """Take a STATE; it is printed once all records before it are settled."""
        self._gate.add(state)

    def retry_waiting(self, entity: str, shop_id: str) -> None:
        """Take up the records that waited for this one, which is now linked."""
        for waiting in self._store.unsettled.waiting_for(_record_key(entity, shop_id)):
            if waiting.entity != entity:
                self._take_up(waiting, is_from_worker=True)

    def finish(self) -> None:
        """Settle what is still open, in the order in which most of it can be settled."""
        self._is_all_read = True
        self._store_texts()
        self._schedule.drain()
        self._retry_refused()
        self._schedule.drain()
        self._take_up_parked()
        self._schedule.drain()
        for settle in self._side.settle_at_end():
            self._schedule.submit(settle, writes=())
            self._schedule.drain()
        self._forget_unneeded()
        self._gate.close()

    def interrupt(self, reason: BaseException) -> None:
        """Make the thread that submits records, or waits for the end, raise `reason`."""
        self._schedule.interrupt(reason)

    def stop(self, failure: BaseException) -> None:
        """Begin no more work, let calls in flight finish, and print the last state that is true."""
        self._schedule.stop(failure)
        with contextlib.suppress(OutputClosed):  # the reason why the run ends is already reported
            self._gate.close()

    def close(self) -> None:
        """Stop the workers."""
        self._schedule.stop()

    def _open(self, *kinds: UnsettledKind) -> list[Unsettled]:
        """Return the open records of this side by entity, since orders need the other entities."""
        entities = self._side.entities
        records = [
            record for record in self._store.unsettled.all(*kinds) if record.entity in entities
        ]
        return sorted(records, key=lambda record: entities.index(record.entity))

    def _take_up(
        self, waiting: Unsettled, *, at_end: bool = False, is_from_worker: bool = False
    ) -> None:
        """Take up a waiting record again, unless a newer version was taken meanwhile."""
        entity, record, read_at = waiting.entity, waiting.payload, waiting.read_at

        def take() -> object:
            now_open = self._store.unsettled.get(entity, waiting.shop_id)
            if now_open is None or (now_open.read_at, now_open.payload) != (read_at, record):
                return None
            return self._side.take(entity, Arrival(record, read_at, at_end))

        self._submit(entity, record, take, makes_missing=at_end, is_from_worker=is_from_worker)

    def _submit(
        self,
        entity: str,
        record: Record,
        take: Callable[[], object],
        *,
        kind: str | None = None,
        makes_missing: bool = False,
        is_from_worker: bool = False,
    ) -> None:
        """Have a record taken in its turn; `makes_missing`: what it needs may be made for it."""
        no_keys: tuple[Collection[str], Collection[str]] = ((), ())
        writes, reads = _call_side(lambda: self._side.keys(entity, record), default=no_keys)
        if makes_missing:  # two records must not make the same one at once
            writes, reads = {*writes, *reads}, ()
        self._schedule.submit(
            take,
            writes={_record_key(entity, record["id"]), *writes},
            reads=reads,
            is_from_worker=is_from_worker,
            kind=kind,
            weight=1 + sum(len(member) for member in record.values() if isinstance(member, list)),
        )

    def _retry_refused(self) -> None:
        """Retry rejects and holds that this run did not replace; Go's refusals rest for a while."""
        for record in self._open("reject", "hold"):
            is_resting = record.is_resting(now())
            has_id = not record.shop_id.startswith(_WITHOUT_ID)
            if has_id and not is_resting and (record.entity, record.shop_id) not in self._seen:
                self._take_up(record)

    def _take_up_parked(self) -> None:
        archives = {record.id for record in self._side.archives()}
        for record in self._open("parked"):
            if record.id not in archives:
                self._take_up(record, at_end=True)

    def _forget_unneeded(self) -> None:
        """Forget records that could not be made for others, if no other waits for them now."""
        for record in self._open("reject", "hold"):
            key = _record_key(record.entity, record.shop_id)
            is_awaited = bool(self._store.unsettled.waiting_for(key))
            if not is_awaited and self._side.is_made_for_others(record):
                self._store.unsettled.clear(record.entity, record.shop_id)


def _record_key(entity: str, shop_id: str) -> str:
    return f"{entity}:{shop_id}"


def _call_side(call: Callable[[], Reply], *, default: Reply) -> Reply:
    """Return the result of a call about a record, or the default if its values make it fail."""
    try:
        return call()
    except LinkStoreError:
        raise
    except Exception:  # noqa: BLE001 - the walk fails too, and rejects only this record
        return default
