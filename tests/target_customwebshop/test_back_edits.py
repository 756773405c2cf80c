"""An edit made in Go reaches the shop: that property, once, and nothing else."""

from decimal import Decimal

import pytest
from both_ways import RESOURCES, record_message
from members import assert_members
from tap_customwebshop.records import move_to_custom
from target_powerofficego.dataflow.table import now


def test_only_the_phone_number_that_was_edited_in_go_is_written_to_the_shop(linked, box):
    before = box.shop.record("customers", "1001")
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000001")

    outcome = linked.back(ends_with=0)

    assert (len(outcome.reads), outcome.patches) == (1, [{"phone": "+4790000001"}])
    after = box.shop.record("customers", "1001")
    assert after == {**before, "phone": "+4790000001", "updated_at": after["updated_at"]}


@pytest.mark.parametrize(
    ("entity", "shop_id", "before", "edit", "expected"),
    [
        pytest.param(
            *("products", "501", {}, {"UnitPrice": Decimal("120.00")}),
            {"price_excl": "120.00", "price_incl": "150.00"},
            id="a price without VAT changes both prices",
        ),
        pytest.param(
            *("customers", "1001", {}, {"PhoneNumber": None}, {"phone": None}),
            id="what is cleared in Go is cleared in the shop",
        ),
        pytest.param(
            *("customers", "1001", {}, {"LastName": "van Dam"}),
            {"first_name": "Kari", "last_name": "van Dam", "name": "Kari van Dam"},
            id="a last name changes the whole name with it",
        ),
        pytest.param(
            *("customers", "2001", {}, {"Name": "Fjell AS"}),
            {"company_name": "Fjell AS", "name": "Fjell AS"},
            id="a company is renamed",
        ),
        pytest.param(
            *("products", "501", {"variant_name": "Blå / L"}, {"Name": "Lusekofte Blå / L"}),
            {"name": "Lusekofte"},
            id="the variant stays out of a name",
        ),
        pytest.param(
            *("products", "501", {"description": "<p>Varm</p>"}),
            {"Description": "Varm & god\nTåler vask < 40 grader"},
            {"description": "<p>Varm &amp; god<br>Tåler vask &lt; 40 grader</p>"},
            id="a description goes back as HTML where the shop has HTML",
        ),
        pytest.param(
            *("orders", "9001", {}, {"PurchaseOrderReference": "PO 77"}, {"reference": "PO 77"}),
            id="the buyer's reference of an order",
        ),
    ],
)
def test_an_edit_in_go_reaches_the_shop_in_the_shops_form(
    linked, box, entity, shop_id, before, edit, expected
):
    box.shop.edit(entity, shop_id, before)
    linked.forward()
    linked.edit_in_go(entity, shop_id, **edit)

    linked.back(ends_with=0)

    assert_members(box.shop.record(entity, shop_id), **expected)
    linked.assert_at_rest()


def test_without_an_edit_in_go_the_shop_gets_no_request(linked):
    outcome = linked.back()
    assert (outcome.status, outcome.reads, outcome.writes) == (0, [], [])


@pytest.mark.parametrize("moves_updated_at", [True, False])
def test_neither_way_writes_back_what_the_other_has_written(linked, box, moves_updated_at):
    box.shop.patches_move_updated_at = moves_updated_at
    linked.edit_in_go("customers", "1001", EmailAddress="ny@example.no")
    linked.edit_in_go("products", "501", UnitPrice=Decimal("120.00"))
    assert len(linked.back().writes) == 2
    linked.assert_at_rest()

    box.shop.edit("customers", "1001", {"phone": "+4790000002"})
    assert len(linked.forward().writes) == 1
    assert (linked.back().writes, linked.forward().writes) == ([], [])


