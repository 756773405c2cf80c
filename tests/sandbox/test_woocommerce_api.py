"""The local WooCommerce answers as the real one's source and documentation describe."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from go_sandbox.shops import woocommerce

BILLING = {
    "first_name": "Kari",
    "last_name": "Nordmann",
    "address_1": "Storgata 1",
    "postcode": "0155",
    "city": "Oslo",
    "country": "NO",
    "email": "kari@example.com",
    "phone": "+47 22 33 44 55",
}


@pytest.fixture
def served():
    with woocommerce.start() as running:
        yield running


@pytest.fixture
def woo(served):
    return served.shop


@pytest.fixture
def ask(served, woo):
    """A function that calls the API with the shop's keys and returns the answer."""

    def call(path: str, method: str = "GET", **options: Any) -> requests.Response:
        url = f"{served.url}/wp-json/wc/v3{path}"
        keys = (woo.consumer_key, woo.consumer_secret)
        return requests.request(method, url, **{"auth": keys, "timeout": 10, **options})

    return call


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [record["id"] for record in answer.json()]


def error_of(answer):
    return answer.status_code, answer.json()["code"]


def test_an_unknown_key_and_a_wrong_secret_are_refused(ask, woo):
    assert error_of(ask("/orders", auth=None)) == (401, "woocommerce_rest_cannot_view")
    unknown = ("ck_other", woo.consumer_secret)
    assert error_of(ask("/orders", auth=unknown)) == (401, "woocommerce_rest_cannot_view")
    wrong = ask("/orders", auth=(woo.consumer_key, "cs_wrong"))
    assert wrong.json() == {
        "code": "woocommerce_rest_authentication_error",
        "message": "Consumer secret is invalid.",
        "data": {"status": 401},
    }


def test_keys_may_be_in_the_query_and_then_in_the_links_too(ask, woo):
    for number in range(3):
        woo.add_product(f"Ull {number}")
    keys = {"consumer_key": woo.consumer_key, "consumer_secret": woo.consumer_secret}
    answer = ask("/products", auth=None, params={**keys, "per_page": 2})
    assert woo.consumer_secret in answer.headers["Link"]


def test_a_site_over_plain_http_refuses_keys(ask, woo):
    woo.is_over_http = True
    assert error_of(ask("/orders")) == (401, "woocommerce_rest_cannot_view")


def test_a_read_only_key_changes_nothing(ask, woo):
    product = woo.add_product("Ull", "ULL", "100.00")
    woo.permissions = "read"
    answer = ask(f"/products/{product}", "PUT", json={"name": "Silke"})
    assert error_of(answer) == (401, "woocommerce_rest_authentication_error")
    assert ask(f"/products/{product}").json()["name"] == "Ull"


def test_a_list_that_is_not_served_is_answered_with_no_route(ask, woo):
    assert error_of(ask("/subscriptions")) == (404, "rest_no_route")
    woo.has_refunds_list = woo.has_variations_list = False
    assert error_of(ask("/refunds")) == (404, "rest_no_route")
    assert error_of(ask("/variations")) == (404, "rest_no_route")


def test_a_page_has_ten_records_and_never_more_than_a_hundred(ask, woo):
    for number in range(12):
        woo.add_product(f"Ull {number}")
    answer = ask("/products")
    assert len(answer.json()) == 10
    assert (answer.headers["X-WP-Total"], answer.headers["X-WP-TotalPages"]) == ("12", "2")
    too_many = ask("/products", params={"per_page": 101})
    assert too_many.status_code == 400
    assert too_many.json()["code"] == "rest_invalid_param"
    assert too_many.json()["data"]["params"] == {
        "per_page": "per_page must be between 1 (inclusive) and 100 (inclusive)"
    }


