"""The local Shopify answers as the documentation of the Admin API describes, oddities included."""

from __future__ import annotations

from decimal import Decimal

import pytest
import requests
from go_sandbox.shops import shopify
from go_sandbox.shops.shopify import Currency, Shopify
from go_sandbox.shops.shopify.shop import number_of

DAY = 24 * 3600
AMOUNT = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"


@pytest.fixture(params=[{}])
def served(request):
    with shopify.start(Shopify(**request.param)) as running:
        yield running


@pytest.fixture
def shop(served):
    return served.shop


@pytest.fixture
def log_in(served, shop):
    """A function that requests a token and returns the answer."""

    def call(**sent):
        keys = {"client_id": shop.client_id, "client_secret": shop.client_secret}
        form = {"grant_type": "client_credentials", **keys, **sent}
        return requests.post(f"{served.url}/admin/oauth/access_token", data=form, timeout=10)

    return call


@pytest.fixture
def post(served, log_in):
    """A function that sends a query with a token and returns the answer."""
    token = log_in().json()["access_token"]

    def call(query, version="2026-10", token=token, **variables):
        return requests.post(
            f"{served.url}/admin/api/{version}/graphql.json",
            json={"query": query, "variables": variables},
            headers={"X-Shopify-Access-Token": token},
            timeout=10,
        )

    return call


@pytest.fixture
def ask(post):
    """A function that sends a query and returns its data; it must have no errors."""

    def call(query, **variables):
        answer = post(query, **variables)
        assert answer.status_code == 200, answer.text
        assert "errors" not in answer.json(), answer.text
        return answer.json()["data"]

    return call


@pytest.fixture
def refusal(post):
    """A function that sends a query and returns the code and message of its first error."""

    def call(query, **variables):
        answer = post(query, **variables)
        assert answer.status_code == 200
        error = answer.json()["errors"][0]
        return error.get("extensions", {}).get("code"), error["message"]

    return call


@pytest.fixture
def wool(shop):
    return shop.add_product("Ull", "ULL", "125.00")


def names(data, kind="orders"):
    return [node["name"] for node in data[kind]["nodes"]]


def test_a_token_lasts_for_24_hours_by_the_shops_clock(shop, log_in, post):
    answer = log_in().json()
    assert (answer["expires_in"], "read_orders" in answer["scope"]) == (86399, True)
    query = "{ shop { name } }"
    assert post(query, token=answer["access_token"]).status_code == 200
    shop.pass_seconds(DAY)
    late = post(query, token=answer["access_token"])
    assert late.status_code == 401
    assert late.json()["errors"].startswith("[API] Invalid API key or access token")


def test_a_wrong_secret_and_another_grant_get_no_token(log_in):
    assert log_in(client_secret="shpss_wrong").status_code == 401
    assert log_in(grant_type="password").status_code == 400


def test_a_request_without_a_token_or_to_an_unknown_version_is_refused(post):
    assert post("{ shop { name } }", token="").status_code == 401
    assert post("{ shop { name } }", version="2026-11").status_code == 404


def test_a_malformed_request_is_400_and_an_unknown_field_is_200(post, served, log_in):
    token = {"X-Shopify-Access-Token": log_in().json()["access_token"]}
    url = f"{served.url}/admin/api/2026-10/graphql.json"
    assert requests.post(url, data=b"{", headers=token, timeout=10).status_code == 400
    wrong = post("{ shop { nam } }")
    assert wrong.status_code == 200
    assert "nam" in wrong.json()["errors"][0]["message"]


def test_a_connection_needs_first_or_last_and_at_most_250(shop, refusal, ask):
    assert "one of first or last" in refusal("{ products { nodes { id } } }")[1]
    assert "250" in refusal("{ products(first: 251) { nodes { id } } }")[1]
    assert ask("{ products(first: 250) { nodes { id } } }")["products"]["nodes"] == []


