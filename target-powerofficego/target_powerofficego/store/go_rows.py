"""What is known of Go: writes without an answer, payments and their vouchers, and Go's entries."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.orders.payments import Payment, PostedPayment
from target_powerofficego.dataflow.table import now
from target_powerofficego.store import tables as t
from target_powerofficego.store.connection import Rows
from target_powerofficego.store.tables import to_key
from target_powerofficego.store.values import Intent, back_name, entity_of

if TYPE_CHECKING:
    import datetime
    from collections.abc import Collection, Iterable, Mapping

    from target_powerofficego.store.connection import StoreConnection
    from target_powerofficego.store.record_rows import SettledRows
    from target_powerofficego.store.values import WayName


COMPARISON = "compare"
"""The kind that is not a write, but a note that a write must still be compared with the shop."""
SENDING = "send"
"""The kind of a request to make and send an invoice; it stays until Go is known to have done so."""
KINDS = ("create", "patch", "delete", SENDING, COMPARISON)

_PART_OF = {"delivery_addresses": "customers", "contact_persons": "customers"}
"""Entities that are written with the record of another entity, and under its id."""

_IS_WRITE = t.intents.c.kind != COMPARISON


class IntentRows(Rows):
    """Writes without an answer, and orders that must still be compared with Go's."""

    def __init__(self, store: StoreConnection, settled: SettledRows) -> None:
        super().__init__(store)
        self._settled = settled

    def begin(self, entity: str, shop_id: str, kind: str, detail: Mapping[str, Any]) -> Intent:
        """Commit what is about to be written, before the call.

        The version that was settled before is forgotten: if it comes again, it is an edit.
        """
        row = {"entity": entity, "shop_id": shop_id, "kind": kind, "detail": detail}
        started_at = now()
        with self._store.transaction():
            self._settled.reopen(_PART_OF.get(entity, entity_of(entity)), shop_id)
            number = self._insert(t.intents, **self._key(**row, started_at=started_at))
        return Intent(number, entity, shop_id, kind, detail, started_at)

    def note(self, intent: Intent, detail: Mapping[str, Any]) -> None:
        """Replace the detail of an intent that stays open."""
        self._update(t.intents, [t.intents.c.id == intent.id], detail=detail)

    def end(self, intent: Intent) -> None:
        """Remove an intent, in the transaction that stores its answer."""
        self._delete(t.intents, [t.intents.c.id == intent.id])

    def all(self, way: WayName | None = None) -> list[Intent]:
        """Return the writes without an answer, of one way or of both, oldest first."""
        is_back = t.intents.c.entity.endswith(back_name(""), autoescape=True)
        of_way = {"forward": [sa.not_(is_back)], "back": [is_back]}
        return self._intents(_IS_WRITE, *(of_way[way] if way else []))

    def of_record(self, entities: Collection[str], shop_id: str) -> list[Intent]:
        """Return the writes without an answer of one record, oldest first."""
        is_of_record = t.intents.c.shop_id == shop_id
        return self._intents(_IS_WRITE, t.intents.c.entity.in_(entities), is_of_record)

    def of_entity(self, entity: str) -> list[Intent]:
        """Return the writes without an answer of one entity, oldest first."""
        return self._intents(_IS_WRITE, t.intents.c.entity == entity)

    def note_comparison(self, entity: str, shop_id: str) -> None:
        """Note, along with a write, that its result in Go must still be compared with the shop."""
        with self._store.transaction():
            if not self.is_comparison_due(entity, shop_id):
                self.begin(entity, shop_id, COMPARISON, {})

    def is_comparison_due(self, entity: str, shop_id: str) -> bool:
        """Return whether a record was written, but not yet found to agree with the shop's."""
        return bool(self._intents(*self._comparison(entity, shop_id)))

    def end_comparison(self, entity: str, shop_id: str) -> None:
        """Note that Go agrees with the shop, or that its entry is gone."""
        self._delete(t.intents, self._comparison(entity, shop_id))

    def _comparison(self, entity: str, shop_id: str) -> list[sa.ColumnElement[bool]]:
        return self._where(t.intents, kind=COMPARISON, entity=entity, shop_id=shop_id)

    def _intents(self, *conditions: sa.ColumnElement[bool]) -> list[Intent]:
        query = self._select(t.intents, *conditions)
        return self._values(Intent, query.order_by(t.intents.c.id))


