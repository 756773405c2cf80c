"""Shops that answer whatever a test wants, and fixtures that run the tap and read its output."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import taps
import tls
from go_sandbox import Sandbox
from odd_shop import HEAD, OddShop
from preset_reader import ACCOUNTS
from tap_customwebshop.tap import TapCustomWebShop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from preset_reader import PresetReader


@dataclass(frozen=True)
class Answer:
    body: bytes = b'{"data": [], "next_cursor": null}'
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    seconds_between_bytes: float = 0


@dataclass(frozen=True)
class Request:
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    received_at: float


def _page(records: list[Any], next_cursor: Any = None) -> Answer:
    return Answer(json.dumps({"data": records, "next_cursor": next_cursor}).encode())


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up, as in some tests."""


class ScriptedShop:
    """Answers the requests for each stream with the answers given, then repeats the last one."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._answers: dict[str, list[Answer]] = {}
        self._server = _QuietServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answers(self, stream: str, *answers: Answer) -> None:
        self._answers[f"/{stream}"] = list(answers)

    def speak_tls(self, certificate: Path) -> None:
        self._server.socket = tls.over(self._server.socket, certificate)
        self.url = self.url.replace("http:", "https:")

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _next(self, path: str) -> Answer:
        waiting = self._answers.get(path, [Answer()])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def _handler(shop) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = dict(parse_qsl(parts.query))
                headers = dict(self.headers.items())
                shop.requests.append(Request(parts.path, query, headers, time.monotonic()))
                answer = shop._next(parts.path)
                self.send_response(answer.status)
                length = {"Content-Length": str(len(answer.body))}
                for name, value in {**length, **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self._send(answer)
                except OSError:
                    self.close_connection = True

            def _send(self, answer: Answer) -> None:
                if not answer.seconds_between_bytes:
                    self.wfile.write(answer.body)
                    return
                for byte in answer.body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(answer.seconds_between_bytes)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


class Emitted(taps.Emitted):
    def bookmarks(self, stream: str) -> list[str | None]:
        return [bookmark.get("replication_key_value") for bookmark in super().bookmarks(stream)]


@pytest.fixture
def answer() -> type[Answer]:
    return Answer


@pytest.fixture
def page() -> Callable[..., Answer]:
    return _page


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox.start() as sandbox:
        yield sandbox


@pytest.fixture
def scripted_shop() -> Iterator[ScriptedShop]:
    shop = ScriptedShop()
    yield shop
    shop.close()


@pytest.fixture
def config(scripted_shop: ScriptedShop) -> dict[str, Any]:
    return {"api_url": scripted_shop.url, "auth_token": "not-a-real-token"}


@pytest.fixture
def read_shop(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Callable[..., Emitted]:
    """Run the tap to its end, or to an error of the given type, and return what it emitted."""

    def read(
        config: dict[str, Any],
        *,
        state: dict[str, Any] | None = None,
        catalog: dict[str, Any] | None = None,
        fails_with: type[Exception] | None = None,
    ) -> Emitted:
        capsys.readouterr()
        caplog.clear()
        caplog.set_level("INFO")
        tap = TapCustomWebShop(config=dict(config), state=state, catalog=catalog)
        log = ""
        if fails_with is None:
            tap.sync_all()
        else:
            with pytest.raises(fails_with) as failure:
                tap.sync_all()
            log = f"\n{failure.value}"
        lines = capsys.readouterr().out.splitlines()
        return Emitted([json.loads(line, parse_float=str) for line in lines], caplog.text + log)

    return read


@pytest.fixture
def read_answers(
    scripted_shop: ScriptedShop, config: dict[str, Any], read_shop: Callable[..., Emitted]
) -> Callable[..., Emitted]:
    """Run the tap on a shop with these answers, and return what it emitted."""

    def read(
        *answers: Answer,
        stream: str = "customers",
        state: dict[str, Any] | None = None,
        fails_with: type[Exception] | None = None,
        **settings: Any,
    ) -> Emitted:
        scripted_shop.answers(stream, *answers)
        return read_shop({**config, **settings}, state=state, fails_with=fails_with)

    return read


@pytest.fixture
def fails(
    scripted_shop: ScriptedShop, read_answers: Callable[..., Emitted]
) -> Callable[..., Emitted]:
    """Run the tap on a shop with these answers, assert how it fails, and return what it emitted.

    It fails with an error of this kind and message; after so many requests, if given.
    """

    def run(
        *answers: Answer,
        kind: type[Exception],
        message: str,
        requests: int | None = None,
        **settings: Any,
    ) -> Emitted:
        emitted = read_answers(*answers, fails_with=kind, **settings)
        assert message in emitted.log
        assert requests in (None, len(scripted_shop.requests))
        return emitted

    return run


@pytest.fixture
def odd_shop():
    shop = OddShop(lambda _: [])
    yield shop
    shop.close()


@pytest.fixture
def read(odd_shop, tmp_path, read_shop):
    """Run the tap with a shop file of these lines, on a shop that answers by this function."""

    def run(answer, file, *, state=None, fails_with=None, **settings):
        path = tmp_path / "my_shop.py"
        path.write_text(HEAD + file, encoding="utf-8")
        odd_shop.answer = answer
        odd_shop.requests.clear()
        config = {
            "api_url": odd_shop.url,
            "auth_token": "hemmelig-token",
            "shop": str(path),
            "retry_seconds": 0,
            **settings,
        }
        emitted = read_shop(config, state=state, fails_with=fails_with)
        assert "hemmelig" not in emitted.log
        return emitted

    return run


@pytest.fixture
def shop(served: Any) -> Any:
    """The shop that the test serves, whose data it can read and change."""
    return served.shop


@pytest.fixture
def to_go(ledger: Any, reader: PresetReader) -> Callable[..., Any]:
    """Send what changed since the last run to Go, and return the outcome."""

    def run(**settings: Any) -> Any:
        return ledger.run(*reader.messages(), sales_accounts=ACCOUNTS, **settings)

    return run
