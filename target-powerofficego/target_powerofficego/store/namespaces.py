"""Namespaces (a Go client and a shop), with their runs and notices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.table import now
from target_powerofficego.store import tables as t
from target_powerofficego.store.connection import Rows, value_of
from target_powerofficego.store.tables import from_json, to_json
from target_powerofficego.store.values import LinkStoreError, Namespace, Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.store.values import WayName


_NO_INPUT = "no_input"
"""The mark among a run's outcomes that it received no message."""
_CUT_OFF_INPUT = "cut_off_input"
"""The mark among a run's outcomes that its tap sent something, but did not reach its end."""


class NamespaceRows(Rows):
    """The namespaces, and the choice of the one in which the rest of the store works."""

    def enter(
        self, client_id: str, client_name: str | None, shop_name: str, *, new_namespace: bool
    ) -> None:
        """Choose the namespace of a Go client and a shop, and create it the first time.

        Raises:
            LinkStoreError: the store knows this client only under other shop names, or this shop
                only with other clients, and `new_namespace` is false.
        """
        rows = self._all(sa.select(t.namespaces))
        for row in rows:
            if (row.client_id, row.shop_name) == (client_id, shop_name):
                self._store.namespace = row.id
                return
        location = self._store.location
        same_client = sorted(row.shop_name for row in rows if row.client_id == client_id)
        same_shop = [row.client_name or row.client_id for row in rows if row.shop_name == shop_name]
        if same_client and not new_namespace:
            raise LinkStoreError(
                f'the link store {location} knows this Go client under the shop name "'
                f'{same_client[0]}", not "{shop_name}": a renamed shop would post everything again;'
                " set shop_name back, or new_namespace: true if this is another shop"
            )
        if same_shop and not new_namespace:
            raise LinkStoreError(
                f'the link store {location} knows the shop "{shop_name}" with another client of Go'
                f' ("{same_shop[0]}"): check client_key, or set new_namespace: true if the shop now'
                " keeps its books with this client"
            )
        self._store.namespace = self._insert(
            t.namespaces,
            client_id=client_id,
            client_name=client_name,
            shop_name=shop_name,
            opened_at=now(),
        )

    def all(self) -> list[Namespace]:
        """Return all namespaces."""
        columns = (t.namespaces.c.id, t.namespaces.c.client_id, t.namespaces.c.shop_name)
        newest = sa.func.coalesce(sa.func.max(t.runs.c.id), 0).label("newest_run")
        query = sa.select(*columns, newest).select_from(t.namespaces).outerjoin(t.runs)
        query = query.group_by(*columns)
        return self._values(Namespace, query.order_by(t.namespaces.c.id))

    def choose(self, namespace: Namespace) -> None:
        """Choose an existing namespace."""
        self._store.namespace = namespace.id

    def enter_existing(self, shop_name: str) -> None:
        """Choose the only namespace of a shop; the way back does not know the id of the Go client.

        Raises:
            LinkStoreError: the shop has no namespace, or several.
        """
        location = self._store.location
        matches = [namespace for namespace in self.all() if namespace.shop_name == shop_name]
        if not matches:
            raise LinkStoreError(
                f'the link store {location} knows no shop "{shop_name}": nothing is linked'
                " yet; run target-powerofficego first, or correct link_store or shop_name"
            )
        if len(matches) > 1:
            clients = " and ".join(namespace.client_id for namespace in matches)
            raise LinkStoreError(
                f'the link store {location} knows the shop "{shop_name}" with several clients of Go'
                f" ({clients}), so it is not clear which to use; keep each in a link store of its"
                " own"
            )
        self.choose(matches[0])


