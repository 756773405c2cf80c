"""TLS for a local server, with a self-signed certificate."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import socket
    from pathlib import Path

# Valid for this machine only; the key is public and protects nothing.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUd0N3FYS5ybzIi27vZ2lKNtluU6kwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzA5MjQzM1oYDzIxMjYxMDMw
MDkyNDMzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASci+RrxMSd3CGLHE1rWtjULjZJCcEAH96j8Rd+gU1z81iqBUeli1Cl
W46Oivo2okqDOh98SSpzSk1hedfyYOsXo28wbTAdBgNVHQ4EFgQUd8AcCzCGDcl/
NnRw9EZ6UIf8d1kwHwYDVR0jBBgwFoAUd8AcCzCGDcl/NnRw9EZ6UIf8d1kwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgdIRH+IZMYnLC9R5UgdfMajaQk8WFHaWUHaONE39jqmcCIG9y
3SXU+fNm3YBJzlhFPRBlZwncHIvbteSUCuVDcBO2
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+cj0N06JrXC5Oy+U
Ct5xqncZJK4EImdb2bVuiP5UiW2hRANCAASci+RrxMSd3CGLHE1rWtjULjZJCcEA
H96j8Rd+gU1z81iqBUeli1ClW46Oivo2okqDOh98SSpzSk1hedfyYOsX
-----END PRIVATE KEY-----
"""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with the certificate and its key."""
    file = tmp_path / "certificate.pem"
    file.write_text(CERTIFICATE)
    return file


def over(listener: socket.socket, certificate: Path) -> ssl.SSLSocket:
    """Return a listening socket that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context.wrap_socket(listener, server_side=True)
