"""What `powerofficego-links` shows of the way back."""

import json

import pytest
from members import assert_members


@pytest.fixture
def refused(linked, box):
    """A phone number that was edited in Go, and that the shop refused once."""
    box.faults.add(system="shop", method="PATCH", path="/customers/1001", status=422, times=1)
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000001")
    linked.back(ends_with=3)
    return linked


@pytest.fixture
def differences(links):
    """Runs `powerofficego-links differences`; returns its rows, with values."""

    def run():
        lines = links("differences", "--show-values", "--format", "json").output.splitlines()
        return [json.loads(line) for line in lines]

    return run


def test_an_edit_in_go_that_the_shop_has_accepted_is_no_longer_a_difference(differences, linked):
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000001")
    assert len(linked.back().writes) == 1

    assert differences() == []

    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000002")
    linked.forward()
    (difference,) = differences()
    assert_members(difference, shop_value="+4790000001", go_value="+4790000002")


def test_an_edit_in_go_that_the_shop_refused_is_a_difference_until_the_shop_accepts_it(
    differences, refused
):
    (difference,) = differences()

    assert_members(
        difference,
        entity="customers",
        shop_id="1001",
        property="phone",
        shop_value="+4791234567",
        go_value="+4790000001",
    )
    refused.edit_in_go("customers", "1001", PhoneNumber="+4790000002")
    refused.forward()
    assert [difference["go_value"] for difference in differences()] == ["+4790000002"]
    refused.back()
    assert differences() == []


def test_the_list_of_differences_has_the_last_value_of_each_side(links, refused):
    heading = links("differences", "--show-values").output.splitlines()[0]

    assert "shop, last agreed" in heading
    assert "Go, last read" in heading


def test_check_reports_a_failed_last_run_back_after_a_good_run_forward(links, linked):
    linked.run({"type": "BATCH", "stream": "customers"}, ends_with=1)
    linked.forward(ends_with=0)

    result = links("check")

    assert result.exit_code == 1
    assert "the last run for the shop testshop failed (run 2, back)" in result.output


def test_the_command_suggested_by_check_lists_what_waits_on_the_way_back(links, refused):
    result = links("check")
    *_, suggested = result.output.strip().split("see powerofficego-links ")

    assert result.exit_code == 3
    assert suggested == "rejects --entity customers"
    assert "the shop refused it" in links(*suggested.split()).output
