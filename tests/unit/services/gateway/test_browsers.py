"""Which pages and host names may reach the server."""

import pytest

from services.gateway.browsers import is_own_name, may_use


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost", True),
        ("https://127.0.0.1:8443", True),
        ("http://0.0.0.0:3000", True),
        ("app://obsidian.md", True),
        ("vscode-webview://abc", True),
        ("chrome-extension://abc", True),
        ("https://corral.test:8000", True),
        ("https://a.example.org", True),
        ("https://evil.test", False),
        ("http://localhost.evil.test", False),
        ("null", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_local_pages_apps_and_listed_origins_may_call(origin: str, allowed: bool) -> None:
    listed = ("https://*.example.org",)
    assert may_use(origin, own_host="corral.test:8000", extra_origins=listed) is allowed


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:11434", True),
        ("127.0.0.1:11434", True),
        ("[::1]:11434", True),
        ("192.168.1.5", True),
        ("box", True),
        ("Corral.Example", True),
        ("box.local", True),
        ("host.docker.internal", True),
        ("", True),
        ("8.8.8.8", False),
        ("evil.test", False),
        ("localhost.evil.test", False),
        ("[", False),
    ],
)
def test_a_server_on_loopback_has_local_names_only(host: str, allowed: bool) -> None:
    assert is_own_name(host, own_names={"box", "corral.example"}) is allowed