class RunRows(Rows):
    """The runs of all namespaces, and the current one."""

    def has_finished(self, client_id: str, shop_name: str) -> bool:
        """Return whether a run forward with records has finished for this client and shop."""
        query = (
            sa.select(t.runs.c.id)
            .join(t.namespaces)
            .where(
                t.namespaces.c.client_id == client_id,
                t.namespaces.c.shop_name == shop_name,
                t.runs.c.way == "forward",
                t.runs.c.exit_status.in_((0, 3)),
                t.runs.c.outcomes.not_in(({}, {_NO_INPUT: True}, {_CUT_OFF_INPUT: True})),
            )
        )
        return self._first(query.limit(1)) is not None

    def start(self, way: WayName, settings: Mapping[str, Any] | None = None) -> int:
        """Record the start of a run, with the settings that both ways must share; return its id."""
        row = self._key(way=way, started_at=now(), settings=settings)
        self._store.run = self._insert(t.runs, **row)
        return self._store.run

    def changed_settings(self, settings: Mapping[str, Any]) -> list[str]:
        """Return the names of the settings that differed in the newest run that stored any."""
        query = sa.select(t.runs.c.settings).where(
            *self._where(t.runs), t.runs.c.settings.is_not(None)
        )
        row = self._first(query.order_by(t.runs.c.id.desc()).limit(1))
        previous = {} if row is None else row.settings
        current = from_json(to_json(settings))
        return [
            name for name, value in previous.items() if name in current and current[name] != value
        ]

    def save_progress(
        self, run_id: int, *, outcomes: Mapping[str, Any], calls: Mapping[str, Any]
    ) -> None:
        """Record how far a run has come."""
        self._update(t.runs, [t.runs.c.id == run_id], outcomes=outcomes, calls=calls)

    def finish(
        self,
        run_id: int,
        *,
        exit_status: int,
        outcomes: Mapping[str, Any],
        calls: Mapping[str, Any],
        has_input: bool = True,
        has_whole_input: bool = True,
    ) -> None:
        """Record how a run ended."""
        marks = {_NO_INPUT: not has_input, _CUT_OFF_INPUT: has_input and not has_whole_input}
        self._update(
            t.runs,
            [t.runs.c.id == run_id],
            finished_at=now(),
            exit_status=exit_status,
            outcomes={**outcomes, **{mark: True for mark, is_set in marks.items() if is_set}},
            calls=calls,
        )

    def newest(self, count: int = 20) -> list[Run]:
        """Return the newest runs of all namespaces, newest first."""
        return [_run(row) for row in self._all(_RUNS.limit(count))]

    def newest_of_each(self, *, ended: bool = False) -> list[Run]:
        """Return the newest run, or the newest that `ended`, of each shop and way, newest first."""
        newest = (
            sa.select(sa.func.max(t.runs.c.id))
            .where(*([t.runs.c.exit_status.is_not(None)] if ended else []))
            .join(t.namespaces)
            .group_by(t.namespaces.c.shop_name, t.runs.c.way)
        )
        return [_run(row) for row in self._all(_RUNS.where(t.runs.c.id.in_(newest)))]


class NoticeRows(Rows):
    """What the last message about the shop reported."""

    def last(self) -> dict[str, Any] | None:
        """Return what was last stored; None before the first time."""
        row = self._first(self._select(t.notices))
        return None if row is None else row.said

    def replace(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Store `after` in place of `before`, or as the first.

        Return false if something else is stored now, because another process replaced it.
        """
        key = self._key()
        with self._store.transaction():
            self._upsert(t.notices, key, key, only_new={"said": before})
            return self._update(t.notices, self._where(t.notices, said=before), said=after) == 1


_RUNS = sa.select(t.runs, t.namespaces.c.shop_name).join(t.namespaces).order_by(t.runs.c.id.desc())


def _run(row: sa.Row[Any]) -> Run:
    outcomes = row.outcomes or {}
    has_input = not outcomes.pop(_NO_INPUT, False)
    has_whole_input = has_input and not outcomes.pop(_CUT_OFF_INPUT, False)
    return replace(
        value_of(Run, row),
        outcomes=outcomes,
        calls=row.calls or {},
        has_input=has_input,
        has_whole_input=has_whole_input,
    )
