"""What must hold of Go, the link store and the shop once all runs are over."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from .load import WRITTEN

OURS = "testshop:"
DOUBLES = {
    "Customers": ("ExternalImportReference", "EmailAddress"),
    "Products": ("Code",),
    "SalesOrders": ("ExternalImportReference",),
}


def doubles(box):
    """Return what is in Go twice; the e-mails and SKUs of the shop are all different."""
    found = []
    for resource, members in DOUBLES.items():
        for member in members:
            counted = Counter(one[member] for one in box.go.entries(resource))
            found += [f"{resource} {one} {n} times" for one, n in counted.items() if one and n > 1]
    for order in box.go.entries("SalesOrders"):
        lines = Counter(one["ExternalImportReference"] for one in order["SalesOrderLines"])
        found += [f"line {one} {n} times" for one, n in lines.items() if n > 1]
    addresses = Counter(
        (one["ContactId"], one["ExternalCode"])
        for one in box.go.entries("ContactDeliveryAddresses")
    )
    found += [f"delivery address {one} {n} times" for one, n in addresses.items() if n > 1]
    people = Counter(one["ContactId"] for one in box.go.entries("ContactPersons"))
    return found + [f"contact person of {one} {n} times" for one, n in people.items() if n > 1]


def complaints(box, sync, *, held=()):
    """Return everything that is not as it must be; orders `held` may differ."""
    found = doubles(box)
    found += [
        f"{one.kind} {one.entity} {one.shop_id}: {one.reason}"
        for one in sync.unsettled()
        if (one.entity, one.shop_id) not in held
    ]
    found += _customers(box)
    found += _products(box)
    found += _orders(box, {shop_id for entity, shop_id in held if entity == "orders"})
    return found


def _customers(box):
    entries = {one["ExternalImportReference"]: one for one in box.go.entries("Customers")}
    addresses = {}
    for one in box.go.entries("ContactDeliveryAddresses"):
        addresses[one["ExternalCode"]] = one
    people = {one["ContactId"]: one for one in box.go.entries("ContactPersons")}
    for record in box.shop.records("customers"):
        entry = entries.pop(OURS + record["id"], None)
        if entry is None:
            yield f"customer {record['id']} is missing"
            continue
        expected = _expected_customer(record)
        yield from _differences(f"customer {record['id']}", expected, entry)
        if record["type"] == "company":
            names = {"FirstName": record["first_name"], "LastName": record["last_name"]}
            yield from _differences(
                f"contact of {record['id']}", names, people.get(entry["Id"], {})
            )
        for address in record["addresses"]:
            if address["type"] == "shipping":
                there = addresses.get(OURS + address["id"], {})
                told = {"AddressLine1": address["line1"]}
                yield from _differences(f"delivery address {address['id']}", told, there)
    strangers = [one for one in entries if not str(one).startswith(f"{OURS}guest")]
    yield from (f"customer {one} is not the shop's" for one in strangers)


def _expected_customer(record):
    if record["type"] == "company":
        names = {"IsPerson": False, "Name": record["company_name"]}
    else:
        names = {"IsPerson": True} | {
            "FirstName": record["first_name"],
            "LastName": record["last_name"],
        }
    billing = [one for one in record["addresses"] if one["type"] == "billing"]
    line1 = billing[0]["line1"] if billing else None
    return {
        **names,
        "EmailAddress": record["email"],
        "PhoneNumber": record["phone"],
        "MailAddress.AddressLine1": line1,
    }


def _products(box):
    entries = {one["Code"]: one for one in box.go.entries("Products")}
    for record in box.shop.records("products"):
        entry = entries.pop(record["sku"], None)
        is_archived = record["status"] == "archived"
        if entry is None:
            if not is_archived:
                yield f"product {record['sku']} is missing"
            continue
        name = " ".join(filter(None, (record["name"], record["variant_name"])))
        expected = {"Name": name, "IsArchived": is_archived}
        if record["price_excl"] is not None:
            expected["UnitPrice"] = Decimal(record["price_excl"])
        yield from _differences(f"product {record['sku']}", expected, entry)
    sold = {one["sku"] for order in box.shop.records("orders") for one in order["lines"]}
    strangers = [one for one in entries if one not in sold and not one.startswith("FRAKT")]
    yield from (f"product {one} is not the shop's" for one in strangers)


def _orders(box, held):
    entries = {one["ExternalImportReference"]: one for one in box.go.entries("SalesOrders")}
    for record in box.shop.records("orders"):
        entry = entries.pop(OURS + record["id"], None)
        if (entry is not None) != (record["status"] in WRITTEN):
            where = "in Go" if entry else "missing"
            yield f"order {record['id']} is {record['status']} and {where}"
        if entry is None or record["status"] not in WRITTEN or record["id"] in held:
            continue
        expected = {
            "TotalAmount": Decimal(record["total_incl"]),
            "PurchaseOrderReference": record["reference"],
        }
        yield from _differences(f"order {record['id']}", expected, entry)
        quantities = {one["id"]: Decimal(one["quantity"]) for one in record["lines"]}
        quantities |= {f"shipping:{one['id']}": Decimal(1) for one in record["shipping"]}
        there = {
            one["ExternalImportReference"].removeprefix(OURS): one["Quantity"]
            for one in entry["SalesOrderLines"]
        }
        if there != quantities:
            yield f"order {record['id']} has the lines {there}, not {quantities}"
    yield from (f"order {one} is not the shop's" for one in entries)


def _differences(what, expected, entry):
    for path, value in expected.items():
        there = entry
        for part in path.split("."):
            there = (there or {}).get(part)
        if _plain(path, there) != _plain(path, value):
            yield f"{what}: {path} is {there!r}, not {value!r}"


def _plain(path, value):
    """Return a phone number as its last eight digits, and anything else as it is."""
    if path == "PhoneNumber" and value:
        return "".join(filter(str.isdigit, value))[-8:]
    return value
