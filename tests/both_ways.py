"""Both ways over one shop, one Go and one link store: forward, and back."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import simplejson
from ledger import _company, _customer, _order, _product
from target_customwebshop.target import TargetCustomWebShop
from target_powerofficego.dataflow.table import now

if TYPE_CHECKING:
    from ledger import Ledger

STREAMS = {
    "customers": "Customers",
    "products": "Products",
    "salesorders": "SalesOrders",
    "outgoing_invoices": "OutgoingInvoices",
}


RESOURCES = {"customers": "Customers", "products": "Products", "orders": "SalesOrders"}


@dataclass(frozen=True)
class Outcome:
    """What came of a run of the way back: what it answered, said, and asked of the shop."""

    status: int
    states: list[dict[str, Any]]
    log: str
    writes: list[Any]
    reads: list[Any]

    @property
    def summary(self) -> dict[str, Any]:
        """The run summary."""
        line = next(one for one in self.log.splitlines() if "run summary: " in one)
        return json.loads(line.split("run summary: ", 1)[1])

    @property
    def patches(self) -> list[dict[str, Any]]:
        """The bodies of all changes."""
        return [one.json() for one in self.writes]


@dataclass
class Both:
    """Runs either target against a sandbox."""

    ledger: Ledger
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def box(self):
        """The sandbox."""
        return self.ledger.box

    def forward(self, **settings):
        """Let all records of the shop go to Go, as a tap would read them now."""
        return self.ledger.run(*self.shop_records(), **{**self.settings, **settings})

    def shop_records(self):
        """Return the RECORD messages of all records of the shop, as they stand now."""
        read_at = now()
        return [
            record_message(stream, self.box.shop.as_sent(record), read_at)
            for stream in ("customers", "products", "orders")
            for record in self.box.shop.records(stream)
        ]

    def back(self, *messages, **settings):
        """Let all entries of Go go to the shop, as a tap would read them now, or these messages."""
        return self.run(*(messages or self.entries()), **settings)

    def entries(self, *streams):
        """Return the RECORD messages of all entries of Go, as they stand now."""
        read_at = now()
        return [
            record_message(stream, entry, read_at)
            for stream in streams or STREAMS
            for entry in self.box.go.entries(STREAMS[stream])
        ]

    def config(self, **settings):
        """Return the config of target-customwebshop."""
        return {
            "api_url": self.box.shop_api_url,
            "auth_token": self.box.shop_token,
            "shop_name": "testshop",
            "link_store": str(self.ledger.link_store),
            **self.settings,
            **settings,
        }

    def run(self, *messages, is_whole=True, ends_with=None, **settings):
        """Run the target in this process with Singer messages as its input.

        It must end with the status that is given, if one is.
        An input that is not whole ends without a STATE, as that of a tap that was killed.
        """
        seen = len(self.box.requests.all())
        output, log = io.StringIO(), io.StringIO()
        handler = logging.StreamHandler(log)
        loggers = [
            logging.getLogger(f"target-{name}") for name in ("customwebshop", "powerofficego")
        ]
        levels = [one.level for one in loggers]
        for one in loggers:
            one.addHandler(handler)
            one.setLevel(logging.INFO)
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(log):
                target = TargetCustomWebShop(config=self.config(**settings))
                target.wait = self.ledger.let_pass
                status = target.run(io.StringIO(singer_lines(messages, is_whole=is_whole)))
        finally:
            for one, level in zip(loggers, levels, strict=True):
                one.removeHandler(handler)
                one.setLevel(level)
        assert ends_with in (None, status), log.getvalue()
        asked = [one for one in self.box.requests.all()[seen:] if one.system == "shop"]
        return Outcome(
            status,
            [json.loads(line) for line in output.getvalue().splitlines() if line.strip()],
            log.getvalue(),
            [one for one in asked if one.method != "GET"],
            [one for one in asked if one.method == "GET"],
        )

    def open_ones(self):
        """Return why records are open, by kind, entity and shop id."""
        return self.ledger.reasons()

    def why_held(self, entity, shop_id, *messages, **settings):
        """Let Go come to the shop, see that nothing is written; return why this record is held."""
        outcome = self.back(*messages, **settings)
        assert (outcome.status, outcome.writes) == (3, []), outcome.log
        return self.open_ones()["hold", f"{entity}_back", shop_id]

    def assert_at_rest(self):
        """See that nothing is open and neither way has anything to write."""
        assert (self.forward().writes, self.back().writes, self.open_ones()) == ([], [], {})

    def go_id(self, entity, shop_id):
        """Return the id of the entry that a record is linked with."""
        with self.ledger.store() as store:
            return next(link.go_id for _, link in store.links.in_all_namespaces(entity, shop_id))

    def edit_in_go(self, entity, shop_id, **changes):
        """Let a bookkeeper edit the entry that a record is linked with; return it."""
        return self.box.go.edit(RESOURCES[entity], self.go_id(entity, shop_id), changes)


def record_message(stream, record, read_at):
    """Return a RECORD message."""
    return {
        "type": "RECORD",
        "stream": stream,
        "record": json.loads(simplejson.dumps(record, use_decimal=True)),
        "time_extracted": read_at.isoformat(),
    }


def singer_lines(messages, *, is_whole=True):
    """Return messages as text, a SCHEMA before each stream and a STATE at the end."""
    lines, known = [], set()
    for message in messages:
        stream = message.get("stream")
        if stream is not None and stream not in known:
            known.add(stream)
            lines.append(
                {
                    "type": "SCHEMA",
                    "stream": stream,
                    "schema": {"properties": {"Id": {}}},
                    "key_properties": ["Id"],
                }
            )
        lines.append(message)
    if is_whole:
        lines.append({"type": "STATE", "value": {"bookmarks": {"read": len(lines)}}})
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.fixture
def both(ledger):
    """Both ways over one link store."""
    return Both(ledger)


@pytest.fixture
def linked(both):
    """Both ways, with a person, a company, a product and an order that are linked already."""
    link_all(both)
    return both


def link_all(both):
    """Put a person, a company, a product and an order into the shop, and let them go to Go."""
    shop = both.box.shop
    shop.put("customers", _customer())
    shop.put("customers", _company())
    shop.put("products", _product())
    shop.put("orders", _order())
    assert both.forward().status == 0
