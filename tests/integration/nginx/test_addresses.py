"""Who asked: what the gateway learns of the client, and what both logs keep of a request."""

from pathlib import Path
from typing import Any

import aiohttp
import structlog
from aiohttp import web

from integration.gateway.setup import listening
from integration.nginx.front_door import FrontDoor

CLAIMS = {
    "X-Forwarded-For": "192.0.2.1",
    "X-Real-IP": "192.0.2.1",
    "Forwarded": "for=192.0.2.1",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Server": "evil.example",
}


async def test_the_gateway_learns_the_clients_address_and_believes_no_claim(door: FrontDoor) -> None:
    with structlog.testing.capture_logs() as logged:
        async with door.client(from_address="127.0.0.5") as http, http.get("/api/version", headers=CLAIMS) as response:
            request_id = response.headers["X-Request-Id"]
    (line,) = [entry for entry in logged if entry["event"] == "request_served"]
    assert line["client"] == "127.0.0.5"
    assert (await door.logged(request_id=request_id))["client"] == "127.0.0.5"


async def test_a_service_is_told_where_the_client_reached_us_and_none_of_its_claims(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    async def look(request: web.Request) -> web.Response:
        seen.update(request.headers)
        return web.Response()

    app = web.Application()
    app.router.add_get("/{tail:.*}", look)
    door = FrontDoor(tmp_path)
    async with (
        listening(app) as url,
        door.running(EDGE_UI=url.removeprefix("http://")),
        door.client() as http,
        http.get("/page", headers=CLAIMS),
    ):
        pass
    forwarded = {name: value for name, value in seen.items() if name in (*CLAIMS, "Host")}
    authority = f"localhost:{door.https_port}"
    assert forwarded == {
        "Host": authority,
        "X-Forwarded-For": "127.0.0.1",
        "X-Real-IP": "127.0.0.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": authority,
    }


async def test_a_line_of_the_log_sums_a_request_up_without_its_query(
    door: FrontDoor, http: aiohttp.ClientSession
) -> None:
    async with http.get("/api/version?ts=123&token=hidden", headers={"User-Agent": 'a "quoted" agent'}) as response:
        request_id = response.headers["X-Request-Id"]
        size = len(await response.read())
    line = await door.logged(request_id=request_id)
    assert (line["event"], line["method"], line["path"]) == ("request_proxied", "GET", "/api/version")
    assert (line["status"], line["tls"], line["user_agent"]) == (200, "TLSv1.3", 'a "quoted" agent')
    assert line["sent_bytes"] > size
    assert line["duration_s"] >= 0
    assert "hidden" not in repr(door.access_log())


async def test_what_nginx_refuses_has_a_request_id_too(door: FrontDoor, stranger: aiohttp.ClientSession) -> None:
    async with stranger.get("/auth") as response:
        assert response.status == 502
        line = await door.logged(request_id=response.headers["X-Request-Id"])
    assert (line["status"], line["upstream_status"]) == (502, "502")


async def test_a_token_in_the_address_of_a_blob_is_in_no_log(tmp_path: Path) -> None:
    door = FrontDoor(tmp_path)
    async with door.running(), door.client() as http:
        async with http.get("/v2/a/b/blobs/sha256:0?token=hidden") as response:
            assert response.status == 502
        async with http.get("/api/tags") as response:
            assert response.status == 502
        await door.logged(path="/api/tags")
    assert "/api/tags" in door.error_log
    assert "hidden" not in door.error_log + repr(door.access_log())
