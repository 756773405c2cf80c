"""The way back into a shop that is read by a shop file, and so has no ETag and no If-Match."""

import json
import signal
from decimal import Decimal

import commands
import pytest
from both_ways import singer_lines
from click.testing import CliRunner
from members import assert_members
from odd_shop import Reply
from own_shop import BY_REST, CHANGE, LOST, OwnBoth, OwnShop
from tap_customwebshop.settings import SETTINGS
from tap_customwebshop.tap import TapCustomWebShop
from target_customwebshop.target import TargetCustomWebShop
from target_powerofficego.links_command import main

PHONE = "+47 900 00 001"
PARKED = ("parked", "customers_back", "1001")


@pytest.fixture
def shop():
    shop = OwnShop()
    yield shop
    shop.server.close()


@pytest.fixture
def own(both, shop, tmp_path, customer, product, order):
    """Both ways, with a person, a product and an order that are already linked."""
    shop.put("customers", customer())
    shop.put("products", product())
    shop.put("orders", order())
    own = OwnBoth(both, shop, tmp_path)
    assert own.forward().status == 0
    return own


@pytest.fixture
def edited(own):
    """The same, with a phone number that was edited in Go and is not in the shop yet."""
    own.both.edit_in_go("customers", "1001", PhoneNumber=PHONE)
    return own


def test_a_name_that_the_shop_keeps_as_one_stays_whole(both, shop, tmp_path, customer):
    record = {**customer(), "name": "Turid Berg"}
    shop.put("customers", {k: v for k, v in record.items() if k not in ("first_name", "last_name")})
    shop.keeps = {"first_name", "last_name"}
    own = OwnBoth(both, shop, tmp_path)
    assert own.forward().status == 0

    for edit, name in (
        ({"LastName": "Berg Moe"}, "Turid Berg Moe"),
        ({"FirstName": "Turi"}, "Turi Berg Moe"),
        ({"LastName": "Bø Moe"}, "Turi Bø Moe"),
        ({"FirstName": "Ann Turi", "LastName": "Moe"}, "Ann Turi Moe"),
    ):
        both.edit_in_go("customers", "1001", **edit)
        own.back(ends_with=0)
        assert shop.records["customers"]["1001"]["name"] == name
        own.assert_at_rest()


def phone(own):
    return own.shop.records["customers"]["1001"]["phone"]


@pytest.mark.parametrize(
    ("entity", "shop_id", "edit", "expected"),
    [
        ("customers", "1001", {"EmailAddress": "ny@example.no"}, {"email": "ny@example.no"}),
        ("customers", "1001", {"PhoneNumber": PHONE}, {"phone": PHONE}),
        ("customers", "1001", {"PhoneNumber": None}, {"phone": None}),
        ("products", "501", {"Name": "Lusekofte"}, {"name": "Lusekofte"}),
        ("products", "501", {"UnitPrice": Decimal("120.00")}, {"price_excl": "120.00"}),
        ("products", "501", {"Description": "Tykk"}, {"description": "Tykk"}),
        ("orders", "9001", {"PurchaseOrderReference": "PO 77"}, {"reference": "PO 77"}),
    ],
)
def test_an_edit_in_go_crosses_once_and_the_next_run_forward_writes_nothing(
    own, shop, entity, shop_id, edit, expected
):
    own.both.edit_in_go(entity, shop_id, **edit)

    outcome = own.back(ends_with=0)

    (sent,) = shop.writes()
    assert (sent.method, sent.path) == ("PUT", f"/{entity}/{shop_id}")
    assert_members(sent.body["set"], **expected)
    assert_members(shop.records[entity][shop_id], **expected)
    assert outcome.summary["calls"] == {"reads": 2, "tokens": 0, "writes": 1}
    own.assert_at_rest()


def test_an_address_edited_in_go_crosses_once(own, shop):
    edit = {"AddressLine1": "Storgata 2", "City": "Moss"}
    own.both.edit_in_go("customers", "1001", MailAddress=edit)
    own.back(ends_with=0)
    (address,) = shop.records["customers"]["1001"]["addresses"]
    assert_members(address, line1="Storgata 2", city="Moss", postal_code="0155")
    own.assert_at_rest()


def test_without_an_edit_in_go_the_shop_is_not_even_asked(own, shop):
    assert own.back(ends_with=0).status == 0
    assert shop.server.requests == []


def without_spaces(record):
    return {**record, "phone": record["phone"].replace(" ", "")}


@pytest.mark.slow
@pytest.mark.parametrize("reshapes", [True, False])
@pytest.mark.parametrize("answer", [LOST, Reply({}, status=500), Reply(b"<html>")])
def test_a_change_whose_answer_is_lost_is_made_once_and_is_no_edit_of_the_shops(
    edited, shop, answer, reshapes
):
    if reshapes:
        shop.reshapes = without_spaces
    shop.hooks["after"] = lambda _: answer

    edited.back(ends_with=0)

    assert (len(shop.writes()), phone(edited)) == (1, PHONE.replace(" ", "" if reshapes else " "))
    shop.hooks.clear()
    edited.assert_at_rest()


