"""What Go was read to hold: entries, the keys they are found by, and how far lists were read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.store import tables as t
from target_powerofficego.store.columns import (
    from_json,
    from_stamp,
    to_json,
    to_key,
    to_stamp,
)
from target_powerofficego.store.connection import StoreConnection

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Mapping


class GoRows(StoreConnection):
    """The index of Go."""

    def put_go_entry(
        self,
        entity: str,
        go_id: str,
        body: Mapping[str, Any],
        keys: Iterable[str],
        read_at: datetime.datetime,
    ) -> None:
        """Keep an entry as read from Go, and the keys it is found by."""
        key = {"namespace": self.namespace, "entity": entity, "go_id": go_id}
        with self.transaction():
            self._upsert(t.go_entries, key, {"body": to_json(body), "read_at": to_stamp(read_at)})
            self._connection.execute(
                sa.delete(t.go_keys).where(
                    *self._key(t.go_keys, entity), t.go_keys.c.go_id == go_id
                )
            )
            rows = [{**key, "match_key": one} for one in sorted({to_key(one) for one in keys})]
            if rows:
                self._connection.execute(sa.insert(t.go_keys), rows)

    def remove_go_entry(self, entity: str, go_id: str) -> None:
        """Forget an entry that Go no longer has."""
        with self.transaction():
            for table in (t.go_keys, t.go_entries):
                self._connection.execute(
                    sa.delete(table).where(*self._key(table, entity), table.c.go_id == go_id)
                )

    def clear_go_entries(self, entity: str) -> None:
        """Forget all entries of an entity, before it is read in full."""
        with self.transaction():
            for table in (t.go_keys, t.go_entries):
                self._connection.execute(sa.delete(table).where(*self._key(table, entity)))

    def go_entry(self, entity: str, go_id: str) -> tuple[dict[str, Any], datetime.datetime] | None:
        """Return an entry as last read from Go, with when that was."""
        query = sa.select(t.go_entries).where(
            *self._key(t.go_entries, entity), t.go_entries.c.go_id == go_id
        )
        row = self._first(query)
        return None if row is None else (from_json(row.body), from_stamp(row.read_at))

    def go_ids(self, entity: str, match_key: str) -> list[str]:
        """Return the ids of the entries found by a key, in the order of their ids."""
        query = sa.select(t.go_keys.c.go_id).where(
            *self._key(t.go_keys, entity), t.go_keys.c.match_key == to_key(match_key)
        )
        return sorted(
            (str(row.go_id) for row in self._all(query)), key=lambda go_id: (len(go_id), go_id)
        )

    def go_key_exists(self, entity: str, prefix: str) -> bool:
        """Tell whether any entry is found by a key that begins so."""
        query = sa.select(t.go_keys.c.go_id).where(
            *self._key(t.go_keys, entity), t.go_keys.c.match_key.startswith(prefix, autoescape=True)
        )
        return self._first(query.limit(1)) is not None

    def count_go_entries(self, entity: str) -> int:
        """Return how many entries of an entity Go was read to hold."""
        query = sa.select(sa.func.count()).where(*self._key(t.go_entries, entity))
        row = self._first(query.select_from(t.go_entries))
        return 0 if row is None else int(row[0])

    def watermark(self, entity: str) -> tuple[str | None, datetime.datetime] | None:
        """Return Go's newest stamp seen for an entity and when all of it was last read."""
        row = self._first(sa.select(t.watermarks).where(*self._key(t.watermarks, entity)))
        return None if row is None else (row.changed_since, from_stamp(row.full_read_at))

    def remove_watermark(self, entity: str) -> None:
        """Forget how far an entity was read, before it is read in full."""
        with self.transaction():
            self._connection.execute(
                sa.delete(t.watermarks).where(*self._key(t.watermarks, entity))
            )

    def put_watermark(
        self, entity: str, changed_since: str | None, full_read_at: datetime.datetime
    ) -> None:
        """Remember how far an entity was read."""
        key = {"namespace": self.namespace, "entity": entity}
        values = {"changed_since": changed_since, "full_read_at": to_stamp(full_read_at)}
        self._upsert(t.watermarks, key, values)
