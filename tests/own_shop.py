"""A shop with an API of its own, read and written to by a shop file: both ways over one Go."""

from __future__ import annotations

import contextlib
import io
import json
import threading
from typing import TYPE_CHECKING, Any

from odd_shop import OddShop, Reply
from tap_customwebshop.tap import TapCustomWebShop
from target_customwebshop.shop_records import patched
from target_powerofficego.dataflow.table import now

if TYPE_CHECKING:
    from pathlib import Path

    from both_ways import Both
    from odd_shop import Request

HEAD = "from tap_customwebshop.shop import *\nAUTH = Header('X-Key', '{key}')\n"
BY_REST = HEAD + "".join(
    f"""
{stream.upper()} = Listing("/{stream}", rows="rows", single="/{stream}/{{id}}", single_at="row")
def {stream[:-1]}(row, shop): return row["told"]
"""
    for stream in ("customers", "products", "orders")
)
CHANGE = """
def change(entity, record_id, patch, shop):
    return "PUT", f"/{entity}/{record_id}", {"set": patch}
"""
LOST = Reply(b'{"ok"', headers={"Content-Length": "99", "Connection": "close"})
"""An answer that breaks off."""


class OwnShop:
    """Serves records: a list, `GET` and `PUT` of each, whose answer says only that it was done.

    `hooks` are called with each change, before or after it is made; what one returns is the answer.
    """

    def __init__(self) -> None:
        self.records: dict[str, dict[str, dict[str, Any]]] = {}
        self.hooks: dict[str, Any] = {}
        self.keeps: set[str] = set()
        self.reshapes = lambda record: record
        self.before_reading = lambda _: None
        self._lock = threading.Lock()
        self.server = OddShop(self._answer)

    def put(self, entity: str, record: dict[str, Any]) -> None:
        """Add a record."""
        self.records.setdefault(entity, {})[record["id"]] = record

    def edit(self, entity: str, record_id: str, **changes: Any) -> None:
        """Let a person edit a record in the shop."""
        with self._lock:
            record = patched(self.records[entity][record_id], changes)
            record["updated_at"] = now().isoformat()
            self.records[entity][record_id] = record

    def writes(self) -> list[Request]:
        """Return the changes that were sent."""
        return [one for one in self.server.asked if one.method != "GET"]

    def _answer(self, asked: Request) -> Any:
        if asked.headers.get("X-Key") != "hemmelig":
            return Reply({}, status=401)
        _, entity, *ids = asked.path.split("/")
        if asked.method == "GET":
            answer = self.before_reading(asked)
            return answer or self._read(entity, *ids)
        for moment, act in (("before", lambda: None), ("after", lambda: self._change(asked))):
            act()
            if moment in self.hooks and (answer := self.hooks[moment](asked)) is not None:
                return answer
        return {"ok": True}

    def _read(self, entity: str, record_id: str = "") -> Any:
        found = self.records.get(entity, {})
        if not record_id:
            return {"rows": [{"told": one} for one in found.values()]}
        return {"row": {"told": found[record_id]}} if record_id in found else Reply({}, 404)

    def _change(self, asked: Request) -> None:
        _, entity, record_id, *_ = asked.path.split("/")
        told = {name: one for name, one in asked.body["set"].items() if name not in self.keeps}
        self.edit(entity, record_id, **told)
        record = self.records[entity][record_id]
        self.records[entity][record_id] = self.reshapes(record)


class FileBoth:
    """Both ways between Go and a shop that is read by a shop file, with its settings."""

    def __init__(self, both: Both, settings: dict[str, Any]) -> None:
        self.both = both
        self.settings = {"retry_seconds": 5, **settings}

    def forward(self, **settings: Any) -> Any:
        """Let all records of the shop go to Go, by the tap."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            TapCustomWebShop(config=dict(self.settings)).sync_all()
        messages = [json.loads(line) for line in output.getvalue().splitlines()]
        records = [one for one in messages if one["type"] == "RECORD"]
        return self.both.ledger.run(*records, **{**self.both.settings, **settings})

    def back(self, *messages: Any, **settings: Any) -> Any:
        """Let all entries of Go go to the shop; return the run's outcome."""
        outcome = self.both.back(*messages, **{**self.config(), **settings})
        assert not [one for one in self.settings["shop_settings"].values() if one in outcome.log]
        return outcome

    def config(self) -> dict[str, Any]:
        """Return the config of the way back; without a token, for the file names none."""
        return {**self.both.config(), **self.settings, "auth_token": None}


class OwnBoth(FileBoth):
    """Both ways between an own shop and Go."""

    def __init__(self, both: Both, shop: OwnShop, folder: Path) -> None:
        self.shop = shop
        self.path = folder / "my_shop.py"
        self.write_file(BY_REST + CHANGE)
        settings = {"api_url": shop.server.url, "shop": str(self.path)}
        super().__init__(both, {**settings, "shop_settings": {"key": "hemmelig"}})

    def write_file(self, text: str) -> None:
        """Write the shop file."""
        self.path.write_text(text, encoding="utf-8")

    def back(self, *messages: Any, **settings: Any) -> Any:
        """See `FileBoth`; only what this run asks is kept in the shop."""
        self.shop.server.asked.clear()
        return super().back(*messages, **settings)

    def assert_at_rest(self) -> None:
        """See that nothing is open, and that neither way has anything to write."""
        assert self.forward().writes == []
        self.back(ends_with=0)
        assert (self.shop.writes(), self.both.open_ones()) == ([], {})
