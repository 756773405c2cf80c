"""Who buys an order and which products its lines are, as ids in Go; waits for what is missing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from target_powerofficego.changes import Park, Reject, Undecidable
from target_powerofficego.dataflow import addresses, values
from target_powerofficego.dataflow.order import (
    GUEST,
    MADE_FOR_ORDERS,
    SERVICE,
    buyer_as_customer,
    product_from_line,
)
from target_powerofficego.dataflow.order_credits import credited_order
from target_powerofficego.dataflow.product import EXEMPT
from target_powerofficego.links import now
from target_powerofficego.walks.customers import Contact
from target_powerofficego.walks.walk import text_id

if TYPE_CHECKING:
    import datetime
    from collections.abc import Collection, Mapping, Sequence

    from target_powerofficego.dataflow.addresses import Address
    from target_powerofficego.dataflow.order_lines import OrderLine
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.links import Link, Unsettled
    from target_powerofficego.walks.customers import CustomersWalk
    from target_powerofficego.walks.products import ProductsWalk
    from target_powerofficego.walks.tools import Tools

BUYER = "buyer_id"
"""Under this an order's base keeps who bought, by id in the shop: several may share a customer in
Go."""


@dataclass(frozen=True)
class Parties:
    """The ids in Go that an order refers to; `product_ids` by line reference.

    `optional_accounts` are the references of lines that are sold without VAT, by the optional sales
    account of a product that otherwise bears VAT.
    """

    customer_id: int
    product_ids: Mapping[str, int]
    optional_accounts: frozenset[str]

    def members(self, line: OrderLine) -> dict[str, Value]:
        """Return an order's line as PowerOffice Go names its members."""
        return line.values(
            self.product_ids.get(line.reference),
            standard_account=line.reference not in self.optional_accounts,
        )


def guest_id(email: str) -> str:
    """Return the shop id under which a guest with this e-mail address is linked."""
    return GUEST + hashlib.sha256(email.strip().lower().encode()).hexdigest()[:16]


def order_email(record: Record) -> str | None:
    """Return the e-mail address of an order's buyer, or None."""
    buyer = record.get("buyer")
    email = buyer.get("email") if isinstance(buyer, dict) else None
    return email.strip() or None if isinstance(email, str) else None


def order_address_id(record: Record) -> str:
    """Return what an unanswered write of an order's delivery address stands under."""
    return f"order:{record['id']}"


def buyer_id(record: Record) -> str:
    """Return the shop id of who buys an order; a guest has one by e-mail, else by the order.

    A credit note is for who bought the order.
    """
    customer_id = text_id(record.get("customer_id"))
    if customer_id is not None:
        return customer_id
    email = order_email(record)
    return guest_id(email) if email else f"{GUEST}order-{credited_order(record['id'])}"


def wanted_address(record: Record) -> Address | None:
    """Return where an order goes: the shipping address, else the billing address, if complete.

    Raises:
        values.Unusable: a part of it is no text or too long, or there is no such country.
    """
    shipping = addresses.read_address(record.get("shipping_address"), what="shipping_address")
    if shipping is not None and shipping.is_complete:
        return shipping
    billing = addresses.read_address(record.get("billing_address"), what="billing_address")
    return billing if billing is not None and billing.is_complete else None


