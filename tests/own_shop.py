"""A shop with an API of its own, read and changed by a shop file: both ways with one Go."""

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
def {stream[:-1]}(row, shop): return row["record"]
"""
    for stream in ("customers", "products", "orders")
)
CHANGE = """
def change(entity, record_id, patch, shop):
    return "PUT", f"/{entity}/{record_id}", {"set": patch}
"""
LOST = Reply(b'{"ok"', headers={"Content-Length": "99", "Connection": "close"})
"""An answer that is cut off."""


class OwnShop:
    """Serves records: a list, and `GET` and `PUT` of each; `PUT` returns no record.

    `hooks` are called with each change, before or after it is made; if one returns something, that
    is the answer. The members in `keeps` are not changed.
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
        return [request for request in self.server.requests if request.method != "GET"]

    def _answer(self, request: Request) -> Any:
        if request.headers.get("X-Key") != "hemmelig":
            return Reply({}, status=401)
        _, entity, *ids = request.path.split("/")
        if request.method == "GET":
            return self.before_reading(request) or self._read(entity, *ids)
        for moment, act in (("before", lambda: None), ("after", lambda: self._change(request))):
            act()
            if moment in self.hooks and (answer := self.hooks[moment](request)) is not None:
                return answer
        return {"ok": True}

    def _read(self, entity: str, record_id: str = "") -> Any:
        records = self.records.get(entity, {})
        if not record_id:
            return {"rows": [{"record": record} for record in records.values()]}
        return {"row": {"record": records[record_id]}} if record_id in records else Reply({}, 404)

    def _change(self, request: Request) -> None:
        _, entity, record_id, *_ = request.path.split("/")
        changes = request.body["set"].items()
        self.edit(
            entity, record_id, **{name: value for name, value in changes if name not in self.keeps}
        )
        record = self.records[entity][record_id]
        self.records[entity][record_id] = self.reshapes(record)


class FileBoth:
    """Both ways between Go and a shop that is read by a shop file, with its settings."""

    def __init__(self, both: Both, settings: dict[str, Any]) -> None:
        self.both = both
        self.settings = {"retry_seconds": 5, **settings}

    def forward(self, **settings: Any) -> Any:
        """Send all the shop's records to Go, through the tap."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            TapCustomWebShop(config=dict(self.settings)).sync_all()
        messages = [json.loads(line) for line in output.getvalue().splitlines()]
        records = [message for message in messages if message["type"] == "RECORD"]
        return self.both.ledger.run(*records, **{**self.both.settings, **settings})

    def back(self, *messages: Any, **settings: Any) -> Any:
        """Send all entries of Go to the shop; return the run's outcome."""
        outcome = self.both.back(*messages, **{**self.config(), **settings})
        secrets = self.settings["shop_settings"].values()
        assert not [secret for secret in secrets if secret in outcome.log]
        return outcome

    def config(self) -> dict[str, Any]:
        """Return the config of the way back; without a token, because the file uses none."""
        return {**self.both.config(), **self.settings, "auth_token": None}


class OwnBoth(FileBoth):
    """Both ways between an `OwnShop` and Go."""

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
        """As in `FileBoth`; the shop keeps only the requests of this run."""
        self.shop.server.requests.clear()
        return super().back(*messages, **settings)

    def assert_at_rest(self) -> None:
        """Assert that nothing is open, and that neither way has anything to write."""
        assert self.forward().writes == []
        self.back(ends_with=0)
        assert (self.shop.writes(), self.both.open_ones()) == ([], {})
