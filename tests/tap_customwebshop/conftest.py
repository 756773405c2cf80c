"""Shops that answer whatever a test wants, and fixtures that run the tap and read its output."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
import taps
import tls
from go_sandbox import Sandbox
from odd_shop import HEAD, OddShop, Reply
from preset_reader import ACCOUNTS
from tap_customwebshop.tap import TapCustomWebShop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from odd_shop import Request
    from preset_reader import PresetReader


@dataclass(frozen=True)
class Answer(Reply):
    """An answer of a shop that follows the contract; by default, an empty list."""

    body: bytes = b'{"data": [], "next_cursor": null}'


def _page(records: list[Any], next_cursor: Any = None) -> Answer:
    return Answer(json.dumps({"data": records, "next_cursor": next_cursor}).encode())


class ScriptedShop(OddShop):
    """Answers the requests for each stream with the answers given, then repeats the last one."""

    def __init__(self) -> None:
        self._answers: dict[str, list[Answer]] = {}
        super().__init__(self._next)

    def answers(self, stream: str, *answers: Answer) -> None:
        self._answers[f"/{stream}"] = list(answers)

    def speak_tls(self, certificate: Path) -> None:
        self._server.socket = tls.over(self._server.socket, certificate)
        self.url = self.url.replace("http:", "https:")

    def _next(self, request: Request) -> Answer:
        waiting = self._answers.get(request.path, [Answer()])
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return replace(answer, headers={"Date": formatdate(usegmt=True), **answer.headers})


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