def test_cursors_lead_through_a_list_and_back(shop, ask):
    for number in range(5):
        shop.add_product(f"Vare {number}")
    page = "nodes { title } edges { cursor } pageInfo { hasNextPage hasPreviousPage endCursor }"
    query = f"query($after: String) {{ products(first: 2, after: $after) {{ {page} }} }}"
    titles, after = [], None
    for _ in range(3):
        products = ask(query, after=after)["products"]
        titles += [product["title"] for product in products["nodes"]]
        after = products["pageInfo"]["endCursor"]
        assert products["edges"][-1]["cursor"] == after
    assert titles == [f"Vare {number}" for number in range(5)]
    assert products["pageInfo"]["hasNextPage"] is False
    assert products["pageInfo"]["hasPreviousPage"] is True
    last = ask("{ products(last: 2) { nodes { title } } }")["products"]["nodes"]
    assert [product["title"] for product in last] == ["Vare 3", "Vare 4"]


def test_an_invalid_cursor_is_refused(refusal):
    code, message = refusal('{ products(first: 1, after: "x") { nodes { id } } }')
    assert (code, message) == (None, "Invalid cursor for current pagination sort.")


def test_a_record_that_changes_between_two_pages_shifts_no_other(shop, ask, wool):
    orders = []
    for _ in range(4):
        orders.append(shop.place_order([(wool, 1)]))
        shop.pass_seconds(1)
    query = (
        "query($after: String) { orders(first: 2, after: $after, sortKey: UPDATED_AT)"
        " { nodes { name } pageInfo { endCursor } } }"
    )
    first = ask(query)
    shop.edit("Order", orders[0], note="Takk")
    second = ask(query, after=first["orders"]["pageInfo"]["endCursor"])
    assert (names(first), names(second)) == (["#1001", "#1002"], ["#1003", "#1004"])


def test_a_nested_list_has_pages_of_its_own(shop, ask, wool):
    order = shop.place_order([(wool, number) for number in range(1, 8)])
    query = (
        "query($id: ID!, $after: String) { order(id: $id) { lineItems(first: 4, after: $after)"
        " { nodes { quantity } pageInfo { hasNextPage endCursor } } } }"
    )
    gid = f"gid://shopify/Order/{order}"
    first = ask(query, id=gid)["order"]["lineItems"]
    second = ask(query, id=gid, after=first["pageInfo"]["endCursor"])["order"]["lineItems"]
    assert [line["quantity"] for line in (*first["nodes"], *second["nodes"])] == list(range(1, 8))
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)


def test_orders_are_searched_by_their_change_in_quotes(shop, ask, wool):
    shop.place_order([(wool, 1)])
    shop.pass_seconds(60)
    since = shop.now()
    shop.place_order([(wool, 1)])
    query = "query($q: String) { orders(first: 9, query: $q) { nodes { name } } }"
    assert names(ask(query, q=f"updated_at:>='{since}'")) == ["#1002"]
    assert names(ask(query, q=f"updated_at:<'{since}'")) == ["#1001"]
    assert names(ask(query, q="name:#1001")) == ["#1001"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("changed_at:>'2099-01-01T00:00:00Z'", "invalid_field"),
        ("updated_at:>2099-01-01T00:00:00Z", "invalid_value"),
        ("updated_at:>'2099'", "invalid_value"),
    ],
)
def test_an_invalid_search_is_ignored_with_a_warning(shop, post, wool, query, code):
    shop.place_order([(wool, 1)])
    text = "query($q: String) { orders(first: 9, query: $q) { nodes { name } } }"
    answer = post(text, q=query).json()
    assert names(answer["data"]) == ["#1001"]
    (search,) = answer["extensions"]["search"]
    assert (search["query"], search["warnings"][0]["code"]) == (query, code)


def test_orders_older_than_60_days_are_hidden_without_a_scope(shop, log_in, served, wool):
    old = shop.place_order([(wool, 1)])
    shop.pass_seconds(61 * DAY)
    shop.place_order([(wool, 1)])
    old_order = f'order(id: "gid://shopify/Order/{old}") {{ id }}'
    query = f"{{ orders(first: 9) {{ nodes {{ name }} }} {old_order} }}"

    def visible():
        token = log_in().json()["access_token"]
        url = f"{served.url}/admin/api/2026-10/graphql.json"
        headers = {"X-Shopify-Access-Token": token}
        return requests.post(url, json={"query": query}, headers=headers, timeout=10).json()["data"]

    assert (names(visible()), visible()["order"]) == (["#1002"], None)
    shop.scopes.add("read_all_orders")
    assert names(visible()) == ["#1001", "#1002"]


