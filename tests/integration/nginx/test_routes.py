"""Who answers which path: the gateway, the chat interface, nobody."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from integration.gateway.setup import listening
from integration.nginx.front_door import FrontDoor
from integration.nginx.raw import ask
from services.gateway.access import Need
from services.gateway.handlers.doors import need_of

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Site": "none"}
PAGE = {"Accept": "*/*", "Sec-Fetch-Site": "same-origin"}
OPERATORS_OWN = ("/metrics", "/healthz", "/readyz")


async def _interface(request: web.Request) -> web.StreamResponse:
    """Says what it was asked for; sends back what a websocket says."""
    if request.headers.get("Upgrade") != "websocket":
        return web.Response(text=f"interface {request.path_qs}", headers={"X-Seen-Host": request.host})
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(f"echo {message.data}")
    return socket


@pytest.fixture
async def interface_address() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", _interface)
    async with listening(app) as url:
        yield url.removeprefix("http://")


@pytest.fixture
async def full_door(tmp_path: Path, gateway_address: str, interface_address: str) -> AsyncIterator[FrontDoor]:
    """nginx with everything behind it; one stand-in plays the chat interface and Grafana."""
    services = {"EDGE_GATEWAY": gateway_address, "EDGE_UI": interface_address, "EDGE_GRAFANA": interface_address}
    async with FrontDoor(tmp_path).running(**services) as door:
        yield door


@pytest.fixture
async def visitor(full_door: FrontDoor) -> AsyncIterator[aiohttp.ClientSession]:
    async with full_door.client() as session:
        yield session


@pytest.mark.parametrize(
    ("method", "path", "headers", "wanted"),
    [
        ("GET", "/", BROWSER, "interface /"),
        ("GET", "/", {"Accept": "*/*"}, "Ollama is running"),
        ("GET", "/", {"User-Agent": "ollama/0.12.6 (amd64 linux) Go/go1.24"}, "Ollama is running"),
        ("GET", "/auth?next=%2F", BROWSER, "interface /auth?next=/"),
        ("GET", "/api/config", PAGE, "interface /api/config"),
        ("GET", "/api/version", PAGE, "interface /api/version"),
        ("GET", "/api/version", {}, '"version"'),
        ("GET", "/api/version", BROWSER, '"version"'),
        ("GET", "/api/version", {"Sec-Fetch-Site": "cross-site"}, '"version"'),
        ("POST", "/api/v1/auths/signin", {}, "interface /api/v1/auths/signin"),
        ("POST", "/api/chat", {}, "needs an API key"),
        ("POST", "/v1/chat/completions", PAGE, "needs an API key"),
        ("GET", "/openapi.json", {}, ""),
        ("GET", "/grafana/d/1", BROWSER, "interface /grafana/d/1"),
        ("GET", "/ollama/api/tags", PAGE, "interface /ollama/api/tags"),
    ],
)
async def test_each_path_is_answered_by_its_service(
    visitor: aiohttp.ClientSession, method: str, path: str, headers: dict[str, str], wanted: str
) -> None:
    async with visitor.request(method, path, headers=headers) as response:
        text = await response.text()
        assert wanted in text
        assert text.startswith("interface") == wanted.startswith("interface")


async def test_the_command_lines_first_question_is_for_the_gateway(full_door: FrontDoor) -> None:
    reply = await ask(full_door, "/?ts=1", method="HEAD", User_Agent="ollama/0.12.6", Accept="text/html")
    assert (reply.status, "X-Request-Id" in reply.headers) == (200, True)


async def test_websockets_reach_the_interface(full_door: FrontDoor, visitor: aiohttp.ClientSession) -> None:
    async with visitor.ws_connect("/ws/socket.io/?EIO=4") as socket:
        await socket.send_str("hello")
        assert await socket.receive_str(timeout=10) == "echo hello"


async def test_services_learn_the_public_name_and_port(full_door: FrontDoor, visitor: aiohttp.ClientSession) -> None:
    async with visitor.get("/auth") as response:
        assert response.headers["X-Seen-Host"] == f"localhost:{full_door.https_port}"


async def test_without_a_chat_interface_the_gateway_greets_browsers(stranger: aiohttp.ClientSession) -> None:
    async with stranger.get("/", headers=BROWSER) as response:
        assert (response.status, await response.text()) == (200, "Ollama is running")
    async with stranger.get("/auth", headers=BROWSER) as response:
        assert (response.status, response.content_type) == (502, "application/json")


async def test_without_anything_behind_it_the_root_is_an_error_in_json(tmp_path: Path) -> None:
    door = FrontDoor(tmp_path)
    async with door.running(), door.client() as http, http.get("/", headers=BROWSER) as response:
        assert (response.status, response.content_type) == (502, "application/json")


@pytest.mark.parametrize("page", OPERATORS_OWN)
@pytest.mark.parametrize(
    "spelling",
    [
        *(
            "{page}",
            "{page}/",
            "/{page}",
            "/.{page}",
            "/api/..{page}",
            "/v2/x/../..{page}",
            "{page}?a=1",
            "{page}#/v1/",
        ),
        *("/api/%2e%2e{page}", "/api/..%2f{page}", "/v1/%2E%2E%2F{page}", "http://localhost{page}"),
        *("/grafana{page}", "/grafana/..{page}", "/api/blobs/../..{page}", "/%6d%65trics"),
    ],
)
async def test_what_is_for_operators_cannot_be_reached_however_it_is_spelt(
    full_door: FrontDoor, page: str, spelling: str
) -> None:
    reply = await ask(full_door, spelling.format(page=page))
    assert (reply.status, reply.body) == (404, b"404 page not found")


async def test_the_registrys_internal_addresses_are_not_there(full_door: FrontDoor) -> None:
    reply = await ask(full_door, "/internal/blobs/sha256:0")
    assert (reply.status, reply.body) == (404, b"404 page not found")


async def test_operators_reach_nginx_itself_from_its_own_machine(full_door: FrontDoor) -> None:
    async with aiohttp.ClientSession(base_url=f"http://127.0.0.1:{full_door.ops_port}") as session:
        async with session.get("/healthz") as response:
            assert (response.status, await response.text()) == (200, "ok")
        async with session.get("/status") as response:
            assert "Active connections" in await response.text()
        async with session.get("/api/version") as response:
            assert response.status == 404


async def test_every_route_that_needs_a_key_refuses_whoever_has_none(
    full_door: FrontDoor, gateway_app: web.Application
) -> None:
    open_routes, refused = set(), set()
    for route in gateway_app.router.routes():
        assert route.resource is not None
        pattern = route.resource.canonical
        method = "GET" if route.method == "*" else route.method
        reply = await ask(full_door, re.sub(r"\{\w+\}", "x", pattern), method=method)
        if pattern in OPERATORS_OWN:
            assert reply.status == 404
        elif need_of(method, pattern) is Need.NOTHING:
            open_routes.add(pattern)
        else:
            refused.add(pattern)
            assert reply.status in (401, 403), (method, pattern)
    assert open_routes == {"/", "/api/version", "/openapi.json", "/v2/token"}
    assert {"/api/chat", "/v1/chat/completions", "/v1/messages", "/api/keys", "/v2/{tail}"} <= refused
