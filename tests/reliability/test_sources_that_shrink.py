"""An empty, halved or repeated source means nothing for the records it does not hold."""

import json

from .runs import schema, state
from .verdict import complaints

RESOURCES = ("Customers", "Products", "SalesOrders", "ContactDeliveryAddresses", "ContactPersons")


def all_of_go(box):
    return {resource: box.go.entries(resource) for resource in RESOURCES}


def test_an_empty_halved_or_repeated_source_changes_and_archives_nothing(box, sync, load, chance):
    assert sync.run().status == 0
    assert complaints(box, sync) == []
    before = all_of_go(box)
    everything = sync.all_records().splitlines(keepends=True)
    records = [line for line in everything if json.loads(line)["type"] == "RECORD"]
    schemas = [line for line in everything if json.loads(line)["type"] == "SCHEMA"]
    half = schemas + [line for line in records if chance.random() < 0.5]
    empty = [json.dumps(message) + "\n" for message in (schema("customers"), state({}))]

    for lines in (
        empty,
        half,
        everything + everything,
        schemas,
        records and schemas + records[::-1],
    ):
        ended = sync.run("".join(lines))
        assert (ended.status, ended.writes) == (0, []), ended.log
        assert all_of_go(box) == before

    assert sync.run().writes == []