def test_a_scope_that_the_app_lacks_is_named(shop, refusal):
    shop.scopes.discard("read_customers")
    code, message = refusal("{ customers(first: 1) { nodes { id } } }")
    assert (code, "`read_customers`" in message) == ("ACCESS_DENIED", True)


@pytest.mark.parametrize("gid", ["7", "gid://shopify/Product/7"])
def test_an_id_that_is_not_the_global_id_of_an_order_is_refused(refusal, gid):
    code, message = refusal("query($id: ID!) { order(id: $id) { id } }", id=gid)
    assert (code, message) == ("INVALID_GLOBAL_ID", f"Invalid global id '{gid}'")


def test_a_missing_record_is_null(ask):
    assert ask('{ order(id: "gid://shopify/Order/7") { id } }') == {"order": None}
    assert ask('{ nodes(ids: ["gid://shopify/Order/7"]) { id } }') == {"nodes": [None]}


IN_EDGES = "{ products(first: 10) { edges { cursor node { title } } pageInfo { hasNextPage } } }"
NESTED = """
    { products(first: 3) { nodes { variants(first: 5) { nodes { inventoryItem { id } } } } } }
"""
FRAGMENT = """
    { orders(first: 2) { nodes { ...O } } } fragment O on Order { customer { id } }
"""
EITHER = """
    { node(id: "gid://shopify/Order/1") {
        ... on Order { customer { id } }
        ... on Customer { defaultAddress { id } metafields(first: 3) { nodes { key } } }
    } }
"""


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{ shop { name } }", 1),
        ("{ products(first: 10) { nodes { title } } }", 2 + 10),
        (IN_EDGES, 2 + 10),
        (NESTED, 2 + 3 * (1 + 2 + 5 * 2)),
        ("{ orders(first: 2) { nodes { totalPriceSet { shopMoney { amount } } } } }", 2 + 2 * 3),
        (FRAGMENT, 2 + 2 * 2),
        (EITHER, 1 + 1 + 2 + 3),
    ],
)
def test_a_query_costs_what_its_objects_and_connections_do(post, query, cost):
    assert post(query).json()["extensions"]["cost"]["requestedQueryCost"] == cost