@pytest.mark.parametrize(
    ("before", "edit", "reason"),
    [
        (
            {"prices_include_tax": True},
            {"UnitPrice": Decimal("99.9912")},
            "no price with VAT in whole øre comes to 99.9912",
        ),
        (
            {"variant_name": "Blå / L"},
            {"Name": "Lusekofte, grønn"},
            "no longer ends with the variant's",
        ),
    ],
)
def test_an_edit_of_a_product_that_the_shop_cannot_represent_is_held(
    linked, box, before, edit, reason
):
    box.shop.edit("products", "501", before)
    linked.forward()
    linked.edit_in_go("products", "501", **edit)

    assert reason in linked.why_held("products", "501")


def test_an_address_edited_in_go_leaves_the_shops_other_addresses_as_they_were(
    linked, box, address
):
    shipping = address(id="a2", type="shipping", line1="Kaien 3")
    box.shop.edit("customers", "1001", {"addresses": [address(id="a1"), shipping]})
    linked.forward()
    edit = {"AddressLine1": "Storgata 2", "City": "Moss"}
    linked.edit_in_go("customers", "1001", MailAddress=edit)

    linked.back()

    kept = box.shop.record("customers", "1001")["addresses"]
    assert kept == [address(id="a1", line1="Storgata 2", city="Moss"), shipping]


def test_after_an_edit_in_go_the_old_billing_address_does_not_become_a_delivery_address(
    linked, box, address
):
    addresses = [address(id="a1"), address(id="a2", type="shipping")]
    box.shop.edit("customers", "1001", {"addresses": addresses})
    linked.forward()
    linked.edit_in_go("customers", "1001", MailAddress={"AddressLine1": "Storgata 99"})

    assert len(linked.back().writes) == 1
    assert linked.forward().writes == []


def test_an_address_for_both_uses_is_edited_in_place(linked, box, address):
    both, old = address(id="a1", type=None), address(id="a2", is_default=False, line1="Kaien 3")
    box.shop.edit("customers", "1001", {"addresses": [old, both]})
    linked.forward()
    linked.edit_in_go("customers", "1001", MailAddress={"AddressLine1": "Storgata 99"})

    linked.back(ends_with=0)

    kept = box.shop.record("customers", "1001")["addresses"]
    assert kept == [old, {**both, "line1": "Storgata 99"}]
    linked.assert_at_rest()


def test_a_customer_without_an_address_gets_the_address_in_go(linked, box, customer):
    box.shop.put("customers", customer(id="1003", email="per@example.no", addresses=[]))
    linked.forward()
    in_go = {"AddressLine1": "Kaien 3", "ZipCode": "1531", "City": "Moss", "CountryCode": "NO"}
    linked.edit_in_go("customers", "1003", MailAddress=in_go)

    linked.back(ends_with=0)

    (kept,) = box.shop.record("customers", "1003")["addresses"]
    assert_members(kept, type="billing", line1="Kaien 3", postal_code="1531")
    assert linked.forward().writes == []


def test_an_entry_that_is_only_in_go_never_reaches_the_shop(linked, box):
    before = box.shop.records("customers")
    box.go.create("Customers", {"Name": "Bare i Go AS"})

    outcome = linked.back()

    assert outcome.reads == outcome.writes == []
    assert box.shop.records("customers") == before


def test_a_follower_keeps_its_own_properties(linked, box, company):
    box.shop.put("customers", company(id="2002", email="annen@example.no", phone="+4722222222"))
    linked.forward()
    linked.edit_in_go("customers", "2001", PhoneNumber="+4733333333")

    linked.back()

    phones = [box.shop.record("customers", shop_id)["phone"] for shop_id in ("2001", "2002")]
    assert phones == ["+4733333333", "+4722222222"]


def test_a_customer_archived_in_go_is_not_locked_out_of_the_shop(linked, box):
    linked.edit_in_go("customers", "2001", IsArchived=True)

    assert linked.back().writes == []
    assert box.shop.record("customers", "2001")["is_active"] is True