def test_links_lead_to_the_pages_before_and_after(ask, woo):
    for number in range(5):
        woo.add_product(f"Ull {number}")
    answer = ask("/products", params={"per_page": 2, "page": 2, "status": "publish"})
    assert set(answer.links) == {"prev", "next"}
    query = parse_qs(urlsplit(answer.links["next"]["url"]).query)
    assert query == {"per_page": ["2"], "page": ["3"], "status": ["publish"]}
    assert set(ask("/products", params={"per_page": 2, "page": 3}).links) == {"prev"}


def test_links_point_to_where_the_site_thinks_it_is(ask, woo):
    woo.site_url = "http://inner.example"
    woo.add_product("Ull")
    woo.add_product("Silke")
    answer = ask("/products", params={"per_page": 1})
    assert answer.links["next"]["url"].startswith("http://inner.example/wp-json/wc/v3/products?")


def test_a_page_past_the_end_is_empty_with_the_true_total(ask, woo):
    woo.add_product("Ull")
    answer = ask("/products", params={"page": 7})
    assert answer.json() == []
    assert (answer.headers["X-WP-Total"], answer.headers["X-WP-TotalPages"]) == ("1", "1")
    assert parse_qs(urlsplit(answer.links["prev"]["url"]).query)["page"] == ["1"]


def test_an_offset_replaces_the_page(ask, woo):
    created = [woo.add_product(f"Ull {number}") for number in range(4)]
    params = {"orderby": "id", "order": "asc", "offset": 1, "per_page": 2, "page": 9}
    assert ids(ask("/products", params=params)) == created[1:3]


def test_lists_begin_with_the_newest_and_customers_with_the_first_name(ask, woo):
    first, second = woo.add_product("Ull"), woo.add_product("Silke")
    assert ids(ask("/products")) == [second, first]
    kari = woo.add_customer("kari@example.com", first_name="Kari")
    anne = woo.add_customer("anne@example.com", first_name="Anne")
    assert ids(ask("/customers")) == [anne, kari]


def test_only_newer_versions_sort_by_change(ask, woo):
    first = woo.add_product("Ull")
    second = woo.add_product("Silke")
    woo.pass_seconds(5)
    woo.edit("products", first, name="Ullgenser")
    assert ids(ask("/products", params={"orderby": "modified"})) == [first, second]
    woo.sorts_by_modified = False
    assert ask("/products", params={"orderby": "modified"}).json()["code"] == "rest_invalid_param"


def test_a_filter_that_a_list_does_not_have_is_ignored(ask, woo):
    kari = woo.add_customer("kari@example.com")
    assert ids(ask("/customers", params={"modified_after": "2999-01-01T00:00:00"})) == [kari]


def test_only_users_of_the_role_customer_are_listed(ask, woo):
    kari = woo.add_customer("kari@example.com", first_name="Kari")
    boss = woo.add_customer("boss@example.com", first_name="Boss", role="administrator")
    assert ids(ask("/customers")) == [kari]
    assert ids(ask("/customers", params={"role": "all"})) == [boss, kari]
    assert ask(f"/customers/{boss}").json()["email"] == "boss@example.com"


def test_modified_after_is_strictly_after_in_whole_seconds(ask, woo):
    product = woo.add_product("Ull")
    stamp = ask(f"/products/{product}").json()["date_modified_gmt"]
    params = {"modified_after": stamp, "dates_are_gmt": "true"}
    assert ids(ask("/products", params=params)) == []
    woo.pass_seconds(1)
    woo.edit("products", product, name="Ullgenser")
    assert ids(ask("/products", params=params)) == [product]


def test_stamps_have_no_zone_and_a_filter_reads_them_as_local_by_default(ask, woo):
    product = woo.add_product("Ull")
    record = ask(f"/products/{product}").json()
    assert record["date_modified"] != record["date_modified_gmt"]
    assert not record["date_modified_gmt"].endswith("Z")
    # the time of the change itself, read as local time: an hour or two too early
    params = {"modified_after": record["date_modified_gmt"]}
    assert ids(ask("/products", params=params)) == [product]
    assert ids(ask("/products", params={"modified_after": record["date_modified"]})) == []


