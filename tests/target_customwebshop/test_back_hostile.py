"""Hostile data in an entry of Go or a record of the shop does not stop the others."""

import io

import pytest
import simplejson
from both_ways import singer_lines
from hostile_json import RAW
from target_customwebshop.target import TargetCustomWebShop

TIMESTAMPS = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-13-01", 5, {}, None]
NEW = "+4790000001"
SPOILT = {
    "customers": ("customers", "1001"),
    "products": ("products", "501"),
    "salesorders": ("orders", "9001"),
}


@pytest.fixture
def edited(linked):
    """Both ways, with the phone numbers of a person and of a company edited in Go."""
    for shop_id in ("1001", "2001"):
        linked.edit_in_go("customers", shop_id, PhoneNumber=NEW)
    return linked


@pytest.fixture
def back(edited, caplog):
    """Runs the way back with a text as its input; returns its exit status."""

    def run(text):
        caplog.clear()
        return TargetCustomWebShop(config=edited.config()).run(io.StringIO(text))

    return run


def phone(both, shop_id):
    return both.box.shop.record("customers", shop_id)["phone"]


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
@pytest.mark.parametrize("stream", SPOILT)
def test_an_entry_with_unusable_json_does_not_stop_the_others(edited, back, raw, stream):
    go_id = edited.go_id(*SPOILT[stream])
    messages = edited.entries()
    for message in messages:
        record = message["record"]
        if message["stream"] == stream and str(record["Id"]) == go_id:
            members = record.keys() - {"Id", "PhoneNumber", "ExternalImportReference"}
            record.update(dict.fromkeys(members, "spoilt"))

    status = back(singer_lines(messages).replace('"spoilt"', raw))

    assert status in (0, 3)
    assert phone(edited, "2001") == NEW
    assert "could not read it" not in " ".join(edited.open_ones().values())


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
@pytest.mark.parametrize("name", ["note", "name", "addresses", "custom", "strange", "updated_at"])
def test_a_record_of_the_shop_with_unusable_json_does_not_stop_the_others(edited, back, raw, name):
    record = {**edited.box.shop.record("customers", "1001"), name: "spoilt"}
    body = simplejson.dumps(record, use_decimal=True).replace('"spoilt"', raw)
    edited.box.faults.add(
        system="shop",
        method="GET",
        path="/customers/1001$",
        status=200,
        body=body,
        headers={"ETag": '"x"'},
        times=None,
    )

    status = back(singer_lines(edited.entries()))

    assert status in (0, 3)
    assert phone(edited, "2001") == NEW
    assert "could not read it" not in " ".join(edited.open_ones().values())


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_a_refusal_of_the_shop_with_unusable_json_is_one_reject(edited, back, raw):
    edited.box.faults.add(
        system="shop",
        method="PATCH",
        path="/customers/1001$",
        status=422,
        body=f'{{"title": {raw}, "detail": {raw}}}',
        times=None,
    )

    assert back(singer_lines(edited.entries())) == 3

    assert phone(edited, "2001") == NEW
    (kind, _, shop_id), reason = next(iter(edited.open_ones().items()))
    assert (kind, shop_id) == ("reject", "1001")
    assert reason.startswith("the shop refused it")


@pytest.mark.parametrize("timestamp", TIMESTAMPS, ids=str)
def test_an_invalid_timestamp_of_go_and_the_shop_stops_nothing(edited, timestamp):
    messages = edited.entries()
    for message in messages:
        message["record"]["LastChangedDateTimeOffset"] = timestamp
    record = {**edited.box.shop.record("customers", "1001"), "updated_at": timestamp}
    edited.box.faults.add(
        system="shop",
        method="GET",
        path="/customers/1001$",
        status=200,
        body=record,
        headers={"ETag": '"x"'},
    )

    edited.back(*messages, ends_with=0)

    assert phone(edited, "2001") == NEW


@pytest.mark.parametrize("shop_id", [".", ".."])
def test_an_id_that_cannot_be_in_a_path_is_a_reject_and_the_others_cross(edited, customer, shop_id):
    edited.box.shop.put("customers", customer(id=shop_id, email="ola@example.no"))
    edited.forward()
    edited.edit_in_go("customers", shop_id, PhoneNumber=NEW)

    edited.back(ends_with=3)

    assert phone(edited, "1001") == phone(edited, "2001") == NEW
    ((key, reason),) = edited.open_ones().items()
    assert key == ("reject", "customers_back", shop_id)
    assert "cannot be used in a path" in reason
