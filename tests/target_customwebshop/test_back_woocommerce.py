"""Edits in Go reach a WooCommerce shop once, through its preset; what it refuses stays listed."""

from decimal import Decimal

import pytest
from go_sandbox.shops import woocommerce
from go_sandbox.shops.woocommerce import WooCommerce
from members import assert_members
from own_shop import FileBoth

KARI = {
    "first_name": "Kari",
    "last_name": "Nordmann",
    "address_1": "Storgata 1",
    "postcode": "0155",
    "city": "Oslo",
    "country": "NO",
    "email": "kari@example.com",
    "phone": "+4722334455",
}
ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}


class WooBoth(FileBoth):
    """Both ways between a WooCommerce and Go."""

    def __init__(self, both, served):
        keys = {name: getattr(served.shop, name) for name in ("consumer_key", "consumer_secret")}
        settings = {"api_url": served.url, "shop": "woocommerce", "shop_settings": keys}
        super().__init__(both, settings)
        both.settings = {}
        self.served = served

    def forward(self, **settings):
        return super().forward(sales_accounts=ACCOUNTS, **settings)

    def sent(self):
        """Return the changes sent to the shop, as method and path."""
        return [
            (request.method, request.path.rpartition("/wc/v3")[2])
            for request in self.served.requests.matching("shop")
            if request.method != "GET"
        ]

    def edit(self, entity, shop_id, **changes):
        """Edit an entry in Go; the timestamps of the shop's next change are later."""
        self.served.shop.pass_seconds(60)
        return self.both.edit_in_go(entity, str(shop_id), **changes)

    def assert_at_rest(self):
        """Check twice that neither way has anything to write."""
        before = self.sent()
        for _ in range(2):
            assert self.forward().writes == []
            self.back(ends_with=0)
        assert (self.sent(), self.both.open_ones()) == (before, {})


@pytest.fixture(params=[{}])
def served(request):
    with woocommerce.start(WooCommerce(**request.param)) as running:
        yield running


@pytest.fixture
def shop(served):
    return served.shop


@pytest.fixture
def kari(shop):
    return shop.add_customer(KARI["email"], first_name="Kari", last_name="Nordmann", billing=KARI)


@pytest.fixture
def wool(shop):
    return shop.add_product("Ull", "ULL", "125.00")


@pytest.fixture
def red(shop):
    shirt = shop.add_product("Skjorte", "S", type="variable", categories=[{"name": "Klær"}])
    return shop.add_variation(shirt, "S-R", "250.00", {"Farge": "Rød"})


@pytest.fixture
def woo(both, served, kari, wool, red):
    """Both ways, with a customer, a product, a variation and an order that are linked."""
    served.shop.place_order([(wool, 2), (red, 1)], customer_id=kari, billing=KARI)
    woo = WooBoth(both, served)
    assert woo.forward().status == 0
    assert both.open_ones() == {}
    return woo


def test_edits_of_a_customer_cross_once(woo, shop, kari):
    woo.edit(
        "customers",
        kari,
        EmailAddress="ny@example.com",
        PhoneNumber="+4790000001",
        MailAddress={"AddressLine1": "Kaien 3", "City": "Moss", "ZipCode": "1530"},
    )
    woo.back(ends_with=0)

    assert woo.sent() == [("PUT", f"/customers/{kari}")]
    record = shop.get("customers", kari)
    assert record["email"] == "ny@example.com"
    assert_members(
        record["billing"],
        email="ny@example.com",
        phone="+4790000001",
        address_1="Kaien 3",
        city="Moss",
        postcode="1530",
        first_name="Kari",
    )
    woo.assert_at_rest()


@pytest.mark.parametrize(
    ("served", "price"),
    [
        ({}, "150.00"),
        pytest.param({"prices_include_tax": False}, "120.00", marks=pytest.mark.slow),
    ],
    indirect=["served"],
)
def test_edits_of_a_product_cross_once_with_the_price_as_the_shop_enters_it(woo, shop, wool, price):
    woo.edit("products", wool, Name="Ullgarn & mer", UnitPrice=Decimal("120.00"))
    woo.back(ends_with=0)
    assert woo.sent() == [("PUT", f"/products/{wool}")]
    assert_members(shop.get("products", wool), name="Ullgarn & mer", regular_price=price)
    woo.assert_at_rest()


@pytest.mark.slow
def test_an_edit_of_a_variation_crosses_once_to_the_path_of_its_product(woo, shop, red):
    woo.edit("products", red, UnitPrice=Decimal("240.00"))
    woo.back(ends_with=0)
    parent = shop.get("products", red)["parent_id"]
    assert woo.sent() == [("PUT", f"/products/{parent}/variations/{red}")]
    assert shop.get("products", red)["regular_price"] == "300.00"
    woo.assert_at_rest()


@pytest.mark.slow
def test_an_edit_that_woocommerce_does_not_support_stays_listed_and_is_tried_once(
    woo, shop, wool, red
):
    order = shop.place_order([(wool, 1)], billing=KARI, status="on-hold")
    woo.forward()
    go = woo.both.box.go
    go.pay_invoice(go.send_invoice(woo.both.go_id("orders", str(order)))["Id"])
    woo.edit("products", red, Name="Bluse Rød", UnitPrice=Decimal("240.00"))
    for _ in range(2):
        woo.back(ends_with=0)
        assert set(woo.both.open_ones()) == {
            ("parked", "orders_back", str(order)),
            ("parked", "products_back", str(red)),
        }
        assert woo.forward().writes == []
    assert len(woo.sent()) == 1
    before = len(woo.served.requests.all())
    woo.back(ends_with=0)
    assert len(woo.served.requests.all()) == before
    assert shop.get("products", red)["regular_price"] == "300.00"


@pytest.mark.slow
def test_an_email_of_another_customer_is_a_reject_with_the_shops_code(woo, shop, kari):
    shop.add_customer("ola@example.com", billing={**KARI, "email": "ola@example.com"})
    woo.edit("customers", kari, EmailAddress="ola@example.com")
    outcome = woo.back(ends_with=3)
    reason = woo.both.open_ones()["reject", "customers_back", str(kari)]
    assert reason == "the shop refused it: woocommerce_rest_customer_invalid_email"
    assert "ola@example.com" not in outcome.log


@pytest.mark.slow
def test_a_read_only_key_ends_the_run_with_one_line(woo, shop, wool):
    woo.edit("products", wool, Name="Garn")
    shop.permissions = "read"
    outcome = woo.back(ends_with=1)
    assert "the key is not allowed to change this; check its rights" in outcome.log
    assert woo.both.open_ones() == {}
