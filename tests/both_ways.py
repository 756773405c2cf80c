"""Both ways over one shop, one Go and one link store: forward, and back."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import simplejson
from ledger import _company, _customer, _message, _order, _product, captured, outcome_of
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


@dataclass
class Both:
    """Runs both targets against a sandbox."""

    ledger: Ledger
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def box(self):
        """The sandbox."""
        return self.ledger.box

    def forward(self, **settings):
        """Write all records of the shop to Go, as a tap would read them now."""
        return self.ledger.run(*self.shop_records(), **{**self.settings, **settings})

    def shop_records(self):
        """Return RECORD messages of all records of the shop, read now."""
        read_at = now()
        return [
            record_message(stream, self.box.shop.as_sent(record), read_at)
            for stream in ("customers", "products", "orders")
            for record in self.box.shop.records(stream)
        ]

    def back(self, *messages, **settings):
        """Write these messages, or all entries of Go as a tap would read them now, to the shop."""
        return self.run(*(messages or self.entries()), **settings)

    def entries(self, *streams):
        """Return RECORD messages of the entries of Go in these streams, or in all, read now."""
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
        """Run target-customwebshop in this process with Singer messages as its input.

        Args:
            messages: The input.
            is_whole: Whether it ends with a STATE; that of a killed tap does not.
            ends_with: The exit status that is required, if any.
            settings: Changes of the config.
        """
        seen = len(self.box.requests.all())
        with captured() as (output, log):
            target = TargetCustomWebShop(config=self.config(**settings))
            target.wait = self.ledger.let_pass
            status = target.run(io.StringIO(singer_lines(messages, is_whole=is_whole)))
        assert ends_with in (None, status), log.getvalue()
        requests = [
            request for request in self.box.requests.all()[seen:] if request.system == "shop"
        ]
        return outcome_of(status, output.getvalue(), log.getvalue(), requests)

    def open_ones(self):
        """Return why records are open, by kind, entity and shop id."""
        return self.ledger.reasons()

    def why_held(self, entity, shop_id, *messages, **settings):
        """Run the way back, check that it writes nothing, and return why this record is held."""
        outcome = self.back(*messages, **settings)
        assert (outcome.status, outcome.writes) == (3, []), outcome.log
        return self.open_ones()["hold", f"{entity}_back", shop_id]

    def assert_at_rest(self):
        """Check that no record is open and that neither way has anything to write."""
        assert (self.forward().writes, self.back().writes, self.open_ones()) == ([], [], {})

    def go_id(self, entity, shop_id):
        """Return the id of the entry that a record is linked with."""
        with self.ledger.store() as store:
            return next(link.go_id for _, link in store.links.in_all_namespaces(entity, shop_id))

    def edit_in_go(self, entity, shop_id, **changes):
        """Edit the entry that a record is linked with, as a bookkeeper would, and return it."""
        return self.box.go.edit(RESOURCES[entity], self.go_id(entity, shop_id), changes)


def record_message(stream, record, read_at):
    """Return a RECORD message."""
    return _message(json.loads(simplejson.dumps(record, use_decimal=True)), stream, read_at)


def singer_lines(messages, *, is_whole=True):
    """Return messages as text: a SCHEMA before each stream and, if whole, a STATE at the end."""
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
    """Both ways, with a linked person, company, product and order."""
    link_all(both)
    return both


def link_all(both):
    """Put a person, a company, a product and an order into the shop, and write them to Go."""
    shop = both.box.shop
    shop.put("customers", _customer())
    shop.put("customers", _company())
    shop.put("products", _product())
    shop.put("orders", _order())
    assert both.forward().status == 0