def test_with_a_setting_archiving_crosses_and_no_draft_is_put_on_sale(linked, box):
    box.shop.edit("products", "501", {"status": "draft"})
    both_ways = {"properties": {"products": {"archived": "both"}}}
    linked.forward(**both_ways)
    for is_archived, status in ((True, "archived"), (False, "draft")):
        linked.edit_in_go("products", "501", IsArchived=is_archived)
        linked.back(**both_ways)
        assert box.shop.record("products", "501")["status"] == status
    assert linked.forward(**both_ways).writes == []


def test_an_entry_archived_before_the_setting_crosses_once_all_of_go_is_read(linked, box):
    linked.edit_in_go("products", "501", IsArchived=True)
    linked.forward()
    assert linked.back().writes == []

    both_ways = {"properties": {"products": {"archived": "both"}}}
    linked.forward(**both_ways)
    linked.back(**both_ways)

    assert box.shop.record("products", "501")["status"] == "archived"


def test_stock_in_go_overwrites_the_shops_if_go_owns_the_stock(linked, box):
    linked.forward(stock="go")
    linked.edit_in_go("products", "501", IsStockItem=True)
    linked.edit_in_go("products", "501", StockOnHand=4)

    linked.back(stock="go")

    assert Decimal(box.shop.record("products", "501")["stock_on_hand"]) == 4
    assert linked.forward(stock="go").writes == []


def test_a_record_that_the_shop_deleted_is_not_written(linked, box):
    box.shop.remove("customers", "1001")
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000001")

    outcome = linked.back()

    assert (outcome.status, outcome.writes) == (0, [])


def test_an_edit_that_the_shop_refuses_is_a_reject_with_the_reason(linked, box):
    box.faults.add(system="shop", method="PATCH", path="/customers/1001", status=422, times=1)
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000001")

    linked.back(ends_with=3)

    assert linked.open_ones()["reject", "customers_back", "1001"].startswith("the shop refused it")


def test_a_part_of_the_address_that_the_tap_leaves_out_is_not_cleared(linked):
    entries = linked.entries("customers")
    for entry in entries:
        del entry["record"]["MailAddress"]["AddressLine1"]
    assert linked.back(*entries).writes == []


def test_a_property_that_the_shop_cannot_represent_does_not_stop_the_others(linked, box):
    box.shop.edit("products", "501", {"prices_include_tax": True})
    linked.forward()
    linked.edit_in_go("products", "501", UnitPrice=Decimal("99.9912"), Name="Lusekofte")

    linked.back(ends_with=3)

    assert box.shop.record("products", "501")["name"] == "Lusekofte"
    assert linked.back().writes == []


def test_an_edit_of_an_address_that_is_incomplete_in_the_shop_is_held(linked, box, address):
    box.shop.edit("customers", "1001", {"addresses": [address(postal_code=None)]})
    linked.forward()
    edit = {"AddressLine1": "Kaien 3", "City": "Moss", "ZipCode": "1531"}
    linked.edit_in_go("customers", "1001", MailAddress=edit)

    assert "address is incomplete" in linked.why_held("customers", "1001")


def test_a_custom_field_is_written_under_its_own_name(both, box, customer):
    both.settings = {
        "properties": {
            "customers": {"web": {"go": "WebsiteUrl", "source": "custom.web", "direction": "both"}}
        }
    }
    box.shop.put("customers", customer())
    record = {**box.shop.record("customers", "1001"), "web": "https://a.example.no"}
    emitted = {**record}
    move_to_custom(emitted, ["web"])
    both.ledger.run(record_message("customers", emitted, now()), **both.settings)
    both.edit_in_go("customers", "1001", WebsiteUrl="https://b.example.no")
    headers, path = {"ETag": '"x"'}, "/customers/1001"
    box.faults.add(system="shop", method="GET", path=path, status=200, body=record, headers=headers)
    box.faults.add(system="shop", method="PATCH", status=422)

    assert both.back().patches == [{"web": "https://b.example.no"}]


def test_entries_of_another_client_of_go_are_held(linked):
    entries = linked.entries("customers")
    for entry in entries:
        entry["record"] |= {
            "ExternalImportReference": "annenshop:77",
            "PhoneNumber": "+4799999999",
        }

    outcome = linked.back(*entries)

    assert (outcome.status, outcome.writes) == (3, [])
    assert "another client of Go" in next(iter(linked.open_ones().values()))


