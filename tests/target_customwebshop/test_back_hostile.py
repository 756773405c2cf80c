"""Hostile data in an entry of Go or a record of the shop stops no other on the way back."""

import io

import pytest
import simplejson
from both_ways import singer_lines
from hostile_json import RAW
from target_customwebshop.target import TargetCustomWebShop

STAMPS = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-13-01", 5, {}, None]
NEW = "+4790000001"


@pytest.fixture
def edited(linked):
    """Both ways, with a phone number of a person and of a company that were edited in Go."""
    for shop_id in ("1001", "2001"):
        linked.box.go.edit("Customers", linked.go_id("customers", shop_id), {"PhoneNumber": NEW})
    return linked


@pytest.fixture
def back(edited, caplog):
    """Runs the way back over text; returns its exit status."""

    def run(text):
        caplog.clear()
        return TargetCustomWebShop(config=edited.config()).run(io.StringIO(text))

    return run


def phone(both, shop_id):
    return both.box.shop.record("customers", shop_id)["phone"]


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
@pytest.mark.parametrize("stream", ["customers", "products", "salesorders"])
def test_an_entry_with_what_nothing_can_be_done_with_stops_no_other(edited, back, raw, stream):
    spoilt = {"customers": "1001", "products": "501", "salesorders": "9001"}[stream]
    messages = edited.entries()
    entity = "orders" if stream == "salesorders" else stream
    go_id = edited.go_id(entity, spoilt)
    for one in messages:
        if one["stream"] == stream and str(one["record"]["Id"]) == go_id:
            members = one["record"].keys() - {"Id", "PhoneNumber", "ExternalImportReference"}
            one["record"].update(dict.fromkeys(members, "spoilt"))

    status = back(singer_lines(messages).replace('"spoilt"', raw))

    assert status in (0, 3)
    assert phone(edited, "2001") == NEW
    assert not [one for one in edited.open_ones().values() if "could not read it" in one]


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
@pytest.mark.parametrize("name", ["note", "name", "addresses", "custom", "strange", "updated_at"])
def test_a_record_of_the_shop_with_what_nothing_can_be_done_with_stops_no_other(
    edited, back, raw, name
):
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
    assert not [one for one in edited.open_ones().values() if "could not read it" in one]


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_a_refusal_of_the_shop_with_what_nothing_can_be_done_with_is_one_reject(edited, back, raw):
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
    ((kind, _, shop_id), reason) = next(iter(edited.open_ones().items()))
    assert (kind, shop_id) == ("reject", "1001")
    assert reason.startswith("the shop refused it")


@pytest.mark.parametrize("stamp", STAMPS, ids=str)
def test_a_stamp_of_go_or_the_shop_that_is_no_moment_stops_nothing(edited, stamp):
    messages = edited.entries()
    for one in messages:
        one["record"]["LastChangedDateTimeOffset"] = stamp
    edited.box.shop.record("customers", "1001")
    record = {**edited.box.shop.record("customers", "1001"), "updated_at": stamp}
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
def test_an_id_that_is_no_good_for_a_path_stops_nothing(edited, customer, shop_id):
    edited.box.shop.put("customers", customer(id=shop_id, email="ola@example.no"))
    edited.forward()
    edited.edit_in_go("customers", shop_id, PhoneNumber=NEW)

    edited.back(ends_with=3)

    assert phone(edited, "1001") == phone(edited, "2001") == NEW
    ((place, reason),) = edited.open_ones().items()
    assert place == ("reject", "customers_back", shop_id)
    assert "cannot be used in a path" in reason
