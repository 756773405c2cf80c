"""What must be true of Go, the link store and the shop after all runs."""

import re
from collections import Counter
from decimal import Decimal
from types import MappingProxyType

from .load import WRITTEN

OURS = "testshop:"
DOUBLES = {
    "Customers": ("ExternalImportReference", "EmailAddress"),
    "Products": ("Code",),
}


def doubles(box):
    """Return what is in Go twice; all e-mails and SKUs of the shop are different."""
    doubled = []
    for resource, members in DOUBLES.items():
        for member in members:
            counted = Counter(entry[member] for entry in box.go.entries(resource))
            doubled += [
                f"{resource} {key} {n} times" for key, n in counted.items() if key and n > 1
            ]
    orders = [*box.go.entries("SalesOrders"), *box.go.entries("OutgoingInvoices")]
    counted = Counter(order["ExternalImportReference"] for order in orders)
    doubled += [f"order {key} {n} times" for key, n in counted.items() if key and n > 1]
    for order in box.go.entries("SalesOrders"):
        lines = Counter(line["ExternalImportReference"] for line in order["SalesOrderLines"])
        doubled += [f"line {key} {n} times" for key, n in lines.items() if n > 1]
    addresses = Counter(
        tuple(entry[member] for member in ("ContactId", "AddressLine1", "ZipCode", "City"))
        for entry in box.go.entries("ContactDeliveryAddresses")
    )
    doubled += [f"delivery address {key} {n} times" for key, n in addresses.items() if n > 1]
    people = Counter(entry["ContactId"] for entry in box.go.entries("ContactPersons"))
    return doubled + [f"contact person of {key} {n} times" for key, n in people.items() if n > 1]


def complaints(box, sync, bookkeeper=None):
    """Return everything that is not as it must be.

    What a bookkeeper edited is kept, unless the shop edited it later. An order is held if the shop
    changes it after the bookkeeper ended it, or if both edited the same line.
    """
    edits = bookkeeper.edits if bookkeeper else {}
    ended = _ended(sync, bookkeeper) if bookkeeper else ()
    waiting = [
        record
        for record in sync.unsettled()
        if (record.kind, record.entity) != ("hold", "orders") or OURS + record.shop_id not in ended
    ]
    complaints = doubles(box)
    complaints += [
        f"{record.kind} {record.entity} {record.shop_id}: {record.reason}" for record in waiting
    ]
    complaints += (
        words
        for stream, record, words in _differing(box, edits)
        if stream != "orders" or OURS + record["id"] not in ended
    )
    return (
        complaints
        + _lost_texts(box, bookkeeper.texts if bookkeeper else {})
        + _strangers(box, sync)
    )


def _ended(sync, bookkeeper):
    """Return the references of orders that a person must deal with."""
    both = {
        OURS + record.shop_id
        for record in sync.unsettled("hold")
        if re.match(
            r"line \S+(: both sides changed| was removed in the shop and edited)", record.reason
        )
    }
    return bookkeeper.ended | (both & bookkeeper.moved)


def _lost_texts(box, texts):
    """Return the lines that lost the text a bookkeeper gave them."""
    lines = [line for entry in box.go.entries("SalesOrders") for line in entry["SalesOrderLines"]]
    return [
        f"line {line['Id']}: its text is {line['Description']}"
        for line in lines
        if line["Description"] != texts.get(line["Id"], line["Description"])
    ]


def missing_before(box, sync):
    """Return what the state passed, but is neither in Go as in the shop nor waiting."""
    waiting = {(record.entity, record.shop_id) for record in sync.unsettled()}
    missing = doubles(box)
    for stream, record, words in _differing(box):
        bookmark = _bookmark(sync.state, stream)
        if record["updated_at"] <= bookmark and (stream, record["id"]) not in waiting:
            missing.append(f"{words} ({record['updated_at']}, the state says {bookmark})")
    return missing


def _bookmark(state, stream):
    """Return the stamp that a state has reached, by the tap's bookmark or our own."""
    bookmark = state.get("bookmarks", {}).get(stream, {})
    return bookmark.get("replication_key_value") or bookmark.get("updated_at") or ""


def _differing(box, edits=MappingProxyType({})):
    for stream, differences in (
        ("customers", _customers),
        ("products", _products),
        ("orders", _orders),
    ):
        yield from ((stream, record, words) for record, words in differences(box, edits))


def _strangers(box, sync):
    shop = box.shop
    customers = {OURS + record["id"] for record in shop.records("customers")}
    orders = {OURS + record["id"] for record in shop.records("orders")}
    codes = {record["sku"] for record in shop.records("products")}
    codes |= sync.made_of_lines()  # a line may be removed, its product stays
    strangers = [
        entry["ExternalImportReference"]
        for entry in box.go.entries("Customers")
        if entry["ExternalImportReference"] not in customers
        and not str(entry["ExternalImportReference"]).startswith(f"{OURS}guest")
    ]
    strangers += [
        entry["ExternalImportReference"]
        for entry in box.go.entries("SalesOrders")
        if entry["ExternalImportReference"] not in orders and not _takes_back_an_invoice(box, entry)
    ]
    strangers += [
        entry["Code"]
        for entry in box.go.entries("Products")
        if entry["Code"] not in codes and not entry["Code"].startswith("FRAKT")
    ]
    return [f"{key} is not the shop's" for key in strangers]


