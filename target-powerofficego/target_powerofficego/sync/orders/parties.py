"""Who buys an order and which products its lines are, as ids in Go; waits for what is missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import addresses, values
from target_powerofficego.dataflow.agreement import now
from target_powerofficego.dataflow.anonymised import ANONYMISED
from target_powerofficego.dataflow.buyers import (
    AgreedBuyer,
    agreed_buyer,
    buyer_as_customer,
    other_guest_id,
)
from target_powerofficego.dataflow.orders.credits import credited_order
from target_powerofficego.dataflow.orders.order import (
    CREDIT,
    MADE_FOR_ORDERS,
    SERVICE,
)
from target_powerofficego.dataflow.product import EXEMPT, GIFT_CARD
from target_powerofficego.decisions.changes import Hold, Park, Reject, Undecidable
from target_powerofficego.decisions.erased import ERASED
from target_powerofficego.sync.customers import Contact

if TYPE_CHECKING:
    import datetime
    from collections.abc import Collection, Mapping, Sequence

    from target_powerofficego.dataflow.addresses import Address
    from target_powerofficego.dataflow.agreement import Agreement
    from target_powerofficego.dataflow.buyers import Buyer
    from target_powerofficego.dataflow.orders.lines import OrderLine
    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.store.link_store import Link, Unsettled
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.customers import CustomersWalk
    from target_powerofficego.sync.products import ProductsWalk


_HOME = "NO"  # for VAT Svalbard and Jan Mayen (SJ) are abroad: merverdiavgiftsloven § 1-2


@dataclass(frozen=True)
class Parties:
    """Who buys an order, and the ids in Go that it refers to; `product_ids` by line reference.

    `optional_accounts` are the references of lines that are sold without VAT, by the optional sales
    account of a product that otherwise bears VAT.
    """

    customer_id: int
    buyer: AgreedBuyer
    product_ids: Mapping[str, int]
    optional_accounts: frozenset[str]

    def members(self, line: OrderLine) -> dict[str, Value]:
        """Return an order's line as PowerOffice Go names its members."""
        return line.values(
            self.product_ids.get(line.reference),
            standard_account=line.reference not in self.optional_accounts,
        )


def order_address_id(record: ShopOrder) -> str:
    """Return what an unanswered write of an order's delivery address stands under."""
    return f"order:{record.id}"


def country_abroad(record: ShopOrder) -> str | None:
    """Return the country that an order is delivered to, if that is not Norway or not told."""
    address = record.address
    country = address.country if address else _HOME
    return None if country == _HOME else country