@pytest.mark.slow
@pytest.mark.parametrize("answer", [LOST, Reply({}, status=503), Reply({}, status=429)])
def test_a_change_that_did_not_happen_is_made_again(edited, shop, answer):
    answers = [answer]
    shop.hooks["before"] = lambda _: answers.pop() if answers else None

    edited.back(ends_with=0)

    assert (len(shop.writes()), phone(edited)) == (2, PHONE)
    edited.assert_at_rest()


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("answer", [None, Reply({}, status=404), Reply({}, status=403)])
def test_a_change_after_which_the_record_cannot_be_read_is_looked_for_by_the_next_run(
    edited, shop, moment, answer
):
    """Answered or not, made or not: its outcome is seen once the shop can be read again."""

    def fall_silent(asked):
        shop.before_reading = lambda _: answer or Reply({}, status=400)
        return Reply({}, status=500) if moment == "before" else None

    shop.hooks[moment] = fall_silent
    edited.back()
    assert phone(edited) == (PHONE if moment == "after" else "+4791234567")
    shop.hooks.clear()
    shop.before_reading = lambda _: None

    edited.back(ends_with=0)

    assert phone(edited) == PHONE
    edited.assert_at_rest()


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_at_a_change_is_mended_by_the_next(edited, shop, tmp_path, moment):
    shop.reshapes = without_spaces
    config = tmp_path / "back.json"
    config.write_text(json.dumps(edited.config()), encoding="utf-8")
    running = commands.Command("target-customwebshop", "--config", config, cwd=tmp_path)

    def kill(_):
        running.kill()
        return Reply({}, status=500)

    shop.hooks[moment] = kill
    running.communicate(singer_lines(edited.both.entries()))
    assert running.returncode == -signal.SIGKILL
    shop.hooks.clear()

    edited.back(ends_with=0)

    assert len(shop.writes()) == (1 if moment == "before" else 0)
    assert phone(edited) == PHONE.replace(" ", "")
    edited.assert_at_rest()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("without", "with_"),
    [(', single="/customers/{id}", single_at="row"', ""), ("CUSTOMERS = ", "_ = ")],
)
def test_what_became_of_a_change_is_looked_for_once_the_file_reads_single_records_again(
    edited, shop, without, with_
):
    def fall_silent(_):
        shop.before_reading = lambda _: Reply({}, status=400)
        return Reply({}, status=500)

    shop.hooks["after"] = fall_silent
    edited.back()
    shop.hooks.clear()
    shop.before_reading = lambda _: None
    edited.write_file(BY_REST.replace(without, with_) + CHANGE)
    outcome = edited.back(ends_with=3)
    assert shop.server.requests == []
    assert "('single'); the unanswered change will be checked again" in outcome.log

    edited.write_file(BY_REST + CHANGE)
    edited.back(ends_with=0)
    assert [one.method for one in shop.server.requests] == ["GET"]
    edited.assert_at_rest()


def test_a_value_that_the_shop_changes_by_itself_is_no_edit(edited, shop):
    shop.reshapes = without_spaces
    edited.back(ends_with=0)
    assert phone(edited) == PHONE.replace(" ", "")
    edited.assert_at_rest()


@pytest.mark.slow
def test_an_edit_in_the_shop_while_a_change_waits_is_kept_and_both_cross(edited, shop):
    def be_busy(_):
        if len(shop.writes()) == 1:
            shop.edit("customers", "1001", email="ny@example.no")
            return Reply({}, status=429)
        return None

    shop.hooks["before"] = be_busy
    edited.back(ends_with=0)

    assert_members(shop.records["customers"]["1001"], phone=PHONE, email="ny@example.no")
    edited.forward()
    go_id = edited.both.go_id("customers", "1001")
    entry = edited.both.box.go.entry("Customers", go_id)
    assert_members(entry, PhoneNumber=PHONE, EmailAddress="ny@example.no")
    edited.assert_at_rest()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_edit_of_something_else_in_the_shop_at_the_moment_of_a_change_crosses(
    edited, shop, moment
):
    shop.hooks[moment] = lambda _: shop.edit("customers", "1001", email="ny@example.no")
    edited.back(ends_with=0)
    shop.hooks.clear()

    edited.forward()

    assert_members(shop.records["customers"]["1001"], phone=PHONE, email="ny@example.no")
    entry = edited.both.box.go.entry("Customers", edited.both.go_id("customers", "1001"))
    assert_members(entry, PhoneNumber=PHONE, EmailAddress="ny@example.no")
    edited.assert_at_rest()


@pytest.mark.slow
@pytest.mark.parametrize("owner", ["shop", "go"])
def test_the_same_property_edited_in_the_shop_while_a_change_waits_is_merged_by_the_rules(
    own, shop, owner
):
    own.both.settings = {"owners": {"customers": owner}}
    own.forward()
    own.both.edit_in_go("customers", "1001", PhoneNumber=PHONE)

    def be_busy(_):
        if len(shop.writes()) == 1:
            shop.edit("customers", "1001", phone="+47 900 00 002")
            return Reply({}, status=429)
        return None

    shop.hooks["before"] = be_busy
    own.back(ends_with=0)

    assert phone(own) == {"shop": "+47 900 00 002", "go": PHONE}[owner]
    assert len(shop.writes()) == {"shop": 1, "go": 2}[owner]
    own.forward()
    own.assert_at_rest()


WHOLE = """
def change(entity, record_id, patch, shop):
    row = shop.get(f"/{entity}/{record_id}")["row"]
    return "PUT", f"/{entity}/{record_id}", {"set": patch, **row}
"""


