"""The walk of a customer, with the delivery address and the contact person that hang on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.changes import Create, RowChange
from target_powerofficego.changes import Link as LinkChange
from target_powerofficego.dataflow import addresses, customer, values
from target_powerofficego.links import Agreement, now
from target_powerofficego.matching import GUEST, match_customer
from target_powerofficego.walks.entity_walk import EntityWalk
from target_powerofficego.writing import Target, contact_target, customer_target

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from target_powerofficego.dataflow.addresses import Address
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.links import Link

_SHIPPING, _PERSON = "shipping_address", "contact_person"


class CustomersWalk(EntityWalk):
    """Customers of the shop, and guests made into customers."""

    entity = "customers"
    silent_rows = frozenset(
        f"address_{part}" for part in ("line1", "line2", "postal_code", "city", "country_code")
    )

    def match(self, record: Record, row_values: Mapping[str, Value]) -> LinkChange | Create:
        """See `match_customer`; a guest is always matched on the e-mail address."""
        settings = self.tools.settings
        kind = "company" if customer.is_company(record) else "person"
        is_guest = record["id"].startswith(GUEST)
        return match_customer(
            record["id"],
            row_values,
            shop_name=settings.shop_name,
            match_on=("email",) if is_guest else settings.match_customers_on[kind],
            index=self.tools.index,
            store=self.tools.store,
        )

    def target(self, record: Record, row_values: Mapping[str, Value]) -> Target:
        """Return where the customer is created."""
        return customer_target(record["id"], row_values["id"])

    def extra_base(
        self, record: Record, read_at: datetime.datetime, *, is_new: bool
    ) -> dict[str, Agreement]:
        """Return the base of address and person; empty for a new customer, so they are written."""
        told = {_SHIPPING: _shipping_value(record), _PERSON: _person_value(record)}
        return {
            name: Agreement(None if is_new else value, None, read_at, read_at)
            for name, value in told.items()
        }

    def write_extras(self, record: Record, read_at: datetime.datetime) -> bool:
        """Create or change delivery address and contact person where the shop changed them.

        A customer whose create was cut off has no base for them yet.
        """
        wrote = False
        for name, value in (
            (_SHIPPING, _shipping_value(record)),
            (_PERSON, _person_value(record)),
        ):
            link = self.tools.store.link(self.entity, record["id"])
            base = link.base.get(name) if link else None
            if link is None or (base and (base.shop == value or read_at < base.shop_read_at)):
                continue
            if value is not None:
                write = self._write_address if name == _SHIPPING else self._write_person
                wrote |= write(record, link)
            agreed = {**link.base, name: Agreement(value, None, read_at, now())}
            self.tools.store.put_link(replace(link, base=agreed))
        return wrote

    def delivery_address(self, shop_id: str, go_id: str, address: Address) -> tuple[int, bool]:
        """Return the id of a delivery address of a Go customer, and whether it had to be created.

        An equal one is used again, whoever made it.
        """
        tools = self.tools
        for entry in tools.index.find("delivery_addresses", f"contact:{go_id}"):
            if addresses.from_go(entry.body).content == address.content:
                return int(entry.go_id), False
        code = address.reference(tools.settings.shop_name)
        target = contact_target(
            "ContactDeliveryAddresses", "delivery_addresses", shop_id, go_id, code
        )
        taken = tools.index.find("delivery_addresses", f"code:{code}")
        if any(str(entry.body.get("ContactId")) == go_id for entry in taken):
            code = replace(address, shop_id=None).reference(tools.settings.shop_name)
            target = contact_target(
                "ContactDeliveryAddresses", "delivery_addresses", shop_id, go_id, code
            )
        body = {**address.body(), "ExternalCode": code}
        answer = tools.writer.create(target, body, body)
        with tools.store.transaction():
            kept = {"ContactId": int(go_id), **answer.body}
            tools.index.remember("delivery_addresses", kept, now())
            tools.store.end_intent(answer.intent)
        return int(answer.body["Id"]), True

    def _write_address(self, record: Record, link: Link) -> bool:
        address = customer.shipping_address(record)
        if address is None:
            return False
        code = address.reference(self.tools.settings.shop_name)
        for entry in self.tools.index.find("delivery_addresses", f"code:{code}"):
            if str(entry.body.get("ContactId")) == link.go_id:
                path = f"/ContactDeliveryAddresses/{link.go_id}/{entry.go_id}"
                return self._change_extra(
                    "delivery_addresses", record, path, entry.body, address.body()
                )
        return self.delivery_address(record["id"], link.go_id, address)[1]

    def _write_person(self, record: Record, link: Link) -> bool:
        names = customer.contact_person(record)
        if names is None:
            return False
        tools = self.tools
        code = values.short_reference(tools.settings.shop_name, record["id"])
        body = {"FirstName": names[0], "LastName": names[1]}
        for entry in tools.index.find("contact_persons", f"code:{code}"):
            path = f"/ContactPersons/{link.go_id}/{entry.go_id}"
            return self._change_extra("contact_persons", record, path, entry.body, body)
        target = contact_target("ContactPersons", "contact_persons", record["id"], link.go_id, code)
        sent = {**body, "ExternalCode": code}
        answer = tools.writer.create(target, sent, sent)
        with tools.store.transaction():
            tools.index.remember(
                "contact_persons", {"ContactId": int(link.go_id), **answer.body}, now()
            )
            tools.store.end_intent(answer.intent)
        return True

    def _change_extra(
        self,
        entity: str,
        record: Record,
        path: str,
        entry: Mapping[str, Value],
        body: Mapping[str, Value],
    ) -> bool:
        rows = [
            RowChange(name, f"/{name}", entry.get(name), value)
            for name, value in body.items()
            if values.same_text(entry.get(name)) != values.same_text(value)
        ]
        if not rows:
            return False
        answer = self.tools.writer.change(entity, record["id"], path, rows)
        with self.tools.store.transaction():
            self.tools.index.remember(entity, {**entry, **answer.body}, now())
            self.tools.store.end_intent(answer.intent)
        return True


def _shipping_value(record: Record) -> list[str] | None:
    address = customer.shipping_address(record)
    return list(address.content) if address else None


def _person_value(record: Record) -> list[str] | None:
    names = customer.contact_person(record)
    return list(names) if names else None