@pytest.mark.parametrize(
    ("entity", "old_id", "change"),
    [
        ("customers", "1001", {"PhoneNumber": "+4790000001"}),
        ("products", "501", {"Name": "Genser"}),
    ],
)
def test_an_edit_in_go_reaches_the_record_that_took_over_but_not_the_deleted_one(
    linked, box, entity, old_id, change
):
    go_id = linked.go_id(entity, old_id)
    new = {**box.shop.record(entity, old_id), "id": "77", "created_at": "2026-03-01T00:00:00Z"}
    box.shop.edit(entity, old_id, {"deleted_at": "2026-02-01T00:00:00Z"})
    box.shop.put(entity, new)
    assert linked.forward().status == 0
    deleted = box.shop.record(entity, old_id)
    box.go.edit(RESOURCES[entity], go_id, change)

    outcome = linked.back()

    assert (outcome.status, len(outcome.writes)) == (0, 1)
    assert box.shop.record(entity, old_id) == deleted
    assert set(change.values()) <= set(map(str, box.shop.record(entity, "77").values()))
    assert linked.forward().writes == []


def test_texts_with_html_entities_are_plain_in_go_and_do_not_come_back(
    both, box, customer, product, order, line, address
):
    encoded = address(line1="Hans &amp; Grete&#039;s vei 1")
    person = customer(name=None, last_name="O&#039;Brien", addresses=[encoded])
    box.shop.put("customers", person)
    box.shop.put("products", product(name="Salt &amp; Pepper &#8211; &quot;Fjell&quot;"))
    lines = [line(name="Salt &amp; Pepper")]
    members = {"billing_address": encoded, "shipping_address": encoded, "reference": "A&amp;B"}
    box.shop.put("orders", order(**members, lines=lines))

    assert both.forward().status == 0
    (customer_in_go,) = box.go.entries("Customers")
    assert customer_in_go["LastName"] == "O'Brien"
    assert customer_in_go["MailAddress"]["AddressLine1"] == "Hans & Grete's vei 1"
    (product_in_go,) = box.go.entries("Products")
    assert product_in_go["Name"] == 'Salt & Pepper – "Fjell"'
    (order_in_go,) = box.go.entries("SalesOrders")
    assert order_in_go["PurchaseOrderReference"] == "A&B"
    assert [line["Description"] for line in order_in_go["SalesOrderLines"]] == ["Salt & Pepper"]
    assert (both.back().writes, both.forward().writes) == ([], [])

    box.go.edit("Products", product_in_go["Id"], {"Name": "Salt & <Pepper>"})
    assert both.back().patches == [{"name": "Salt &amp; &lt;Pepper&gt;"}]
    assert (both.forward().writes, both.back().writes) == ([], [])


def test_a_name_that_an_earlier_version_wrote_with_entities_is_not_taken_for_an_edit(linked, box):
    name = "Salt &amp; Pepper"
    box.shop.edit("products", "501", {"name": name})
    linked.edit_in_go("products", "501", Name=name)
    linked.ledger.lose_link_store()

    assert linked.forward().writes == []
    box.shop.edit("products", "501", {"category": "Krydder"})
    assert linked.forward().status == 0
    assert linked.back().writes == []
    assert box.go.entries("Products")[0]["Name"] == name


def test_nothing_is_written_to_a_customer_that_the_shop_has_anonymised(linked, box):
    names = dict.fromkeys(("name", "first_name", "last_name"), "[deleted]")
    box.shop.edit(
        "customers",
        "1001",
        {**names, "email": "deleted@site.invalid", "phone": None, "addresses": []},
    )
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000001")

    assert linked.forward().writes == []
    outcome = linked.back()

    assert (outcome.status, outcome.writes) == (0, [])
    assert box.shop.record("customers", "1001")["phone"] is None