def test_a_whole_row_is_sent_as_it_was_read_just_before_with_what_changed(edited, shop):
    """Its numbers keep their digits, and it includes an edit made just before."""
    edited.write_file(BY_REST + WHOLE)

    def weighed(asked):
        if not asked.path.endswith("/1001"):
            return None
        record_json = json.dumps(shop.records["customers"]["1001"]).encode()
        return Reply(b'{"row": {"weight": 155.00, "record": %s}}' % record_json)

    shop.before_reading = weighed
    shop.edit("customers", "1001", email="ny@example.no")
    edited.back(ends_with=0)

    (sent,) = shop.writes()
    assert b'"weight":155.00' in sent.text
    assert sent.body["record"]["email"] == "ny@example.no"
    assert phone(edited) == PHONE


# A change in several calls

EACH = """
def change(entity, record_id, patch, shop):
    for name, value in sorted(patch.items(), reverse=True):
        yield "PUT", f"/{entity}/{record_id}/{name}", {"set": {name: value}}
"""


@pytest.fixture
def two(own, shop):
    """A product's name and description that were edited in Go, and go to an address each.

    The name comes first, and the shop makes its own form of it.
    """
    own.write_file(BY_REST + EACH)
    own.both.edit_in_go("products", "501", Name="Lusekofte", Description="Tykk")
    shop.reshapes = lambda record: {**record, "name": record["name"].upper()}
    return own


def sent(shop):
    """Return which members were sent, in order."""
    return [one.path.rpartition("/")[2] for one in shop.writes()]


def of_the_second(answer, times=99):
    """Return a hook that answers a call that changes the description this many times."""
    answers = [answer] * times
    return lambda asked: answers.pop() if asked.path.endswith("/description") and answers else None


def assert_crossed(own, shop, **members):
    """Check what the shop has, and that none of it counts as an edit made in the shop."""
    assert_members(shop.records["products"]["501"], **members)
    assert own.forward().writes == []


BOTH = {"name": "LUSEKOFTE", "description": "Tykk"}
NAME_ONLY = {**BOTH, "description": "Varm og god"}


@pytest.mark.slow
def test_a_change_in_several_calls_is_sent_in_order_once(two, shop):
    outcome = two.back(ends_with=0)
    assert sent(shop) == ["name", "description"]
    assert outcome.summary["calls"] == {"reads": 2, "tokens": 0, "writes": 2}
    assert_crossed(two, shop, **BOTH)
    two.assert_at_rest()


@pytest.mark.slow
@pytest.mark.parametrize("answer", [LOST, Reply({}, status=500)])
def test_a_later_call_whose_answer_is_lost_is_made_once(two, shop, answer):
    shop.hooks["after"] = of_the_second(answer)
    two.back(ends_with=0)
    assert sent(shop) == ["name", "description"]
    shop.hooks.clear()
    assert_crossed(two, shop, **BOTH)
    two.assert_at_rest()


@pytest.mark.slow
@pytest.mark.parametrize("answer", [LOST, Reply({}, status=503), Reply({}, status=429)])
def test_only_what_is_missing_after_a_call_that_did_not_happen_is_sent_again(two, shop, answer):
    shop.hooks["before"] = of_the_second(answer, times=1)
    two.back(ends_with=0)
    assert sent(shop) == ["name", "description", "description"]
    assert_crossed(two, shop, **BOTH)
    two.assert_at_rest()


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_at_a_later_call_is_mended_by_the_next(two, shop, tmp_path, moment):
    config = tmp_path / "back.json"
    config.write_text(json.dumps(two.config()), encoding="utf-8")
    running = commands.Command("target-customwebshop", "--config", config, cwd=tmp_path)

    def kill(asked):
        if asked.path.endswith("/description"):
            running.kill()
            return Reply({}, status=500)
        return None

    shop.hooks[moment] = kill
    running.communicate(singer_lines(two.both.entries()))
    assert running.returncode == -signal.SIGKILL
    shop.hooks.clear()

    two.back(ends_with=0)

    assert sent(shop) == (["description"] if moment == "before" else [])
    assert_crossed(two, shop, **BOTH)
    two.assert_at_rest()