def _takes_back_an_invoice(box, note):
    """Return whether it credits all of the invoice of an order that was cancelled later."""
    reference = str(note["ExternalImportReference"]).removesuffix(":cancel")
    return -note["TotalAmount"] in [
        entry["TotalAmount"]
        for entry in box.go.entries("OutgoingInvoices")
        if entry["ExternalImportReference"] == reference
    ]


def _customers(box, edits):
    entries = {entry["ExternalImportReference"]: entry for entry in box.go.entries("Customers")}
    addresses = {
        entry["ExternalCode"]: entry for entry in box.go.entries("ContactDeliveryAddresses")
    }
    people = {entry["ContactId"]: entry for entry in box.go.entries("ContactPersons")}
    for record in box.shop.records("customers"):
        entry = entries.get(OURS + record["id"])
        if entry is None:
            yield record, f"customer {record['id']} is missing"
            continue
        expected = _edited(_expected_customer(record), record, entry, edits)
        parts = [(f"customer {record['id']}", expected, entry)]
        if record["type"] == "company":
            names = {"FirstName": record["first_name"], "LastName": record["last_name"]}
            parts.append((f"person of {record['id']}", names, people.get(entry["Id"])))
        for address in record["addresses"]:
            if address["type"] == "shipping":
                code = f"{OURS}{record['id']}:{address['id']}"
                line = {"AddressLine1": address["line1"]}
                parts.append((f"address {address['id']}", line, addresses.get(code)))
        for part in parts:
            yield from ((record, words) for words in _differences(*part))


def _expected_customer(record):
    billing = [address["line1"] for address in record["addresses"] if address["type"] == "billing"]
    if record["type"] == "company":
        names = {"IsPerson": False, "Name": record["company_name"]}
    else:
        names = {"FirstName": record["first_name"], "LastName": record["last_name"]}
    return {
        **names,
        "EmailAddress": record["email"],
        "PhoneNumber": record["phone"],
        "MailAddress.AddressLine1": billing[0] if billing else None,
    }


def _products(box, edits):
    entries = {entry["Code"]: entry for entry in box.go.entries("Products")}
    for record in box.shop.records("products"):
        entry = entries.get(record["sku"])
        is_archived = record["status"] == "archived"
        if entry is None:
            if not is_archived:
                yield record, f"product {record['sku']} is missing"
            continue
        name = " ".join(filter(None, (record["name"], record["variant_name"])))
        expected = {"Name": name, "IsArchived": is_archived}
        if record["price_excl"] is not None:
            expected["UnitPrice"] = Decimal(record["price_excl"])
        expected = _edited(expected, record, entry, edits)
        subject = f"product {record['sku']}"
        yield from ((record, words) for words in _differences(subject, expected, entry))


def _orders(box, edits):
    entries = {entry["ExternalImportReference"]: entry for entry in box.go.entries("SalesOrders")}
    for record in box.shop.records("orders"):
        entry, subject = entries.get(OURS + record["id"]), f"order {record['id']}"
        if (entry is not None) != (record["status"] in WRITTEN):
            yield record, f"{subject} is {record['status']} and {'in Go' if entry else 'missing'}"
        elif entry is not None:
            in_go = entry | {"Lines": _quantities(entry)}
            expected = {
                "TotalAmount": Decimal(record["total_incl"]),
                "PurchaseOrderReference": record["reference"],
                "Lines": {line["id"]: Decimal(line["quantity"]) for line in record["lines"]}
                | {f"shipping:{charge['id']}": Decimal(1) for charge in record["shipping"]},
            }
            expected = _edited(expected, record, entry, edits)
            yield from ((record, words) for words in _differences(subject, expected, in_go))


def _edited(expected, record, entry, edits):
    """Return what is expected of an entry that a bookkeeper edited.

    An edit right after a run was killed counts as Go's form of what that run sent, so a later edit
    in the shop may overwrite it.
    """
    edited = dict(expected)
    for member, (value, at) in edits.get(entry["Id"], {}).items():
        is_overwritten = record["updated_at"] > at and not any(
            _differences("", {member: expected[member]}, entry)
        )
        if not is_overwritten:
            edited[member] = value
    return edited


def _quantities(order):
    lines = order["SalesOrderLines"]
    return {line["ExternalImportReference"].removeprefix(OURS): line["Quantity"] for line in lines}


def _differences(subject, expected, entry):
    for path, value in expected.items():
        in_go = entry
        for part in path.split("."):
            in_go = (in_go or {}).get(part)
        if _plain(path, in_go) != _plain(path, value):
            yield f"{subject}: {path} is {in_go!r}, not {value!r}"


def _plain(path, value):
    """Return a phone number as its last eight digits, and anything else as it is."""
    if path == "PhoneNumber" and value:
        return "".join(filter(str.isdigit, value))[-8:]
    return value
