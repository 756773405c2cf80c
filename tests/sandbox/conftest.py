from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import uvicorn
from go_sandbox.go.app import create_app
from go_sandbox.go.books import Books
from go_sandbox.go.ledger import Switches
from go_sandbox.storage import Storage


@dataclass
class GoClient:
    """A client of the local PowerOffice Go, with a token of its own."""

    books: Books
    root: str
    session: requests.Session = field(default_factory=requests.Session)

    def token(self, *, key: str | None = None, client_key: str | None = None, **form: str):
        return self.session.post(
            f"{self.root}/OAuth/Token",
            auth=(self.books.application_key, client_key or self.books.client_key),
            headers={"Ocp-Apim-Subscription-Key": key or self.books.subscription_key},
            data=form or {"grant_type": "client_credentials"},
        )

    def log_in(self) -> None:
        self.session.headers["Authorization"] = f"Bearer {self.token().json()['access_token']}"
        self.session.headers["Ocp-Apim-Subscription-Key"] = self.books.subscription_key

    def call(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        return self.session.request(method, f"{self.root}/v2{path}", **kwargs)

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.call("GET", path, params=params)

    def post(self, path: str, body: Any) -> requests.Response:
        return self.call("POST", path, json=body)

    def patch(self, path: str, *operations: dict[str, Any]) -> requests.Response:
        return self.call(
            "PATCH",
            path,
            json=list(operations),
            headers={"Content-Type": "application/json-patch+json"},
        )

    def put_value(self, path: str, member: str, value: Any) -> requests.Response:
        return self.patch(path, {"op": "replace", "path": f"/{member}", "value": value})

    def delete(self, path: str) -> requests.Response:
        return self.call("DELETE", path)

    def made(self, path: str, body: Any) -> dict[str, Any]:
        answer = self.post(path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def customer(self, **members: Any) -> dict[str, Any]:
        return self.made("/Customers", {"Name": "Fjell AS", **members})

    def product(self, **members: Any) -> dict[str, Any]:
        return self.made("/Products", {"Name": "Ull", "UnitPrice": 100, **members})

    def order(self, customer: dict[str, Any], *lines: dict[str, Any], **members: Any):
        body = {"CustomerId": customer["Id"], "SalesOrderLines": list(lines), **members}
        return self.made("/SalesOrders/Complete", body)


@pytest.fixture(scope="session")
def go_server():
    """One server for the whole run; each test serves its own books through it."""
    served: dict[str, Any] = {}

    async def app(scope, receive, send):
        await served["app"](scope, receive, send)

    # asyncio sends without delay only on sockets that name their protocol
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    host, port = listener.getsockname()
    yield f"http://{host}:{port}", served
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def books():
    return Books(Storage(), Switches())


@pytest.fixture
def go(go_server, books):
    """A client that has its token."""
    root, served = go_server
    served["app"] = create_app(books)
    client = GoClient(books, root)
    client.log_in()
    yield client
    client.session.close()