ALWAYS_BOTH = """
def change(entity, record_id, patch, shop):
    row = shop.get(f"/{entity}/{record_id}")["row"]["record"]
    whole = {"name": row["name"], "description": row["description"], **patch}
    path = f"/{entity}/{record_id}"
    return [("PUT", f"{path}/{name}", {"set": {name: value}}) for name, value in whole.items()]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "again"), [(EACH, ["description"]), (ALWAYS_BOTH, ["name", "description"])]
)
@pytest.mark.parametrize("status", [409, 422])
def test_a_later_call_that_is_refused_is_a_reject_and_the_rest_has_crossed(
    two, shop, change, again, status
):
    two.write_file(BY_REST + change)
    shop.hooks["before"] = of_the_second(Reply({"code": "too_thick"}, status=status))
    two.back(ends_with=3)
    assert sent(shop) == ["name", "description"]
    (reason,) = two.both.open_ones().values()
    assert reason == "the shop refused it: too_thick"
    assert_crossed(two, shop, **NAME_ONLY)

    shop.hooks.clear()
    two.both.edit_in_go("products", "501", Description="Tykkere")
    two.back(ends_with=0)
    assert sent(shop) == again
    assert_crossed(two, shop, **{**BOTH, "description": "Tykkere"})
    two.assert_at_rest()


def test_a_call_after_one_that_is_refused_is_not_sent(two, shop):
    shop.hooks["before"] = lambda _: Reply({"code": "name_taken"}, status=422)
    two.back(ends_with=3)
    assert sent(shop) == ["name"]
    assert list(two.both.open_ones().values()) == ["the shop refused it: name_taken"]


def test_a_key_that_may_not_make_a_later_call_ends_the_run_and_the_rest_has_crossed(two, shop):
    shop.hooks["before"] = of_the_second(Reply({}, status=403))
    outcome = two.back(ends_with=1)
    assert "PUT /products/501/description: the shop answered 403" in outcome.log
    assert_crossed(two, shop, **NAME_ONLY)
    shop.hooks.clear()
    two.back(ends_with=0)
    assert sent(shop) == ["description"]
    assert_crossed(two, shop, **BOTH)
    two.assert_at_rest()


def test_an_edit_in_the_shop_between_two_calls_is_kept(two, shop):
    def edit(asked):
        if asked.path.endswith("/description"):
            shop.hooks.clear()
            shop.edit("products", "501", sku="UG-2")
            return Reply({}, status=500)
        return None

    shop.hooks["before"] = edit
    two.back(ends_with=0)
    assert_members(shop.records["products"]["501"], **BOTH, sku="UG-2")
    two.forward()
    two.assert_at_rest()


# What the shop does not support


def parked(own):
    """Return why records are parked, which nobody has to act on."""
    reasons = own.both.open_ones()
    assert {kind for kind, *_ in reasons} <= {"parked"}
    return reasons


def test_without_change_each_edit_waits_and_is_listed_without_a_call_until_there_is_one(
    edited, shop
):
    edited.write_file(BY_REST)
    edited.both.edit_in_go("products", "501", Name="Lusekofte")
    for _ in range(2):
        outcome = edited.back(ends_with=0)
        assert shop.server.requests == []
        assert parked(edited)[PARKED] == "my_shop.py has no change()"
        assert ("parked", "products_back", "501") in parked(edited)
        (said,) = [line for line in outcome.log.splitlines() if "has no change()" in line]
        assert "edits of customers, products, orders are not written to the shop" in said
        assert "powerofficego-links parked" in said
    listed = CliRunner().invoke(
        main, ["--link-store", str(edited.both.ledger.link_store), "parked", "--format", "json"]
    )
    assert "my_shop.py has no change()" in listed.output
    assert edited.forward().writes == []

    edited.write_file(BY_REST + CHANGE)
    edited.back(ends_with=0)

    assert phone(edited) == PHONE
    assert shop.records["products"]["501"]["name"] == "Lusekofte"
    edited.assert_at_rest()


@pytest.mark.slow
def test_what_waits_is_written_even_if_its_entry_is_not_read_again(edited, shop):
    edited.write_file(BY_REST)
    edited.back(ends_with=0)
    edited.write_file(BY_REST + CHANGE)
    edited.back({"type": "STATE", "value": {"bookmarks": {}}}, ends_with=0)
    assert phone(edited) == PHONE


def test_an_entity_of_which_the_file_reads_no_single_record_waits_and_the_others_cross(
    edited, shop
):
    without = BY_REST.replace(', single="/products/{id}", single_at="row"', "")
    edited.write_file(without + CHANGE)
    edited.both.edit_in_go("products", "501", Name="Lusekofte")

    outcome = edited.back(ends_with=0)

    assert phone(edited) == PHONE
    assert {one.path for one in shop.server.requests} == {"/customers/1001"}
    reason = "my_shop.py does not define how one of the products is read ('single')"
    assert parked(edited) == {("parked", "products_back", "501"): reason}
    assert f"{reason}, so edits of products are not written to the shop" in outcome.log


NO_PHONE = """
def change(entity, record_id, patch, shop):
    if "phone" in patch:
        return None
    return "PUT", f"/{entity}/{record_id}", {"set": patch}
