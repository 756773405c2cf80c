"""The admin surface: over HTTP what `Sandbox` offers in Python."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

import simplejson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from go_sandbox.go.problems import Refusal
from go_sandbox.seed.store import seed_store
from go_sandbox.shop.problems import answer_problem, problem
from go_sandbox.shop.shop import SWITCHES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from go_sandbox.faults import Faults
    from go_sandbox.go.books import Books
    from go_sandbox.random_faults import RandomFaults
    from go_sandbox.requests_log import RequestLog
    from go_sandbox.shop.shop import Shop
    from go_sandbox.trigger import Fault

    Answering = Callable[[Request], Awaitable[Response]]
    Doing = Callable[[Request, dict[str, Any]], Any]


class Box(Protocol):
    """What the admin surface shows of a sandbox, and lets be changed."""

    go: Books
    shop: Shop
    faults: Faults
    requests: RequestLog

    @property
    def addresses(self) -> dict[str, str]:
        """Where everything is."""


def create_app(box: Box) -> Starlette:
    """Return the admin surface of a sandbox as an ASGI app."""
    admin = Admin(box)
    routes: list[tuple[str, str, Doing]] = [
        ("GET", "/", admin.addresses),
        ("GET", "/go/{resource}", admin.go_entries),
        ("POST", "/go/revoke-tokens", admin.go_revoke_tokens),
        ("POST", "/go/{resource}", admin.go_create),
        ("POST", "/go/SalesOrders/{id}/send-invoice", admin.go_send_invoice),
        ("POST", "/go/OutgoingInvoices/{id}/pay", admin.go_pay_invoice),
        ("POST", "/go/OutgoingInvoices/{id}/credit", admin.go_credit_invoice),
        ("POST", "/go/OutgoingInvoices/{id}/reverse", admin.go_reverse_invoice),
        ("GET", "/go/{resource}/{id}", admin.go_entry),
        ("PATCH", "/go/{resource}/{id}", admin.go_edit),
        ("DELETE", "/go/{resource}/{id}", admin.go_delete),
        ("GET", "/shop/{stream}", admin.shop_records),
        ("PUT", "/shop/{stream}", admin.shop_put),
        ("GET", "/shop/{stream}/{id}", admin.shop_record),
        ("PATCH", "/shop/{stream}/{id}", admin.shop_edit),
        ("DELETE", "/shop/{stream}/{id}", admin.shop_remove),
        ("GET", "/faults", admin.faults),
        ("POST", "/faults", admin.add_fault),
        ("POST", "/faults/random", admin.add_random_faults),
        ("DELETE", "/faults", admin.clear_faults),
        ("GET", "/requests", admin.requests),
        ("DELETE", "/requests", admin.clear_requests),
        ("GET", "/switches", admin.switches),
        ("PATCH", "/switches", admin.set_switches),
        ("POST", "/seed", admin.seed),
    ]
    return Starlette(
        routes=[Route(path, _answering(do), methods=[method]) for method, path, do in routes],
        exception_handlers={HTTPException: answer_problem},
    )


class Admin:
    """What each address of the admin surface does; every method returns what is answered."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def addresses(self, _: Request, __: dict[str, Any]) -> dict[str, str]:
        """Tell where everything is."""
        return self._box.addresses

    def go_entries(self, request: Request, _: dict[str, Any]) -> list[dict[str, Any]]:
        """List all entries of a resource of Go."""
        return self._box.go.entries(request.path_params["resource"])

    def go_entry(self, request: Request, _: dict[str, Any]) -> dict[str, Any]:
        """Show one entry of Go."""
        return _found(self._box.go.entry(request.path_params["resource"], _id(request)))

    def go_create(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Create an entry as a bookkeeper; an address or person at the query's `contact_id`."""
        contact_id = request.query_params.get("contact_id")
        return self._box.go.create(request.path_params["resource"], body, contact_id)

    def go_edit(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Edit an entry as a bookkeeper."""
        return self._box.go.edit(request.path_params["resource"], _id(request), body)

    def go_delete(self, request: Request, _: dict[str, Any]) -> None:
        """Delete an entry as a bookkeeper."""
        self._box.go.delete(request.path_params["resource"], _id(request))

    def go_send_invoice(self, request: Request, _: dict[str, Any]) -> dict[str, Any]:
        """Send an order's invoice by hand."""
        return self._box.go.send_invoice(_id(request))

    def go_pay_invoice(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Book a payment of an invoice: all that is open, or the `amount` of the body."""
        return self._box.go.pay_invoice(_id(request), **body)

    def go_credit_invoice(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Credit an invoice: all of it, or the `amount` of the body."""
        return self._box.go.credit_invoice(_id(request), **body)

    def go_reverse_invoice(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Reverse an invoice."""
        return self._box.go.reverse_invoice(_id(request), **body)

    def go_revoke_tokens(self, _: Request, __: dict[str, Any]) -> None:
        """Make every token that Go gave out useless."""
        self._box.go.revoke_tokens()

    def shop_records(self, request: Request, _: dict[str, Any]) -> list[dict[str, Any]]:
        """List all records of a stream."""
        return self._box.shop.records(request.path_params["stream"])

    def shop_record(self, request: Request, _: dict[str, Any]) -> dict[str, Any]:
        """Show one record."""
        return _found(self._box.shop.record(request.path_params["stream"], _id(request)))

    def shop_put(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Create or replace a record."""
        return self._box.shop.put(request.path_params["stream"], body)

    def shop_edit(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Edit a record as a person."""
        return self._box.shop.edit(request.path_params["stream"], _id(request), body)

    def shop_remove(self, request: Request, _: dict[str, Any]) -> dict[str, Any]:
        """Mark a record as deleted."""
        return self._box.shop.remove(request.path_params["stream"], _id(request))

    def faults(self, _: Request, __: dict[str, Any]) -> list[dict[str, Any]]:
        """List the faults and how often each struck."""
        return [_told(fault) for fault in self._box.faults.all()]

    def add_fault(self, _: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Add a fault."""
        return _told(self._box.faults.add(**body))

    def add_random_faults(self, _: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Let faults strike a share of the requests."""
        return _told(self._box.faults.at_random(**body))

    def clear_faults(self, _: Request, __: dict[str, Any]) -> None:
        """Forget all faults."""
        self._box.faults.clear()

    def requests(self, request: Request, _: dict[str, Any]) -> dict[str, Any]:
        """Count the requests, all or those that `system`, `method` and `path` pick."""
        log = self._box.requests
        wanted = {name: request.query_params.get(name) for name in ("system", "method", "path")}
        system = wanted["system"] or "go"
        return {
            "count": log.count(**wanted),
            "writes": len(log.writes(system)),
            "reads": len(log.reads(system)),
            "busiest_second": log.busiest_second(system),
            "requests": [
                {
                    "system": logged.system,
                    "method": logged.method,
                    "path": logged.path,
                    "query": logged.query,
                    "status": logged.status,
                }
                for logged in log.matching(**wanted)
            ],
        }

    def clear_requests(self, _: Request, __: dict[str, Any]) -> None:
        """Forget the requests so far."""
        self._box.requests.clear()

    def switches(self, _: Request, __: dict[str, Any]) -> dict[str, Any]:
        """Show how both systems are set."""
        go = {name: _plain(value) for name, value in vars(self._box.go.switches).items()}
        shop = {name: getattr(self._box.shop, name) for name in SWITCHES}
        return {"go": go, "shop": shop}

    def set_switches(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Change some switches of either system."""
        known = {"go": self._box.go.switches, "shop": self._box.shop}
        current = self.switches(request, {})
        asked = [(system, name) for system, changes in body.items() for name in changes]
        for system, name in asked:
            if name not in current.get(system, {}):
                message = f"{system} has no switch {name!r}"
                raise ValueError(message)
        for system, name in asked:
            value = body[system][name]
            is_set = isinstance(current[system][name], list)
            setattr(known[system], name, set(value) if is_set else value)
        return self.switches(request, {})

    def seed(self, _: Request, body: dict[str, Any]) -> dict[str, int]:
        """Fill the shop with a believable store."""
        seed_store(self._box.shop, **body)
        streams = ("customers", "products", "orders")
        return {stream: len(self._box.shop.records(stream)) for stream in streams}


def _answering(do: Doing) -> Answering:
    async def answer(request: Request) -> Response:
        try:
            result = do(request, _object(await request.body()))
        except HTTPException:
            raise
        except Refusal as refusal:
            raise problem(refusal.status, str(refusal)) from refusal
        except KeyError as error:
            raise problem(404, f"Not found: {error.args[0]}.") from error
        except (ValueError, TypeError) as error:
            raise problem(400, str(error)) from error
        if result is None:
            return Response(status_code=204)
        text = simplejson.dumps(result, use_decimal=True, ensure_ascii=False)
        return Response(text, media_type="application/json")

    return answer


def _object(body: bytes) -> dict[str, Any]:
    value = simplejson.loads(body, use_decimal=True) if body else {}
    if not isinstance(value, dict):
        message = "the body must be a JSON object"
        raise TypeError(message)
    return value


def _id(request: Request) -> str:
    return str(request.path_params["id"])


def _found(entry: dict[str, Any] | None) -> dict[str, Any]:
    if entry is None:
        raise problem(404, "There is no such entry.")
    return entry


def _told(fault: Fault | RandomFaults) -> dict[str, Any]:
    values = dataclasses.asdict(fault)
    return {name: value for name, value in values.items() if not name.startswith("_")}


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, (set, frozenset)) else value
