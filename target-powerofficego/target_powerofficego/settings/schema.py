"""The schema of the settings of target-powerofficego, with a description of each."""

from __future__ import annotations

import re
from typing import Any

from singer_sdk import typing as th

from target_powerofficego.dataflow.orders.order import LIVE_STATUSES, ORDER_STATUSES

_MARKS = ("[deleted]", "[slettet]", "[redacted]", "[anonymized]", "[anonymised]", ".invalid")
"""What WordPress and others write; RFC 2606 reserves the domain `.invalid`, which gets no mail."""

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
        description="Which environment of Go to write to; `custom` needs api_url and token_url.",
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
        description="Only with environment custom: the address that issues tokens.",
    ),
    th.Property(
        "requests_per_second",
        th.IntegerType(minimum=1, maximum=100),
        default=10,
        title="Requests per second",
        description="PowerOffice allows 10 per subscription key; a lower number leaves room for"
        " other programs.",
    ),
    th.Property(
        "rate_limit_store",
        th.StringType,
        title="Rate limit store",
        description="Where programs with the same subscription key share its limit: `memory` (not"
        " shared), the path of a file (processes of one machine), or the address of a PostgreSQL"
        " database, as in link_store (several machines). Default: the database of link_store if it"
        " is PostgreSQL and this is not a dry run, otherwise `memory`.",
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
        description="How long, in total, one call is retried while Go is busy or failing. If Go"
        " then answers no other call either, the run stops. At least 10.",
    ),
)