"""


@pytest.mark.slow
def test_an_edit_that_change_does_not_take_is_looked_at_once_and_again_when_it_or_the_file_changes(
    edited, shop
):
    edited.write_file(BY_REST + NO_PHONE)
    edited.back(ends_with=0)
    assert [one.method for one in shop.server.requests] == ["GET"]
    assert parked(edited) == {PARKED: "my_shop.py does not support this change of phone"}
    edited.back(ends_with=0)
    assert shop.server.requests == []

    edited.both.edit_in_go("customers", "1001", PhoneNumber="+47 900 00 003")
    edited.back(ends_with=0)
    assert [one.method for one in shop.server.requests] == ["GET"]

    edited.write_file(BY_REST + CHANGE)
    edited.back(ends_with=0)
    assert phone(edited) == "+47 900 00 003"
    edited.assert_at_rest()


@pytest.mark.slow
def test_an_edit_that_waits_for_another_file_is_tried_once_more_by_the_next_run_after_retry(
    edited, shop
):
    shop.keeps = {"phone"}
    outcome = edited.back(ends_with=0)
    assert "1 parked, which the shop does not accept; see powerofficego-links parked" in outcome.log
    assert "the next run tries again" not in outcome.log
    edited.back(ends_with=0)
    assert shop.server.requests == []
    shop.keeps = set()
    (waiting,) = edited.both.ledger.unsettled("parked")
    store = ("--link-store", str(edited.both.ledger.link_store))

    said = CliRunner().invoke(main, [*store, "retry", str(waiting.id)])
    assert "will be retried by the next run" in said.output
    edited.back({"type": "STATE", "value": {"bookmarks": {}}}, ends_with=0)
    assert (len(shop.writes()), phone(edited)) == (1, PHONE)
    edited.assert_at_rest()


def test_after_retry_an_edit_that_the_shop_still_does_not_take_waits_again(edited, shop):
    shop.keeps = {"phone"}
    edited.back(ends_with=0)
    (waiting,) = edited.both.ledger.unsettled("parked")
    store = ("--link-store", str(edited.both.ledger.link_store))
    CliRunner().invoke(main, [*store, "retry", str(waiting.id)])
    edited.back(ends_with=0)
    assert len(shop.writes()) == 1
    edited.back(ends_with=0)
    assert shop.server.requests == []


@pytest.mark.slow
def test_what_the_shop_leaves_as_it_was_waits_and_the_rest_is_written_once(edited, shop):
    shop.keeps = {"phone"}
    edited.both.edit_in_go("customers", "1001", EmailAddress="ny@example.no")

    edited.back(ends_with=0)
    assert (len(shop.writes()), phone(edited)) == (1, "+4791234567")
    assert shop.records["customers"]["1001"]["email"] == "ny@example.no"
    assert list(parked(edited)) == [PARKED]

    assert edited.forward().writes == []
    edited.back(ends_with=0)
    assert shop.server.requests == []


@pytest.mark.slow
@pytest.mark.parametrize("owner", ["shop", "go"])
def test_a_later_edit_in_the_shop_of_what_waits_is_merged_by_the_usual_rules(own, shop, owner):
    own.both.settings = {"owners": {"customers": owner}}
    own.forward()
    own.both.edit_in_go("customers", "1001", PhoneNumber=PHONE)
    own.write_file(BY_REST)
    own.back(ends_with=0)
    shop.edit("customers", "1001", phone="+47 900 00 002")

    own.forward()
    own.back(ends_with=0)

    winner = {"shop": "+47 900 00 002", "go": PHONE}[owner]
    entry = own.both.box.go.entry("Customers", own.both.go_id("customers", "1001"))
    assert (entry["PhoneNumber"], phone(own)) == (winner, "+47 900 00 002")
    assert list(parked(own)) == {"shop": [], "go": [PARKED]}[owner]
    own.write_file(BY_REST + CHANGE)
    own.back(ends_with=0)
    assert phone(own) == winner
    own.assert_at_rest()


@pytest.mark.slow
def test_an_edit_that_waits_does_not_hide_what_both_sides_edited(edited, shop):
    edited.write_file(BY_REST + NO_PHONE.replace("phone", "email"))
    edited.both.edit_in_go("customers", "1001", EmailAddress="ny@example.no")
    shop.edit("customers", "1001", phone="+47 900 00 002")
    edited.back(ends_with=3)
    assert list(edited.both.open_ones()) == [("hold", "customers_back", "1001")]


# What ends a run, and what does not


def test_a_refusal_is_a_reject_with_the_shops_code_and_quotes_nothing_else(edited, shop):
    said = {"code": "phone_taken", "message": "Kari Nordmann has this phone"}
    shop.hooks["before"] = lambda _: Reply(said, status=422)
    outcome = edited.back(ends_with=3)
    (reason,) = edited.both.open_ones().values()
    assert reason == "the shop refused it: phone_taken"
    assert "Nordmann" not in outcome.log
    (reject,) = edited.both.ledger.unsettled("reject")
    assert reject.detail == "Kari Nordmann has this phone"


REFUSED = (
    CHANGE
    + """
def refused(answer):
    return None if answer["ok"] else answer["problems"][0]