def test_a_zone_in_the_filter_and_dates_are_gmt_together_are_off_by_the_sites_zone(ask, woo):
    product = woo.add_product("Ull")
    woo.pass_seconds(60)
    record = ask(f"/products/{product}").json()
    before = {"modified_after": f"{record['date_modified_gmt'][:-5]}00:00Z"}
    assert ids(ask("/products", params=before)) == [product]
    assert ids(ask("/products", params={**before, "dates_are_gmt": "true"})) == []


def test_an_invalid_date_is_refused_by_name(ask, woo):
    answer = ask("/orders", params={"modified_after": "yesterday", "page": 0})
    assert answer.json()["message"] == "Invalid parameter(s): page, modified_after"


def test_an_unknown_order_status_is_refused(ask, woo):
    assert ask("/orders", params={"status": "sent"}).json()["code"] == "rest_invalid_param"


def test_the_trash_is_listed_only_on_request(ask, woo):
    product = woo.add_product("Ull", "ULL", "100.00")
    order = woo.place_order([(product, 1)])
    assert ask(f"/orders/{order}", "DELETE").json()["status"] == "processing"
    assert ids(ask("/orders")) == []
    assert ids(ask("/orders", params={"status": "any,trash"})) == []
    assert ids(ask("/orders", params={"status": "trash"})) == [order]
    assert ask(f"/orders/{order}").json()["status"] == "trash"
    again = ask(f"/orders/{order}", "DELETE")
    assert error_of(again) == (410, "woocommerce_rest_already_trashed")


def test_a_permanently_deleted_record_is_gone(ask, woo):
    product = woo.add_product("Ull")
    ask(f"/products/{product}", "DELETE", params={"force": "true"})
    assert error_of(ask(f"/products/{product}")) == (404, "woocommerce_rest_product_invalid_id")
    change = ask(f"/products/{product}", "PUT", json={"name": "Silke"})
    assert error_of(change) == (400, "woocommerce_rest_product_invalid_id")


def test_customers_have_no_trash(ask, woo):
    kari = woo.add_customer("kari@example.com")
    answer = ask(f"/customers/{kari}", "DELETE")
    assert error_of(answer) == (501, "woocommerce_rest_trash_not_supported")
    assert ask(f"/customers/{kari}", "DELETE", params={"force": "true"}).status_code == 200
    assert error_of(ask(f"/customers/{kari}")) == (404, "wc_user_invalid_id")


def test_a_customer_has_two_addresses_and_only_the_billing_one_an_email(ask, woo):
    kari = woo.add_customer("kari@example.com", billing=BILLING, meta_data={"vat": "NO1"})
    record = ask(f"/customers/{kari}").json()
    assert record["billing"] == {"company": "", "address_2": "", "state": "", **BILLING}
    assert "email" not in record["shipping"]
    assert [(entry["key"], entry["value"]) for entry in record["meta_data"]] == [("vat", "NO1")]


def test_a_user_not_created_by_the_shop_has_no_date_of_change(ask, woo):
    kari = woo.add_customer("kari@example.com", is_stamped=False)
    assert ask(f"/customers/{kari}").json()["date_modified_gmt"] is None


def test_prices_are_text_and_empty_if_missing(ask, woo):
    plain = woo.add_product("Ull", "ULL", "199.00", stock_quantity=5)
    record = ask(f"/products/{plain}").json()
    assert (record["regular_price"], record["sale_price"]) == ("199.00", "")
    assert (record["manage_stock"], record["stock_quantity"]) == (True, 5)
    bare = ask(f"/products/{woo.add_product('Gave')}").json()
    assert (bare["price"], bare["manage_stock"], bare["stock_quantity"]) == ("", False, None)