class PaymentRows(Rows):
    """Payments: each is in at most one voucher, and what was posted is never forgotten."""

    def replace_due(self, order_id: str, payments: Iterable[Payment]) -> None:
        """Keep these payments of an order as those to be posted, replacing the earlier ones."""
        rows = [
            self._key(
                order_id=order_id,
                payment_id=payment.payment_id,
                day=payment.day,
                method=payment.method,
                amount=str(payment.amount),
                currency=payment.currency,
                was_met=False,
            )
            for payment in payments
        ]
        with self._store.transaction():
            self._delete_from((t.payments,), order_id=order_id, voucher=None)
            self._insert_all(t.payments, rows)

    def remove_due(self, payment: Payment) -> None:
        """Forget a payment that is not to be posted after all."""
        self._delete(t.payments, self._unposted(payment))

    def due(self, *, before: datetime.date) -> list[Payment]:
        """Return the payments of earlier days that are in no voucher yet."""
        query = self._select(t.payments, t.payments.c.day < str(before), voucher=None)
        order = (t.payments.c.day, t.payments.c.method, t.payments.c.order_id)
        return [_payment(row) for row in self._all(query.order_by(*order, t.payments.c.payment_id))]

    def posted(self, order_id: str) -> list[PostedPayment]:
        """Return the payments of an order that are in a voucher, even one without an answer yet."""
        query = self._select(t.payments, t.payments.c.voucher.is_not(None), order_id=order_id)
        rows = self._all(query.order_by(t.payments.c.payment_id))
        return [PostedPayment(_payment(row), row.voucher) for row in rows]

    def in_voucher(self, reference: str) -> list[Payment]:
        """Return the payments that were put into a voucher."""
        query = self._select(t.payments, voucher=reference)
        order = (t.payments.c.order_id, t.payments.c.payment_id)
        return [_payment(row) for row in self._all(query.order_by(*order))]

    def vouchers_of(self, method: str, day: str, *, in_go: bool) -> set[str]:
        """Return the references of a method's vouchers of a day: found `in_go`, or posted here."""
        query = sa.select(t.payments.c.voucher, t.payments.c.was_met).where(
            *self._where(t.payments, method=method, day=day), t.payments.c.voucher.is_not(None)
        )
        rows = self._all(query.distinct())
        found_in_go = {row.voucher for row in rows if row.was_met}
        return found_in_go if in_go else {row.voucher for row in rows} - found_in_go

    def put_into_voucher(self, payments: Iterable[Payment], reference: str) -> None:
        """Note, before the call, which payments a voucher has."""
        with self._store.transaction():
            for payment in payments:
                self._update(t.payments, self._unposted(payment), voucher=reference)

    def note_posted(self, reference: str) -> None:
        """Note that a voucher is in Go with all its payments."""
        self._update(t.payments, self._where(t.payments, voucher=reference), posted_at=now())

    def note_in_go(self, reference: str, payments: Iterable[Payment]) -> None:
        """Note that Go already had a voucher with these payments, and store Go's amounts.

        Other payments that were put into it are still to be posted.
        """
        with self._store.transaction():
            self.empty_voucher(reference)
            for payment in payments:
                self.put_into_voucher([payment], reference)
                is_payment = self._where(t.payments, voucher=reference, **_ids(payment))
                self._update(t.payments, is_payment, amount=str(payment.amount))
            in_voucher = self._where(t.payments, voucher=reference)
            self._update(t.payments, in_voucher, was_met=True, posted_at=now())

    def empty_voucher(self, reference: str) -> None:
        """Note that a voucher was not posted, so its payments are still to be posted."""
        unposted = self._where(t.payments, voucher=reference, posted_at=None)
        self._update(t.payments, unposted, voucher=None)

    def _unposted(self, payment: Payment) -> list[sa.ColumnElement[bool]]:
        return self._where(t.payments, voucher=None, **_ids(payment))


