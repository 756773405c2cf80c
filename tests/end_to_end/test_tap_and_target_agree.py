"""The tap emits the record schema that the target reads, though neither imports the other."""

import ast
from pathlib import Path

import pytest
import target_powerofficego
from go_sandbox.shop import contract
from tap_customwebshop import schemas

TARGET = Path(target_powerofficego.__file__).parent
SCHEMAS = {
    "customers": schemas.CUSTOMERS,
    "products": schemas.PRODUCTS,
    "orders": schemas.ORDERS,
}
READERS = {
    "customers": ["dataflow/customer.py"],
    "products": ["dataflow/product.py"],
    "orders": [
        "dataflow/orders/order.py",
        "dataflow/orders/lines.py",
        "dataflow/orders/line_amounts.py",
        "dataflow/orders/refunds.py",
        "dataflow/orders/shop_order.py",
        "dataflow/orders/payments.py",
    ],
}


def names_in(schema):
    """Return every field name of a schema, nested ones included."""
    names = set()
    for name, member in (schema.get("properties") or {}).items():
        names |= {name} | names_in(member)
    return names | (names_in(schema["items"]) if isinstance(schema.get("items"), dict) else set())


def fields_read_by(path):
    """Return the names that a module reads from a record.

    It reads them by `x.get("name")`, `x["name"]` and `member("name")`.
    """
    names = set()
    for node in ast.walk(ast.parse((TARGET / path).read_text(encoding="utf-8"))):
        name_node = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name_node = node.args[0] if node.func.attr == "get" and node.args else None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name_node = node.args[0] if node.func.id == "member" else None
        if isinstance(node, ast.Subscript):
            name_node = node.slice
        if isinstance(name_node, ast.Constant) and isinstance(name_node.value, str):
            names.add(name_node.value)
    return {name for name in names if name.islower()}


@pytest.mark.parametrize("stream", SCHEMAS)
def test_the_tap_emits_every_field_that_the_target_reads(stream):
    emitted = names_in(SCHEMAS[stream])
    read = set().union(*(fields_read_by(path) for path in READERS[stream]))
    assert len(read) > 5
    assert read - emitted == set()


@pytest.mark.parametrize("stream", SCHEMAS)
def test_the_tap_emits_every_shop_property_of_the_tables(stream):
    from target_powerofficego.dataflow.overrides import TABLES

    emitted = names_in(SCHEMAS[stream])
    for row in TABLES[stream].rows:
        if not row.shop:  # a setting decides it alone
            continue
        words = row.shop.replace(",", " ").replace(":", " ").replace(".", " ").split()
        fields = {word for word in words if "_" in word or word in emitted}
        assert fields, row.shop
        assert fields <= emitted, row.shop


@pytest.mark.parametrize("stream", SCHEMAS)
def test_the_shop_of_the_sandbox_serves_what_the_tap_emits(stream):
    assert set(contract.STREAMS[stream]) == set(SCHEMAS[stream]["properties"])
