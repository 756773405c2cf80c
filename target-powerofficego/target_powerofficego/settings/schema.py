"""The schema of the settings of target-powerofficego, with what each is for."""

from __future__ import annotations

import re
from typing import Any

from singer_sdk import typing as th

from target_powerofficego.dataflow.orders.order import LIVE_STATUSES, ORDER_STATUSES

_MARKS = ("[deleted]", "[slettet]", "[redacted]", "[anonymized]", "[anonymised]", ".invalid")
"""What WordPress and others write; `.invalid` is a domain that RFC 2606 keeps free of mail."""

_CONNECTION = (
    th.Property(
        "application_key",
        th.StringType,
        required=True,
        secret=True,
        title="Application key",
        description="The integration's application key, from PowerOffice.",
    ),
    th.Property(
        "client_key",
        th.StringType,
        required=True,
        secret=True,
        title="Client key",
        description="The key of the one Go client (company), from its settings in Go.",
    ),
    th.Property(
        "subscription_key",
        th.StringType,
        required=True,
        secret=True,
        title="Subscription key",
        description="The key of the API subscription, from PowerOffice's developer portal.",
    ),
    th.Property(
        "environment",
        th.StringType,
        required=True,
        allowed_values=["production", "demo", "custom"],
        title="Environment",
        description="Which Go to write to; `custom` takes api_url and token_url.",
    ),
    th.Property(
        "api_url",
        th.StringType,
        title="API address",
        description="Only with environment custom: the address of the API, such as"
        " http://127.0.0.1:8001/v2. HTTPS, except on this machine.",
    ),
    th.Property(
        "token_url",
        th.StringType,
        title="Token address",
        description="Only with environment custom: the address that gives tokens.",
    ),
    th.Property(
        "requests_per_second",
        th.IntegerType(minimum=1, maximum=100),
        default=10,
        title="Requests per second",
        description="PowerOffice allows 10 per subscription key; less leaves room for others.",
    ),
    th.Property(
        "rate_limit_store",
        th.StringType,
        title="Rate limit store",
        description="Where all that use one subscription key share its limit: `memory` (they do"
        " not), the path of a file (processes of one machine), or the address of a PostgreSQL"
        " database, as in link_store (several machines). Default: the database of link_store if"
        " that is PostgreSQL and this is no dry run, else `memory`.",
    ),
    th.Property(
        "workers",
        th.IntegerType(minimum=1, maximum=32),
        default=4,
        title="Workers",
        description="How many calls to Go may be under way at once.",
    ),
    th.Property(
        "request_timeout",
        th.IntegerType(minimum=1),
        default=60,
        title="Request timeout, seconds",
        description="How long Go may take for one answer, to the last byte.",
    ),
    th.Property(
        "retry_seconds",
        th.IntegerType(minimum=10),
        default=300,
        title="Retry budget, seconds",
        description="How long one call may be tried again, in all, while Go is busy or failing."
        " If Go then answers nothing else either, the run stops. At least 10.",
    ),
)

_LINKS = (
    th.Property(
        "shop_name",
        th.StringType,
        required=True,
        title="Shop name",
        description="A short name that never changes; it begins our references in Go"
        " (`{shop_name}:{id}`). At most 20 letters, digits, - or _.",
    ),
    th.Property(
        "new_namespace",
        th.BooleanType,
        default=False,
        title="New namespace",
        description="Allow a link store that already knows this shop or this Go client to begin a"
        " new set of links for another combination of the two.",
    ),
    th.Property(
        "link_store",
        th.StringType,
        default="powerofficego-links.db",
        title="Link store",
        description="Where the links between shop and Go are stored: the path of an SQLite file, or"
        " the address of a PostgreSQL database (postgresql://user@host/database; its password in"
        " PGPASSWORD or ~/.pgpass). Keep it with your backups.",
    ),
    th.Property(
        "full_check_hours",
        th.NumberType(minimum=0),
        default=24,
        title="Full check, hours",
        description="How often everything in Go is listed again, because edits of addresses and"
        " stock do not move its stamps. The accounts that settings name are also checked so often"
        " at start-up, and otherwise before the first record is settled.",
    ),
)

