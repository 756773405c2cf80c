"""Reads a shop order into Go's form: its lines less refunds, and the ids of customer and products.

A customer, product or address that the order needs and Go lacks is created.
"""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.customer import address_from_go
from target_powerofficego.dataflow.orders.order import (
    CREDIT,
    MADE_FOR_ORDERS,
    SERVICE,
    credited_order,
)
from target_powerofficego.dataflow.orders.refunds import Refund, describe_splits, subtract_refunds
from target_powerofficego.dataflow.orders.shop_order import (
    AgreedBuyer,
    Buyer,
    buyer_as_customer,
    other_guest_id,
)
from target_powerofficego.dataflow.product import EXEMPT, GIFT_CARD
from target_powerofficego.dataflow.table import now
from target_powerofficego.dataflow.values import Contradiction, Unusable, Value, rate_key
from target_powerofficego.decisions.changes import Hold, Park, Reject, Undecidable
from target_powerofficego.decisions.personal_data import ERASED, is_marked, marked_customer
from target_powerofficego.settle.record_flow import Arrival
from target_powerofficego.sync.customers import Contact
from target_powerofficego.sync.orders.context import (
    ORDERS,
    OrderArrival,
    OrderInGoForm,
    OrderTools,
    address_key,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from target_powerofficego.dataflow.orders.lines import OrderLine
    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.dataflow.orders.state import OrderState
    from target_powerofficego.store.link_store import Link


_SEND_EACH_REFUND = (
    "make the shop's API send each refund; or deduct the amount by hand in Go (with a credit note"
    " if the order is invoiced), then acknowledge"
)
_CORRECT_REFUND = (
    "correct that in the shop; or deduct it by hand in Go (with a credit note if the order is"
    " invoiced), then acknowledge"
)


_HOME = "NO"  # for VAT, Svalbard and Jan Mayen (SJ) are abroad: merverdiavgiftsloven § 1-2


def read_order(tools: OrderTools, arrival: OrderArrival, state: OrderState) -> OrderInGoForm:
    """Return an order as it should be in Go, less its refunds.

    Once it is known to be invoiced, only the refunds that its invoice includes are subtracted.

    Raises:
        Unusable: it cannot be read; the text names everything that is wrong with it.
        Undecidable: it waits for its customer or products, or the shop does not list each refund.
    """
    try:
        return _read_order(tools, arrival, state)
    except Contradiction:
        raise
    except Unusable as unusable:
        reasons = [*arrival.shop_order.faults(), str(unusable)]
        raise Unusable("; ".join(dict.fromkeys(reasons))) from None


def _read_order(tools: OrderTools, arrival: OrderArrival, state: OrderState) -> OrderInGoForm:
    shop_order = arrival.shop_order
    ids = [refund.id for refund in shop_order.refunds]
    _, paid_back = _less_refunds(tools, shop_order.lines, shop_order.refunds)
    unlisted = shop_order.unlisted_refund(paid_back)
    if unlisted:
        raise Undecidable(Hold(f"{unlisted}: {_SEND_EACH_REFUND}"))
    if state.is_invoiced:
        ids = [refund_id for refund_id in state.refunds if refund_id in ids]
    return order_after_refunds(tools, arrival, ids)


def order_after_refunds(
    tools: OrderTools, arrival: OrderArrival, ids: Sequence[str]
) -> OrderInGoForm:
    """Return an order less the refunds with these ids, in the order of the ids.

    Raises:
        Unusable, Undecidable: as for `read_order`.
    """
    shop_order = arrival.shop_order
    lines, total = amounts_after_refunds(tools, shop_order, ids)
    header = tools.table.read(shop_order.raw, tools.run.conversion).values
    order = build_order(tools, arrival, header, lines, total)
    in_shop = {refund.id for refund in shop_order.refunds}
    return replace(order, refunds=tuple(refund_id for refund_id in ids if refund_id in in_shop))


def amounts_after_refunds(
    tools: OrderTools, shop_order: ShopOrder, ids: Iterable[str]
) -> tuple[tuple[OrderLine, ...], Decimal]:
    """Return an order's lines less the refunds with these ids, and their total.

    The refunds are subtracted in the order of the ids: that of Go, once the order is invoiced.

    Raises:
        Unusable: they cannot be read.
        Undecidable: with a Hold, when the amounts of a refund do not add up.
    """
    total, by_id = shop_order.total, {refund.id: refund for refund in shop_order.refunds}
    refunds = [by_id[refund_id] for refund_id in dict.fromkeys(ids) if refund_id in by_id]
    lines, paid_back = _less_refunds(tools, shop_order.lines, refunds)
    return lines, total - paid_back


def _less_refunds(
    tools: OrderTools, lines: Iterable[OrderLine], refunds: Iterable[Refund]
) -> tuple[tuple[OrderLine, ...], Decimal]:
    try:
        return subtract_refunds(lines, refunds, tools.settings.service_codes)
    except Contradiction as contradiction:
        raise Undecidable(Hold(f"{contradiction}: {_CORRECT_REFUND}")) from None


def build_order(
    tools: OrderTools,
    arrival: OrderArrival,
    header: Mapping[str, Value],
    lines: tuple[OrderLine, ...],
    total: Decimal,
) -> OrderInGoForm:
    """Return the order with this header and these lines, with the ids of its parties in Go.

    Raises:
        Undecidable: it waits for its parties.
    """
    parties = resolve_parties(tools, arrival, lines)
    return OrderInGoForm(
        arrival,
        {**header, "customer": parties.customer_id},
        lines,
        parties.members,
        total,
        address_key(arrival.shop_order, parties.customer_id),
        parties.buyer,
    )


def with_address(tools: OrderTools, order: OrderInGoForm, state: OrderState) -> OrderInGoForm:
    """Return the order with its delivery address, which is looked for only if it changed."""
    if state.goes_to(order.address_key):
        address = state.base["shipping_address"].shop
    else:
        customer = order.header["customer"]
        address = delivery_address(tools, order.arrival, order.buyer.id, customer)
    return replace(order, header={**order.header, "shipping_address": address})


@contextlib.contextmanager
def logging_splits(tools: OrderTools, shop_order: ShopOrder, link: Link | None) -> Iterator[None]:
    """Log how refunds are split over lines and VAT rates, when they are first subtracted.

    This is done even if the order is then held, because the next run finds them in the store.
    """
    before = state_of(link).known_refunds
    try:
        yield
    finally:
        known = state_of(tools.store.links.get(ORDERS, shop_order.id)).known_refunds
        if set(known) - set(before):
            _log_splits(tools, shop_order, known, before)


def _log_splits(
    tools: OrderTools, shop_order: ShopOrder, known: Sequence[str], before: Sequence[str]
) -> None:
    lines, _ = amounts_after_refunds(tools, shop_order, known)
    new = [
        refund for refund in shop_order.refunds if refund.id in known and refund.id not in before
    ]
    for split in describe_splits(lines, new):
        tools.log_repair(shop_order.id, split)


@dataclass(frozen=True)
class Parties:
    """The customer of an order in Go, its buyer in the shop, and its lines with Go's ids.

    `members` has the members of each line, as PowerOffice Go names them, by its reference.
    """

    customer_id: int
    buyer: AgreedBuyer
    members: Mapping[str, Mapping[str, Value]]


def country_abroad(shop_order: ShopOrder) -> str | None:
    """Return the country that an order is delivered to; None if it is Norway or not stated."""
    address = shop_order.address
    country = address.country if address else _HOME
    return None if country == _HOME else country


def require_no_foreign_vat(tools: OrderTools, order: OrderInGoForm, *, by_hand: str) -> None:
    """Require that an order that is delivered abroad has no VAT of another country.

    `by_hand` is the verb for what a person should do with it in Go if it has.

    Raises:
        Undecidable: with a Hold, when it may have.
    """
    country = country_abroad(order.shop_order)
    rates = {line.rate for line in order.lines if line.rate and line.total.tax}
    if country is None or not rates or tools.settings.is_vat_abroad_norwegian:
        return
    percents = " and ".join(f"{rate_key(rate)} %" for rate in sorted(rates, reverse=True))
    reason = (
        f"it is delivered to {country} with VAT of {percents}, which may be that country's VAT: if"
        f" it is Norwegian VAT, set abroad_vat to norwegian; if not, {by_hand} it by hand in Go,"
        " then acknowledge"
    )
    raise Undecidable(Hold(reason))


def resolve_parties(
    tools: OrderTools, arrival: OrderArrival, lines: Sequence[OrderLine]
) -> Parties:
    """Return the parties of an order; at the end of input, those that were not sent are created.

    Raises:
        Undecidable: with a Park naming all that is awaited, or a Reject.
    """
    return _PartySearch(tools, arrival).parties(lines)


@dataclass
class _PartySearch:
    """Finds the parties of one order; `awaited` collects the missing ones, like "customers:12"."""

    tools: OrderTools
    arrival: OrderArrival
    awaited: list[str] = field(default_factory=list)

    def parties(self, lines: Sequence[OrderLine]) -> Parties:
        """See `resolve_parties`."""
        buyer = self._buyer()
        customer_id = self._customer(buyer)
        found = {line.reference: self._product(line) for line in lines if not line.is_text}
        if self.awaited or customer_id is None:
            raise Undecidable(self._missing())
        product_ids = {reference: go_id for reference, go_id in found.items() if go_id is not None}
        entry = self.tools.index.entry("customers", customer_id)
        accounts = _Accounts(
            self.tools,
            is_vat_free=bool(entry and entry.body.get("IsVatFree")),
            is_abroad=country_abroad(self._shop_order) is not None,
        )
        optional = {
            line.reference
            for line in lines
            if accounts.is_optional_for(line, product_ids.get(line.reference))
        }
        self._give_exempt_accounts(
            {product_ids[reference] for reference in optional if reference in product_ids}
        )
        members = {
            line.reference: line.values(
                product_ids.get(line.reference), standard_account=line.reference not in optional
            )
            for line in lines
        }
        return Parties(int(customer_id), buyer, members)

    @property
    def _shop_order(self) -> ShopOrder:
        return self.arrival.shop_order

    @functools.cached_property
    def _link(self) -> Link | None:
        """The link of the order; for a credit note, that of the order it credits."""
        return self.tools.store.links.get(ORDERS, credited_order(self.arrival.shop_id))

    def _give_exempt_accounts(self, product_ids: Collection[int]) -> None:
        """Give products the account of exempt sales, if it was set after they were last written.

        Raises:
            Undecidable: with a Park, until the end of input, when nothing else writes them.
        """
        products = self.tools.products
        lacking = products.lacking_exempt_account(product_ids)
        if lacking and not self.arrival.at_end:
            names = ", ".join(f"products {link.shop_id}" for link in lacking)
            reason = f"the account of exempt sales is given to {names} at the end of the run"
            awaited = tuple(f"products:{link.shop_id}" for link in lacking)
            raise Undecidable(Park(reason, awaited))
        for link in lacking:
            products.give_exempt_account(link, self.arrival.read_at)

    def _missing(self) -> Park | Reject:
        """Return the Park of an order that waits; at the end of input, the Reject if it is in vain.

        If a missing record is open but acknowledged, the order counts in its place.
        """
        names = ", ".join(key.replace(":", " ", 1) for key in sorted(set(self.awaited)))
        stored = [self.tools.store.unsettled.get(*key.split(":", 1)) for key in self.awaited]
        unsettled = [record for record in stored if record is not None]
        if not self.arrival.at_end or any(record.acknowledged_at is None for record in unsettled):
            return Park(f"waits for {names}", tuple(self.awaited))
        if unsettled:
            return Reject(f"it needs {names}, which itself waits and was acknowledged")
        return Reject(f"it needs {names}, which was not sent and could not be created")

    # The buyer

    def _buyer(self) -> AgreedBuyer:
        """Return the buyer of an order; while the shop's buyer is the same, the agreed one."""
        buyer, agreed = self._shop_order.buyer, state_of(self._link).buyer
        is_anonymous = is_marked(self._shop_order) or (buyer.customer_id or "").startswith(ERASED)
        if agreed is not None and (is_anonymous or agreed.is_still(buyer)):
            return agreed
        is_known = buyer.name is not None and buyer.email is not None
        return AgreedBuyer(self._buyer_id(buyer), buyer.identity, is_known)

    def _buyer_id(self, buyer: Buyer) -> str:
        """Return the shop id of the customer who gets the invoice."""
        if buyer.customer_id is not None:
            link = self._customer_link(buyer.customer_id)
            is_for_another = link is not None and self._buys_for_another(link, buyer)
            return (buyer.company_id if is_for_another else None) or buyer.customer_id
        if buyer.is_company or buyer.email is None or not self._is_a_company(buyer.guest_id):
            return buyer.guest_id
        return other_guest_id(buyer.email)

    def _buys_for_another(self, link: Link, buyer: Buyer) -> bool:
        """Return whether a registered customer's order names another company than the customer."""
        entry = self.tools.index.entry("customers", link.go_id)
        if buyer.number is None or entry is None:
            return False
        number = values.normalise_organization_number(entry.body.get("OrganizationNumber"))
        return bool(number != buyer.number if number else entry.body.get("IsPerson"))

    def _is_a_company(self, shop_id: str) -> bool:
        """Return whether a guest is a company in Go: an earlier version matched it by e-mail."""
        index, link = self.tools.index, self.tools.store.links.get("customers", shop_id)
        if link is None:
            reference = values.short_reference(self.tools.settings.shop_name, shop_id)
            entries = index.find("customers", f"ref:{reference}")
        else:
            entries = [entry] if (entry := index.entry("customers", link.go_id)) else []
        return any(entry.body.get("IsPerson") is False for entry in entries)

    def _customer(self, buyer: AgreedBuyer) -> str | None:
        """Return the id of the customer in Go; None if the customer is awaited.

        Raises:
            Undecidable: guests may not buy, or the buyer is not known.
        """
        shop_order = self._shop_order
        if shop_order.id.startswith(CREDIT) and (agreed := self._agreed_customer()):
            return agreed
        if marked := marked_customer(shop_order):
            return marked
        customer_id = shop_order.customer_id
        if customer_id is None and self.tools.settings.guests != "by_email":
            return self._customer_for_guests()
        link = self._customer_link(buyer.id)
        is_guest = buyer.id != customer_id
        if link is not None and not (is_guest and self._buys_after_deletion(link)):
            if is_guest:
                guest = buyer_as_customer(shop_order.raw, buyer.id)
                self.tools.customers.complete_create(guest, link, self.arrival.read_at)
            return link.go_id
        if link is None and is_guest and (agreed := self._agreed_customer(buyer_id=buyer.id)):
            return agreed
        may_create = self.arrival.at_end or is_guest
        if may_create and is_marked(shop_order) and shop_order.buyer.number is None:
            return self._customer_for_anonymised()
        if may_create and self._may_create("customers", buyer.id):
            customer = buyer_as_customer(shop_order.raw, buyer.id)
            self.tools.customers.take(Arrival(customer, self.arrival.read_at, at_end=True))
            link = self.tools.store.links.get("customers", buyer.id)
        if link is None:
            self.awaited.append(f"customers:{buyer.id}")
            return None
        return link.go_id

    def _customer_for_guests(self) -> str | None:
        """Return the one customer for all guests, unless the order already has another one.

        Raises:
            Undecidable: with a Reject, when guests may not buy.
        """
        if agreed := self._agreed_customer():
            return agreed
        if self.tools.settings.guests == "reject":
            raise Undecidable(Reject("a guest bought it, and the setting guests is reject"))
        return self.tools.run.guest_customer_id

    def _customer_for_anonymised(self) -> str:
        """Return the customer for orders that were anonymised before they were in Go.

        Raises:
            Undecidable: with a Hold, when the settings name none.
        """
        if self.tools.run.guest_customer_id is None:
            reason = (
                "the shop anonymised it before it was in Go, so its buyer is not known: set"
                " guest_customer_number to the customer in Go that such orders should go to; or"
                " post it by hand in Go, then acknowledge"
            )
            raise Undecidable(Hold(reason))
        return self.tools.run.guest_customer_id

    def _buys_after_deletion(self, link: Link) -> bool:
        """Return whether an order is new, and its guest shares the entry of a deleted customer."""
        return self._link is None and self.tools.customers.shares_deleted_entry(link)

    def _agreed_customer(self, *, buyer_id: str | None = None) -> str | None:
        """Return the customer in Go that an order, or the order that a credit note credits, has.

        With `buyer_id`, only if that was the buyer.
        """
        state = state_of(self._link)
        if buyer_id is not None and (state.buyer is None or state.buyer.id != buyer_id):
            return None
        agreed = state.base.get("customer")
        if agreed is None:
            return None
        is_credit = self._shop_order.id.startswith(CREDIT)
        customer = agreed.go if is_credit and agreed.go else agreed.shop
        return None if customer is None else str(customer)

    def _customer_link(self, shop_id: str) -> Link | None:
        """Return the link of a customer.

        Raises:
            Undecidable: with a Reject, when its data was erased, so that it never comes into Go.
        """
        link = self.tools.store.links.get("customers", shop_id)
        if link is None and self.tools.run.erased.id_of(shop_id) is not None:
            reason = (
                "the personal data of its customer was erased before the customer was in Go: post"
                " the order by hand in Go, then acknowledge"
            )
            raise Undecidable(Reject(reason))
        return link

    def _may_create(self, entity: str, shop_id: str) -> bool:
        """Return whether a record may be made: none of the shop's waits, nor a refusal rests."""
        previous = self.tools.store.unsettled.get(entity, shop_id)
        return previous is None or (
            MADE_FOR_ORDERS in previous.payload and not previous.is_resting(now())
        )

    # The products

    def _product(self, line: OrderLine) -> int | None:
        """Return the id in Go of the product that a line is posted to; None if it is awaited."""
        if line.service is not None and line.rate is not None:
            shop_id = f"{SERVICE}{line.service.code}"
            go_id = self.tools.products.service(line.service, line.rate, self.arrival.read_at)
        else:
            shop_id = line.product_id or f"sku:{line.sku}"
            go_id = self._find_product(line)
            may_create = go_id is None and self.arrival.at_end
            if may_create and self._may_create("products", shop_id):
                self._create_product(line, shop_id)
                go_id = self._find_product(line)
        if go_id is None:
            self.awaited.append(f"products:{shop_id}")
        return go_id

    def _find_product(self, line: OrderLine) -> int | None:
        if line.product_id:
            link = self.tools.store.links.get("products", line.product_id)
            if link is not None:
                return int(link.go_id)
            if not self._may_create("products", line.product_id):
                return None
        return self.tools.products.id_by_code(line.sku) if line.sku else None

    def _create_product(self, line: OrderLine, shop_id: str) -> None:
        if not self.tools.settings.create_missing_products:
            reason = f"the shop does not list the product {values.quoted(line.sku or shop_id)}"
            raise Undecidable(Reject(f"{reason}, and create_missing_products is off"))
        product = {**self._shop_order.product_of(line), "id": shop_id}
        self.tools.products.take(Arrival(product, self.arrival.read_at, at_end=True))


@dataclass(frozen=True)
class _Accounts:
    """Decides to which sales accounts an order's lines go, by its customer and destination."""

    tools: OrderTools
    is_vat_free: bool
    is_abroad: bool

    @property
    def _ids(self) -> Mapping[str, int]:
        """The ids of the accounts in `sales_accounts`, by rate or name."""
        return self.tools.run.conversion.sales_account_ids

    def is_optional_for(self, line: OrderLine, product_id: int | None) -> bool:
        """Return whether a line goes to the optional account of its product."""
        if self.is_vat_free and not self._is_gift_card(product_id):
            return True
        return self._is_sold_without_vat(line, product_id)

    def _is_sold_without_vat(self, line: OrderLine, product_id: int | None) -> bool:
        """Return whether a line goes to the account `exempt`, the optional one of its product.

        That applies to goods without VAT that are delivered abroad, and to anything sold without
        VAT although its product's own account bears VAT.
        """
        if line.rate != 0 or line.is_text or EXEMPT not in self._ids:
            return False
        if self.is_abroad and line.is_goods:
            return True
        account = self._sales_account(product_id)
        without_vat = ("0", EXEMPT, GIFT_CARD)
        taxed = {account_id for rate, account_id in self._ids.items() if rate not in without_vat}
        return account is None or account in taxed

    def _is_gift_card(self, product_id: int | None) -> bool:
        """Return whether a product has the account `gift_card` of `sales_accounts`."""
        account = self._ids.get(GIFT_CARD)
        return account is not None and self._sales_account(product_id) == account

    def _sales_account(self, product_id: int | None) -> object:
        entry = self.tools.index.entry("products", str(product_id))
        return entry.body.get("StandardSalesAccountId") if entry else None


def delivery_address(
    tools: OrderTools, arrival: OrderArrival, buyer_id: str, customer_id: int
) -> int | None:
    """Return the id of the delivery address to send, or None if Go uses the mail address anyway.

    PowerOffice Go gives an order the customer's primary delivery address if none is sent. Since a
    person may make another one primary, every address but the mail address is always sent.
    """
    wanted = arrival.shop_order.address
    if wanted is None:
        return None
    # unanswered writes of the address are stored under this id
    write_id, contact = f"order:{arrival.shop_id}", Contact(buyer_id, str(customer_id))
    tools.customers.require_addresses_visible(write_id, contact)
    existing = tools.index.find("delivery_addresses", f"contact:{customer_id}")
    entry = tools.index.entry("customers", str(customer_id))
    mail = address_from_go((entry.body.get("MailAddress") if entry else None) or {})
    if mail.content == wanted.content:
        primary = next((address for address in existing if address.body.get("IsPrimary")), None)
        if primary is None or address_from_go(primary.body).content == wanted.content:
            return None
    find_or_create = functools.partial(tools.customers.delivery_address, write_id, contact)
    if not existing and mail.is_complete:
        # the first address becomes primary, and orders for the mail address would go there
        find_or_create(mail, arrival.read_at)
    # without the shop's id, so that an edit of the customer's own address does not change it
    address_id, _ = find_or_create(replace(wanted, shop_id=None), arrival.read_at)
    return address_id