"""
)


@pytest.mark.slow
def test_what_a_shop_refuses_in_an_answer_that_looks_like_a_success_is_a_reject(edited, shop):
    edited.write_file(BY_REST + REFUSED)
    said = {"ok": False, "problems": ["Kari Nordmann has this phone"]}
    shop.hooks["before"] = lambda _: said
    outcome = edited.back(ends_with=3)
    (reject,) = edited.both.ledger.unsettled()
    assert (reject.kind, reject.detail) == ("reject", "Kari Nordmann has this phone")
    assert "Nordmann" not in outcome.log
    assert len(shop.writes()) == 1

    shop.hooks.clear()
    edited.both.edit_in_go("customers", "1001", PhoneNumber="+47 900 00 003")
    edited.back(ends_with=0)
    assert phone(edited) == "+47 900 00 003"
    edited.assert_at_rest()


def test_an_edit_whose_answer_the_file_cannot_read_is_looked_for_and_names_the_line(edited, shop):
    """Only a look at the shop shows whether it was made."""
    edited.write_file(BY_REST + REFUSED)
    shop.hooks["after"] = lambda _: {"done": True}
    edited.back(ends_with=0)
    assert (len(shop.writes()), phone(edited)) == (1, PHONE)

    edited.both.edit_in_go("customers", "1001", PhoneNumber="+47 900 00 003")
    shop.hooks["before"] = lambda _: {"done": False}
    edited.back(ends_with=3)
    (reason,) = edited.both.open_ones().values()
    line = (BY_REST + REFUSED).partition("answer[")[0].count("\n") + 1
    assert f"my_shop.py, line {line}: refused() failed (KeyError)" in reason


def test_a_file_that_ends_the_program_at_an_answer_leaves_the_change_to_be_looked_for(edited, shop):
    edited.write_file(BY_REST + CHANGE + "\ndef refused(answer):\n    raise SystemExit(0)\n")
    edited.back(ends_with=0)
    assert (len(shop.writes()), phone(edited)) == (1, PHONE)

    edited.both.edit_in_go("customers", "1001", PhoneNumber="+47 900 00 003")
    shop.hooks["before"] = lambda _: {"done": False}
    edited.back(ends_with=3)
    (reason,) = edited.both.open_ones().values()
    assert "refused() failed (SystemExit)" in reason


@pytest.mark.slow
def test_a_later_call_that_is_refused_in_an_answer_is_a_reject_and_the_rest_has_crossed(two, shop):
    two.write_file(BY_REST + EACH + REFUSED.removeprefix(CHANGE))
    shop.hooks["before"] = of_the_second({"ok": False, "problems": ["too thick"]})
    two.back(ends_with=3)
    (reject,) = two.both.ledger.unsettled("reject")
    assert (reject.detail, sent(shop)) == ("too thick", ["name", "description"])
    assert_crossed(two, shop, **NAME_ONLY)


@pytest.mark.slow
@pytest.mark.parametrize("status", [409, 412])
def test_a_conflict_is_an_edit_in_the_shop_only_where_there_was_one(edited, shop, status):
    def clash(_):
        if len(shop.writes()) == 1:
            shop.edit("customers", "1001", email="ny@example.no")
            return Reply({}, status=status)
        return None

    shop.hooks["before"] = clash
    edited.back(ends_with=0)
    assert_members(shop.records["customers"]["1001"], phone=PHONE, email="ny@example.no")

    edited.both.edit_in_go("customers", "1001", PhoneNumber="+47 900 00 003")
    shop.hooks["before"] = lambda _: Reply({"code": "phone_taken"}, status=status)
    edited.back(ends_with=3)
    (reason,) = edited.both.open_ones().values()
    assert (reason, len(shop.writes())) == ("the shop refused it: phone_taken", 1)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_change_ends_the_run_in_one_line(edited, shop, status):
    shop.hooks["before"] = lambda _: Reply({}, status=status)
    outcome = edited.back(ends_with=1)
    assert f"PUT /customers/1001: the shop answered {status}" in outcome.log
    assert (len(shop.writes()), edited.both.open_ones()) == (1, {})


@pytest.mark.slow
def test_a_record_that_is_gone_is_a_reject_and_the_others_cross(edited, shop, company):
    shop.put("customers", company())
    edited.forward()
    edited.both.edit_in_go("customers", "2001", PhoneNumber=PHONE)
    del shop.records["customers"]["1001"]
    edited.back(ends_with=3)
    assert shop.records["customers"]["2001"]["phone"] == PHONE
    (reason,) = edited.both.open_ones().values()
    assert "the shop has no such record" in reason


def test_an_address_at_which_there_is_no_shop_ends_the_run(edited, shop):
    shop.before_reading = lambda _: Reply({}, status=404)
    outcome = edited.back(ends_with=1)
    assert "Correct the setting 'api_url' or the shop file" in outcome.log
    assert edited.both.open_ones() == {}


def test_one_record_that_keeps_failing_does_not_stop_the_others(edited, shop):
    edited.both.edit_in_go("products", "501", Name="Lusekofte")
    shop.before_reading = lambda asked: (
        Reply({}, status=500) if asked.path == "/customers/1001" else None
    )
    edited.back(retry_seconds=0, ends_with=3)
    assert shop.records["products"]["501"]["name"] == "Lusekofte"
    (reason,) = edited.both.open_ones().values()
    assert "the next run checks and continues" in reason


def test_a_run_that_is_stopped_while_it_waits_blames_no_record(edited, shop, tmp_path):
    config = tmp_path / "back.json"
    config.write_text(json.dumps({**edited.config(), "retry_seconds": 100}), encoding="utf-8")
    running = commands.Command("target-customwebshop", "--config", config, cwd=tmp_path)

    def be_busy(asked):
        if asked.path != "/customers/1001":
            return None
        running.send_signal(signal.SIGTERM)
        return Reply({}, status=429, headers={"Retry-After": "60"})

    shop.before_reading = be_busy
    running.communicate(singer_lines(edited.both.entries()))
    assert shop.server.paths()[-1] == "/customers/1001"
    assert edited.both.open_ones() == {}
    shop.before_reading = lambda _: None
    edited.back(ends_with=0)
    assert phone(edited) == PHONE


def test_a_shop_that_answers_nothing_ends_the_run(edited, shop):
    shop.before_reading = lambda _: Reply({}, status=503)
    outcome = edited.back(retry_seconds=0, ends_with=1)
    assert "Run again later." in outcome.log
    assert edited.both.open_ones() == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CHANGE.replace("patch}", 'patch["none"]}'), "change() failed (KeyError)"),
        (CHANGE.replace('f"/', 'f"'), "change() must return (method, path, body)"),
    ],
)
def test_a_change_that_fails_is_a_reject_that_names_its_line(edited, shop, text, expected):
    edited.write_file(BY_REST + text)
    edited.back(ends_with=3)
    (reason,) = edited.both.open_ones().values()
    assert reason.startswith("my_shop.py, line ")
    assert expected in reason
    edited.write_file(BY_REST + CHANGE)
    edited.back(ends_with=0)
    assert phone(edited) == PHONE


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_change_that_ends_the_program_ends_the_run_with_an_error_that_names_its_line(
    edited, shop, workers
):
    edited.write_file(BY_REST + CHANGE.replace("return", "print('bye'); raise SystemExit; return"))
    outcome = edited.back(workers=workers, ends_with=1)
    assert "it ends the program (SystemExit)" in outcome.log
    assert (shop.writes(), edited.both.open_ones()) == ([], {})


OF_THE_SHOP = {"page_size": 7, "lookback_seconds": 60, "start_date": "2020-01-01"}
LOOKING_AT_A_LIST = """
def change(entity, record_id, patch, shop):
    rows = shop.list(Listing("/customers", rows="rows", pager=Page("size={size}&page={page}")))
    return "PUT", f"/{entity}/{record_id}", {"set": patch}