_CARE = (
    th.Property(
        "dry_run",
        th.BooleanType,
        default=False,
        title="Dry run",
        description="Read, decide and print what would be done; write nothing anywhere.",
    ),
    th.Property(
        "changes_file",
        th.StringType,
        title="File of changes",
        description="Path of a file that is overwritten at the end of each run: every decision,"
        " one JSON object a line, as it was done, or in a dry run would be. It holds personal"
        " data.",
    ),
    th.Property(
        "first_run",
        th.StringType,
        allowed_values=["plan", "accept"],
        title="First run",
        description="`plan`: when Go already has entries and this shop has no finished run, print"
        " the plan, write nothing and exit 1. `accept`: go ahead. Default: plan in production,"
        " else accept.",
    ),
    th.Property(
        "on_link",
        th.StringType,
        allowed_values=["keep", "fill_empty", "shop", "go"],
        default="keep",
        title="On link",
        description="What happens to values that differ when two entries are linked: `keep` both"
        " and list them, `fill_empty` where one side has none, or write the `shop`'s to Go or"
        " `go`'s to the shop. What is written to the shop waits for the way back.",
    ),
    th.Property(
        "owners",
        th.ObjectType(additional_properties=th.AnyType()),
        title="Owners",
        description="Who wins when both sides changed the same property: shop, go or newest"
        ' (default), by entity or by row, such as {"customers": "shop", "orders": {"*": "go",'
        ' "reference": "shop"}}, where * stands for the other rows.',
    ),
    th.Property(
        "clock_margin",
        th.NumberType(minimum=0),
        default=300,
        title="Clock margin, seconds",
        description="Two edits nearer than this are not decided by their stamps.",
    ),
    th.Property(
        "patch_guard",
        th.StringType,
        allowed_values=["test", "reread"],
        default="test",
        title="Patch guard",
        description="How an edit made in Go meanwhile is noticed: a JSON Patch `test` with each"
        " change, or reading the entry again right before.",
    ),
    th.Property(
        "write_references",
        th.BooleanType,
        default=True,
        title="Write references",
        description="Write our reference to a linked customer in Go whose reference is empty.",
    ),
    th.Property(
        "max_archives",
        th.IntegerType(minimum=0),
        default=10,
        title="Most archives",
        description="More archives than this in one run all become holds.",
    ),
    th.Property(
        "max_creates",
        th.IntegerType(minimum=0),
        title="Most creates",
        description="Stop the run before it creates more entries than this.",
    ),
    th.Property(
        "max_changes",
        th.IntegerType(minimum=0),
        title="Most changes",
        description="Stop the run before it changes more entries than this.",
    ),
    th.Property(
        "fail_on",
        th.StringType,
        allowed_values=["unacknowledged", "never"],
        default="unacknowledged",
        title="Fail on",
        description="Exit 3 while rejects or holds are open that nobody has acknowledged.",
    ),
    th.Property(
        "notify",
        th.StringType,
        secret=True,
        title="Notify",
        description="Where a message goes when something new waits for a person, when a run"
        " breaks, and when all is well again: addresses in Apprise's form, separated by spaces."
        " Needs target-powerofficego[notify].",
    ),
)

