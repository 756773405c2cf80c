from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import uvicorn
from go_sandbox import Sandbox
from go_sandbox.go.app import create_app
from go_sandbox.go.books import Books
from go_sandbox.go.ledger import Switches
from go_sandbox.storage import Storage

_BROKEN = "validation error(s)"


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

    def create(self, path: str, body: Any) -> dict[str, Any]:
        answer = self.post(path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def refuses(self, answer: requests.Response, kind: str = "", status: int = 400) -> str:
        """Assert that an answer refuses a broken rule of this kind of object; return the detail."""
        title = kind if "(" in kind else f"{kind} {'conflict' if status == 409 else _BROKEN}"
        assert (answer.status_code, answer.json()["title"]) == (status, title), answer.text
        return answer.json()["detail"]

    def status(self, path: str, **params: Any) -> int:
        return self.get(path, **params).status_code

    def customer(self, **members: Any) -> dict[str, Any]:
        return self.create("/Customers", {"Name": "Fjell AS", **members})

    def product(self, **members: Any) -> dict[str, Any]:
        return self.create("/Products", {"Name": "Ull", "UnitPrice": 100, **members})

    def order(self, customer: dict[str, Any], *lines: dict[str, Any], **members: Any):
        body = {"CustomerId": customer["Id"], "SalesOrderLines": list(lines), **members}
        return self.create("/SalesOrders/Complete", body)


@pytest.fixture(scope="session")
def go_server():
    """One server for the entire run; each test serves its own books through it."""
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
    """A client with a token."""
    root, served = go_server
    served["app"] = create_app(books)
    client = GoClient(books, root)
    client.log_in()
    yield client
    client.session.close()


@pytest.fixture(scope="module")
def running():
    """A sandbox for all tests of a file."""
    with Sandbox.start() as box:
        yield box


@pytest.fixture
def box(running):
    """The sandbox without faults, requests and records, and with the shop's switches reset."""
    running.faults.clear()
    running.requests.clear()
    running.shop.clear()
    running.shop.rate_limit = None
    running.shop.patches_move_updated_at = True
    running.shop.reshapes_patches = False
    return running


@pytest.fixture
def shop(box):
    return box.shop


@dataclass
class ShopSession(requests.Session):
    """A session with the shop's token; a URL that begins with `/` is a path of the shop's API."""

    box: Sandbox

    def __post_init__(self) -> None:
        super().__init__()
        self.headers["Authorization"] = f"Bearer {self.box.shop_token}"

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        base = self.box.shop_api_url if url.startswith("/") else ""
        return super().request(method, base + url, *args, **{"timeout": 10, **options})


@pytest.fixture
def session(box):
    with ShopSession(box) as authorized:
        yield authorized


@pytest.fixture
def go_status(box):
    """A function that gets a token from Go, and returns one that calls Go for the status."""

    def with_token():
        headers = {"Ocp-Apim-Subscription-Key": box.go.subscription_key}
        token = requests.post(
            box.go_token_url,
            auth=(box.go.application_key, box.go.client_key),
            headers=headers,
            data={"grant_type": "client_credentials"},
            timeout=10,
        ).json()["access_token"]
        headers["Authorization"] = f"Bearer {token}"

        def ask(method="GET", **options):
            url = f"{box.go_api_url}/Customers"
            answer = requests.request(method, url, headers=headers, timeout=10, **options)
            return answer.status_code

        return ask

    return with_token
