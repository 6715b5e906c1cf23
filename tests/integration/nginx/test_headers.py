"""Every answer carries the security headers once, whoever gave it and whether it succeeded."""

import aiohttp
import pytest

from integration.nginx.front_door import FrontDoor
from integration.nginx.raw import ask

HEADERS = ("Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/api/version", 200),
        ("GET", "/v1/models", 401),
        ("GET", "/v2/", 401),
        ("POST", "/api/chat", 403),
        ("GET", "/metrics", 404),
        ("GET", "/auth", 502),
        ("GET", "/grafana/", 502),
        ("GET", "/grafana", 301),
        ("TRACE", "/", 405),
    ],
)
async def test_the_headers_are_there_once(stranger: aiohttp.ClientSession, method: str, path: str, status: int) -> None:
    async with stranger.request(method, path, allow_redirects=False) as response:
        assert response.status == status
        assert [len(response.headers.getall(name, ())) for name in HEADERS] == [1] * len(HEADERS)
        assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "/" not in response.headers.get("Server", "")


async def test_a_request_that_is_too_large_is_told_with_the_headers(door: FrontDoor) -> None:
    reply = await ask(door, "/api/chat", method="POST", Content_Length=str(1 << 40))
    assert reply.status == 413
    assert set(HEADERS) <= reply.headers.keys()


async def test_a_redirect_stays_on_the_clients_own_address(stranger: aiohttp.ClientSession) -> None:
    async with stranger.get("/grafana", allow_redirects=False) as response:
        assert response.headers["Location"] == "/grafana/"
