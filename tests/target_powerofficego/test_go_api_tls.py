"""Calls over TLS, as to the real PowerOffice Go: to a server on this machine."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import tls
from target_powerofficego.go_api import Connection, GoClient, Unreachable


class SmallGo(BaseHTTPRequestHandler):
    """Issues tokens and creates one entry."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = b'{"access_token": "x"}' if body.startswith(b"grant_type") else b'{"Id": 1}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


@pytest.fixture
def client(certificate):
    with ThreadingHTTPServer(("127.0.0.1", 0), SmallGo) as server:
        server.socket = tls.over(server.socket, certificate)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        address = f"https://127.0.0.1:{server.server_port}"
        connection = Connection(f"{address}/v2", f"{address}/token", "app", "client", "key")
        with GoClient(connection, retry_seconds=0.5) as client:
            yield client
        server.shutdown()
        serving.join()


def test_writes_are_sent_once_over_new_and_used_connections(client, certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))

    assert client.create("/Products", {"Name": "Garn"}) == {"Id": 1}
    assert client.create("/Products", {"Name": "Not"}) == {"Id": 1}
    assert (client.calls.writes, client.calls.tokens) == (2, 1)


def test_an_untrusted_certificate_is_refused(client, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)

    with pytest.raises(Unreachable, match="TLS"):
        client.create("/Products", {"Name": "Garn"})

    assert (client.calls.writes, client.calls.tokens) == (0, 0)