_LINKS = (
    th.Property(
        "shop_name",
        th.StringType,
        required=True,
        title="Shop name",
        description="A short name that must never change: our references in Go begin with it"
        " (`{shop_name}:{id}`). At most 20 letters, digits, - or _.",
    ),
    th.Property(
        "new_namespace",
        th.BooleanType,
        default=False,
        title="New namespace",
        description="Allow a link store that already knows this shop or this Go client to start a"
        " new set of links for another combination of the two.",
    ),
    th.Property(
        "link_store",
        th.StringType,
        default="powerofficego-links.db",
        title="Link store",
        description="Where the links between shop and Go are stored: the path of an SQLite file,"
        " or the address of a PostgreSQL database (postgresql://user@host/database; its password"
        " in PGPASSWORD or ~/.pgpass). Keep it with your backups.",
    ),
    th.Property(
        "full_check_hours",
        th.NumberType(minimum=0),
        default=24,
        title="Full check, hours",
        description="How often everything in Go is listed again, because edits of addresses and"
        " stock do not change Go's stamps. At start-up, the accounts named in settings are checked"
        " just as often; in other runs, before the first record is settled.",
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
        description="Path of a file that is overwritten at the end of each run with every"
        " decision, one JSON object per line: what was done or, in a dry run, would be done. It"
        " contains personal data.",
    ),
    th.Property(
        "first_run",
        th.StringType,
        allowed_values=["plan", "accept"],
        title="First run",
        description="`plan`: if Go already has entries and no run of this shop has finished, print"
        " the plan, write nothing and exit 1. `accept`: go ahead. Default: plan in production,"
        " otherwise accept.",
    ),
    th.Property(
        "on_link",
        th.StringType,
        allowed_values=["keep", "fill_empty", "shop", "go"],
        default="keep",
        title="On link",
        description="What happens to values that differ when two entries are linked: `keep` both"
        " and list them, `fill_empty` if one side has none, or write the `shop`'s to Go or `go`'s"
        " to the shop. Values for the shop are written by the way back.",
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
        description="Two edits closer in time than this are not decided by their stamps.",
    ),
    th.Property(
        "patch_guard",
        th.StringType,
        allowed_values=["test", "reread"],
        default="test",
        title="Patch guard",
        description="How an edit made in Go in the meantime is detected: by a JSON Patch `test`"
        " with each change, or by reading the entry again just before.",
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
        description="If one run would archive more entries than this, all of them become holds.",
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
        description="Exit 3 while there are rejects or holds that nobody has acknowledged.",
    ),
    th.Property(
        "notify",
        th.StringType,
        secret=True,
        title="Notify",
        description="Where to send a message when something new waits for a person, when a run"
        " fails, and when all is well again: addresses in Apprise's form, separated by spaces."
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
        description="The fields by which an unlinked customer is looked up in Go, after our"
        " reference: organization_number, email.",
    ),
    th.Property(
        "properties",
        th.ObjectType(additional_properties=th.AnyType()),
        title="Properties",
        description='Changes to the property tables (docs/dataflow.md), such as {"customers":'
        ' {"number": "to_go"}, "orders": {"department": {"go": "DepartmentCode", "constant":'
        ' "WEB"}}}.',
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
        description="The time zone that determines the date of an order or a payment from its"
        " stamp.",
    ),
    th.Property(
        "orders_from",
        th.DateType,
        title="Orders from",
        description="Orders placed before this date are ignored unless they are linked. If"
        " placed_at is empty, created_at counts.",
    ),
    th.Property(
        "order_statuses",
        th.ArrayType(th.StringType(allowed_values=list(ORDER_STATUSES))),
        default=["processing", "on_hold", "completed", "refunded"],
        title="Order statuses",
        description="Orders with these statuses are written to Go. A linked order stays in sync"
        " whatever its status.",
    ),
    th.Property(
        "confirm_on",
        th.ArrayType(th.StringType(allowed_values=list(LIVE_STATUSES))),
        default=[],
        title="Confirm on",
        description="An order that gets one of these statuses is set to Confirmed in Go, once, if"
        " its total and VAT in Go equal the shop's. Default: none; a person confirms.",
    ),
    th.Property(
        "invoice_on",
        th.ArrayType(th.StringType(allowed_values=list(LIVE_STATUSES))),
        default=[],
        title="Invoice on",
        description="For an order that gets one of these statuses, Go makes the invoice and sends"
        " it to the buyer, once, if its total and VAT in Go equal the shop's. Only for a shop that"
        " does not issue invoices itself. Default: none; a person sends invoices from Go.",
    ),
    th.Property(
        "guests",
        th.StringType,
        allowed_values=["by_email", "one_customer", "reject"],
        default="by_email",
        title="Guests",
        description="The customer in Go for orders of guests: `by_email`, one per company and per"
        " person, identified by organisation number or e-mail address; `one_customer` for all; or"
        " `reject` these orders.",
    ),
    th.Property(
        "guest_customer_number",
        th.IntegerType,
        title="Guest customer number",
        description="The number of the customer in Go for all orders of guests, if guests is"
        " one_customer; otherwise only for orders that the shop anonymised before they were in Go."
        " If unset, such an order is held.",
    ),
    th.Property(
        "anonymised_marks",
        th.ArrayType(th.StringType),
        default=list(_MARKS),
        title="Anonymised marks",
        description="What the shop writes in place of names and e-mail addresses that it erases; a"
        " mark that begins with a dot is the end of a mail domain. Go keeps what the shop has"
        " anonymised.",
    ),
    th.Property(
        "abroad_vat",
        th.StringType,
        allowed_values=["hold", "norwegian"],
        default="hold",
        title="VAT abroad",
        description="How to treat VAT on an order that is delivered abroad: as `norwegian`, and"
        " post it; or `hold` the order, as the VAT may be that of the other country. Svalbard and"
        " Jan Mayen are abroad.",
    ),
    th.Property(
        "create_missing_products",
        th.BooleanType,
        default=True,
        title="Create missing products",
        description="Create a product from an order line if the shop does not list it.",
    ),
    th.Property(
        "sales_accounts",
        th.ObjectType(additional_properties=th.IntegerType),
        title="Sales accounts",
        description='General ledger account by VAT rate, such as {"25": 3000, "15": 3001, "11,11":'
        ' 3002, "0": 3100}; products are created with these accounts. Decimals are written with a'
        " comma, because Meltano splits names at dots. The key `exempt` is the account of sales"
        " without VAT to tax-exempt customers, and of goods without VAT that are delivered abroad."
        " The key `gift_card` is the liability account of gift cards that are sold and redeemed"
        " without VAT; without it, they are posted to the account of rate 0.",
    ),
    th.Property(
        "payment_accounts",
        th.ObjectType(additional_properties=th.IntegerType),
        title="Payment accounts",
        description="General ledger account of a bank or clearing account by payment method of the"
        ' shop, such as {"vipps": 1901, "card": 1920}; payments are posted to it, in one bank'
        " journal voucher per day and method. Default: payments are not posted.",
    ),
    th.Property(
        "shipping_product_code",
        th.StringType,
        default="FRAKT",
        title="Shipping product code",
        description="Freight is posted on the product `{code}-{rate}`, which is created if it does"
        " not exist.",
    ),
    th.Property(
        "fee_product_code",
        th.StringType,
        default="GEBYR",
        title="Fee product code",
        description="Fees are posted on the product `{code}-{rate}`, which is created if it does"
        " not exist.",
    ),
    th.Property(
        "discount_product_code",
        th.StringType,
        default="RABATT",
        title="Discount product code",
        description="Discounts on an entire order, and refunds that belong to no particular"
        " line, are posted on the product `{code}-{rate}`, which is created if it does not exist.",
    ),
    th.Property(
        "gift_card_product_code",
        th.StringType,
        default="GAVEKORT",
        title="Gift card product code",
        description="Gift cards that are sold without a product of their own are posted on the"
        " product `{code}-{rate}`, which is created if it does not exist.",
    ),
    th.Property(
        "rounding_product_code",
        th.StringType,
        title="Rounding product code",
        description="Differences of a few øre that come from Go's own rounding of VAT are posted on"
        " this product, which is created without VAT if it does not exist. If unset, such an order"
        " is held.",
    ),
)

CONFIG = th.PropertiesList(*_CONNECTION, *_LINKS, *_CARE, *_RULES)


def as_number(value: object) -> object:
    """Return the number that a text from an environment variable holds, else the value itself."""
    is_number = isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", value)
    return float(str(value)) if is_number else value


def settings_named(*names: str) -> list[th.Property[Any]]:
    """Return settings by their names, for another plugin that has the same settings."""
    return [CONFIG.wrapped[name] for name in names]