def test_the_variations_of_a_product_are_in_a_list_of_their_own(ask, woo):
    shirt = woo.add_product("Skjorte", "S", tax_class="reduced-rate", type="variable")
    red = woo.add_variation(shirt, "S-R", "250.00", {"Farge": "Rød"})
    blue = woo.add_variation(shirt, "S-B", "200.00", {"Farge": "Blå"}, tax_class="zero-rate")
    assert ids(ask("/products")) == [shirt]
    record = ask(f"/products/{shirt}").json()
    assert (record["variations"], record["price"], record["regular_price"]) == (
        [red, blue],
        "200.00",
        "",
    )
    listed = ask(f"/products/{shirt}/variations", params={"order": "asc"}).json()
    assert [variation["tax_class"] for variation in listed] == ["reduced-rate", "zero-rate"]
    assert listed[0]["attributes"] == [{"id": 0, "name": "Farge", "option": "Rød"}]
    assert "parent_id" not in listed[0]
    assert [variation["parent_id"] for variation in ask("/variations").json()] == [shirt, shirt]


def test_a_change_of_a_variation_does_not_move_the_stamp_of_its_product(ask, woo):
    shirt = woo.add_product("Skjorte", "S", type="variable")
    red = woo.add_variation(shirt, "S-R", "250.00", {"Farge": "Rød"})
    before = ask(f"/products/{shirt}").json()["date_modified_gmt"]
    woo.pass_seconds(5)
    change = {"regular_price": "300.00"}
    assert ask(f"/products/{shirt}/variations/{red}", "PUT", json=change).ok
    assert ask(f"/products/{shirt}").json()["date_modified_gmt"] == before
    changed = {"modified_after": before, "dates_are_gmt": "true"}
    assert ids(ask("/variations", params=changed)) == [red]
    assert error_of(ask(f"/products/{red}/variations/{red}"))[0] == 404


def test_a_variation_can_be_read_as_a_product_but_not_changed_as_one(ask, woo):
    shirt = woo.add_product("Skjorte", "S", type="variable")
    red = woo.add_variation(shirt, "S-R", "250.00", {"Farge": "Rød"})
    record = ask(f"/products/{red}").json()
    assert (record["type"], record["parent_id"]) == ("variation", shirt)
    answer = ask(f"/products/{red}", "PUT", json={"name": "Grønn"})
    assert error_of(answer) == (404, "woocommerce_rest_invalid_product_id")


def test_tax_rates_and_settings_can_be_read(ask, woo):
    rates = {rate["class"]: rate["rate"] for rate in ask("/taxes").json()}
    assert (rates["standard"], rates["reduced-rate"]) == ("25.0000", "15.0000")
    assert ask("/taxes", params={"page": 2}).json() == []
    answer = ask("/settings/tax/woocommerce_prices_include_tax")
    assert answer.json()["value"] == "yes"
    assert error_of(ask("/settings/tax/other")) == (404, "rest_setting_setting_invalid")


def test_meta_data_and_stock_sold_do_not_move_a_stamp(ask, woo):
    product = woo.add_product("Ull", "ULL", "100.00", stock_quantity=5)
    before = ask(f"/products/{product}").json()["date_modified_gmt"]
    woo.pass_seconds(5)
    woo.set_meta(woo.get("products", product), {"ean": "1"})
    woo.place_order([(product, 2)])
    after = ask(f"/products/{product}").json()
    assert (after["date_modified_gmt"], after["stock_quantity"]) == (before, 3)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST"])
def test_sent_members_change_a_record_and_null_changes_nothing(ask, woo, method):
    kari = woo.add_customer("kari@example.com", first_name="Kari", billing=BILLING)
    patch = {
        "first_name": "Karin",
        "last_name": None,
        "role": "administrator",
        "unknown": 1,
        "billing": {"phone": ""},
    }
    answer = ask(f"/customers/{kari}", method, json=patch)
    assert answer.status_code == 200
    record = answer.json()
    assert (record["first_name"], record["role"]) == ("Karin", "customer")
    assert (record["billing"]["phone"], record["billing"]["city"]) == ("", "Oslo")


