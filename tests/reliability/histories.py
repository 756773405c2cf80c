"""Seeded random histories of linked pairs: edits on either side, runs in any order, mishaps.

Many pairs share a sandbox; what happens to a pair is its history.
"""

from __future__ import annotations

import datetime
import json
import signal
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

import commands
from both_ways import Both, singer_lines
from clocks import machine_off_by, read_at
from ledger import singer_lines as shop_lines
from target_powerofficego.dataflow.overrides import TABLES
from target_powerofficego.dataflow.values import normalise_text

if TYPE_CHECKING:
    import random

    from target_powerofficego.dataflow.table import Conversion

RESOURCES = {"customers": "Customers", "products": "Products", "orders": "SalesOrders"}
EDITED = {
    "customers": ("phone", "email", "last_name", "address_line1", "address_city"),
    "products": ("name", "price", "description", "cost_price"),
    "orders": ("reference",),
}
_KILL_SECONDS = 120


@dataclass
class Histories:
    """Plays histories and checks how they end.

    `has_wrong_clocks`: in each run the clocks of the tap's and the target's machine are wrong by up
    to 400 days, independently. Input is then kept, and sent again later.
    `edits` holds the values that people gave a property, in order: side, and value in Go's form.
    `texts` holds what a bookkeeper last wrote on the line of an order, `mistaken` the orders with
    a quantity that is wrong until it is restored.
    """

    both: Both
    chance: random.Random
    pairs: list
    kills: bool
    conversion: Conversion
    has_wrong_clocks: bool = False
    edits: dict = field(default_factory=lambda: defaultdict(list))
    texts: dict = field(default_factory=dict)
    mistaken: set = field(default_factory=set)
    kept: dict = field(default_factory=lambda: defaultdict(list))
    _number: int = 0

    @property
    def box(self):
        return self.both.box

    def step(self):
        """Let people edit, then run one way, with anything that may happen in between."""
        chance = self.chance
        self._restore_quantities()
        self._edit_some(0.35)
        direction = chance.choice(["forward", "back"])
        messages = self._read(direction)
        if chance.random() < 0.4:  # between the tap's read and the target's write
            self._edit_some(0.15)
        if self.has_wrong_clocks and chance.random() < 0.3:
            other = "back" if direction == "forward" else "forward"
            self._run(other, self._read(other))
        if chance.random() < 0.4:  # during the run
            self._edit_on_a_write()
        mishap = chance.choice(["none", "none", "faults", "kill" if self.kills else "faults"])
        if mishap == "kill":
            self._run_and_kill(direction, messages)
        else:
            if mishap == "faults":
                for system in ("go", "shop"):
                    self.box.faults.at_random(
                        system=system, seed=chance.randrange(10**6), share=0.15, slow_seconds=0
                    )
            self._run(direction, messages)
        self.box.faults.clear()

    def quiet(self):
        """Run both ways without edits or faults; return all writes."""
        self._restore_quantities()
        writes = []
        for direction in ("forward", "back"):
            ended = self._play(direction, self._messages(direction))
            assert ended.status in (0, 3), ended.log
            writes += ended.writes
        return writes

    def complaints(self):
        """Return every property that is not what its history allows."""
        held = self._held()
        complaints = []
        for entity, shop_id in self.pairs:
            record = self.box.shop.record(entity, shop_id)
            entry = self._entry(entity, shop_id)
            for name in EDITED[entity]:
                row = TABLES[entity].row(name)
                in_shop, in_go = row.to_go(record, self.conversion), row.from_go(entry)
                edits = self.edits[entity, shop_id, name]
                where = f"{entity} {shop_id} {name}"
                if (entity, shop_id) in held:
                    continue
                if not _alike(row, in_shop, in_go):
                    complaints.append(f"{where}: shop {in_shop!r}, Go {in_go!r}, edits {edits}")
                sides = {side for side, _ in edits}
                last = [value for _, value in edits][-1:]
                if len(sides) == 1 and not _alike(row, last[0], in_shop):
                    complaints.append(f"{where}: the edit is lost: {in_shop!r}, edits {edits}")
                if len(sides) == 2 and not any(_alike(row, value, in_shop) for _, value in edits):
                    complaints.append(f"{where}: {in_shop!r} is nobody's, edits {edits}")
        return complaints + self._wrong_lines(held) + self._doubles()

    def summary(self):
        """Return a line about what happened to the pairs."""
        sides = [len({side for side, _ in edits}) for edits in self.edits.values()]
        return (
            f"{len(self.pairs)} pairs, {sum(map(len, self.edits.values()))} edits; properties"
            f" edited on one side: {sides.count(1)}, on both: {sides.count(2)};"
            f" held pairs: {len(self._held())}"
        )

    def _wrong_lines(self, held):
        """Return the orders whose text in Go is lost, or whose total is not the shop's."""
        complaints = []
        for entity, shop_id in self.pairs:
            if entity != "orders" or (entity, shop_id) in held:
                continue
            entry, record = self._entry(entity, shop_id), self.box.shop.record(entity, shop_id)
            text = entry["SalesOrderLines"][0]["Description"]
            if text != self.texts.get(shop_id, text):
                complaints.append(
                    f"order {shop_id}: its text is {text!r}, not {self.texts[shop_id]!r}"
                )
            if entry["TotalAmount"] != Decimal(record["total_incl"]):
                complaints.append(f"order {shop_id}: it comes to {entry['TotalAmount']} in Go")
        return complaints

    def _doubles(self):
        complaints = []
        for entity, resource in RESOURCES.items():
            count = len(self.box.go.entries(resource))
            wanted = sum(of == entity for of, _ in self.pairs)
            if count != wanted:
                complaints.append(f"{count} {resource} in Go for {wanted} in the shop")
        return complaints

    def _held(self):
        with self.both.ledger.store() as store:
            return {
                (record.entity.removesuffix("_back"), record.shop_id)
                for record in store.unsettled.all("hold", every_namespace=True)
            }

    def _entry(self, entity, shop_id):
        return self.box.go.entry(RESOURCES[entity], self.both.go_id(entity, shop_id))

    # People

    def _edit_some(self, share):
        for entity, shop_id in self.pairs:
            if self.chance.random() < share:
                self._edit(entity, shop_id, self.chance.choice(["shop", "go"]))

    def _edit_on_a_write(self):
        """Edit a pair at the moment of the next write to either system."""
        entity, shop_id = self.chance.choice(self.pairs)
        side = self.chance.choice(["shop", "go"])
        self.box.faults.on(
            self.chance.choice(["shop", "go"]),
            "PATCH",
            None,
            lambda _: self._edit(entity, shop_id, side),
            when=self.chance.choice(["before", "after"]),
        )

    def _edit(self, entity, shop_id, side):
        if entity == "orders" and side == "go" and self.chance.random() < 0.6:
            self._edit_line(shop_id)
            return
        name = self.chance.choice(EDITED[entity])
        value = self._new_value(name)
        if side == "shop":
            self._edit_shop(entity, shop_id, name, value)
        else:
            self._edit_go(entity, shop_id, name, value)
        self.edits[entity, shop_id, name].append((side, value))

    def _edit_line(self, shop_id):
        """Edit the text, position or quantity of a line in Go, as the shop never does."""
        member = self.chance.choice(["Description", "SortOrder", "Quantity"])
        self._number += 1
        value = f"Tekst {self._number}" if member == "Description" else self._number
        if member == "Description":
            self.texts[shop_id] = value
        elif member == "Quantity":
            self.mistaken.add(shop_id)
        self._write_line(shop_id, {member: value})

    def _restore_quantities(self):
        for shop_id in sorted(self.mistaken):
            (line,) = self.box.shop.record("orders", shop_id)["lines"]
            self._write_line(shop_id, {"Quantity": Decimal(line["quantity"])})
        self.mistaken.clear()

    def _write_line(self, shop_id, changes):
        order = self._entry("orders", shop_id)
        lines = {order["SalesOrderLines"][0]["Id"]: changes}
        self.box.go.edit("SalesOrders", order["Id"], {"lines": lines})

    def _new_value(self, name):
        self._number += 1
        number = self._number
        if name == "phone":
            return None if self.chance.random() < 0.1 else f"+4790{number % 10**6:06}"
        if name in ("price", "cost_price"):
            return Decimal(number) + Decimal(self.chance.randrange(100)) / 100
        return {"email": f"e{number}@example.no"}.get(name, f"{name} {number}".replace("_", " "))

    def _edit_shop(self, entity, shop_id, name, value):
        record = self.box.shop.record(entity, shop_id)
        changes = {name: value}
        if name == "last_name":
            changes["name"] = f"{record['first_name']} {value}"
        elif name.startswith("address_"):
            part = name.removeprefix("address_")
            changes = {"addresses": [{**record["addresses"][0], part: value}]}
        elif name == "price":
            incl = (value * Decimal("1.25")).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
            changes = {"price_excl": str(value), "price_incl": str(incl)}
        elif name == "cost_price":
            changes = {"cost_price": str(value)}
        self.box.shop.edit(entity, shop_id, changes)

    def _edit_go(self, entity, shop_id, name, value):
        *groups, leaf = TABLES[entity].row(name).go.split(".")
        changes = {leaf: value}
        for group in reversed(groups):
            changes = {group: changes}
        self.box.go.edit(RESOURCES[entity], self.both.go_id(entity, shop_id), changes)

    # Runs

    def _messages(self, direction):
        return self.both.entries() if direction == "back" else self.both.shop_records()

    def _read(self, direction):
        """Read as the tap does; sometimes with what an earlier run was sent once more before it."""
        messages = self._messages(direction)
        if not self.has_wrong_clocks:
            return messages
        messages = read_at(messages, self._wrong())
        kept = self.kept[direction]
        kept.append(messages)
        return self.chance.choice(kept) + messages if self.chance.random() < 0.3 else messages

    def _wrong(self):
        return datetime.timedelta(days=self.chance.uniform(-400, 400))

    def _run(self, direction, messages):
        if not self.has_wrong_clocks:
            return self._play(direction, messages)
        with machine_off_by(self._wrong()):
            return self._play(direction, messages)

    def _play(self, direction, messages):
        settings = {"workers": 1, "request_timeout": 2, "retry_seconds": 20}
        run = self.both.ledger.run if direction == "forward" else self.both.run
        ended = run(*messages, **settings)
        assert "Traceback" not in ended.log, ended.log
        assert "could not read it" not in ended.log, ended.log
        return ended

    def _run_and_kill(self, direction, messages):
        """Kill the command at a request, unless it ends before that."""
        script, config, lines = {
            "forward": ("target-powerofficego", self.both.ledger.config(), shop_lines),
            "back": ("target-customwebshop", self.both.config(), lambda *all: singer_lines(all)),
        }[direction]
        path = self.both.ledger.folder / "killed.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        running = commands.Command(script, "--config", path)
        self.box.faults.on(
            "go" if direction == "forward" else "shop",
            "PATCH",
            None,
            lambda _: running.kill(),
            skip=self.chance.randrange(4),
            when=self.chance.choice(["before", "after"]),
        )
        _, log = running.communicate(lines(*messages), timeout=_KILL_SECONDS)
        assert running.returncode in (0, 3, -signal.SIGKILL), log


def _alike(row, value, other):
    """Return whether two values of a row are the same, apart from rounding in Go or the shop."""
    if row.are_equal(value, other):
        return True
    if row.name in ("price", "cost_price") and None not in (value, other):
        return abs(Decimal(str(value)) - Decimal(str(other))) <= Decimal("0.005")
    return normalise_text(value) == normalise_text(other)
