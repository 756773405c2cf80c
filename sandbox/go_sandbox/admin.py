"""The admin surface: `Sandbox` over HTTP."""

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
from go_sandbox.shop.app import answer_problem, problem
from go_sandbox.shop.contract import STREAMS
from go_sandbox.shop.shop import SWITCHES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from go_sandbox.faults import Faults
    from go_sandbox.go.books import Books
    from go_sandbox.requests_log import RequestLog
    from go_sandbox.shop.shop import Shop

    Answering = Callable[[Request], Awaitable[Response]]
    Doing = Callable[[Request, dict[str, Any]], Any]


class Box(Protocol):
    """The parts of a sandbox that the admin surface shows and changes."""

    go: Books
    shop: Shop
    faults: Faults
    requests: RequestLog

    @property
    def addresses(self) -> dict[str, str]:
        """The addresses of all servers."""


def create_app(box: Box) -> Starlette:
    """Return the admin surface of a sandbox as an ASGI app."""
    admin, go, shop = Admin(box), box.go, box.shop
    routes: list[tuple[str, str, Doing]] = [
        ("GET", "/", _alone(lambda: box.addresses)),
        ("GET", "/go/{resource}", _alone(go.entries)),
        ("POST", "/go/revoke-tokens", _alone(go.revoke_tokens)),
        ("POST", "/go/{resource}", admin.go_create),
        ("POST", "/go/SalesOrders/{id}/send-invoice", _alone(go.send_invoice)),
        ("POST", "/go/OutgoingInvoices/{id}/pay", _with_members(go.pay_invoice)),
        ("POST", "/go/OutgoingInvoices/{id}/credit", _with_members(go.credit_invoice)),
        ("POST", "/go/OutgoingInvoices/{id}/reverse", _with_members(go.reverse_invoice)),
        ("GET", "/go/{resource}/{id}", _alone(go.entry)),
        ("PATCH", "/go/{resource}/{id}", _with_body(go.edit)),
        ("DELETE", "/go/{resource}/{id}", _alone(go.delete)),
        ("GET", "/shop/{stream}", _alone(shop.records)),
        ("PUT", "/shop/{stream}", _with_body(shop.put)),
        ("GET", "/shop/{stream}/{id}", _alone(shop.record)),
        ("PATCH", "/shop/{stream}/{id}", _with_body(shop.edit)),
        ("DELETE", "/shop/{stream}/{id}", _alone(shop.remove)),
        ("GET", "/faults", _alone(box.faults.all)),
        ("POST", "/faults", _with_members(box.faults.add)),
        ("POST", "/faults/random", _with_members(box.faults.at_random)),
        ("DELETE", "/faults", _alone(box.faults.clear)),
        ("GET", "/requests", admin.requests),
        ("DELETE", "/requests", _alone(box.requests.clear)),
        ("GET", "/switches", _alone(admin.switches)),
        ("PATCH", "/switches", _with_body(admin.set_switches)),
        ("POST", "/seed", _with_members(admin.seed)),
    ]
    return Starlette(
        routes=[Route(path, _answering(do), methods=[method]) for method, path, do in routes],
        exception_handlers={HTTPException: answer_problem},
    )


def _alone(do: Callable[..., Any]) -> Doing:
    """Call with the parameters of the path."""
    return lambda request, _body: do(*request.path_params.values())


def _with_body(do: Callable[..., Any]) -> Doing:
    """Call with the parameters of the path, and with the body."""
    return lambda request, body: do(*request.path_params.values(), body)


def _with_members(do: Callable[..., Any]) -> Doing:
    """Call with the parameters of the path, and with the body's members by name."""
    return lambda request, body: do(*request.path_params.values(), **body)


class Admin:
    """The endpoints that do more than call the two systems and their faults."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def go_create(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Create an entry as a bookkeeper; an address or a person for the query's `contact_id`."""
        contact_id = request.query_params.get("contact_id")
        return self._box.go.create(request.path_params["resource"], body, contact_id)

    def requests(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        """Count the requests: all, or those that `system`, `method` and `path` select."""
        log = self._box.requests
        wanted = {name: request.query_params.get(name) for name in ("system", "method", "path")}
        system = wanted["system"] or "go"
        shown = ("system", "method", "path", "query", "status")
        return {
            "count": log.count(**wanted),
            "writes": len(log.writes(system)),
            "reads": len(log.reads(system)),
            "busiest_second": log.busiest_second(system),
            "requests": [
                {name: getattr(logged, name) for name in shown} for logged in log.matching(**wanted)
            ],
        }

    def switches(self) -> dict[str, dict[str, Any]]:
        """Return the switches of both systems."""
        shop = {name: getattr(self._box.shop, name) for name in SWITCHES}
        return {"go": vars(self._box.go.switches), "shop": shop}

    def set_switches(self, body: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Change some switches of either system."""
        known = {"go": self._box.go.switches, "shop": self._box.shop}
        current = self.switches()
        asked = [(system, name) for system, changes in body.items() for name in changes]
        for system, name in asked:
            if name not in current.get(system, {}):
                raise ValueError(f"{system} has no switch {name!r}")
        for system, name in asked:
            value = body[system][name]
            setattr(known[system], name, set(value) if name == "privileges" else value)
        return self.switches()

    def seed(self, **options: Any) -> dict[str, int]:  # noqa: ANN401
        """Fill the shop with the data of a believable store."""
        seed_store(self._box.shop, **options)
        return {stream: len(self._box.shop.records(stream)) for stream in STREAMS}


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
            if request.method in ("GET", "HEAD"):
                raise problem(404, "There is no such entry.")
            return Response(status_code=204)
        text = simplejson.dumps(result, use_decimal=True, ensure_ascii=False, default=_plain)
        return Response(text, media_type="application/json")

    return answer


def _object(body: bytes) -> dict[str, Any]:
    value = simplejson.loads(body, use_decimal=True) if body else {}
    if not isinstance(value, dict):
        raise TypeError("the body must be a JSON object")
    return value


def _plain(value: Any) -> object:  # noqa: ANN401
    """Return a set as a list, and a fault as an object of its public members."""
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    members = dataclasses.asdict(value)
    return {name: member for name, member in members.items() if not name.startswith("_")}