"""


def test_the_settings_of_the_shop_are_the_same_for_both_ways(edited, shop):
    edited.settings |= {**OF_THE_SHOP, "user_agent": "Butikken/1"}
    edited.write_file(BY_REST + LOOKING_AT_A_LIST)
    shop.before_reading = lambda asked: {"rows": []} if asked.query.get("page") == "2" else None

    assert edited.forward().status == 0
    edited.back(ends_with=0)

    assert {one.headers["User-Agent"] for one in shop.server.requests} == {"Butikken/1"}
    assert {one.query["size"] for one in shop.server.requests if one.query} == {"7"}
    assert phone(edited) == PHONE


def test_the_target_takes_every_setting_of_the_tap():
    settings_of_the_sdk: dict = {"properties": {}}
    TapCustomWebShop.append_builtin_config(settings_of_the_sdk)
    own = SETTINGS["properties"].keys() - settings_of_the_sdk["properties"].keys()
    assert own
    assert own <= TargetCustomWebShop.config_jsonschema["properties"].keys()


def test_a_user_agent_that_no_header_can_have_ends_the_run_in_one_line(edited):
    outcome = edited.back(user_agent="Butikk\r\nX: 1", ends_with=1)
    assert "user_agent has characters that a header cannot have" in outcome.log


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CUSTOMER = Listing('/list')", "it declares no list"),
        ("CUSTOMERS = Listing('/list')", "AUTH needs the setting 'auth_token'"),
    ],
)
def test_a_wrong_shop_file_ends_the_run_in_one_line(edited, text, expected):
    edited.write_file("from tap_customwebshop.shop import *\n" + text)
    outcome = edited.back(ends_with=1)
    assert f"my_shop.py: {expected}" in outcome.log
    assert "Traceback" not in outcome.log


def test_a_dry_run_reads_and_shows_what_would_be_written_and_what_would_not(edited, shop):
    edited.write_file(BY_REST + NO_PHONE)
    edited.both.edit_in_go("products", "501", Name="Lusekofte")
    outcome = edited.back(dry_run=True, ends_with=0)
    assert shop.writes() == []
    assert {one.path for one in shop.server.requests} == {"/customers/1001", "/products/501"}
    assert "Ullgenser → Lusekofte" in outcome.log
    assert "park customers 1001: my_shop.py does not support this change of phone" in outcome.log
    assert edited.both.open_ones() == {}


def test_a_run_stops_at_max_changes_which_counts_only_what_is_sent(edited, shop):
    edited.write_file(BY_REST + NO_PHONE)
    edited.both.edit_in_go("products", "501", Name="Lusekofte")
    edited.back(max_changes=1, ends_with=0)
    assert len(shop.writes()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("shop_id", [".", "..", "a/../b"])
def test_a_record_whose_id_is_no_good_for_a_path_is_a_reject_and_the_others_cross(
    own, shop, customer, shop_id
):
    shop.put("customers", customer(id=shop_id, email="ola@example.no"))
    own.forward()
    own.both.edit_in_go("customers", shop_id, PhoneNumber=PHONE)
    own.both.edit_in_go("products", "501", Name="Lusekofte")

    own.back(ends_with=3)

    assert shop.records["products"]["501"]["name"] == "Lusekofte"
    assert {one.path for one in shop.server.requests} == {"/products/501"}
    reason = own.both.open_ones()["reject", "customers_back", shop_id]
    assert "cannot be used in a path" in reason


# Other shapes


def test_the_record_is_the_one_with_its_id_among_those_that_a_row_makes(own, shop):
    variants = """def product(row, shop):
    for one in (row["record"], {**row["record"], "id": "9", "sku": "S"}):
        yield {**one, "name": one["name"] + shop.get("/suffix")["s"]}
