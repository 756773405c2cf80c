"""A shop full of records, and a person who edits it, by choices of a seed."""

import random
from dataclasses import asdict
from decimal import Decimal

from go_sandbox.seed.money import line_amounts, with_vat
from go_sandbox.seed.store import seed_store

WRITTEN = ("processing", "on_hold", "completed", "refunded")
TOTALS = ("total_excl", "total_tax", "total_incl")


class Load:
    """The shop of a sandbox, filled and then edited record by record."""

    def __init__(self, box, seed, *, customers, products, orders):
        self.box = box
        self.shop = box.shop
        self.chance = random.Random(seed)
        self._next_id = 100_000
        counts = {"customers": customers, "products": products, "orders": orders}
        seed_store(self.shop, **counts, seed=seed, habits=False)  # verdict.py knows plain orders

    def edit(self, count):
        """Make this many edits, of every kind that a shop's owner and buyers make."""
        for _ in range(count):
            self.chance.choice(EDITS)(self)

    def touch_all(self):
        """Save every record without a change, which moves its stamp."""
        for stream in ("customers", "products", "orders"):
            for record in self.shop.records(stream):
                self.shop.edit(stream, record["id"], {})

    def new_id(self):
        self._next_id += 1
        return str(self._next_id)

    def choose(self, stream, fits=bool):
        """Choose a record that fits, or None."""
        fitting = [record for record in self.shop.records(stream) if fits(record)]
        return self.chance.choice(fitting) if fitting else None

    # Customers

    def give_a_phone(self):
        customer = self.choose("customers")
        phone = f"+479{self.chance.randrange(10**7):07}"
        self.shop.edit("customers", customer["id"], {"phone": phone})

    def rename_a_customer(self):
        customer = self.choose("customers")
        name = f"Navn {self.chance.randrange(10**6)}"
        field = "company_name" if customer["type"] == "company" else "last_name"
        self.shop.edit("customers", customer["id"], {field: name})

    def change_a_contact_person(self):
        company = self.choose("customers", lambda customer: customer["type"] == "company")
        if company:
            name = f"Kontakt {self.chance.randrange(10**6)}"
            self.shop.edit("customers", company["id"], {"last_name": name})

    def move_a_customer(self):
        customer = self.choose("customers", lambda customer: customer["addresses"])
        address = self.chance.choice(customer["addresses"])
        address["line1"] = f"Veien {self.chance.randrange(10**6)}"
        self.shop.edit("customers", customer["id"], {"addresses": customer["addresses"]})

    def add_a_customer(self):
        new_id = self.new_id()
        customer = self.choose("customers", lambda customer: customer["type"] == "person")
        addresses = [
            {**address, "id": f"{new_id}-{place}"}
            for place, address in enumerate(customer["addresses"])
        ]
        self._put(
            "customers", customer, id=new_id, email=f"k{new_id}@example.com", addresses=addresses
        )

    # Products

    def change_a_price(self):
        product = self.choose("products", lambda product: product["sku"])
        price = Decimal(self.chance.randrange(1000, 90000)) / 100
        prices = {
            "price_excl": str(price),
            "price_incl": str(with_vat(price, Decimal(product["tax_rate"]))),
        }
        self.shop.edit("products", product["id"], prices)

    def rename_a_product(self):
        product = self.choose("products")
        name = f"Vare {self.chance.randrange(10**6)}"
        self.shop.edit("products", product["id"], {"name": name})

    def add_a_product(self):
        new_id = self.new_id()
        self._put("products", self.choose("products"), id=new_id, sku=f"NY-{new_id}", gtin=None)

    def archive_a_product(self):
        product = self.choose("products", lambda product: product["sku"].startswith("NY-"))
        if product:
            status = "active" if product["status"] == "archived" else "archived"
            self.shop.edit("products", product["id"], {"status": status})

    # Orders

    def give_a_reference(self):
        order = self._written_order()
        self.shop.edit("orders", order["id"], {"reference": f"B-{self.chance.randrange(10**6)}"})

    def change_a_quantity(self):
        order = self._written_order()
        self._set_quantity(self.chance.choice(order["lines"]), self.chance.randint(1, 9))
        self._save_lines(order)

    def add_a_line(self):
        order = self._written_order()
        line = {**self.chance.choice(order["lines"]), "id": f"{order['id']}-{self.new_id()}"}
        self._set_quantity(line, self.chance.randint(1, 9))
        order["lines"].append(line)
        self._save_lines(order)

    def remove_a_line(self):
        order = self._written_order()
        if len(order["lines"]) > 1:
            order["lines"].remove(self.chance.choice(order["lines"]))
            self._save_lines(order)

    def cancel_an_order(self):
        self.shop.edit("orders", self._written_order()["id"], {"status": "cancelled"})

    def add_an_order(self):
        new_id = self.new_id()
        order = self._written_order()
        lines = [{**line, "id": f"{new_id}-{place}"} for place, line in enumerate(order["lines"])]
        shipping = [{**charge, "id": f"{new_id}-f"} for charge in order["shipping"]]
        self._put("orders", order, id=new_id, number=new_id, lines=lines, shipping=shipping)

    def _written_order(self):
        return self.choose("orders", lambda order: order["status"] in WRITTEN)

    def _put(self, stream, record, **changes):
        self.shop.put(stream, {**record, "created_at": None, "updated_at": None, **changes})

    def _set_quantity(self, line, quantity):
        price, rate = Decimal(line["unit_price_excl"]), Decimal(line["tax_rate"])
        amounts = asdict(line_amounts(Decimal(quantity), price, rate, Decimal(0)))
        line |= {name: str(amount) for name, amount in amounts.items()}
        line["quantity"] = str(quantity)

    def _save_lines(self, order):
        parts = order["lines"] + order["shipping"]
        changes = {"lines": order["lines"], "taxes": _taxes(parts), **_totals(parts)}
        self.shop.edit("orders", order["id"], changes)


def _totals(parts):
    return {name: str(sum(Decimal(part[name]) for part in parts)) for name in TOTALS}


def _taxes(parts):
    rates = sorted({part["tax_rate"] for part in parts})
    by_rate = {
        rate: _totals([part for part in parts if part["tax_rate"] == rate]) for rate in rates
    }
    return [
        {"rate": rate, "base": total["total_excl"], "amount": total["total_tax"]}
        for rate, total in by_rate.items()
    ]


EDITS = (
    Load.give_a_phone,
    Load.rename_a_customer,
    Load.change_a_contact_person,
    Load.move_a_customer,
    Load.change_a_price,
    Load.rename_a_product,
    Load.give_a_reference,
    Load.change_a_quantity,
    Load.add_a_line,
    Load.remove_a_line,
    Load.give_a_phone,
    Load.give_a_reference,
    Load.change_a_quantity,
    Load.add_a_customer,
    Load.add_a_product,
    Load.archive_a_product,
    Load.add_an_order,
    Load.cancel_an_order,
)