class OrderParties:
    """Finds the parties of an order; at end of input it makes those that the shop never lists."""

    def __init__(self, tools: Tools, customers: CustomersWalk, products: ProductsWalk) -> None:
        self._tools = tools
        self._customers = customers
        self._products = products

    def resolve(
        self,
        record: ShopOrder,
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
        buyer = self._buyer(record)
        customer_id = self._customer(record, buyer, read_at, awaited, at_end=at_end)
        product_ids = {
            line.reference: self._product(record, line, read_at, awaited, at_end=at_end)
            for line in lines
            if not line.is_text
        }
        if awaited or customer_id is None:
            raise Undecidable(self._missing(awaited, at_end=at_end))
        found = {name: go_id for name, go_id in product_ids.items() if go_id is not None}
        is_vat_free = self._is_vat_free(customer_id)
        is_abroad = country_abroad(record) is not None
        optional = frozenset(
            line.reference
            for line in lines
            if (is_vat_free and not self._is_gift_card(found.get(line.reference)))
            or self._is_sold_without_vat(line, found.get(line.reference), is_abroad=is_abroad)
        )
        exempt = {found[one] for one in optional if one in found}
        self._see_to_exempt_accounts(exempt, read_at, at_end=at_end)
        return Parties(int(customer_id), buyer, found, optional)

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

    def _buyer(self, record: ShopOrder) -> AgreedBuyer:
        """Return who buys an order; while it tells the same buyer, who was agreed on stays."""
        buyer, agreed = record.buyer, agreed_buyer(self._base(record))
        is_wiped = ANONYMISED in record.raw or (buyer.customer_id or "").startswith(ERASED)
        if agreed is not None and (is_wiped or agreed.is_still(buyer)):
            return agreed
        is_known = buyer.name is not None and buyer.email is not None
        return AgreedBuyer(self._buyer_id(buyer), buyer.identity, is_known)

    def _base(self, record: ShopOrder) -> Mapping[str, Agreement]:
        """Return the base of an order; a credit note's is that of what it credits."""
        linked = self._tools.store.link("orders", credited_order(record.id))
        return linked.base if linked else {}

    def _buyer_id(self, buyer: Buyer) -> str:
        """Return the shop id of the customer who gets the invoice."""
        if buyer.customer_id is not None:
            link = self._customer_link(buyer.customer_id)
            is_another = link is not None and self._buys_for_another(link, buyer)
            return (buyer.company_id if is_another else None) or buyer.customer_id
        if buyer.is_company or buyer.email is None or not self._is_a_company(buyer.guest_id):
            return buyer.guest_id
        return other_guest_id(buyer.email)

    def _buys_for_another(self, link: Link, buyer: Buyer) -> bool:
        """Return whether a registered customer's order names another company than the customer."""
        entry = self._tools.index.entry("customers", link.go_id)
        if buyer.number is None or entry is None:
            return False
        own = values.same_organization_number(entry.body.get("OrganizationNumber"))
        return bool(own != buyer.number if own else entry.body.get("IsPerson"))

    def _is_a_company(self, shop_id: str) -> bool:
        """Return whether a guest is a company in Go: an earlier version knew it by e-mail alone."""
        index, link = self._tools.index, self._tools.store.link("customers", shop_id)
        reference = values.short_reference(self._tools.settings.shop_name, shop_id)
        if link is None:
            found = index.find("customers", f"ref:{reference}")
        else:
            found = [entry] if (entry := index.entry("customers", link.go_id)) else []
        return any(entry.body.get("IsPerson") is False for entry in found)

    def _customer(
        self,
        record: ShopOrder,
        buyer: AgreedBuyer,
        read_at: datetime.datetime,
        awaited: list[str],
        *,
        at_end: bool,
    ) -> str | None:
        """Return the id in Go of who buys; None: it is awaited.

        Raises:
            Undecidable: nobody may buy it, or it is not known who did.
        """
        if record.id.startswith(CREDIT) and (known := self._agreed_customer(record)):
            return known
        if record.raw.get(ANONYMISED) is not None:
            return str(record.raw[ANONYMISED])
        listed = values.shop_id(record.raw.get("customer_id"), what="customer_id")
        if listed is None and self._tools.settings.guests != "by_email":
            return self._one_for_all(record)
        link = self._customer_link(buyer.id)
        is_guest = buyer.id != listed
        if link is not None and not (is_guest and self._buys_after_deletion(record, link)):
            if is_guest:
                guest = buyer_as_customer(record.raw, buyer.id)
                self._customers.write_cut_off(guest, link, read_at)
            return link.go_id
        if link is None and is_guest and (known := self._agreed_customer(record, of=buyer.id)):
            return known
        may_be_made = at_end or is_guest
        if may_be_made and ANONYMISED in record.raw and record.buyer.number is None:
            return self._of_nobody()
        if may_be_made and self._may_be_made("customers", buyer.id):
            self._customers.take(buyer_as_customer(record.raw, buyer.id), read_at, at_end=True)
            link = self._tools.store.link("customers", buyer.id)
        if link is None:
            awaited.append(f"customers:{buyer.id}")
            return None
        return link.go_id

    def _one_for_all(self, record: ShopOrder) -> str | None:
        """Return the one customer of all guests, unless the order came before that was set.

        Raises:
            Undecidable: with a Reject, when guests may not buy.
        """
        if known := self._agreed_customer(record):
            return known
        if self._tools.settings.guests == "reject":
            reason = "a guest bought it, and the setting guests rejects orders of guests"
            raise Undecidable(Reject(reason))
        return self._tools.guest_customer_id

    def _of_nobody(self) -> str:
        """Return who is to have an order that was anonymised before it was in Go.

        Raises:
            Undecidable: with a Hold, when the settings name nobody.
        """
        if self._tools.guest_customer_id is None:
            reason = (
                "the shop anonymised it before it was in Go, so who bought it is not known: set"
                " guest_customer_number to the customer in Go who is to have such orders, or post"
                " it by hand in Go and acknowledge this"
            )
            raise Undecidable(Hold(reason))
        return self._tools.guest_customer_id

    def _buys_after_deletion(self, record: ShopOrder, link: Link) -> bool:
        """Return whether a new order is of a guest whose entry is a deleted customer's so far."""
        order = self._tools.store.link("orders", credited_order(record.id))
        return order is None and self._customers.is_left(link)

    def _agreed_customer(self, record: ShopOrder, *, of: str | None = None) -> str | None:
        """Return the customer in Go that an order, or what a credit note credits, has already.

        `of` is the buyer whose it must have been.
        """
        base = self._base(record)
        known = agreed_buyer(base)
        if of is not None and (known is None or known.id != of):
            return None
        agreed = base.get("customer")
        is_credit = record.id.startswith(CREDIT)
        told = None if agreed is None else agreed.go if is_credit and agreed.go else agreed.shop
        return None if told is None else str(told)

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
        record: ShopOrder,
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
        self, record: ShopOrder, line: OrderLine, shop_id: str, read_at: datetime.datetime
    ) -> None:
        if not self._tools.settings.create_missing_products:
            reason = f"the shop does not list the product {values.shown(line.sku or shop_id)}"
            raise Undecidable(Reject(f"{reason}, and create_missing_products is off"))
        product = {**record.product_of(line), "id": shop_id}
        self._products.take(product, read_at, at_end=True)

    def _may_be_made(self, entity: str, shop_id: str) -> bool:
        """Tell whether nothing stands against making it: a record of the shop's own, or a rest."""
        before = self._tools.store.unsettled_of(entity, shop_id)
        if before is None:
            return True
        return MADE_FOR_ORDERS in before.payload and not before.rests(now())

    def _is_vat_free(self, customer_go_id: str) -> bool:
        entry = self._tools.index.entry("customers", customer_go_id)
        return bool(entry and entry.body.get("IsVatFree"))

    def _is_sold_without_vat(
        self, line: OrderLine, product_id: int | None, *, is_abroad: bool
    ) -> bool:
        """Return whether a line goes to the account `exempt` of `sales_accounts`.

        That is the optional one of its product. So go goods without VAT that are delivered abroad,
        and what is sold without VAT though the product bears it by its own account.
        """
        accounts = self._tools.conversion.sales_account_ids
        if line.rate != 0 or line.is_text or EXEMPT not in accounts:
            return False
        if is_abroad and line.is_goods:
            return True
        account = self._sales_account(product_id)
        without_vat = ("0", EXEMPT, GIFT_CARD)
        taxed = {one for rate, one in accounts.items() if rate not in without_vat}
        return account is None or account in taxed

    def _is_gift_card(self, product_id: int | None) -> bool:
        """Return whether a product stands on the account `gift_card` of `sales_accounts`."""
        account = self._tools.conversion.sales_account_ids.get(GIFT_CARD)
        return account is not None and self._sales_account(product_id) == account

    def _sales_account(self, product_id: int | None) -> object:
        entry = self._tools.index.entry("products", str(product_id))
        return entry.body.get("StandardSalesAccountId") if entry else None

    def delivery_address(
        self, record: ShopOrder, buyer_id: str, customer_id: int, read_at: datetime.datetime
    ) -> int | None:
        """Return the delivery address to give, or None where Go takes the mail address by itself.

        PowerOffice Go gives an order the customer's primary delivery address when none is given,
        and a person may make another one primary, so any but the mail address is always given.
        """
        wanted = record.address
        if wanted is None:
            return None
        known = self._tools.index.find("delivery_addresses", f"contact:{customer_id}")
        mail = self._mail_address(customer_id)
        if mail.content == wanted.content:
            primary = next((one for one in known if one.body.get("IsPrimary")), None)
            if primary is None or addresses.from_go(primary.body).content == wanted.content:
                return None
        under, contact = order_address_id(record), Contact(buyer_id, str(customer_id))
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