def test_only_what_is_returned_is_paid_for(shop, post):
    shop.add_product("Ull")
    cost = post("{ products(first: 200) { nodes { title } } }").json()["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (202, 3)
    status = cost["throttleStatus"]
    assert (status["maximumAvailable"], status["restoreRate"]) == (2000, 100)
    assert 1997 <= status["currentlyAvailable"] <= 2000


def test_a_query_of_more_than_1000_points_is_refused_before_it_is_executed(refusal):
    query = "{ orders(first: 250) { nodes { lineItems(first: 10) { nodes { id } } } } }"
    code, message = refusal(query)
    assert (code, message.startswith("Query cost is 3252")) == ("MAX_COST_EXCEEDED", True)


def test_an_empty_bucket_throttles_with_200_and_fills_with_time(shop, post):
    query = "{ orders(first: 250) { nodes { id } } }"
    shop.bucket.restore_rate = 0
    shop.bucket.take(1900)
    answer = post(query)
    assert answer.status_code == 200
    body = answer.json()
    assert "data" not in body
    assert body["errors"][0]["message"] == "Throttled"
    assert body["errors"][0]["extensions"]["code"] == "THROTTLED"
    cost = body["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (252, None)
    shop.bucket.restore_rate = 100
    shop.pass_seconds(2)
    assert "data" in post(query).json()


def order_of(ask, number, members):
    gid = f"gid://shopify/Order/{number}"
    return ask(f'{{ order(id: "{gid}") {{ {members} }} }}')["order"]


def shop_amount(bag):
    return bag["shopMoney"]["amount"]


def test_amounts_are_text_without_trailing_zeros(shop, ask, wool):
    order = shop.place_order([(wool, 2)])
    assert order_of(ask, order, f"totalPriceSet {AMOUNT}")["totalPriceSet"] == {
        "shopMoney": {"amount": "250.0", "currencyCode": "NOK"},
        "presentmentMoney": {"amount": "250.0", "currencyCode": "NOK"},
    }
    assert ask("{ products(first: 1) { nodes { variants(first: 1) { nodes { price } } } } }")[
        "products"
    ]["nodes"][0]["variants"]["nodes"] == [{"price": "125.00"}]


MONEY_OF_ORDER = f"""
    taxesIncluded totalPriceSet {AMOUNT} totalTaxSet {AMOUNT} subtotalPriceSet {AMOUNT}
    totalDiscountsSet {AMOUNT} totalShippingPriceSet {AMOUNT} currentTotalPriceSet {AMOUNT}
    taxLines {{ rate ratePercentage priceSet {AMOUNT} }}
    lineItems(first: 3) {{ nodes {{
        quantity currentQuantity originalTotalSet {AMOUNT} discountedTotalSet {AMOUNT}
        discountAllocations {{ allocatedAmountSet {AMOUNT} }}
        taxLines {{ rate ratePercentage priceSet {AMOUNT} }}
    }} }}
"""


def test_prices_with_vat_have_it_inside(shop, ask, wool):
    number = shop.place_order([(wool, 2, "20")], freight="99", code=("TI", "0.1"))
    order = order_of(ask, number, MONEY_OF_ORDER)
    (line,) = order["lineItems"]["nodes"]
    assert order["taxesIncluded"] is True
    assert shop_amount(line["originalTotalSet"]) == "250.0"
    assert shop_amount(line["discountedTotalSet"]) == "230.0"
    allocated = [shop_amount(part["allocatedAmountSet"]) for part in line["discountAllocations"]]
    assert allocated == ["20.0", "25.0"]
    (tax,) = line["taxLines"]
    assert (tax["rate"], tax["ratePercentage"], shop_amount(tax["priceSet"])) == (
        0.25,
        25.0,
        "41.0",
    )
    assert [
        shop_amount(order[name])
        for name in ("subtotalPriceSet", "totalShippingPriceSet", "totalTaxSet", "totalPriceSet")
    ] == ["205.0", "99.0", "60.8", "304.0"]
    assert shop_amount(order["taxLines"][0]["priceSet"]) == "60.8"


@pytest.mark.parametrize("served", [{"taxes_included": False}], indirect=True)
def test_prices_without_vat_have_it_on_top(shop, ask, wool):
    order = order_of(ask, shop.place_order([(wool, 2)], freight="80"), MONEY_OF_ORDER)
    assert order["taxesIncluded"] is False
    assert [
        shop_amount(order[name]) for name in ("subtotalPriceSet", "totalTaxSet", "totalPriceSet")
    ] == [
        "250.0",
        "82.5",
        "412.5",
    ]


def test_goods_without_vat_have_no_tax_lines(shop, ask):
    card = shop.add_product("Gavekort", variants=[{"title": "A", "price": "9", "taxable": False}])
    order = order_of(ask, shop.place_order([(card, 1)]), MONEY_OF_ORDER)
    assert (order["lineItems"]["nodes"][0]["taxLines"], order["taxLines"]) == ([], [])


def test_a_tax_exempt_buyer_pays_prices_without_vat(shop, ask, wool):
    number = shop.place_order([(wool, 1)], tax_exempt=True)
    order = order_of(ask, number, MONEY_OF_ORDER)
    assert (shop_amount(order["totalPriceSet"]), shop_amount(order["totalTaxSet"])) == (
        "100.0",
        "0.0",
    )


def test_each_amount_of_a_foreign_currency_is_converted_by_itself(shop, ask):
    goods = [shop.add_product("Ull", "U", "129.00"), shop.add_product("Silke", "S", "79.00")]
    euro = Currency("NOK", "EUR", Decimal("0.0853"))
    number = shop.place_order([(product, 1) for product in goods], currency=euro)
    order = order_of(ask, number, MONEY_OF_ORDER)
    assert order["totalPriceSet"] == {
        "shopMoney": {"amount": "207.97", "currencyCode": "NOK"},
        "presentmentMoney": {"amount": "17.74", "currencyCode": "EUR"},
    }
    lines = [shop_amount(line["originalTotalSet"]) for line in order["lineItems"]["nodes"]]
    assert lines == ["128.96", "79.02"]


REFUND = f"""
    updatedAt displayFinancialStatus totalRefundedSet {AMOUNT} currentTotalPriceSet {AMOUNT}
    lineItems(first: 1) {{ nodes {{ quantity currentQuantity }} }}
    refunds {{
        note totalRefundedSet {AMOUNT}
        refundLineItems(first: 5) {{ nodes {{
            quantity lineItem {{ id }} subtotalSet {AMOUNT} totalTaxSet {AMOUNT}
        }} }}
        refundShippingLines(first: 5) {{ nodes {{ subtotalAmountSet {AMOUNT} }} }}
        orderAdjustments(first: 5) {{ nodes {{ reason amountSet {AMOUNT} }} }}
        transactions(first: 5) {{ nodes {{ kind amountSet {AMOUNT} }} }}
    }}
"""


def line_of(shop, order):
    return number_of(shop.record("Order", order)["lines"][0]["id"])


def test_a_refund_moves_the_orders_stamp_and_lists_lines_freight_and_money(shop, ask, wool):
    number = shop.place_order([(wool, 3)], freight="99")
    before = order_of(ask, number, REFUND)
    shop.pass_seconds(5)
    shop.refund(number, {line_of(shop, number): 1}, freight=True, note="Feil")
    order = order_of(ask, number, REFUND)
    (refund,) = order["refunds"]
    assert order["updatedAt"] > before["updatedAt"]
    assert (order["displayFinancialStatus"], refund["note"]) == ("PARTIALLY_REFUNDED", "Feil")
    (line,) = refund["refundLineItems"]["nodes"]
    assert (shop_amount(line["subtotalSet"]), shop_amount(line["totalTaxSet"])) == ("125.0", "25.0")
    (freight,) = refund["refundShippingLines"]["nodes"]
    assert shop_amount(freight["subtotalAmountSet"]) == "99.0"
    (money,) = refund["transactions"]["nodes"]
    assert (money["kind"], shop_amount(money["amountSet"])) == ("REFUND", "224.0")
    assert order["lineItems"]["nodes"] == [{"quantity": 3, "currentQuantity": 2}]
    assert shop_amount(order["currentTotalPriceSet"]) == "250.0"


def test_a_refund_of_more_or_less_than_the_goods_cost_has_an_adjustment(shop, ask, wool):
    number = shop.place_order([(wool, 3)])
    shop.refund(number, {line_of(shop, number): 1}, amount="100")
    shop.refund(number, amount="20")
    shop.refund(number, {line_of(shop, number): 1}, amount="0")
    adjustments = [
        (adjustment["reason"], shop_amount(adjustment["amountSet"]))
        for refund in order_of(ask, number, REFUND)["refunds"]
        for adjustment in refund["orderAdjustments"]["nodes"]
    ]
    assert adjustments == [
        ("REFUND_DISCREPANCY", "25.0"),
        ("REFUND_DISCREPANCY", "-20.0"),
        ("PENDING_REFUND_DISCREPANCY", "125.0"),
    ]


def test_an_edit_removes_goods_and_moves_no_money(shop, ask, wool):
    number = shop.place_order([(wool, 3)], paid="")
    shop.remove(number, {line_of(shop, number): 1})
    order = order_of(ask, number, REFUND)
    (refund,) = order["refunds"]
    assert (refund["transactions"]["nodes"], refund["orderAdjustments"]["nodes"]) == ([], [])
    assert order["displayFinancialStatus"] == "PENDING"
    assert shop_amount(order["currentTotalPriceSet"]) == "250.0"
    with pytest.raises(ValueError, match="more items"):
        shop.refund(number, {line_of(shop, number): 3})


def test_the_last_refund_of_a_line_takes_the_remaining_oere(shop, ask):
    number = shop.place_order([(shop.add_product("Ull", "U", "100.00"), 3, "0.01")])
    for _ in range(3):
        shop.refund(number, {line_of(shop, number): 1})
    order = order_of(ask, number, REFUND)
    lines = [refund["refundLineItems"]["nodes"][0] for refund in order["refunds"]]
    assert sum(Decimal(shop_amount(line["subtotalSet"])) for line in lines) == Decimal("299.99")
    assert order["displayFinancialStatus"] == "REFUNDED"


def test_stock_moves_the_stamp_of_the_product_and_not_that_of_the_variant(shop):
    wool = shop.add_product("Ull", "U", "9", stock=5)
    variant = shop.record("ProductVariant", wool)
    before = variant["updatedAt"]
    shop.pass_seconds(5)
    shop.place_order([(wool, 2)])
    assert (variant["inventoryQuantity"], variant["updatedAt"]) == (3, before)
    assert variant["product"]["updatedAt"] > before


def test_a_metafield_moves_no_stamp(shop):
    kari = shop.record("Customer", shop.add_customer("k@example.com"))
    before = kari["updatedAt"]
    shop.pass_seconds(5)
    shop.set_metafield(kari, "custom.org_nr", "923609016")
    assert (kari["updatedAt"], kari["metafields"][0]["value"]) == (before, "923609016")


def mutate(ask, call, kind, value, name):
    query = f"mutation($input: {kind}) {{ {call} {{ userErrors {{ field message }} }} }}"
    return ask(query, input=value)[name]["userErrors"]


def test_a_mutation_changes_the_members_sent_and_null_empties(shop, ask):
    kari = shop.add_customer("k@example.com", firstName="Kari", phone="+4799887766")
    gid = f"gid://shopify/Customer/{kari}"
    sent = {"id": gid, "phone": None, "lastName": "N"}
    call = "customerUpdate(input: $input)"
    assert mutate(ask, call, "CustomerInput!", sent, "customerUpdate") == []
    record = shop.record("Customer", kari)
    assert (record["firstName"], record["lastName"], record["phone"]) == ("Kari", "N", None)


@pytest.mark.parametrize(
    ("sent", "field", "message"),
    [
        ({"phone": "22 33"}, ["phone"], "Phone is invalid"),
        ({"email": "k"}, ["email"], "Email is invalid"),
        ({"email": "b@example.com"}, ["email"], "Email has already been taken"),
        ({"email": None}, [], "A name, phone number, or email address must be present"),
        ({"id": "gid://shopify/Customer/7"}, ["id"], "Customer does not exist"),
    ],
)
def test_an_invalid_input_is_a_user_error_and_changes_nothing(shop, ask, sent, field, message):
    shop.add_customer("b@example.com")
    kari = shop.add_customer("k@example.com")
    sent = {"id": f"gid://shopify/Customer/{kari}", **sent}
    errors = mutate(ask, "customerUpdate(input: $input)", "CustomerInput!", sent, "customerUpdate")
    assert errors == [{"field": field, "message": message}]
    assert shop.record("Customer", kari)["email"] == "k@example.com"


def test_either_all_variants_are_changed_or_none(shop, ask):
    red = shop.add_product("Skjorte", variants=[{"title": "Rød"}, {"title": "Blå"}])
    product = shop.record("ProductVariant", red)["product"]
    call = f'productVariantsBulkUpdate(productId: "{product["id"]}", variants: $input)'
    kind, name = "[ProductVariantsBulkInput!]!", "productVariantsBulkUpdate"
    ids = [variant["id"] for variant in product["variants"]]
    wrong = [{"id": ids[0], "price": "9"}, {"id": ids[1], "price": "-1"}]
    (error,) = mutate(ask, call, kind, wrong, name)
    assert error["field"] == ["variants", "1", "price"]
    assert [variant["price"] for variant in product["variants"]] == [0, 0]
    right = [{"id": ids[0], "price": "9.50", "inventoryItem": {"sku": "S-R"}}]
    assert mutate(ask, call, kind, right, name) == []
    assert (product["variants"][0]["price"], product["variants"][0]["sku"]) == (
        Decimal("9.50"),
        "S-R",
    )


def test_a_mutation_needs_a_scope_of_its_own_and_costs_ten(shop, post, refusal):
    call = 'customerUpdate(input: {id: "gid://shopify/Customer/7"})'
    query = f"mutation {{ {call} {{ userErrors {{ message }} }} }}"
    assert post(query).json()["extensions"]["cost"]["requestedQueryCost"] == 10
    shop.scopes.discard("write_customers")
    assert refusal(query)[0] == "ACCESS_DENIED"
