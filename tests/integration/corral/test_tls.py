"""The command line over HTTPS, with a certificate that only SSL_CERT_FILE makes known."""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from corral.client import Client
from corral.errors import Unreached
from harness.tls import write_certificate


class Version(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"version": "1.2.3"}')

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: what a test asks is no news."""


@contextlib.contextmanager
def serving(certificate: Path) -> Iterator[str]:
    context = write_certificate(certificate)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Version) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"https://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_certificate_is_trusted_when_ssl_cert_file_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = tmp_path / "certificate.pem"
    with serving(certificate) as url:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with Client(url) as client:
            assert client.call("GET", "/api/version") == {"version": "1.2.3"}


def test_an_unknown_certificate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path / "certificate.pem") as url:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        with Client(url) as client, pytest.raises(Unreached, match=r"not trusted .* SSL_CERT_FILE"):
            client.call("GET", "/api/version")
