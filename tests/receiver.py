"""A local webhook that receives messages as Apprise sends them."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Receiver:
    """A webhook and the messages that it accepted.

    Attributes:
        status: What it answers; None: it never answers.
        before_answer: Called with each message, before it is answered.
        ended: Set once the test is over, which ends answers that never come.
    """

    port: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    status: int | None = 200
    before_answer: Callable[[dict[str, Any]], object] = bool
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        """Its address as Apprise takes it, with a secret as its path."""
        return f"json://127.0.0.1:{self.port}/{SECRET}"

    @property
    def titles(self) -> list[str]:
        """The titles of the messages."""
        return [message["title"] for message in self.messages]

    @property
    def last(self) -> str:
        """Title and text of the last message."""
        return f"{self.messages[-1]['title']}\n{self.messages[-1]['message']}"


SECRET = "hemmelig7K2pQ9"


@pytest.fixture
def receiver():
    """A local webhook."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.before_answer(message)
            if receiver.status is None:
                receiver.ended.wait()
                return
            if receiver.status == 200:
                receiver.messages.append(message)
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, *_):
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield receiver
    receiver.ended.set()
    server.shutdown()
    server.server_close()
    thread.join()