_RULES = (
    th.Property(
        "match_customers_on",
        th.ObjectType(
            th.Property("company", th.ArrayType(th.StringType)),
            th.Property("person", th.ArrayType(th.StringType)),
            additional_properties=False,
        ),
        default={"company": ["organization_number"], "person": ["email"]},
        title="Match customers on",
        description="By which fields an unlinked customer is looked for in Go, after our reference:"
        " organization_number, email.",
    ),
    th.Property(
        "properties",
        th.ObjectType(additional_properties=th.AnyType()),
        title="Properties",
        description="Changes to the property tables (docs/dataflow.md), such as"
        ' {"customers": {"number": "to_go"}, "orders": {"department": {"go": "DepartmentCode",'
        ' "constant": "WEB"}}}.',
    ),
    th.Property(
        "stock",
        th.StringType,
        allowed_values=["none", "shop", "go"],
        default="none",
        title="Stock",
        description="Which side's stock overwrites the other's: `shop` writes the shop's to Go;"
        " with `go`, the way back writes what Go has available to the shop.",
    ),
    th.Property(
        "time_zone",
        th.StringType,
        default="Europe/Oslo",
        title="Time zone",
        description="The time zone in which a stamp gives the date of an order or a payment.",
    ),
    th.Property(
        "orders_from",
        th.DateType,
        title="Orders from",
        description="Orders placed before this date are left alone, unless they are linked; where"
        " placed_at is empty, created_at counts.",
    ),
    th.Property(
        "order_statuses",
        th.ArrayType(th.StringType(allowed_values=list(ORDER_STATUSES))),
        default=["processing", "on_hold", "completed", "refunded"],
        title="Order statuses",
        description="Orders with these statuses are written to Go. One that is linked stays in sync"
        " whatever its status.",
    ),
    th.Property(
        "confirm_on",
        th.ArrayType(th.StringType(allowed_values=list(LIVE_STATUSES))),
        default=[],
        title="Confirm on",
        description="An order that gets one of these statuses is set to Confirmed in Go, once, when"
        " its total and VAT there are the shop's. Default: none, a person confirms.",
    ),
    th.Property(
        "invoice_on",
        th.ArrayType(th.StringType(allowed_values=list(LIVE_STATUSES))),
        default=[],
        title="Invoice on",
        description="For an order that gets one of these statuses Go makes the invoice and sends it"
        " to the buyer, once, when its total and VAT in Go are the shop's. Only where the shop"
        " itself issues no invoice. Default: none, a person sends from Go.",
    ),
    th.Property(
        "guests",
        th.StringType,
        allowed_values=["by_email", "one_customer", "reject"],
        default="by_email",
        title="Guests",
        description="Who buys when a guest orders: one Go customer per company and per person,"
        " known by organisation number or e-mail; one for all; or no one.",
    ),
    th.Property(
        "guest_customer_number",
        th.IntegerType,
        title="Guest customer number",
        description="The number of the customer in Go who buys for all guests, with guests"
        " one_customer; else only orders that the shop anonymised before they were in Go. Unset,"
        " such an order is held.",
    ),
    th.Property(
        "anonymised_marks",
        th.ArrayType(th.StringType),
        default=list(_MARKS),
        title="Anonymised marks",
        description="What the shop writes in place of the names and e-mail addresses that it wipes;"
        " one that begins with a dot is the end of a mail domain. What the shop has anonymised, Go"
        " keeps.",
    ),
    th.Property(
        "abroad_vat",
        th.StringType,
        allowed_values=["hold", "norwegian"],
        default="hold",
        title="VAT abroad",
        description="What VAT on an order that is delivered abroad is: Norwegian, and posted so; or"
        " perhaps that of the other country, so that the order is held. Svalbard and Jan Mayen are"
        " abroad.",
    ),
    th.Property(
        "create_missing_products",
        th.BooleanType,
        default=True,
        title="Create missing products",
        description="Create a product from an order line when the shop does not list it.",
    ),
    th.Property(
        "sales_accounts",
        th.ObjectType(additional_properties=th.IntegerType),
        title="Sales accounts",
        description="VAT rate to general ledger account, such as"
        ' {"25": 3000, "15": 3001, "11,11": 3002, "0": 3100}; products are created with that'
        " account. A rate is written with a comma, for Meltano splits names at dots. The key"
        " `exempt` is the account for what is sold without VAT to tax-exempt customers, and of"
        " goods without VAT that are delivered abroad. The key `gift_card` is the liability account"
        " of gift cards that are sold and redeemed without VAT; without it they go to that of"
        " rate 0.",
    ),
    th.Property(
        "payment_accounts",
        th.ObjectType(additional_properties=th.IntegerType),
        title="Payment accounts",
        description="Payment method of the shop to the general ledger account of its bank or"
        ' clearing account, such as {"vipps": 1901, "card": 1920}; payments are posted to it, one'
        " bank journal voucher a day and method. Default: none are posted.",
    ),
    th.Property(
        "shipping_product_code",
        th.StringType,
        default="FRAKT",
        title="Shipping product code",
        description="Freight is posted on the product `{code}-{rate}`, created when absent.",
    ),
    th.Property(
        "fee_product_code",
        th.StringType,
        default="GEBYR",
        title="Fee product code",
        description="Fees are posted on the product `{code}-{rate}`, created when absent.",
    ),
    th.Property(
        "discount_product_code",
        th.StringType,
        default="RABATT",
        title="Discount product code",
        description="Discounts on the whole order, and what was paid back for no line in"
        " particular, are posted on the product `{code}-{rate}`, created when absent.",
    ),
    th.Property(
        "gift_card_product_code",
        th.StringType,
        default="GAVEKORT",
        title="Gift card product code",
        description="Gift cards that are sold without a product of their own are posted on the"
        " product `{code}-{rate}`, created when absent.",
    ),
    th.Property(
        "rounding_product_code",
        th.StringType,
        title="Rounding product code",
        description="The øre that Go's own rounding of VAT does not reach are posted on this"
        " product, created without VAT when absent. Unset, such an order is held.",
    ),
)

CONFIG = th.PropertiesList(*_CONNECTION, *_LINKS, *_CARE, *_RULES)


def as_number(value: object) -> object:
    """Return text that is a number, as in variables, as a number; anything else unchanged."""
    is_written = isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", value)
    return float(str(value)) if is_written else value


def settings_named(*names: str) -> list[th.Property[Any]]:
    """Return settings by their names, for another plugin in which they mean the same."""
    return [CONFIG.wrapped[name] for name in names]