"""
    shop.before_reading = lambda asked: {"s": ""} if asked.path == "/suffix" else None
    _, _, after = BY_REST.partition("ORDERS = ")
    before, _, _ = BY_REST.partition("def product")
    own.write_file(f"{before}{variants}ORDERS = {after}{CHANGE}")
    assert own.forward().status == 0
    own.both.edit_in_go("products", "501", Name="Lusekofte")
    own.back(ends_with=0)
    assert shop.records["products"]["501"]["name"] == "Lusekofte"
    assert "/suffix" in shop.server.paths()


def test_the_row_that_holds_a_record_may_be_looked_for_by_a_function(own, shop):
    by_path = 'single="/products/{id}", single_at="row"'
    looked_for = """single=lambda key, shop: next(
    (one for one in shop.list("/products") if one["record"]["id"] == key), None)"""
    own.write_file(BY_REST.replace(by_path, looked_for) + CHANGE)
    assert own.forward().status == 0
    own.both.edit_in_go("products", "501", Name="Lusekofte")
    own.back(ends_with=0)
    assert shop.records["products"]["501"]["name"] == "Lusekofte"
    own.assert_at_rest()

    own.both.edit_in_go("products", "501", Name="Kofte")
    del shop.records["products"]["501"]
    own.back(ends_with=3)
    (reason,) = own.both.open_ones().values()
    assert "the shop has no such record" in reason


BY_GRAPHQL = """from tap_customwebshop.shop import *
AUTH = Header("X-Key", "{key}")
CUSTOMERS = Listing("/graphql", rows="data.customers", graphql="query { customers { record } }",
    single="query($id: ID!) { customer(id: $id) { record } }", single_at="data.customer")
def customer(row, shop): return row["record"]
def change(entity, record_id, patch, shop):
    query = "mutation($id: ID!, $set: Set!) { update(id: $id, set: $set) { userErrors } }"
    return "POST", "/graphql", {"query": query, "variables": {"id": record_id, "set": patch}}
"""


class GraphQLShop:
    """Answers for an own shop with GraphQL; `errors` are those that a mutation returns."""

    def __init__(self, shop):
        self.errors = []
        self.mutations = []
        self._customers = shop.records["customers"]
        self._edit = shop.edit
        shop.server.answer = self._answer

    def _answer(self, asked):
        variables = asked.body["variables"]
        if not asked.body["query"].startswith("mutation"):
            rows = [{"record": one} for one in self._customers.values()]
            found = self._customers.get(variables.get("id"))
            return {"data": {"customers": rows, "customer": found and {"record": found}}}
        self.mutations.append(variables)
        if not self.errors:
            self._edit("customers", variables["id"], **variables["set"])
        return {"data": {"update": {"userErrors": self.errors}}}


class GraphQLBoth(OwnBoth):
    """Both ways between a shop by GraphQL and Go."""

    graphql: GraphQLShop


@pytest.fixture
def by_graphql(both, shop, tmp_path, customer):
    """Both ways over a shop by GraphQL, with a phone number that was edited in Go."""
    shop.put("customers", customer())
    own = GraphQLBoth(both, shop, tmp_path)
    own.graphql = GraphQLShop(shop)
    own.write_file(BY_GRAPHQL)
    assert own.forward().status == 0
    both.edit_in_go("customers", "1001", PhoneNumber=PHONE)
    return own


def test_a_shop_by_graphql_is_read_and_written_to(by_graphql):
    outcome = by_graphql.back(ends_with=0)
    assert by_graphql.graphql.mutations == [{"id": "1001", "set": {"phone": PHONE}}]
    assert phone(by_graphql) == PHONE
    assert outcome.summary["calls"] == {"reads": 2, "tokens": 0, "writes": 1}
    assert by_graphql.forward().writes == []
    by_graphql.back(ends_with=0)
    assert by_graphql.shop.server.requests == []


@pytest.mark.slow
def test_what_a_mutation_says_against_a_change_is_a_reject_of_that_record(by_graphql, shop):
    by_graphql.graphql.errors = [{"field": ["phone"], "message": f"{PHONE} is not valid"}]
    outcome = by_graphql.back(ends_with=3)
    (reject,) = by_graphql.both.ledger.unsettled()
    assert (reject.kind, reject.detail) == ("reject", f"{PHONE} is not valid")
    assert PHONE not in outcome.log
    assert len(by_graphql.graphql.mutations) == 1


@pytest.mark.slow
def test_a_record_that_is_null_is_not_there(by_graphql, shop):
    del shop.records["customers"]["1001"]
    by_graphql.back(ends_with=3)
    (reason,) = by_graphql.both.open_ones().values()
    assert "the shop has no such record" in reason


def test_one_record_that_a_query_fails_on_does_not_stop_the_others(by_graphql, shop, company):
    shop.put("customers", company())
    by_graphql.forward()
    by_graphql.both.edit_in_go("customers", "2001", PhoneNumber=PHONE)
    answer = shop.server.answer
    shop.server.answer = lambda asked: (
        {"errors": [{"message": "broken"}], "data": {"customer": None}}
        if asked.body["variables"].get("id") == "1001"
        else answer(asked)
    )
    by_graphql.back(workers=1, ends_with=3)
    assert list(by_graphql.both.open_ones()) == [("reject", "customers_back", "1001")]
    assert shop.records["customers"]["2001"]["phone"] == PHONE


def test_a_mutation_without_variables_that_is_refused_is_a_reject(by_graphql, shop):
    by_graphql.write_file(BY_GRAPHQL.replace(', "variables": {"id": record_id, "set": patch}', ""))
    answer = shop.server.answer
    shop.server.answer = lambda asked: (
        answer(asked)
        if "variables" in asked.body
        else {"errors": [{"message": "no"}], "data": None}
    )
    by_graphql.back(ends_with=3)
    assert list(by_graphql.both.open_ones()) == [("reject", "customers_back", "1001")]
