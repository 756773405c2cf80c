"""The state of both systems of the sandbox: in memory, and in a SQLite file if one is named."""

from __future__ import annotations

import copy
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import simplejson

if TYPE_CHECKING:
    from pathlib import Path

Document = dict[str, Any]


class Storage:
    """All tables of a sandbox; with a `path` they survive a restart.

    One lock serves every table, so that a request which reads and then writes can hold it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.lock = threading.RLock()
        self._file = None if path is None else sqlite3.connect(path, check_same_thread=False)
        self._tables: dict[str, Table] = {}
        if self._file:
            self._file.execute("PRAGMA synchronous = OFF")  # no power failure is simulated
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS documents"
                " (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id))"
            )

    def table(self, kind: str) -> Table:
        """Return the table for one kind of document, reading it from the file the first time."""
        with self.lock:
            if kind not in self._tables:
                self._tables[kind] = Table(self, kind)
            return self._tables[kind]

    def next_number(self, series: str, first: int = 1) -> int:
        """Return the next unused number of a named series, counting from `first`."""
        with self.lock:
            counters = self.table("counters")
            counter = counters.get(series) or {"next": first}
            counters.put(series, {"next": counter["next"] + 1})
            return int(counter["next"])

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file:
            self._file.close()

    def _load(self, kind: str) -> dict[str, Document]:
        if not self._file:
            return {}
        rows = self._file.execute(
            "SELECT id, body FROM documents WHERE kind = ? ORDER BY rowid", (kind,)
        )
        return {row_id: simplejson.loads(body, use_decimal=True) for row_id, body in rows}

    def _save(self, kind: str, document_id: str, body: Document | None) -> None:
        if not self._file:
            return
        with self._file:
            if body is None:
                self._file.execute(
                    "DELETE FROM documents WHERE kind = ? AND id = ?", (kind, document_id)
                )
            else:
                self._file.execute(
                    "INSERT INTO documents VALUES (?, ?, ?)"
                    " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                    (kind, document_id, simplejson.dumps(body, use_decimal=True)),
                )


class Table:
    """Documents of one kind by id, in the order they were first put; it takes and gives copies."""

    def __init__(self, storage: Storage, kind: str) -> None:
        self._storage = storage
        self._kind = kind
        self._documents = storage._load(kind)  # noqa: SLF001

    def get(self, document_id: object) -> Document | None:
        """Return a copy of the document with this id, or None."""
        with self._storage.lock:
            return copy.deepcopy(self._documents.get(str(document_id)))

    def put(self, document_id: object, document: Document) -> None:
        """Store a copy of the document under this id."""
        with self._storage.lock:
            self._documents[str(document_id)] = copy.deepcopy(document)
            self._storage._save(self._kind, str(document_id), document)  # noqa: SLF001

    def delete(self, document_id: object) -> None:
        """Remove the document with this id, if it is there."""
        with self._storage.lock:
            self._documents.pop(str(document_id), None)
            self._storage._save(self._kind, str(document_id), None)  # noqa: SLF001

    def values(self) -> list[Document]:
        """Return copies of all documents."""
        with self._storage.lock:
            return [copy.deepcopy(document) for document in self._documents.values()]