def _ids(payment: Payment) -> dict[str, str]:
    return {"order_id": payment.order_id, "payment_id": payment.payment_id}


def _payment(row: sa.Row[Any]) -> Payment:
    return Payment(
        row.order_id, row.payment_id, row.day, row.method, Decimal(row.amount), row.currency
    )


class GoRows(Rows):
    """Go's entries as last read, and the keys by which they are found."""

    def put(
        self,
        entity: str,
        go_id: str,
        body: Mapping[str, Any],
        keys: Iterable[str],
        read_at: datetime.datetime,
    ) -> None:
        """Store an entry as read from Go, and the keys by which it is found."""
        key = self._key(entity=entity, go_id=go_id)
        with self._store.transaction():
            self._upsert(t.go_entries, key, {"body": body, "read_at": read_at})
            self._delete_from((t.go_keys,), **key)
            match_keys = sorted({to_key(match_key) for match_key in keys})
            rows = [{**key, "match_key": match_key} for match_key in match_keys]
            self._insert_all(t.go_keys, rows)

    def remove(self, entity: str, go_id: str) -> None:
        """Forget an entry that Go no longer has."""
        self._delete_from((t.go_keys, t.go_entries), entity=entity, go_id=go_id)

    def clear(self, entity: str) -> None:
        """Forget all entries of an entity, before it is read in full."""
        self._delete_from((t.go_keys, t.go_entries), entity=entity)

    def get(self, entity: str, go_id: str) -> tuple[dict[str, Any], datetime.datetime] | None:
        """Return an entry as last read from Go, and when it was read."""
        row = self._first(self._select(t.go_entries, entity=entity, go_id=go_id))
        return None if row is None else (row.body, row.read_at)

    def ids(self, entity: str, match_key: str) -> list[str]:
        """Return the ids of the entries that have a key, sorted as numbers."""
        rows = self._all(self._select(t.go_keys, entity=entity, match_key=to_key(match_key)))
        return sorted((str(row.go_id) for row in rows), key=lambda go_id: (len(go_id), go_id))

    def has_key_with_prefix(self, entity: str, prefix: str) -> bool:
        """Return whether any entry has a key with this prefix."""
        has_prefix = t.go_keys.c.match_key.startswith(prefix, autoescape=True)
        query = self._select(t.go_keys, has_prefix, entity=entity)
        return self._first(query.limit(1)) is not None

    def count(self, entity: str) -> int:
        """Return how many entries of an entity have been read from Go."""
        query = sa.select(sa.func.count()).select_from(t.go_entries)
        ((count,),) = self._all(query.where(*self._where(t.go_entries, entity=entity)))
        return int(count)

    def watermark(self, entity: str) -> tuple[str | None, datetime.datetime] | None:
        """Return an entity's newest stamp seen in Go, and when it was last read in full."""
        row = self._first(self._select(t.watermarks, entity=entity))
        return None if row is None else (row.changed_since, row.full_read_at)

    def remove_watermark(self, entity: str) -> None:
        """Forget how far an entity was read, before it is read in full."""
        self._delete_from((t.watermarks,), entity=entity)

    def put_watermark(
        self, entity: str, changed_since: str | None, full_read_at: datetime.datetime
    ) -> None:
        """Store how far an entity was read, and when it was last read in full."""
        values = {"changed_since": changed_since, "full_read_at": full_read_at}
        self._upsert(t.watermarks, self._key(entity=entity), values)