def test_a_save_that_changes_nothing_moves_the_stamp_of_a_product_but_not_of_a_customer(ask, woo):
    product = woo.add_product("Ull", "ULL", "100.00")
    kari = woo.add_customer("kari@example.com")
    before = ask(f"/products/{product}").json()["date_modified_gmt"]
    woo.pass_seconds(5)
    assert ask(f"/products/{product}", "PUT", json={"name": "Ull"}).ok
    assert ask(f"/customers/{kari}", "PUT", json={"email": "kari@example.com"}).ok
    assert ask(f"/products/{product}").json()["date_modified_gmt"] > before
    assert ask(f"/customers/{kari}").json()["date_modified_gmt"] == before


@pytest.mark.parametrize(
    ("path", "patch", "reason"),
    [
        ("products", {"regular_price": 199}, "regular_price is not of type string."),
        ("products", {"stock_quantity": "many"}, "stock_quantity is not of type integer."),
        ("customers", {"email": "kari"}, "Invalid email address."),
        ("customers", {"billing": {"phone": None}}, "billing[phone] is not of type string."),
        ("orders", {"status": "sent"}, "status is not one of pending"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_name(ask, woo, path, patch, reason):
    product = woo.add_product("Ull", "ULL", "100.00")
    record_ids = {
        "products": product,
        "customers": woo.add_customer("kari@example.com"),
        "orders": woo.place_order([(product, 1)]),
    }
    answer = ask(f"/{path}/{record_ids[path]}", "PUT", json=patch)
    assert answer.json()["code"] == "rest_invalid_param"
    assert answer.json()["data"]["params"][next(iter(patch))].startswith(reason)


def test_a_duplicate_email_or_sku_is_refused(ask, woo):
    kari = woo.add_customer("kari@example.com")
    woo.add_customer("ola@example.com")
    answer = ask(f"/customers/{kari}", "PUT", json={"email": "ola@example.com"})
    assert error_of(answer) == (400, "woocommerce_rest_customer_invalid_email")
    wool = woo.add_product("Ull", "ULL")
    woo.add_product("Silke", "SILKE")
    answer = ask(f"/products/{wool}", "PUT", json={"sku": "SILKE"})
    assert error_of(answer) == (400, "product_invalid_sku")


def test_fields_can_be_chosen(ask, woo):
    product = woo.add_product("Ull", "ULL")
    assert ask("/products", params={"_fields": "id,sku"}).json() == [{"id": product, "sku": "ULL"}]


def test_refunds_are_listed_by_order_and_all_together(ask, woo):
    order = woo.place_order([(woo.add_product("Ull", "ULL", "100.00"), 4)])
    created = [woo.refund(order, amount="10.00") for _ in range(11)]
    assert ids(ask(f"/orders/{order}/refunds")) == created[:0:-1]  # ten to a page
    assert [refund["parent_id"] for refund in ask("/refunds").json()] == [order] * 10
    record = ask(f"/orders/{order}").json()["refunds"][0]
    assert record == {"id": created[-1], "reason": "", "total": "-10.00"}
    woo.orders_tell_refunds = False
    assert ask(f"/orders/{order}").json()["refunds"] == []
    assert error_of(ask("/orders/1/refunds")) == (404, "woocommerce_rest_invalid_order_id")


def test_a_refund_moves_the_stamp_of_its_order_unless_a_gateway_writes_around_it(ask, woo):
    order = woo.place_order([(woo.add_product("Ull", "ULL", "100.00"), 4)])
    before = ask(f"/orders/{order}").json()["date_modified_gmt"]
    woo.pass_seconds(5)
    woo.refunds_move_date_modified = False
    woo.refund(order, amount="10.00")
    assert ask(f"/orders/{order}").json()["date_modified_gmt"] == before
    woo.refunds_move_date_modified = True
    woo.refund(order, amount="10.00")
    assert ask(f"/orders/{order}").json()["date_modified_gmt"] > before


def test_faults_strike_and_requests_are_counted(served, ask, woo):
    served.faults.add(system="shop", status=503)
    assert ask("/orders").status_code == 503
    assert ask("/orders").status_code == 200
    assert served.requests.count("shop", "GET", "/orders") == 2