class OrderParties:
    """Finds the parties of an order; at end of input it makes those that the shop never lists."""

    def __init__(self, tools: Tools, customers: CustomersWalk, products: ProductsWalk) -> None:
        self._tools = tools
        self._customers = customers
        self._products = products

    def resolve(
        self,
        record: Record,
        lines: Sequence[OrderLine],
        read_at: datetime.datetime,
        *,
        at_end: bool,
    ) -> Parties:
        """Return the parties of an order.

        Raises:
            Undecidable: with a Park naming all that is awaited, or a Reject.
        """
        awaited: list[str] = []
        customer_id = self._customer(record, read_at, awaited, at_end=at_end)
        product_ids = {
            line.reference: self._product(record, line, read_at, awaited, at_end=at_end)
            for line in lines
            if not line.is_text
        }
        if awaited or customer_id is None:
            raise Undecidable(self._missing(awaited, at_end=at_end))
        found = {name: go_id for name, go_id in product_ids.items() if go_id is not None}
        is_vat_free = self._is_vat_free(customer_id)
        optional = frozenset(
            line.reference
            for line in lines
            if is_vat_free or self._is_sold_without_vat(line, found.get(line.reference))
        )
        exempt = {found[one] for one in optional if one in found}
        self._see_to_exempt_accounts(exempt, read_at, at_end=at_end)
        return Parties(int(customer_id), found, optional)

    def _see_to_exempt_accounts(
        self, product_ids: Collection[int], read_at: datetime.datetime, *, at_end: bool
    ) -> None:
        """Give products the account of exempt sales, if it was set after they were last written.

        Raises:
            Undecidable: with a Park, until the end of input: then nobody else writes them.
        """
        lacking = self._products.lacking_exempt_account(product_ids)
        if lacking and not at_end:
            named = ", ".join(f"products {link.shop_id}" for link in lacking)
            reason = f"the account of exempt sales is given to {named} at the end of the run"
            awaited = tuple(f"products:{link.shop_id}" for link in lacking)
            raise Undecidable(Park(reason, awaited))
        for link in lacking:
            self._products.give_exempt_account(link, read_at)

    def _missing(self, awaited: Collection[str], *, at_end: bool) -> Park | Reject:
        """Say what an order waits for; at end of input, what it waits for in vain.

        What is open but acknowledged counts no more, so that the order counts in its place.
        """
        named = ", ".join(one.replace(":", " ", 1) for one in sorted(set(awaited)))
        open_ones = [found for one in awaited if (found := self._open(one)) is not None]
        if not at_end or any(one.acknowledged_at is None for one in open_ones):
            return Park(f"waits for {named}", tuple(awaited))
        if open_ones:
            return Reject(f"it needs {named}, which is open and was acknowledged")
        return Reject(f"it needs {named}, which neither came nor could be made")

    def _open(self, awaited: str) -> Unsettled | None:
        """Return what is awaited if it is itself parked, rejected or held."""
        entity, _, shop_id = awaited.partition(":")
        return self._tools.store.unsettled_of(entity, shop_id)

    def _customer(
        self, record: Record, read_at: datetime.datetime, awaited: list[str], *, at_end: bool
    ) -> str | None:
        shop_id = values.shop_id(record.get("customer_id"), what="customer_id")
        if shop_id is None:
            return self._guest(record, read_at, awaited)
        link = self._customer_link(shop_id)
        if link is None and at_end and self._may_be_made("customers", shop_id):
            self._customers.take(buyer_as_customer(record, shop_id), read_at, at_end=True)
            link = self._tools.store.link("customers", shop_id)
        if link is None:
            awaited.append(f"customers:{shop_id}")
            return None
        return link.go_id

    def _guest(self, record: Record, read_at: datetime.datetime, awaited: list[str]) -> str | None:
        settings = self._tools.settings
        if settings.guests != "by_email" and (known := self._agreed_customer(record)):
            return known
        if settings.guests == "reject":
            reason = "a guest bought it, and the setting guests rejects orders of guests"
            raise Undecidable(Reject(reason))
        if settings.guests == "one_customer":
            return self._tools.guest_customer_id
        shop_id = buyer_id(record)
        link = self._customer_link(shop_id)
        if link is None and (known := self._agreed_customer(record, of=shop_id)):
            return known
        is_to_be_made = link is None or self._buys_after_deletion(record, link)
        if is_to_be_made and self._may_be_made("customers", shop_id):
            self._customers.take(buyer_as_customer(record, shop_id), read_at, at_end=True)
            link = self._tools.store.link("customers", shop_id)
        if link is None:
            awaited.append(f"customers:{shop_id}")
            return None
        return link.go_id

    def _buys_after_deletion(self, record: Record, link: Link) -> bool:
        """Return whether a new order is of a guest whose entry is a deleted customer's so far."""
        order = self._tools.store.link("orders", credited_order(record["id"]))
        return order is None and self._customers.is_left(link)

    def _agreed_customer(self, record: Record, *, of: str | None = None) -> str | None:
        """Return the customer of an order that came into Go before the setting `guests` was so.

        `of` is the buyer whose it must have been.
        """
        linked = self._tools.store.link("orders", credited_order(record["id"]))
        base = linked.base if linked else {}
        if of is not None and (BUYER not in base or base[BUYER].shop != [of]):
            return None
        agreed = base.get("customer")
        return None if agreed is None or agreed.shop is None else str(agreed.shop)

    def _customer_link(self, shop_id: str) -> Link | None:
        """Return the link of a customer.

        Raises:
            Undecidable: with a Reject, when it was erased, so that it never comes into Go.
        """
        link = self._tools.store.link("customers", shop_id)
        if link is None and self._tools.erased.id_of(shop_id) is not None:
            reason = (
                "the personal data of its customer was erased before the customer was in Go: post"
                " the order by hand in Go, then acknowledge"
            )
            raise Undecidable(Reject(reason))
        return link

    def _product(
        self,
        record: Record,
        line: OrderLine,
        read_at: datetime.datetime,
        awaited: list[str],
        *,
        at_end: bool,
    ) -> int | None:
        if line.service is not None and line.rate is not None:
            go_id = self._products.service(line.service, line.rate, read_at)
            if go_id is None:
                awaited.append(f"products:{SERVICE}{line.service.code}")
            return go_id
        known = self._known_product(line)
        if known is not None:
            return known
        shop_id = line.product_id or f"sku:{line.sku}"
        if at_end and self._may_be_made("products", shop_id):
            self._make_product(record, line, shop_id, read_at)
            known = self._known_product(line)
        if known is None:
            awaited.append(f"products:{shop_id}")
        return known

    def _known_product(self, line: OrderLine) -> int | None:
        if line.product_id:
            link = self._tools.store.link("products", line.product_id)
            if link is not None:
                return int(link.go_id)
            if not self._may_be_made("products", line.product_id):
                return None
        return self._products.id_by_code(line.sku) if line.sku else None

    def _make_product(
        self, record: Record, line: OrderLine, shop_id: str, read_at: datetime.datetime
    ) -> None:
        if not self._tools.settings.create_missing_products:
            reason = f"the shop does not list the product {values.shown(line.sku or shop_id)}"
            raise Undecidable(Reject(f"{reason}, and create_missing_products is off"))
        raw = next(one for one in record["lines"] if text_id(one.get("id")) == line.reference)
        currency = values.text(record.get("currency"), what="currency")
        product = {**product_from_line(raw, currency, line.rate), "id": shop_id}
        self._products.take(product, read_at, at_end=True)

    def _may_be_made(self, entity: str, shop_id: str) -> bool:
        """Tell whether nothing stands against making it: a record of the shop's own, or a rest."""
        before = self._tools.store.unsettled_of(entity, shop_id)
        if before is None:
            return True
        rests = before.next_attempt_at is not None and before.next_attempt_at > now()
        return MADE_FOR_ORDERS in before.payload and not rests

    def _is_vat_free(self, customer_go_id: str) -> bool:
        entry = self._tools.index.entry("customers", customer_go_id)
        return bool(entry and entry.body.get("IsVatFree"))

    def _is_sold_without_vat(self, line: OrderLine, product_id: int | None) -> bool:
        """Tell whether a line without VAT is of a product that bears VAT by its own account.

        So are sales abroad; the account `exempt` of `sales_accounts` is then the optional one.
        """
        accounts = self._tools.conversion.sales_account_ids
        if line.rate != 0 or line.is_text or EXEMPT not in accounts:
            return False
        entry = self._tools.index.entry("products", str(product_id))
        account = entry.body.get("StandardSalesAccountId") if entry else None
        taxed = {one for rate, one in accounts.items() if rate not in ("0", EXEMPT)}
        return account is None or account in taxed

    def delivery_address(
        self, record: Record, customer_id: int, read_at: datetime.datetime
    ) -> int | None:
        """Return the delivery address to give, or None where Go takes the mail address by itself.

        PowerOffice Go gives an order the customer's primary delivery address when none is given,
        and a person may make another one primary, so any but the mail address is always given.
        """
        wanted = wanted_address(record)
        if wanted is None:
            return None
        known = self._tools.index.find("delivery_addresses", f"contact:{customer_id}")
        mail = self._mail_address(customer_id)
        if mail.content == wanted.content:
            primary = next((one for one in known if one.body.get("IsPrimary")), None)
            if primary is None or addresses.from_go(primary.body).content == wanted.content:
                return None
        under, contact = order_address_id(record), Contact(buyer_id(record), str(customer_id))
        if not known and mail.is_complete:
            # the first becomes primary, and orders posted for the mail address would go there
            self._customers.delivery_address(under, contact, mail, read_at)
        # known by its content alone: an edit of the customer's own address is none of the order's
        made, _ = self._customers.delivery_address(
            under, contact, replace(wanted, shop_id=None), read_at
        )
        return made

    def _mail_address(self, customer_id: int) -> Address:
        entry = self._tools.index.entry("customers", str(customer_id))
        return addresses.from_go((entry.body.get("MailAddress") if entry else None) or {})
